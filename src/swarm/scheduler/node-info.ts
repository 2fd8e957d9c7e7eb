/**
 * A node as the scheduler sees it (swarmkit manager/scheduler/nodeinfo.go): its tasks, what they leave free, and how often tasks of a
 * service have failed on it lately. Kept up to date task by task, so that no decision counts tasks anew.
 */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import type { Node, Task } from "../api/objects.ts";
import type { Resources } from "../api/parts.ts";
import { isAtLeast } from "../api/task-state.ts";

/** A node with this many failures of a service within the window is avoided for it. */
export const MOST_FAILURES = 5;
const FAILURE_WINDOW_NS = 300 * SECOND;

export class NodeInfo {
  node: Node;
  activeTasks = 0;
  readonly #tasks = new Map<string, Task>();
  readonly #activeOfService = new Map<string, number>();
  readonly #failures = new Map<string, Nanoseconds[]>(); // by service and version of its spec
  readonly #hostPorts = new Map<string, number>(); // how many tasks hold each
  #reservedNanoCpus = 0;
  #reservedMemoryBytes = 0;

  constructor(node: Node) {
    this.node = node;
  }

  activeOfService(serviceId: string): number {
    return this.#activeOfService.get(serviceId) ?? 0;
  }

  get freeNanoCpus(): number {
    return (this.node.description?.resources?.nanoCpus ?? 0) - this.#reservedNanoCpus;
  }

  get freeMemoryBytes(): number {
    return (this.node.description?.resources?.memoryBytes ?? 0) - this.#reservedMemoryBytes;
  }

  holdsHostPort(key: string): boolean {
    return this.#hostPorts.has(key);
  }

  /** Puts a task on the node, or its newer state in the place of the older. */
  add(task: Task): void {
    const known = this.#tasks.get(task.id);
    if (known !== undefined) {
      this.#tasks.set(task.id, task);
      if (isActive(known) !== isActive(task)) this.#count(task.serviceId, isActive(task) ? 1 : -1);
      return;
    }
    this.#tasks.set(task.id, task);
    const reservations = reservationsOf(task);
    this.#reservedNanoCpus += reservations?.nanoCpus ?? 0;
    this.#reservedMemoryBytes += reservations?.memoryBytes ?? 0;
    for (const key of hostPortsOf(task)) this.#hostPorts.set(key, (this.#hostPorts.get(key) ?? 0) + 1);
    if (isActive(task)) this.#count(task.serviceId, 1);
  }

  remove(taskId: string): void {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return;
    this.#tasks.delete(taskId);
    const reservations = reservationsOf(task);
    this.#reservedNanoCpus -= reservations?.nanoCpus ?? 0;
    this.#reservedMemoryBytes -= reservations?.memoryBytes ?? 0;
    for (const key of hostPortsOf(task)) {
      const holders = (this.#hostPorts.get(key) ?? 1) - 1;
      if (holders === 0) this.#hostPorts.delete(key);
      else this.#hostPorts.set(key, holders);
    }
    if (isActive(task)) this.#count(task.serviceId, -1);
  }

  /** A task of this service and version ended by itself. */
  noteFailure(task: Task, nowNs: Nanoseconds): void {
    const key = versionedService(task);
    this.#failures.set(key, [...this.#recentFailures(key, nowNs), nowNs]);
  }

  failuresOf(task: Task, nowNs: Nanoseconds): number {
    return this.#recentFailures(versionedService(task), nowNs).length;
  }

  #recentFailures(key: string, nowNs: Nanoseconds): Nanoseconds[] {
    return (this.#failures.get(key) ?? []).filter((atNs) => nowNs - atNs < FAILURE_WINDOW_NS);
  }

  #count(serviceId: string, change: 1 | -1): void {
    this.activeTasks += change;
    const count = this.activeOfService(serviceId) + change;
    if (count === 0) this.#activeOfService.delete(serviceId);
    else this.#activeOfService.set(serviceId, count);
  }
}

/** Wanted to run, or to run to its end. */
function isActive(task: Task): boolean {
  return !isAtLeast(task.desiredState, "shutdown");
}

function versionedService(task: Task): string {
  return `${task.serviceId} ${task.specVersion?.index ?? 0}`;
}

export function reservationsOf(task: Task): Resources | undefined {
  return task.spec.resources?.reservations;
}

/** `tcp 8080`, for each host-mode port whose number the user chose. */
export function hostPortsOf(task: Task): string[] {
  return (task.endpoint?.ports ?? [])
    .filter((port) => port.publishMode === "host" && port.publishedPort !== 0)
    .map((port) => `${port.protocol} ${port.publishedPort}`);
}
