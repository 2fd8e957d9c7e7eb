/**
 * Gives our swarm the draws of chance that the recorded one had: on which node a service's task runs, and when its container is up. The scheduler finds such
 * tasks already placed, as it does those of global services; all else is its own.
 */
import type { Nanoseconds } from "../../../sim/time.ts";
import type { Task } from "../../../swarm/api/objects.ts";
import type { Store } from "../../../swarm/store/store.ts";
import type { RecordedCase } from "./recording.ts";

const TASK_NAME = /^(.+)\.(\d+)\.([a-z0-9]{25})$/;
/** A container of ours is up so long after it is made; no recorded time is awaited longer than this. */
const MOST_PREPARATION_NS: Nanoseconds = 120_000_000_000;

/** From a container's start until the others have heard of it. */
const TELLING_NS: Nanoseconds = 300_000_000;

interface RecordedTask {
  readonly node: string;
  readonly readyNs: Nanoseconds | undefined;
}

export class Conductor {
  /** By service and slot: one after the other. */
  readonly #recorded = new Map<string, RecordedTask[]>();
  readonly #ours = new Map<string, string[]>();
  #store: Store | undefined = undefined;
  #leaveStore: () => void = () => {};
  readonly #nodeId: (node: string) => string | undefined;
  readonly #nowNs: () => Nanoseconds;

  constructor(cases: readonly RecordedCase[], nodeId: (node: string) => string | undefined, nowNs: () => Nanoseconds) {
    this.#nodeId = nodeId;
    this.#nowNs = nowNs;
    const known = new Set<string>();
    for (const { endpoints } of cases)
      for (const { name, node, readyNs } of endpoints) {
        const task = TASK_NAME.exec(name ?? "");
        if (task === null || known.has(task[3]!)) continue;
        known.add(task[3]!);
        const key = `${task[1]}.${task[2]}`;
        const list = this.#recorded.get(key) ?? [];
        list.push({ node, readyNs });
        this.#recorded.set(key, list);
      }
  }

  /** Watches the leader's tasks from now on. */
  follow(store: Store | undefined): void {
    if (store === this.#store) return;
    this.#leaveStore();
    this.#store = store;
    this.#leaveStore =
      store?.watch((changes) => {
        for (const change of changes)
          if (change.kind === "task" && change.action === "create") this.#place(store, change.object);
      }) ?? (() => {});
  }

  /** How long from now until the task's container shall be made, in time of the day. */
  preparationNs(task: Task): Nanoseconds {
    const readyNs = this.#recordedOf(task)?.readyNs;
    if (readyNs === undefined) return 0;
    return Math.min(Math.max(readyNs - TELLING_NS - this.#nowNs(), 0), MOST_PREPARATION_NS);
  }

  #place(store: Store, task: Task): void {
    const recorded = this.#recordedOf(task);
    const nodeId = recorded === undefined ? undefined : this.#nodeId(recorded.node);
    if (task.nodeId !== "" || nodeId === undefined) return;
    store.update((tx) => {
      const current = tx.get("task", task.id);
      if (current?.nodeId === "") tx.update("task", { ...current, nodeId });
    });
  }

  #recordedOf(task: Task): RecordedTask | undefined {
    const key = `${task.serviceAnnotations.name}.${task.slot}`;
    const ours = this.#ours.get(key) ?? [];
    this.#ours.set(key, ours);
    if (!ours.includes(task.id)) ours.push(task.id);
    return this.#recorded.get(key)?.[ours.indexOf(task.id)];
  }
}
