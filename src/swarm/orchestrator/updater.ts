/**
 * A rolling update of one service (swarmkit manager/orchestrator/update): some slots at a time get tasks of the new spec in the place of the old
 * ones; too many that fail pause it, or turn it back. Facts 8.7.
 */
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Service, Task, UpdateStatus } from "../api/objects.ts";
import { updateStatusShape } from "../api/objects.ts";
import { isAtLeast, isBeyond } from "../api/task-state.ts";
import type { Change, Transaction } from "../store/store.ts";
import type { Orchestrating, RestartSupervisor } from "./restart-supervisor.ts";
import { desire, isOnNode, isTaskDirty, isWanted, modeOf, newTask, type Slot, updateConfigOf } from "./task.ts";

/** All updates that are going on. */
export class UpdateSupervisor {
  readonly #orchestrating: Orchestrating;
  readonly #restarts: RestartSupervisor;
  readonly #updates = new Map<string, Updater>();

  constructor(orchestrating: Orchestrating, restarts: RestartSupervisor) {
    this.#orchestrating = orchestrating;
    this.#restarts = restarts;
  }

  stop(): void {
    for (const update of this.#updates.values()) update.cancel();
    this.#updates.clear();
  }

  cancel(serviceId: string): void {
    this.#updates.get(serviceId)?.cancel();
    this.#updates.delete(serviceId);
  }

  /** Brings the slots to the service's spec. One that is under way to the same spec goes on; one to another is given up. */
  update(service: Service, slots: readonly Slot[]): void {
    const current = this.#updates.get(service.id);
    if (current?.isTowards(service) === true) return;
    this.cancel(service.id);
    const update = new Updater(this.#orchestrating, this.#restarts, service, () => {
      if (this.#updates.get(service.id) === update) this.#updates.delete(service.id);
    });
    this.#updates.set(service.id, update);
    update.run(slots);
  }
}

/** A slot being worked on. */
interface Work {
  taskId: string;
  readonly old: Slot;
  isUp: boolean;
  readonly delay: Timer;
}

class Updater {
  readonly #orchestrating: Orchestrating;
  readonly #restarts: RestartSupervisor;
  readonly #service: Service;
  readonly #ended: () => void;
  readonly #monitor: Timer;
  readonly #waiting: Slot[] = [];
  readonly #work = new Map<string, Work>(); // by the new task's id
  /** Tasks of this update and when they were up; undefined before. */
  readonly #made = new Map<string, Nanoseconds | undefined>();
  readonly #failed = new Set<string>();
  #dirtySlots = 0;
  #isOver = false;
  #unwatch: () => void = () => undefined;

  constructor(orchestrating: Orchestrating, restarts: RestartSupervisor, service: Service, ended: () => void) {
    this.#orchestrating = orchestrating;
    this.#restarts = restarts;
    this.#service = service;
    this.#ended = ended;
    this.#monitor = new Timer(orchestrating.clock, () => this.#complete());
  }

  isTowards(service: Service): boolean {
    const own = this.#service;
    return own.specVersion?.index === service.specVersion?.index && isRollback(own) === isRollback(service);
  }

  run(slots: readonly Slot[]): void {
    const { updateStatus } = this.#service;
    if (updateStatus?.state === "paused" || updateStatus?.state === "rollback_paused") {
      this.#end();
      return;
    }
    for (const slot of slots) if (this.#isDirty(slot)) this.#waiting.push(slot);
    this.#dirtySlots = this.#waiting.length;
    if (this.#dirtySlots === 0) {
      if (updateStatus?.state === "updating" || updateStatus?.state === "rollback_started") this.#complete();
      else this.#end();
      return;
    }
    if (updateStatus === undefined)
      this.#setStatus(() => ({ state: "updating", message: "update in progress" }), { isStart: true });
    this.#unwatch = this.#orchestrating.store.watch((changes) => {
      for (const change of changes) this.#onChange(change);
    });
    const config = updateConfigOf(this.#service);
    const parallelism = config.parallelism === 0 ? this.#dirtySlots : config.parallelism;
    for (let worker = 0; worker < parallelism; worker++) this.#next();
  }

  cancel(): void {
    this.#isOver = true;
    this.#unwatch();
    this.#monitor.stop();
    for (const work of this.#work.values()) work.delay.stop();
    this.#work.clear();
  }

  #end(): void {
    this.cancel();
    this.#ended();
  }

  #isDirty(slot: Slot): boolean {
    if (slot.length > 1) return true; // the old ones are still to go
    return slot.some((task) => this.#isTaskDirty(task));
  }

  #isTaskDirty(task: Task): boolean {
    return isTaskDirty(this.#service, task, this.#orchestrating.store.get("node", task.nodeId));
  }

  /** A worker takes the next slot, or has nothing left to do. */
  #next(): void {
    if (this.#isOver) return;
    const slot = this.#waiting.shift();
    if (slot === undefined) {
      if (this.#work.size === 0 && !this.#monitor.armed) this.#watchOn();
      return;
    }
    const present = this.#presentTasks(slot);
    const clean = present.filter((task) => isWanted(task) && !this.#isTaskDirty(task));
    const existing = clean.find((task) => task.desiredState === "running") ?? clean[0];
    if (existing !== undefined) this.#useExisting(present, existing);
    else this.#replace(present.length > 0 ? present : slot);
  }

  /** The slot as it is now: while it waited for its turn, a task of it may have been restarted, with the new spec. */
  #presentTasks(slot: Slot): Slot {
    const { store } = this.#orchestrating;
    const first = slot[0]!;
    const tasks =
      first.slot === 0
        ? store.tasksOfNode(first.nodeId).filter(({ serviceId }) => serviceId === first.serviceId)
        : store.tasksOfSlot(first.serviceId, first.slot);
    return tasks.filter(isWanted);
  }

  #begin(taskId: string, old: Slot): Work {
    const work: Work = {
      taskId,
      old,
      isUp: false,
      delay: new Timer(this.#orchestrating.clock, () => {
        this.#work.delete(taskId);
        this.#next();
      }),
    };
    this.#work.set(taskId, work);
    return work;
  }

  #useExisting(slot: Slot, existing: Task): void {
    this.#begin(existing.id, []);
    this.#write((tx) => {
      const removed = removeOld(
        tx,
        slot.filter((task) => task !== existing),
      );
      if (existing.desiredState !== "running") this.#restarts.delayStart(removed?.id, existing.id, 0);
    });
    // What runs already will not change its state for us.
    this.#checkUp(existing);
  }

  #replace(slot: Slot): void {
    const { clock, newId, store } = this.#orchestrating;
    const first = slot[0]!;
    const mode = modeOf(this.#service.spec);
    const isPlaced = mode === "global" || mode === "global-job";
    const isStartFirst = updateConfigOf(this.#service).order === "start-first";
    const task: Task = {
      ...newTask({
        id: newId(),
        service: this.#service,
        cluster: store.cluster,
        slot: isPlaced ? 0 : first.slot,
        nodeId: isPlaced ? first.nodeId : "",
        nowNs: clock.nowNs,
      }),
      desiredState: "ready",
    };
    this.#made.set(task.id, undefined);
    this.#begin(task.id, isStartFirst ? slot : []);
    this.#write((tx) => {
      if (tx.get("service", this.#service.id) === undefined) return;
      tx.create("task", task);
      const removed = isStartFirst ? undefined : removeOld(tx, slot);
      this.#restarts.delayStart(removed?.id, task.id, 0);
    });
  }

  #write(write: (tx: Transaction) => void): void {
    this.#orchestrating.store.update((tx) => {
      if (!this.#isOver) write(tx);
    });
  }

  #onChange(change: Change): void {
    if (this.#isOver || change.kind !== "task") return;
    const task = change.object;
    if (change.action === "remove") {
      // Nobody will bring it up any more: its slot is given up as swarmkit's worker does when the task vanishes.
      this.#finish(task.id);
      return;
    }
    this.#checkUp(task);
    const hasEnded = isBeyond(task.status.state, "running") && task.desiredState !== "remove";
    if (hasEnded && this.#made.has(task.id)) this.#onFailure(task);
  }

  /** A task that runs (or has ended) lets its worker go on. */
  #checkUp(task: Task): void {
    if (!isAtLeast(task.status.state, "running")) return;
    const { clock } = this.#orchestrating;
    if (this.#made.has(task.id)) this.#made.set(task.id, this.#made.get(task.id) ?? clock.nowNs);
    const work = this.#work.get(task.id);
    if (work === undefined || work.isUp) return;
    work.isUp = true;
    if (work.old.length > 0 && task.status.state === "running") this.#write((tx) => void removeOld(tx, work.old));
    this.#finish(task.id);
  }

  #finish(taskId: string): void {
    const work = this.#work.get(taskId);
    if (work === undefined || work.delay.armed) return;
    const { delay } = updateConfigOf(this.#service);
    work.isUp = true;
    work.delay.set(delay); // also of 0: the slot's change is to be seen by all before the next is begun
  }

  /** A task of this update ended: soon after it was up, or before. */
  #onFailure(task: Task): void {
    const config = updateConfigOf(this.#service);
    if (config.failureAction === "continue" || this.#failed.has(task.id)) return;
    const { clock } = this.#orchestrating;
    const upNs = this.#made.get(task.id);
    if (upNs !== undefined && clock.nowNs - upNs > config.monitor) return;
    this.#failed.add(task.id);
    if (this.#failed.size <= config.maxFailureRatio * this.#dirtySlots) return;
    const words = `due to failure or early termination of task ${task.id}`;
    if (isRollback(this.#service)) this.#pause("rollback_paused", `rollback paused ${words}`);
    else if (config.failureAction === "rollback") this.#rollBack(`update rolled back ${words}`);
    else this.#pause("paused", `update paused ${words}`);
  }

  #pause(state: "paused" | "rollback_paused", message: string): void {
    this.cancel();
    this.#setStatus(() => ({ state, message }), { isEnd: true });
    this.#ended();
  }

  #rollBack(message: string): void {
    this.cancel();
    this.#setStatus(
      (service) =>
        service.previousSpec === undefined ? { state: "paused", message } : { state: "rollback_started", message },
      {},
      (service) =>
        service.previousSpec === undefined
          ? service
          : {
              ...service,
              spec: service.previousSpec,
              specVersion: service.previousSpecVersion,
              previousSpec: undefined,
              previousSpecVersion: undefined,
            },
    );
    this.#ended();
  }

  /** All slots are done: failures count for a while longer. */
  #watchOn(): void {
    const config = updateConfigOf(this.#service);
    if (config.failureAction === "continue") this.#complete();
    else this.#monitor.set(config.delay >= config.monitor ? config.delay + SECOND : config.monitor + MILLISECOND);
  }

  #complete(): void {
    this.cancel();
    this.#setStatus(
      (service) =>
        service.updateStatus?.state === "rollback_started"
          ? { state: "rollback_completed", message: "rollback completed" }
          : service.updateStatus?.state === "rollback_completed"
            ? service.updateStatus // only what it had left behind was put in order
            : { state: "completed", message: "update completed" },
      { isEnd: true },
    );
    this.#ended();
  }

  #setStatus(
    status: (service: Service) => Pick<UpdateStatus, "state" | "message">,
    when: { readonly isStart?: boolean; readonly isEnd?: boolean },
    change: (service: Service) => Service = (service) => service,
  ): void {
    const { store, clock } = this.#orchestrating;
    const own = this.#service;
    store.update((tx) => {
      const service = tx.get("service", own.id);
      // Someone has asked for something else meanwhile.
      if (service === undefined || service.specVersion?.index !== own.specVersion?.index) return;
      const updateStatus: UpdateStatus = {
        ...(service.updateStatus ?? updateStatusShape.make()),
        ...status(service),
        ...(when.isStart === true && { startedAt: clock.nowNs }),
        ...(when.isEnd === true && { completedAt: clock.nowNs }),
      };
      tx.update("service", { ...change(service), updateStatus });
    });
  }
}

function isRollback(service: Service): boolean {
  return service.updateStatus?.state === "rollback_started";
}

/** Shuts down the tasks that are still wanted; the last of them that has anything to stop. */
function removeOld(tx: Transaction, tasks: Slot): Task | undefined {
  let removed: Task | undefined;
  for (const task of tasks) {
    const written = desire(tx, task.id, "shutdown");
    if (written !== undefined && isOnNode(written)) removed = written;
  }
  return removed;
}
