/** Networks of the swarm as `docker network` deals with them (moby daemon/cluster/networks.go): made, listed, shown and removed through the managers. */

import type { Network } from "../../../swarm/api/objects.ts";
import { ipamConfigShape } from "../../../swarm/api/parts.ts";
import { networkSpecShape } from "../../../swarm/api/specs.ts";
import { PREDEFINED_LABEL } from "../../../swarm/manager/first-objects.ts";
import { formatIpv4, formatPrefix } from "../../../wire/address.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, ask, clientOf, daemonError, must } from "../cluster.ts";
import { engineOf } from "../daemon.ts";
import type { Flags } from "../flags.ts";
import { goTime, type Shown } from "../go-text.ts";
import { sortedMap } from "../service/spec-values.ts";
import type { SubnetRequest } from "./create.ts";

/** The id of the new network. */
export function* createSwarmNetwork(
  context: CommandContext,
  name: string,
  flags: Flags,
  subnets: readonly SubnetRequest[],
): Asking<string> {
  const client = clientOf(context);
  const taken = `network with name ${name} already exists`;
  if ([...engineOf(context).networks.values()].some((network) => network.name === name)) throw daemonError(taken);
  const { networks } = yield* must(client.call("ListNetworks", {}));
  if (networks.some(({ spec }) => spec.annotations.name === name)) throw daemonError(taken);
  const configs = subnets.map(({ subnet, gateway, range, auxiliary }) =>
    ipamConfigShape.make({
      subnet: formatPrefix(subnet),
      gateway: gateway === undefined ? "" : formatIpv4(gateway),
      range: range === undefined ? "" : formatPrefix(range),
      reserved: new Map([...auxiliary].map(([key, address]) => [key, formatIpv4(address)])),
    }),
  );
  const ipamDriver = { name: flags.string("ipam-driver") ?? "default", options: sortedMap(flags.map("ipam-opt")) };
  const spec = networkSpecShape.make({
    annotations: { name, labels: sortedMap(flags.map("label")) },
    driver: { name: flags.string("driver") ?? "overlay", options: sortedMap(flags.map("opt")) },
    internal: flags.bool("internal"),
    attachable: flags.bool("attachable"),
    ingress: flags.bool("ingress"),
    ipam: { driver: ipamDriver, configs },
  });
  const { network } = yield* must(client.call("CreateNetwork", { spec }));
  return network?.id ?? "";
}

/** Those that this node's engine does not know itself; none on a worker, or without a leader. */
export function* swarmNetworks(context: CommandContext): Asking<readonly Network[]> {
  const { swarmNode } = context.host;
  if (swarmNode === undefined || "error" in swarmNode.control) return [];
  const reply = yield* ask(clientOf(context).call("ListNetworks", {}));
  if ("error" in reply) return [];
  const known = engineOf(context).networks;
  return reply.value.networks.filter(
    ({ id, spec }) => !known.has(id) && !spec.annotations.labels.has(PREDEFINED_LABEL),
  );
}

/** Undefined: the swarm has none of this name, or cannot be asked. */
export function* findSwarmNetwork(context: CommandContext, name: string): Asking<Network | undefined> {
  const networks = yield* swarmNetworks(context);
  const exact = networks.find(({ id, spec }) => id === name || spec.annotations.name === name);
  if (exact !== undefined) return exact;
  const found = networks.filter(({ id }) => name !== "" && id.startsWith(name));
  if (found.length > 1)
    throw daemonError(`network ${name} is ambiguous (${found.length} matches found based on ID prefix)`);
  return found[0];
}

/** Only managers remove networks of the swarm. */
export function* removeSwarmNetwork(context: CommandContext, id: string): Asking<string | undefined> {
  try {
    const reply = yield* ask(clientOf(context).call("RemoveNetwork", { id }));
    return "error" in reply ? `Error response from daemon: ${reply.error}` : undefined;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    return error.message;
  }
}

/** As `docker network inspect` shows a network that no container of this node is in. */
export function swarmNetworkObject({ id, meta, spec, driverState, ipam }: Network): {
  readonly [field: string]: Shown;
} {
  return {
    Name: spec.annotations.name,
    Id: id,
    Created: goTime(meta.createdAt),
    Scope: "swarm",
    Driver: driverState?.name || spec.driver?.name || "overlay",
    EnableIPv4: true,
    EnableIPv6: spec.ipv6Enabled,
    IPAM: {
      Driver: ipam?.driver?.name || "default",
      Options: null,
      Config: (ipam?.configs ?? spec.ipam?.configs ?? []).map(({ subnet, range, gateway }) => ({
        Subnet: subnet,
        ...(range !== "" && { IPRange: range }),
        ...(gateway !== "" && { Gateway: gateway }),
      })),
    },
    Internal: spec.internal,
    Attachable: spec.attachable,
    Ingress: spec.ingress,
    ConfigFrom: { Network: "" },
    ConfigOnly: false,
    Containers: null,
    Options: driverState?.options ?? spec.driver?.options ?? null,
    Labels: spec.annotations.labels.size === 0 ? null : spec.annotations.labels,
  };
}
