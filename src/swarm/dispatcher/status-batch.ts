/** Statuses of tasks as agents report them, written together (swarmkit manager/dispatcher, processUpdates): every 100 ms, or when there are many. */
import type { Clock } from "../../sim/simulation.ts";
import { MILLISECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { TaskStatus } from "../api/objects.ts";
import { isBeyond } from "../api/task-state.ts";
import type { Store } from "../store/store.ts";

const BATCH_NS = 100 * MILLISECOND;
const MOST_UPDATES = 10_000;

export class StatusBatch {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #leaderId: string;
  readonly #timer: Timer;
  #statuses = new Map<string, TaskStatus>();

  constructor(settings: { readonly store: Store; readonly clock: Clock; readonly leaderId: string }) {
    this.#store = settings.store;
    this.#clock = settings.clock;
    this.#leaderId = settings.leaderId;
    this.#timer = new Timer(settings.clock, () => this.#write());
  }

  stop(): void {
    this.#timer.stop();
    this.#statuses.clear();
  }

  add(taskId: string, status: TaskStatus): void {
    this.#statuses.set(taskId, status);
    if (this.#statuses.size >= MOST_UPDATES) this.#write();
    else if (!this.#timer.armed) this.#timer.set(BATCH_NS);
  }

  #write(): void {
    this.#timer.stop();
    const statuses = [...this.#statuses];
    this.#statuses = new Map();
    this.#store.batch(
      statuses.map(([taskId, status]) => (tx) => {
        const task = tx.get("task", taskId);
        // States only grow: an older report that comes late says nothing.
        if (task === undefined || isBeyond(task.status.state, status.state)) return;
        tx.update("task", {
          ...task,
          status: { ...status, appliedBy: this.#leaderId, appliedAt: this.#clock.nowNs },
        });
      }),
    );
  }
}
