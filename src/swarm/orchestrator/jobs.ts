/**
 * Services whose tasks run to their end (swarmkit manager/orchestrator/jobs): a replicated job wants so many completions, so many tasks at a time; a
 * global job one completion on every node that fits. A task that completed never has a successor; one that failed has, by the
 * restart policy. Tasks belong to the iteration of the job that made them: an update begins another.
 */
import type { Service, Task } from "../api/objects.ts";
import { meetsConstraints, parseConstraints } from "../scheduler/constraint.ts";
import type { Change } from "../store/store.ts";
import { type Orchestrating, RestartSupervisor } from "./restart-supervisor.ts";
import { desire, isAlive, isInvalidNode, modeOf, newTask } from "./task.ts";

export class JobOrchestrator {
  readonly #orchestrating: Orchestrating;
  readonly #restarts: RestartSupervisor;
  readonly #unwatch: () => void;
  readonly #toReconcile = new Set<string>();

  constructor(orchestrating: Orchestrating) {
    this.#orchestrating = orchestrating;
    this.#restarts = new RestartSupervisor(orchestrating);
    this.#unwatch = orchestrating.store.watch((changes) => this.#onChanges(changes));
    this.#reconcileAll();
    this.#tick();
  }

  stop(): void {
    this.#unwatch();
    this.#restarts.stop();
  }

  #onChanges(changes: readonly Change[]): void {
    for (const change of changes) this.#onChange(change);
    this.#tick();
  }

  #onChange(change: Change): void {
    const { store } = this.#orchestrating;
    if (change.kind === "node") {
      this.#reconcileAll();
      return;
    }
    if (change.kind === "task") {
      const service = store.get("service", change.object.serviceId);
      if (service !== undefined && isJob(service)) this.#toReconcile.add(service.id);
      return;
    }
    if (change.kind !== "service" || !isJob(change.object)) return;
    if (change.action === "remove") {
      const tasks = store.tasksOfService(change.object.id);
      store.batch(
        tasks.map(
          ({ id }) =>
            (tx) =>
              void desire(tx, id, "remove"),
        ),
      );
    } else this.#toReconcile.add(change.object.id);
  }

  #reconcileAll(): void {
    for (const service of this.#orchestrating.store.all("service"))
      if (isJob(service)) this.#toReconcile.add(service.id);
  }

  #tick(): void {
    const services = [...this.#toReconcile];
    this.#toReconcile.clear();
    for (const id of services) {
      const service = this.#orchestrating.store.get("service", id);
      if (service === undefined || service.jobStatus === undefined) continue;
      if (service.spec.replicatedJob !== undefined) this.#reconcileReplicated(service);
      else if (service.spec.globalJob !== undefined) this.#reconcileGlobal(service);
    }
  }

  #reconcileReplicated(service: Service): void {
    const { store, clock, newId } = this.#orchestrating;
    const { own, failed } = this.#sort(service);
    const { maxConcurrent, totalCompletions } = service.spec.replicatedJob!;
    const complete = own.filter((task) => task.status.state === "complete");
    const running = own.filter((task) => isAlive(task) && isToComplete(task));
    // A failed task is followed in its own slot; what the policy gives up is no longer in the way, nor done.
    this.#restartFailed(service, failed);
    const missing = totalCompletions - complete.length - running.length - failed.length;
    const count = Math.min(missing, (maxConcurrent || totalCompletions) - running.length - failed.length);
    const taken = new Set(own.map((task) => task.slot));
    const slots: number[] = [];
    for (let slot = 0; slots.length < count; slot++) if (!taken.has(slot)) slots.push(slot);
    store.batch(
      slots.map((slot) => (tx) => {
        if (tx.get("service", service.id) === undefined) return;
        const iteration = service.jobStatus?.jobIteration.index;
        if (tx.tasksOfSlot(service.id, slot).some((task) => task.jobIteration?.index === iteration)) return;
        tx.create("task", newTask({ id: newId(), service, cluster: tx.cluster, slot, nodeId: "", nowNs: clock.nowNs }));
      }),
    );
  }

  #reconcileGlobal(service: Service): void {
    const { store, clock, newId } = this.#orchestrating;
    const { own, failed } = this.#sort(service);
    this.#restartFailed(service, failed);
    const parsed = parseConstraints(service.spec.task.placement?.constraints ?? []);
    const constraints = "problem" in parsed ? [] : parsed;
    const served = new Set(own.map((task) => task.nodeId));
    const nodes = [...store.all("node")].filter(
      (node) =>
        !served.has(node.id) &&
        !isInvalidNode(node) &&
        node.spec.availability === "active" &&
        node.status.state === "ready" &&
        meetsConstraints(constraints, node),
    );
    store.batch(
      nodes.map(({ id: nodeId }) => (tx) => {
        if (tx.get("service", service.id) === undefined) return;
        const iteration = service.jobStatus?.jobIteration.index;
        const own = tx.tasksOfNode(nodeId).filter(({ serviceId }) => serviceId === service.id);
        if (own.some((task) => task.jobIteration?.index === iteration)) return;
        tx.create("task", newTask({ id: newId(), service, cluster: tx.cluster, slot: 0, nodeId, nowNs: clock.nowNs }));
      }),
    );
  }

  /** Tasks of this iteration, and those among them that failed and may be tried again. Those of earlier ones are removed. */
  #sort(service: Service): { own: readonly Task[]; failed: readonly Task[] } {
    const { store } = this.#orchestrating;
    const iteration = service.jobStatus!.jobIteration.index;
    const tasks = store.tasksOfService(service.id);
    const earlier = tasks.filter(
      (task) => (task.jobIteration?.index ?? 0) < iteration && task.desiredState !== "remove",
    );
    store.batch(
      earlier.map(
        ({ id }) =>
          (tx) =>
            void desire(tx, id, "remove"),
      ),
    );
    const own = tasks.filter((task) => task.jobIteration?.index === iteration);
    const failed = own.filter((task) => {
      const isLost = isAlive(task) && task.nodeId !== "" && isInvalidNode(store.get("node", task.nodeId));
      const hasFailed = !isAlive(task) && task.status.state !== "complete";
      return isToComplete(task) && (isLost || hasFailed) && this.#restarts.shouldRestart(task, service);
    });
    return { own, failed };
  }

  #restartFailed(service: Service, failed: readonly Task[]): void {
    this.#orchestrating.store.batch(
      failed.map(({ id }) => (tx) => {
        const task = tx.get("task", id);
        if (task !== undefined && isToComplete(task)) this.#restarts.restart(tx, service, task);
      }),
    );
  }
}

function isJob(service: Service): boolean {
  return modeOf(service.spec).endsWith("-job");
}

/** Not told to stop. */
function isToComplete(task: Task): boolean {
  return task.desiredState !== "shutdown" && task.desiredState !== "remove";
}
