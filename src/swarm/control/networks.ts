/** Networks of the swarm in the Control service (swarmkit manager/controlapi/network.go). */
import type { Random } from "../../sim/random.ts";
import { contains, type Prefix, parseIpv4, parsePrefix } from "../../wire/address.ts";
import type { RequestOf, ResponseOf } from "../api/control.ts";
import { networkShape } from "../api/objects.ts";
import type { IpamConfig } from "../api/parts.ts";
import type { NetworkSpec } from "../api/specs.ts";
import { TASK_STATES } from "../api/task-state.ts";
import { type Status, status } from "../grpc/status.ts";
import { newId } from "../identifiers.ts";
import { PREDEFINED_LABEL } from "../manager/first-objects.ts";
import type { Store, Transaction } from "../store/store.ts";
import { selectAnnotated } from "./filters.ts";
import { ingressNetwork, needsIngress } from "./ingress.ts";
import { refuseName } from "./names.ts";
import { type Answered, INVALID_ARGUMENT, notFound, refuse } from "./refusals.ts";
import { write } from "./write.ts";

const KNOWN_DRIVERS = new Set(["overlay", "bridge", "host", "ipvlan", "macvlan", "null"]);

export class Networks {
  readonly #store: Store;
  readonly #random: Random;

  constructor(store: Store, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  get({ id }: RequestOf<"GetNetwork">): Answered<ResponseOf<"GetNetwork">> {
    if (id === "") return { status: INVALID_ARGUMENT };
    const network = this.#store.get("network", id);
    return network === undefined ? { status: notFound("network", id) } : { response: { network } };
  }

  list({ filters }: RequestOf<"ListNetworks">): ResponseOf<"ListNetworks"> {
    return { networks: selectAnnotated(this.#store.all("network"), filters) };
  }

  create({ spec }: RequestOf<"CreateNetwork">, done: (answer: Answered<ResponseOf<"CreateNetwork">>) => void): void {
    const refused = spec === undefined ? INVALID_ARGUMENT : refuseSpec(spec);
    if (spec === undefined || refused !== undefined) {
      done({ status: refused ?? INVALID_ARGUMENT });
      return;
    }
    const id = newId(this.#random);
    write(
      this.#store,
      (tx) => {
        const ingress = spec.ingress ? ingressNetwork(tx) : undefined;
        if (ingress !== undefined) return refuse("AlreadyExists", `ingress network (${ingress.id}) is already present`);
        if (tx.create("network", networkShape.make({ id, spec })) !== undefined)
          return refuse("Unknown", "name conflicts with an existing object");
        return () => ({ network: this.#store.get("network", id) });
      },
      done,
    );
  }

  remove({ id }: RequestOf<"RemoveNetwork">, done: (answer: Answered<ResponseOf<"RemoveNetwork">>) => void): void {
    if (id === "") {
      done({ status: INVALID_ARGUMENT });
      return;
    }
    write(
      this.#store,
      (tx) => {
        const refused = refuseRemoval(tx, id);
        if (refused !== undefined) return { status: refused };
        tx.remove("network", id);
        return () => ({});
      },
      done,
    );
  }
}

function refuseRemoval(tx: Transaction, id: string): Status | undefined {
  const network = tx.get("network", id);
  if (network === undefined) return notFound("network", id);
  if (network.spec.ingress) {
    const user = [...tx.all("service")].find(({ spec }) => needsIngress(spec));
    if (user === undefined) return undefined;
    const why = `because service ${user.id} depends on it`;
    return status("FailedPrecondition", `ingress network cannot be removed ${why}`);
  }
  const [service] = tx.servicesUsing("network", id);
  if (service !== undefined) return status("FailedPrecondition", `network ${id} is in use by service ${service.id}`);
  const isAlive = (state: keyof typeof TASK_STATES) => TASK_STATES[state] <= TASK_STATES.running;
  const task = tx
    .tasksUsing("network", id)
    .find(({ desiredState, status: { state } }) => isAlive(desiredState) && isAlive(state));
  return task === undefined ? undefined : status("FailedPrecondition", `network ${id} is in use by task ${task.id}`);
}

function refuseSpec(spec: NetworkSpec): Status | undefined {
  const driver = spec.driver?.name;
  if (spec.ingress && driver !== undefined && driver !== "overlay" && driver !== "")
    return status("Unimplemented", "only overlay driver is currently supported for ingress network");
  if (spec.attachable && spec.ingress) return status("InvalidArgument", "ingress network cannot be attachable");
  const refused = refuseName(spec.annotations);
  if (refused !== undefined) return refused;
  if (spec.annotations.labels.has(PREDEFINED_LABEL)) {
    const why = "is for internally created predefined networks and cannot be applied by users";
    return status("PermissionDenied", `label ${PREDEFINED_LABEL} ${why}`);
  }
  if (driver === "") return status("InvalidArgument", "driver name: if driver is specified name is required");
  if (driver !== undefined && !KNOWN_DRIVERS.has(driver.toLowerCase()))
    return status("InvalidArgument", `error during lookup of plugin ${driver}: plugin "${driver}" not found`);
  return refuseIpam(spec);
}

function refuseIpam({ ipam }: NetworkSpec): Status | undefined {
  if (ipam === undefined) return undefined;
  const driver = ipam.driver?.name;
  if (driver === "") return status("InvalidArgument", "driver name: if driver is specified name is required");
  if (driver !== undefined && driver.toLowerCase() !== "default")
    return status("InvalidArgument", `error during lookup of plugin ${driver}: plugin "${driver}" not found`);
  for (const config of ipam.configs) {
    const problem = problemOf(config);
    if (problem !== undefined) return status("InvalidArgument", `ipam configuration: ${problem}`);
  }
  return undefined;
}

function problemOf({ subnet: subnetText, range: rangeText, gateway: gatewayText }: IpamConfig): string | undefined {
  const subnet = parseCidr(subnetText);
  if (subnet === undefined) return `invalid subnet ${subnetText}`;
  if (rangeText !== "") {
    const range = parseCidr(rangeText);
    if (range === undefined) return `invalid range ${rangeText}`;
    if (!contains(subnet, range.address)) return `subnet ${subnetText} does not contain range ${rangeText}`;
  }
  if (gatewayText !== "") {
    const gateway = parseIpv4(gatewayText);
    if (gateway === undefined) return `invalid gateway ${gatewayText}`;
    if (!contains(subnet, gateway)) return `subnet ${subnetText} does not contain gateway ${gatewayText}`;
  }
  return undefined;
}

/** An address alone is none. */
function parseCidr(text: string): Prefix | undefined {
  return text.includes("/") ? parsePrefix(text) : undefined;
}
