/** What a node must have for a task (swarmkit manager/scheduler/filter.go, pipeline.go), in swarmkit's order, and its words for why none has it. */
import type { Task } from "../api/objects.ts";
import { type Constraint, meetsConstraints, parseConstraints } from "./constraint.ts";
import { hostPortsOf, type NodeInfo, reservationsOf } from "./node-info.ts";

interface Filter {
  passes(info: NodeInfo): boolean;
  explain(nodes: number): string;
}

/** The filters that a task asks for. */
export class Pipeline {
  readonly #filters: readonly Filter[];
  readonly #failures: number[];

  constructor(task: Task) {
    this.#filters = filtersOf(task);
    this.#failures = this.#filters.map(() => 0);
  }

  passes(info: NodeInfo): boolean {
    const failed = this.#filters.findIndex((filter) => !filter.passes(info));
    if (failed < 0) return true;
    this.#failures[failed] = this.#failures[failed]! + 1;
    return false;
  }

  /** What kept the nodes seen so far from passing, the most frequent first; empty when nothing did. */
  explain(): string {
    return this.#filters
      .map((filter, index) => ({ filter, count: this.#failures[index]! }))
      .filter(({ count }) => count > 0)
      .sort((a, b) => b.count - a.count)
      .map(({ filter, count }) => filter.explain(count))
      .join("; ");
  }
}

function filtersOf(task: Task): Filter[] {
  const filters: Filter[] = [READY];
  const reservations = reservationsOf(task);
  if ((reservations?.nanoCpus ?? 0) > 0 || (reservations?.memoryBytes ?? 0) > 0)
    filters.push({
      passes: (info) =>
        (reservations?.nanoCpus ?? 0) <= info.freeNanoCpus && (reservations?.memoryBytes ?? 0) <= info.freeMemoryBytes,
      explain: (nodes) => `insufficient resources on ${count(nodes)}`,
    });
  const plugins = pluginsOf(task);
  if (plugins.length > 0)
    filters.push({
      passes: ({ node }) => {
        const known = node.description?.engine?.plugins ?? [];
        if (known.length === 0) return true; // it did not say
        return plugins.every(([type, name]) => known.some((plugin) => plugin.type === type && plugin.name === name));
      },
      explain: (nodes) => `missing plugin on ${count(nodes)}`,
    });
  const constraints = constraintsOf(task);
  if (constraints.length > 0)
    filters.push({
      passes: ({ node }) => meetsConstraints(constraints, node),
      explain: (nodes) => `scheduling constraints not satisfied on ${count(nodes)}`,
    });
  const platforms = task.spec.placement?.platforms ?? [];
  if (platforms.length > 0)
    filters.push({
      passes: ({ node }) => {
        const own = node.description?.platform;
        if (own === undefined) return true;
        return platforms.some(
          (wanted) =>
            (wanted.os === "" || wanted.os === own.os) &&
            (wanted.architecture === "" || normalised(wanted.architecture) === normalised(own.architecture)),
        );
      },
      explain: (nodes) => `unsupported platform on ${count(nodes)}`,
    });
  const ports = hostPortsOf(task);
  if (ports.length > 0)
    filters.push({
      passes: (info) => !ports.some((port) => info.holdsHostPort(port)),
      explain: (nodes) => `host-mode port already in use on ${count(nodes)}`,
    });
  const maxReplicas = task.spec.placement?.maxReplicas ?? 0;
  if (maxReplicas > 0)
    filters.push({
      passes: (info) => info.activeOfService(task.serviceId) < maxReplicas,
      explain: () => "max replicas per node limit exceed",
    });
  return filters;
}

const READY: Filter = {
  passes: ({ node }) => node.status.state === "ready" && node.spec.availability === "active",
  explain: (nodes) => `${count(nodes)} not available for new tasks`,
};

/** A task's own; what cannot be read was refused when the service was made. */
export function constraintsOf(task: Task): readonly Constraint[] {
  const parsed = parseConstraints(task.spec.placement?.constraints ?? []);
  return "problem" in parsed ? [] : parsed;
}

function pluginsOf(task: Task): [type: string, name: string][] {
  const volumes = (task.spec.container?.mounts ?? []).flatMap((mount): [string, string][] => {
    const driver = mount.volumeDriver?.driver?.name ?? "";
    return mount.type === "volume" && driver !== "" ? [["Volume", driver]] : [];
  });
  const networks = task.networks.flatMap((attachment): [string, string][] => {
    const driver = attachment.network?.driverState?.name ?? "";
    return driver === "" ? [] : [["Network", driver]];
  });
  return [...volumes, ...networks];
}

function normalised(architecture: string): string {
  if (architecture === "x86_64") return "amd64";
  return architecture === "aarch64" ? "arm64" : architecture;
}

function count(nodes: number): string {
  return nodes === 1 ? "1 node" : `${nodes} nodes`;
}
