/**
 * What people call the namespaces that engines make. Docker's own names hold identifiers (`node1/1-x3k9…`, `web.1.9d2…`), which say nothing and differ with
 * every seed: here they go by networks and tasks (`node1/app`, `web.1`).
 */
import type { Container } from "../docker/container/container.ts";
import type { Place } from "../linux/frame-store.ts";
import { NetDevice } from "../linux/net-device.ts";
import type { EngineMachine } from "./engine-hosts.ts";

/** `web.1`, or `web.node2` of a global service; undefined: no task's container. */
export function taskName({ spec: { service } }: Container, node: string): string | undefined {
  return service === undefined ? undefined : `${service.name}.${service.slot === 0 ? node : service.slot}`;
}

/** The name of a task's container: service, slot or node's identifier, task's identifier. */
const TASK_CONTAINER = /^(.+)\.(\d+|[a-z0-9]{25})\.[a-z0-9]{25}$/;
const OVERLAY = /^\d+-([a-z0-9]+)$/;
const BALANCER = /^lb_([a-z0-9]+)$/;

export class PlaceNames {
  readonly #engines: ReadonlyMap<string, EngineMachine>;
  /** The containers that the scenario itself has: their names are nobody else's. */
  readonly #own: { has(name: string): boolean };

  constructor(engines: ReadonlyMap<string, EngineMachine>, own: { has(name: string): boolean }) {
    this.#engines = engines;
    this.#own = own;
  }

  place(where: Place): string {
    if (where instanceof NetDevice) return `${this.namespace(where.namespaceName)}/${where.name}`;
    return this.namespace(where.place);
  }

  container(node: string, container: Container): string {
    return taskName(container, node) ?? this.#plain(node, container.name);
  }

  namespace(name: string): string {
    const slash = name.indexOf("/");
    if (slash < 0) return name;
    const node = name.slice(0, slash);
    const rest = name.slice(slash + 1);
    const [, service, place] = TASK_CONTAINER.exec(rest) ?? [];
    if (service !== undefined) return `${service}.${/^\d+$/.test(place ?? "") ? place : node}`;
    const overlay = OVERLAY.exec(rest)?.[1];
    if (overlay !== undefined) return `${node}/${this.#network(node, overlay) ?? rest}`;
    const balancer = BALANCER.exec(rest)?.[1];
    if (balancer !== undefined) return `${node}/lb_${this.#network(node, balancer) ?? balancer}`;
    return this.#plain(node, rest);
  }

  #plain(node: string, name: string): string {
    return this.#own.has(name) ? name : `${node}/${name}`;
  }

  /** The name of the network whose identifier begins so. */
  #network(node: string, begin: string): string | undefined {
    for (const { id, name } of this.#engines.get(node)?.daemon.engine.networks.values() ?? [])
      if (id.startsWith(begin)) return name;
    return undefined;
  }
}
