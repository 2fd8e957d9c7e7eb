/** `docker network ls`. */
import { shortIdentifier } from "../../../docker/identifiers.ts";
import type { Network } from "../../../docker/network.ts";
import type { Network as SwarmNetwork } from "../../../swarm/api/objects.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf } from "../daemon.ts";
import { filtersOf, matchesLabel } from "../filters.ts";
import type { Flags } from "../flags.ts";
import { FORMAT_FLAG } from "../format-flag.ts";
import { goDate } from "../go-text.ts";
import { naturalOrder } from "../natural-order.ts";
import { type Column, formatList, type Row } from "../output-format.ts";
import { swarmNetworks } from "./swarm-network.ts";

const COLUMNS: readonly Column[] = [
  { field: "ID", heading: "NETWORK ID" },
  { field: "Name", heading: "NAME" },
  { field: "Driver", heading: "DRIVER" },
  { field: "Scope", heading: "SCOPE" },
];
const HEADINGS = { CreatedAt: "CREATED AT", IPv6: "IPV6", IPv4: "IPV4", Internal: "INTERNAL", Labels: "LABELS" };
const FILTERS = ["dangling", "driver", "id", "label", "name", "scope", "type"];
const PREDEFINED: ReadonlySet<string> = new Set(["bridge", "host", "none", "docker_gwbridge", "ingress"]);

/** What the list shows of a network, be it this engine's or one that only the managers know. */
type ListedNetwork = Pick<Network, "id" | "name" | "driver" | "scope" | "internal" | "labels" | "createdNs"> & {
  readonly isUsed: boolean;
};

function listed({ id, meta, spec, driverState }: SwarmNetwork): ListedNetwork {
  const driver = driverState?.name || spec.driver?.name || "overlay";
  return {
    id,
    name: spec.annotations.name,
    driver: driver as Network["driver"],
    scope: "swarm",
    internal: spec.internal,
    labels: spec.annotations.labels,
    createdNs: meta.createdAt ?? 0,
    isUsed: false,
  };
}

function own({ id, name, driver, scope, internal, labels, createdNs, endpoints }: Network): ListedNetwork {
  return { id, name, driver, scope, internal, labels, createdNs, isUsed: endpoints.size > 0 };
}

export const NETWORK_LS: DockerCommand = {
  path: "network ls",
  aliases: ["network list"],
  takes: "[OPTIONS]",
  summary: "List networks",
  flags: [
    { name: "filter", letter: "f", kind: "filter", usage: 'Provide filter values (e.g. "driver=bridge")' },
    FORMAT_FLAG,
    { name: "no-trunc", kind: "bool", usage: "Do not truncate the output" },
    { name: "quiet", letter: "q", kind: "bool", usage: "Only display network IDs" },
  ],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    const engine = engineOf(context);
    const whole = flags.bool("no-trunc");
    const idOf = ({ id }: ListedNetwork) => (whole ? id : shortIdentifier(id));
    const foreign = (yield* swarmNetworks(context)).map(listed);
    const networks = select([...[...engine.networks.values()].map(own), ...foreign], flags);
    if (flags.bool("quiet")) process.stdout.write(networks.map((network) => `${idOf(network)}\n`).join(""));
    else {
      const rows = networks.map((network) => rowOf(network, idOf(network)));
      process.stdout.write(
        formatList(
          flags.string("format"),
          { columns: COLUMNS, headings: HEADINGS, goType: "*network.networkContext" },
          rows,
        ),
      );
    }
    return 0;
  },
};

/** By name, digits as numbers. */
function select(networks: readonly ListedNetwork[], flags: Flags): ListedNetwork[] {
  const filters = filtersOf(flags, FILTERS);
  return networks.filter((network) => matches(network, filters)).sort((a, b) => naturalOrder(a.name, b.name));
}

function matches(network: ListedNetwork, filters: ReadonlyMap<string, readonly string[]>): boolean {
  for (const [name, values] of filters) {
    const some = values.some((value) => {
      switch (name) {
        case "driver":
          return network.driver === value;
        case "id":
          return network.id.startsWith(value);
        case "name":
          return network.name.includes(value);
        case "label":
          return matchesLabel(network.labels, value);
        case "scope":
          return network.scope === value;
        case "type":
          return (value === "builtin") === PREDEFINED.has(network.name);
        default:
          return (value === "true" || value === "1") === (!network.isUsed && !PREDEFINED.has(network.name));
      }
    });
    if (!some) return false;
  }
  return true;
}

function rowOf(network: ListedNetwork, id: string): Row {
  return {
    CreatedAt: goDate(network.createdNs),
    Driver: network.driver,
    ID: id,
    IPv4: "true",
    IPv6: "false",
    Internal: String(network.internal),
    Labels: [...network.labels].map(([key, value]) => `${key}=${value}`).join(","),
    Name: network.name,
    Scope: network.scope,
  };
}
