/**
 * Puts a new task in the place of one that ended or must go (swarmkit manager/orchestrator/restart): by the restart policy, after its delay, and not
 * before the old one has stopped, though at most a minute later.
 */
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Service, Task } from "../api/objects.ts";
import { isAtLeast } from "../api/task-state.ts";
import type { Change, Store, Transaction } from "../store/store.ts";
import { desire, isAlive, isOnNode, modeOf, newTask, restartDelayNs } from "./task.ts";

/** An old task that does not stop holds up its successor for so long. */
const OLD_TASK_TIMEOUT_NS = 60 * SECOND;

export interface Orchestrating {
  readonly store: Store;
  readonly clock: Clock;
  /** A new object's id. */
  readonly newId: () => string;
}

/** A task that is held back from running. */
interface Delayed {
  /** Until this one has stopped. */
  readonly oldTaskId: string | undefined;
  readonly oldTask: Timer;
  readonly delay: Timer;
  readonly started: (() => void)[];
}

interface History {
  /** Of the spec that the restarts belong to: another begins anew. */
  readonly specVersion: number;
  readonly restartsNs: Nanoseconds[];
}

export class RestartSupervisor {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #newId: () => string;
  readonly #delayed = new Map<string, Delayed>();
  readonly #waitingFor = new Map<string, string>(); // old task -> delayed task
  readonly #history = new Map<string, History>();
  readonly #unwatch: () => void;

  constructor({ store, clock, newId }: Orchestrating) {
    this.#store = store;
    this.#clock = clock;
    this.#newId = newId;
    this.#unwatch = store.watch((changes) => {
      for (const change of changes) this.#onChange(change);
    });
  }

  stop(): void {
    this.#unwatch();
    for (const delayed of this.#delayed.values()) {
      delayed.oldTask.stop();
      delayed.delay.stop();
    }
    this.#delayed.clear();
    this.#waitingFor.clear();
  }

  /** Shuts the task down and creates its successor, if the policy wants one. */
  restart(tx: Transaction, service: Service, task: Task): void {
    // A task that waits for its own start is restarted once it was to start: it is looked at again then.
    if (this.#delayed.has(task.id)) {
      this.#whenStarted(task.id, () => this.#restartLater(task.id));
      return;
    }
    if (isAtLeast(task.desiredState, "shutdown")) return;
    const mayRestart = this.shouldRestart(task, service);
    if (desire(tx, task.id, "shutdown") === undefined || !mayRestart) return;
    const mode = modeOf(service.spec);
    const isPlaced = mode === "global" || mode === "global-job";
    const successor: Task = {
      ...newTask({
        id: this.#newId(),
        service,
        cluster: tx.cluster,
        slot: isPlaced ? 0 : task.slot,
        nodeId: isPlaced ? task.nodeId : "",
        nowNs: this.#clock.nowNs,
      }),
      desiredState: "ready",
    };
    tx.create("task", successor);
    this.#noteRestart(task);
    const node = tx.get("node", task.nodeId);
    const delayNs = node?.spec.availability === "drain" ? 0 : restartDelayNs(task.spec);
    const waits = isOnNode(task) && node?.status.state !== "down";
    this.delayStart(waits ? task.id : undefined, successor.id, delayNs);
  }

  #restartLater(taskId: string): void {
    this.#store.update((tx) => {
      const task = tx.get("task", taskId);
      const service = task === undefined ? undefined : tx.get("service", task.serviceId);
      if (task !== undefined && service !== undefined && !isAlive(task)) this.restart(tx, service, task);
    });
  }

  /**
   * Lets a task run after `delayNs`, and after the old one has stopped (or a minute). `started` is called when it was told to,
   * or is gone.
   */
  delayStart(oldTaskId: string | undefined, taskId: string, delayNs: Nanoseconds, started?: () => void): void {
    const earlier = this.#delayed.get(taskId);
    earlier?.oldTask.stop();
    earlier?.delay.stop();
    const delayed: Delayed = {
      oldTaskId,
      oldTask: new Timer(this.#clock, () => this.#oldTaskStopped(taskId)),
      delay: new Timer(this.#clock, () => this.#tryToStart(taskId)),
      started: [...(earlier?.started ?? []), ...(started === undefined ? [] : [started])],
    };
    this.#delayed.set(taskId, delayed);
    if (oldTaskId !== undefined) {
      this.#waitingFor.set(oldTaskId, taskId);
      delayed.oldTask.set(OLD_TASK_TIMEOUT_NS);
    }
    delayed.delay.set(delayNs);
  }

  #whenStarted(taskId: string, started: () => void): void {
    this.#delayed.get(taskId)?.started.push(started);
  }

  #onChange(change: Change): void {
    if (change.kind === "service" && change.action === "remove") this.#forgetService(change.object.id);
    if (change.kind === "node" && change.action === "remove")
      for (const task of this.#store.tasksOfNode(change.object.id)) this.#stoppedWaiting(task.id);
    if (change.kind !== "task") return;
    if (change.action === "remove" || !isAlive(change.object)) this.#stoppedWaiting(change.object.id);
    if (change.action === "remove" && this.#delayed.has(change.object.id)) this.#end(change.object.id);
  }

  #stoppedWaiting(oldTaskId: string): void {
    const taskId = this.#waitingFor.get(oldTaskId);
    if (taskId !== undefined) this.#oldTaskStopped(taskId);
  }

  #oldTaskStopped(taskId: string): void {
    const delayed = this.#delayed.get(taskId);
    if (delayed === undefined) return;
    delayed.oldTask.stop();
    if (delayed.oldTaskId !== undefined) this.#waitingFor.delete(delayed.oldTaskId);
    this.#tryToStart(taskId);
  }

  #tryToStart(taskId: string): void {
    const delayed = this.#delayed.get(taskId);
    if (delayed === undefined || delayed.oldTask.armed || delayed.delay.armed) return;
    this.#store.update(
      (tx) => {
        desire(tx, taskId, "running");
      },
      (outcome) => {
        if (outcome === "committed") this.#end(taskId);
      },
    );
  }

  #end(taskId: string): void {
    const delayed = this.#delayed.get(taskId);
    if (delayed === undefined) return;
    this.#delayed.delete(taskId);
    delayed.oldTask.stop();
    delayed.delay.stop();
    if (delayed.oldTaskId !== undefined) this.#waitingFor.delete(delayed.oldTaskId);
    for (const started of delayed.started) started();
  }

  /** Whether the policy wants a task that ends like this one to have a successor. */
  shouldRestart(task: Task, service: Service): boolean {
    const policy = task.spec.restart;
    const condition = policy?.condition ?? "any";
    const isJob = service.jobStatus !== undefined || modeOf(service.spec).endsWith("-job");
    const isComplete = task.status.state === "complete";
    if (condition === "none" || (isComplete && (condition === "on-failure" || isJob))) return false;
    const most = policy?.maxAttempts ?? 0;
    if (most === 0) return true;
    const history = this.#history.get(instanceOf(task));
    if (history === undefined || history.specVersion !== (task.specVersion?.index ?? 0)) return true;
    const windowNs = policy?.window ?? 0;
    const nowNs = this.#clock.nowNs;
    const recent = windowNs === 0 ? history.restartsNs : history.restartsNs.filter((atNs) => nowNs - atNs < windowNs);
    return recent.length < most;
  }

  #noteRestart(task: Task): void {
    if ((task.spec.restart?.maxAttempts ?? 0) === 0) return;
    const key = instanceOf(task);
    const specVersion = task.specVersion?.index ?? 0;
    const history = this.#history.get(key);
    const isSame = history?.specVersion === specVersion;
    const earlier = isSame ? history.restartsNs : [];
    this.#history.set(key, { specVersion, restartsNs: [...earlier, this.#clock.nowNs] });
  }

  #forgetService(serviceId: string): void {
    for (const key of this.#history.keys()) if (key.startsWith(`${serviceId} `)) this.#history.delete(key);
  }
}

/** What is restarted: a service's slot, or its instance on a node. */
function instanceOf(task: Task): string {
  return `${task.serviceId} ${task.slot === 0 ? task.nodeId : task.slot}`;
}
