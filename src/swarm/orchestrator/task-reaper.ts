/**
 * Deletes tasks that are history (swarmkit manager/orchestrator/taskreaper): all but the last few of each slot, and those that are to be
 * removed once they have ended.
 */
import type { Clock } from "../../sim/simulation.ts";
import { MILLISECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Task } from "../api/objects.ts";
import { isAtLeast } from "../api/task-state.ts";
import type { Change, Store } from "../store/store.ts";
import { isAlive, isWanted } from "./task.ts";

/** Changes are gathered for so long, and not beyond so many. */
const BATCH_NS = 250 * MILLISECOND;
const MOST_DIRTY = 1_000;
const DEFAULT_HISTORY = 5;

export class TaskReaper {
  readonly #store: Store;
  readonly #timer: Timer;
  readonly #unwatch: () => void;
  readonly #dirty = new Map<string, Task>(); // a task of each slot that has grown
  readonly #removable = new Set<string>();

  constructor({ store, clock }: { readonly store: Store; readonly clock: Clock }) {
    this.#store = store;
    this.#timer = new Timer(clock, () => this.#tick());
    for (const task of store.all("task")) {
      if (isRemovable(task, store)) this.#removable.add(task.id);
      else if (task.serviceId !== "") this.#dirty.set(slotOf(task), task);
    }
    this.#unwatch = store.watch((changes) => {
      for (const change of changes) this.#onChange(change);
    });
    this.#timer.set(0);
  }

  stop(): void {
    this.#unwatch();
    this.#timer.stop();
  }

  #onChange(change: Change): void {
    if (change.kind === "cluster") {
      for (const task of this.#store.all("task")) if (task.serviceId !== "") this.#dirty.set(slotOf(task), task);
      this.#schedule();
    }
    if (change.kind !== "task" || change.action === "remove") return;
    const task = change.object;
    if (isRemovable(task, this.#store)) this.#removable.add(task.id);
    else if (change.action === "create" || !isAlive(task)) this.#dirty.set(slotOf(task), task);
    else return;
    this.#schedule();
  }

  #schedule(): void {
    if (this.#dirty.size + this.#removable.size > MOST_DIRTY) this.#tick();
    else if (!this.#timer.armed) this.#timer.set(BATCH_NS);
  }

  #tick(): void {
    this.#timer.stop();
    const gone = [...this.#removable];
    this.#removable.clear();
    for (const [key, task] of [...this.#dirty]) if (this.#findHistory(task, gone)) this.#dirty.delete(key);
    if (gone.length > 0) this.#store.batch(gone.map((id) => (tx) => void tx.remove("task", id)));
  }

  /** Adds what the slot no longer keeps to `gone`; whether the slot is in order then. */
  #findHistory(task: Task, gone: string[]): boolean {
    const service = this.#store.get("service", task.serviceId);
    if (service === undefined) return true;
    const attempts = service.spec.task.restart?.maxAttempts ?? 0;
    const limit = this.#store.cluster?.spec.orchestration.taskHistoryRetentionLimit ?? DEFAULT_HISTORY;
    const kept = attempts > 0 ? Math.max(attempts + 1, limit) : limit;
    const tasks =
      task.slot === 0
        ? this.#store.tasksOfNode(task.nodeId).filter((other) => other.serviceId === task.serviceId)
        : this.#store.tasksOfSlot(task.serviceId, task.slot);
    let surplus = tasks.length - kept;
    let live = 0;
    const oldestFirst = [...tasks].sort((a, b) => (a.status.timestamp ?? 0) - (b.status.timestamp ?? 0));
    for (const each of oldestFirst) {
      if (isWanted(each) || isAlive(each)) live++;
      else if (surplus > 0) {
        gone.push(each.id);
        surplus--;
      }
    }
    return surplus <= 0 || live <= 1;
  }
}

/** To be removed and no longer, or not yet, anywhere; or of a service that is gone, and lost. */
function isRemovable(task: Task, store: Store): boolean {
  const { state } = task.status;
  const isNowhere = !isAlive(task) || !isAtLeast(state, "assigned");
  if (task.desiredState === "remove") return isNowhere;
  const isOrphan = state === "orphaned" && task.serviceId !== "" && store.get("service", task.serviceId) === undefined;
  return isOrphan;
}

function slotOf(task: Task): string {
  return `${task.serviceId} ${task.slot === 0 ? task.nodeId : task.slot}`;
}
