/**
 * Keeps replicated services at their number of tasks (swarmkit manager/orchestrator/replicated): slots 1 to N, each with one task that is
 * wanted. Work gathers while changes come in, and is done when the transaction that brought them is over.
 */
import type { Service, Task } from "../api/objects.ts";
import { isBeyond } from "../api/task-state.ts";
import type { Change } from "../store/store.ts";
import { fixTasks } from "./leader-change.ts";
import { type Orchestrating, RestartSupervisor } from "./restart-supervisor.ts";
import { desire, isAlive, isInvalidNode, isWanted, modeOf, newTask, type Slot, serviceOfMode } from "./task.ts";
import { UpdateSupervisor } from "./updater.ts";

export class ReplicatedOrchestrator {
  readonly #orchestrating: Orchestrating;
  readonly #restarts: RestartSupervisor;
  readonly #updates: UpdateSupervisor;
  readonly #unwatch: () => void;
  readonly #toReconcile = new Set<string>(); // services
  readonly #toRestart = new Set<string>(); // tasks

  constructor(orchestrating: Orchestrating) {
    this.#orchestrating = orchestrating;
    const { store } = orchestrating;
    this.#restarts = new RestartSupervisor(orchestrating);
    this.#updates = new UpdateSupervisor(orchestrating, this.#restarts);
    this.#unwatch = store.watch((changes) => this.#onChanges(changes));
    fixTasks(orchestrating, this.#restarts, "replicated", (task) => this.#mustRestart(task));
    for (const service of store.all("service"))
      if (modeOf(service.spec) === "replicated") this.#toReconcile.add(service.id);
    this.#tick();
  }

  stop(): void {
    this.#unwatch();
    this.#updates.stop();
    this.#restarts.stop();
  }

  #onChanges(changes: readonly Change[]): void {
    for (const change of changes) this.#onChange(change);
    this.#tick();
  }

  #onChange(change: Change): void {
    switch (change.kind) {
      case "service":
        if (modeOf(change.object.spec) !== "replicated") return;
        if (change.action === "remove") this.#removeService(change.object);
        else this.#toReconcile.add(change.object.id);
        return;
      case "node":
        if (change.action === "remove" || isInvalidNode(change.object)) this.#restartTasksOf(change.object.id);
        return;
      case "task":
        if (change.action === "remove") {
          if (isWanted(change.object)) this.#reconcileServiceOf(change.object);
        } else if (this.#mustRestart(change.object)) this.#toRestart.add(change.object.id);
        return;
    }
  }

  #reconcileServiceOf(task: Task): void {
    const service = serviceOfMode(this.#orchestrating.store, task, "replicated");
    if (service !== undefined) this.#toReconcile.add(service.id);
  }

  #removeService(service: Service): void {
    this.#updates.cancel(service.id);
    const { store } = this.#orchestrating;
    store.batch(
      store.tasksOfService(service.id).map(
        ({ id }) =>
          (tx) =>
            void desire(tx, id, "remove"),
      ),
    );
  }

  #restartTasksOf(nodeId: string): void {
    for (const task of this.#orchestrating.store.tasksOfNode(nodeId)) if (isWanted(task)) this.#toRestart.add(task.id);
  }

  /** It ended by itself, or its node is no place to be, and it is wanted. */
  #mustRestart(task: Task): boolean {
    if (!isWanted(task)) return false;
    const { store } = this.#orchestrating;
    if (serviceOfMode(store, task, "replicated") === undefined) return false;
    return !isAlive(task) || (task.nodeId !== "" && isInvalidNode(store.get("node", task.nodeId)));
  }

  #tick(): void {
    if (this.#toRestart.size > 0) {
      const tasks = [...this.#toRestart];
      this.#toRestart.clear();
      this.#orchestrating.store.batch(
        tasks.map((id) => (tx) => {
          const task = tx.get("task", id);
          if (task === undefined || !isWanted(task)) return;
          const service = serviceOfMode(tx, task, "replicated");
          if (service !== undefined) this.#restarts.restart(tx, service, task);
        }),
      );
    }
    if (this.#toReconcile.size === 0) return;
    const services = [...this.#toReconcile];
    this.#toReconcile.clear();
    for (const id of services) this.#reconcile(id);
  }

  #reconcile(serviceId: string): void {
    const { store } = this.#orchestrating;
    const service = store.get("service", serviceId);
    if (service?.spec.replicated === undefined) return;
    const { updatable, dead } = this.#slotsOf(service);
    const wanted = service.spec.replicated.replicas;
    const slots = [...updatable.values()];
    if (wanted > slots.length) {
      this.#updates.update(service, slots);
      this.#add(service, wanted - slots.length, updatable, dead);
    } else if (wanted < slots.length) {
      const sorted = inOrderOfRemoval(slots);
      this.#updates.update(service, sorted.slice(0, wanted));
      const surplus = sorted.slice(wanted).flat();
      store.batch(
        surplus.map(
          ({ id }) =>
            (tx) =>
              void desire(tx, id, "remove"),
        ),
      );
    } else this.#updates.update(service, slots);
    this.#forget([...dead.values()].flat());
  }

  /** Slots with a task that is wanted, or whose last task ended for good; and the others. */
  #slotsOf(service: Service): { updatable: Map<number, Slot>; dead: Map<number, Slot> } {
    const bySlot = new Map<number, Task[]>();
    for (const task of this.#orchestrating.store.tasksOfService(service.id)) {
      const slot = bySlot.get(task.slot);
      if (slot === undefined) bySlot.set(task.slot, [task]);
      else slot.push(task);
    }
    const updatable = new Map<number, Slot>();
    const dead = new Map<number, Slot>();
    for (const [number, tasks] of [...bySlot].sort(([a], [b]) => a - b)) {
      const slot = this.#updatableIn(service, tasks);
      if (slot.length > 0) updatable.set(number, slot);
      else dead.set(number, tasks);
    }
    return { updatable, dead };
  }

  #updatableIn(service: Service, tasks: readonly Task[]): Slot {
    const wanted = tasks.filter(isWanted);
    if (wanted.length > 0 || service.updateStatus?.state === "rollback_started") return wanted;
    const kept = tasks.filter((task) => task.desiredState !== "remove");
    const newest = kept.reduce<Task | undefined>((last, task) => (isNewer(task, last) ? task : last), undefined);
    return newest === undefined || this.#restarts.shouldRestart(newest, service) ? [] : [newest];
  }

  #add(service: Service, count: number, taken: ReadonlyMap<number, Slot>, dead: Map<number, Slot>): void {
    const { store, clock, newId } = this.#orchestrating;
    const slots: number[] = [];
    for (let slot = 1; slots.length < count; slot++) if (!taken.has(slot)) slots.push(slot);
    for (const slot of slots) dead.delete(slot); // its history stays
    store.batch(
      slots.map((slot) => (tx) => {
        if (tx.get("service", service.id) === undefined) return;
        if (tx.tasksOfSlot(service.id, slot).some(isWanted)) return; // put there by a write that was queued before this one
        const facts = { id: newId(), service, cluster: tx.cluster, slot, nodeId: "", nowNs: clock.nowNs };
        tx.create("task", newTask(facts));
      }),
    );
  }

  /** Tasks of slots that are no more: those that ended are deleted, the others when they have (by the reaper). */
  #forget(tasks: readonly Task[]): void {
    this.#orchestrating.store.batch(
      tasks.map((task) => (tx) => {
        if (!isAlive(task)) tx.remove("task", task.id);
        else desire(tx, task.id, "remove");
      }),
    );
  }
}

function isNewer(task: Task, other: Task | undefined): boolean {
  return other === undefined || (task.status.timestamp ?? 0) > (other.status.timestamp ?? 0);
}

/**
 * Those to be kept first: running ones before others, and then so that nodes with the most tasks of the service lose
 * first.
 */
function inOrderOfRemoval(slots: readonly Slot[]): Slot[] {
  const byRunning = [...slots].sort((a, b) => rank(a) - rank(b) || a[0]!.slot - b[0]!.slot);
  const onNode = new Map<string, number>();
  const indexed = byRunning.map((slot) => {
    const nodeId = slot.length === 1 ? slot[0]!.nodeId : "";
    if (nodeId === "") return { slot, index: Number.MAX_SAFE_INTEGER };
    const index = (onNode.get(nodeId) ?? 0) + 1;
    onNode.set(nodeId, index);
    return { slot, index };
  });
  return indexed.sort((a, b) => a.index - b.index).map(({ slot }) => slot);
}

function rank(slot: Slot): number {
  return slot.some((task) => task.status.state === "running" && !isBeyond(task.desiredState, "running")) ? 0 : 1;
}
