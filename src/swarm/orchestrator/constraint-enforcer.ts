/**
 * Rejects tasks whose node no longer fits (swarmkit manager/orchestrator/constraintenforcer): its labels, its role or its resources changed while they
 * ran. Their orchestrators then put others elsewhere.
 */
import type { Clock } from "../../sim/simulation.ts";
import type { Node, Task } from "../api/objects.ts";
import { isAtLeast } from "../api/task-state.ts";
import { meetsConstraints, parseConstraints } from "../scheduler/constraint.ts";
import type { Store } from "../store/store.ts";
import { isAlive, isWanted } from "./task.ts";

export class ConstraintEnforcer {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #unwatch: () => void;

  constructor({ store, clock }: { readonly store: Store; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
    this.#unwatch = store.watch((changes) => {
      for (const change of changes)
        if (change.kind === "node" && change.action === "update") this.#check(change.object);
    });
    for (const node of store.all("node")) this.#check(node);
  }

  stop(): void {
    this.#unwatch();
  }

  #check(node: Node): void {
    // Drained nodes lose all their tasks anyway, and paused ones are left alone.
    if (node.spec.availability !== "active" || node.status.state === "down") return;
    const unfit = this.#unfitOn(node);
    if (unfit.length === 0) return;
    this.#store.batch(
      unfit.map(({ id }) => (tx) => {
        const task = tx.get("task", id);
        if (task === undefined || !isWanted(task) || !isAlive(task)) return;
        const status = {
          ...task.status,
          timestamp: this.#clock.nowNs,
          state: "rejected" as const,
          message: "task rejected by constraint enforcer",
          error: "assigned node no longer meets constraints",
        };
        tx.update("task", { ...task, status });
      }),
    );
  }

  /** Constraints count for themselves; of resources the first tasks get what there is. */
  #unfitOn(node: Node): Task[] {
    let nanoCpus = node.description?.resources?.nanoCpus ?? 0;
    let memoryBytes = node.description?.resources?.memoryBytes ?? 0;
    const unfit: Task[] = [];
    for (const task of this.#store.tasksOfNode(node.id)) {
      if (!isWanted(task) || !isAlive(task) || !isAtLeast(task.status.state, "assigned")) continue;
      const constraints = parseConstraints(task.spec.placement?.constraints ?? []);
      const reserved = task.spec.resources?.reservations;
      const isTooLarge = (reserved?.nanoCpus ?? 0) > nanoCpus || (reserved?.memoryBytes ?? 0) > memoryBytes;
      const fits = !("problem" in constraints) && meetsConstraints(constraints, node);
      const hasReserved = reserved !== undefined && (reserved.nanoCpus > 0 || reserved.memoryBytes > 0);
      if (!fits || (hasReserved && isTooLarge)) unfit.push(task);
      else {
        nanoCpus -= reserved?.nanoCpus ?? 0;
        memoryBytes -= reserved?.memoryBytes ?? 0;
      }
    }
    return unfit;
  }
}
