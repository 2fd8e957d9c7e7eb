/**
 * Keeps one task of each global service on every node that fits (swarmkit manager/orchestrator/global): nodes come and go, are drained or
 * paused; a paused node keeps its tasks and gets no new ones.
 */
import type { Node, Service, Task } from "../api/objects.ts";
import { meetsConstraints, parseConstraints } from "../scheduler/constraint.ts";
import type { Change } from "../store/store.ts";
import { fixTasks } from "./leader-change.ts";
import { type Orchestrating, RestartSupervisor } from "./restart-supervisor.ts";
import { desire, isAlive, isInvalidNode, isWanted, modeOf, newTask, type Slot, serviceOfMode } from "./task.ts";
import { UpdateSupervisor } from "./updater.ts";

export class GlobalOrchestrator {
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
    fixTasks(orchestrating, this.#restarts, "global", (task) => this.#mustRestart(task));
    this.#reconcileAll();
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
        if (modeOf(change.object.spec) !== "global") return;
        if (change.action === "remove") this.#removeService(change.object);
        else this.#toReconcile.add(change.object.id);
        return;
      case "node":
        if (change.action !== "update" || isOther(change.object, change.before)) this.#reconcileAll();
        return;
      case "task":
        if (change.action === "remove") {
          if (
            isWanted(change.object) &&
            serviceOfMode(this.#orchestrating.store, change.object, "global") !== undefined
          )
            this.#toReconcile.add(change.object.serviceId);
        } else if (this.#mustRestart(change.object)) this.#toRestart.add(change.object.id);
        return;
    }
  }

  #reconcileAll(): void {
    for (const service of this.#orchestrating.store.all("service"))
      if (modeOf(service.spec) === "global") this.#toReconcile.add(service.id);
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

  /** A task that ended by itself. Those of nodes that are no place to be are shut down without a successor. */
  #mustRestart(task: Task): boolean {
    if (!isWanted(task) || isAlive(task)) return false;
    const { store } = this.#orchestrating;
    return serviceOfMode(store, task, "global") !== undefined && !isInvalidNode(store.get("node", task.nodeId));
  }

  #tick(): void {
    if (this.#toRestart.size > 0) {
      const tasks = [...this.#toRestart];
      this.#toRestart.clear();
      this.#orchestrating.store.batch(
        tasks.map((id) => (tx) => {
          const task = tx.get("task", id);
          const service = task === undefined ? undefined : serviceOfMode(tx, task, "global");
          if (task !== undefined && service !== undefined && isWanted(task)) this.#restarts.restart(tx, service, task);
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
    if (service === undefined || service.spec.global === undefined) return;
    const onNode = new Map<string, Task[]>();
    for (const task of store.tasksOfService(serviceId)) {
      const tasks = onNode.get(task.nodeId);
      if (tasks === undefined) onNode.set(task.nodeId, [task]);
      else tasks.push(task);
    }
    const parsed = parseConstraints(service.spec.task.placement?.constraints ?? []);
    const constraints = "problem" in parsed ? [] : parsed;
    const toUpdate: Slot[] = [];
    const toAdd: string[] = [];
    const toStop: Task[] = [];
    for (const node of store.all("node")) {
      const tasks = onNode.get(node.id) ?? [];
      onNode.delete(node.id);
      const wanted = tasks.filter(isWanted);
      if (isInvalidNode(node) || !meetsConstraints(constraints, node)) toStop.push(...wanted);
      else if (wanted.length > 0) toUpdate.push(wanted);
      else if (node.spec.availability === "active" && node.status.state === "ready" && !this.#isDone(service, tasks))
        toAdd.push(node.id);
    }
    for (const tasks of onNode.values()) toStop.push(...tasks.filter(isWanted));
    store.batch(
      toStop.map(
        ({ id }) =>
          (tx) =>
            void desire(tx, id, "shutdown"),
      ),
    );
    this.#add(service, toAdd);
    this.#updates.update(service, toUpdate);
  }

  /** Its last task ended, of this spec, and the policy wants no other. */
  #isDone(service: Service, tasks: readonly Task[]): boolean {
    const own = tasks.filter(
      (task) =>
        task.specVersion?.index === service.specVersion?.index && !isAlive(task) && task.status.state !== "shutdown",
    );
    const newest = own.reduce<Task | undefined>(
      (last, task) => (last === undefined || (task.status.timestamp ?? 0) > (last.status.timestamp ?? 0) ? task : last),
      undefined,
    );
    return newest !== undefined && !this.#restarts.shouldRestart(newest, service);
  }

  #add(service: Service, nodeIds: readonly string[]): void {
    const { store, clock, newId } = this.#orchestrating;
    store.batch(
      nodeIds.map((nodeId) => (tx) => {
        if (tx.get("service", service.id) === undefined) return;
        const isThere = tx.tasksOfNode(nodeId).some((task) => task.serviceId === service.id && isWanted(task));
        if (isThere) return; // put there by a write that was queued before this one
        const facts = { id: newId(), service, cluster: tx.cluster, slot: 0, nodeId, nowNs: clock.nowNs };
        tx.create("task", newTask(facts));
      }),
    );
  }
}

/** Something changed in the node that decides what runs there. */
function isOther(node: Node, before: Node | undefined): boolean {
  return (
    before === undefined ||
    node.status.state !== before.status.state ||
    node.spec !== before.spec ||
    node.role !== before.role ||
    node.description !== before.description ||
    node.status.address !== before.status.address
  );
}
