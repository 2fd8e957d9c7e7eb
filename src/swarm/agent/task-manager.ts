/**
 * Drives one task from state to state towards what is desired (swarmkit agent/task.go, exec.Do): accepted, preparing, ready, starting, running, and
 * to its end. Facts 8.5.
 */
import type { Clock } from "../../sim/simulation.ts";
import type { Task, TaskStatus } from "../api/objects.ts";
import { isAtLeast, isBeyond, type TaskState } from "../api/task-state.ts";

/** How a step went: an error's text, and for one that ended a container its exit status. */
export interface Failure {
  readonly error: string;
  readonly exitCode?: number;
}
export type StepEnd = Failure | undefined;

/** What does a task's work: each calls `done` once, perhaps at once. Nothing is called after `release`. */
export interface Controller {
  /** Networks, volumes, image, container. */
  prepare(done: (end: StepEnd) => void): void;
  /** Ends when the container runs and, if it has a health check, is healthy. */
  start(done: (end: StepEnd) => void): void;
  /** Ends when the container has ended. */
  wait(done: (end: StepEnd) => void): void;
  shutdown(done: (end: StepEnd) => void): void;
  /** Takes the container away. */
  remove(done: () => void): void;
  /** The task is as the manager wants it now. */
  update(task: Task): void;
  /** What is waited for may have come. */
  poke(): void;
  /** Forgets everything: the power is off. */
  release(): void;
  readonly containerId: string;
  readonly pid: number;
  /** Host-mode ports as they were bound. */
  portStatus(): TaskStatus["portStatus"];
}

export interface TaskManagerSettings {
  readonly clock: Clock;
  readonly controller: Controller;
  readonly task: Task;
  readonly changed: (status: TaskStatus) => void;
}

export class TaskManager {
  readonly #clock: Clock;
  readonly #controller: Controller;
  readonly #changed: (status: TaskStatus) => void;
  #task: Task;
  #isBusy = false;
  #isWaiting = false;
  #isShuttingDown = false;
  #isOver = false;

  constructor({ clock, controller, task, changed }: TaskManagerSettings) {
    this.#clock = clock;
    this.#controller = controller;
    this.#task = task;
    this.#changed = changed;
  }

  get task(): Task {
    return this.#task;
  }

  get status(): TaskStatus {
    return this.#task.status;
  }

  /** What the manager wants now; the status is ours. */
  update(task: Task): void {
    this.#task = { ...task, status: this.#task.status };
    this.#controller.update(this.#task);
    this.proceed();
  }

  stop(): void {
    this.#isOver = true;
    this.#controller.release();
  }

  /** It is no longer assigned: its container goes. */
  remove(done: () => void): void {
    this.#isOver = true;
    this.#controller.remove(done);
  }

  /** The next step, if there is one. */
  proceed(): void {
    if (this.#isOver) return;
    const { desiredState, status } = this.#task;
    const { state } = status;
    if (isBeyond(state, "running")) return;
    if (isAtLeast(desiredState, "shutdown")) {
      this.#shutdown();
      return;
    }
    if (this.#isBusy) {
      this.#controller.poke();
      return;
    }
    switch (state) {
      case "assigned":
        this.#enter("accepted", "accepted");
        break;
      case "accepted":
        this.#enter("preparing", "preparing");
        break;
      case "preparing":
        this.#step((done) => this.#controller.prepare(done), "ready", "prepared");
        return;
      case "ready":
        if (!isAtLeast(desiredState, "running")) return;
        this.#enter("starting", "starting");
        break;
      case "starting":
        this.#step((done) => this.#controller.start(done), "running", "started");
        return;
      case "running":
        this.#wait();
        return;
      default:
        return; // not ours yet
    }
    this.proceed();
  }

  #step(run: (done: (end: StepEnd) => void) => void, next: TaskState, message: string): void {
    this.#isBusy = true;
    run((end) => {
      this.#isBusy = false;
      if (this.#isOver || this.#isShuttingDown) return;
      if (end === undefined) this.#enter(next, message);
      else this.#fail(end);
      this.proceed();
    });
  }

  #wait(): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#controller.wait((end) => {
      if (this.#isOver || this.#isShuttingDown || isBeyond(this.#task.status.state, "running")) return;
      if (end === undefined) this.#enter("complete", "finished", "", 0);
      else this.#fail(end);
    });
  }

  #shutdown(): void {
    if (this.#isShuttingDown) return;
    this.#isShuttingDown = true;
    this.#controller.shutdown((end) => {
      if (this.#isOver || isBeyond(this.#task.status.state, "running")) return;
      this.#enter("shutdown", "shutdown", "", end?.exitCode);
    });
  }

  /** What cannot be made ready is rejected, what was started has failed. */
  #fail({ error, exitCode }: Failure): void {
    const state = isAtLeast(this.#task.status.state, "starting") ? "failed" : "rejected";
    this.#enter(state, this.#task.status.message, error, exitCode);
  }

  #enter(state: TaskState, message: string, error = "", exitCode?: number): void {
    const { containerId, pid } = this.#controller;
    const container = containerId === "" ? undefined : { containerId, pid, exitCode: exitCode ?? 0 };
    const status: TaskStatus = {
      ...this.#task.status,
      timestamp: this.#clock.nowNs,
      state,
      message,
      error,
      container,
      portStatus: this.#controller.portStatus(),
    };
    this.#task = { ...this.#task, status };
    this.#changed(status);
  }
}
