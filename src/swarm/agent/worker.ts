/**
 * The tasks of a node (swarmkit agent/worker.go): each assigned one has a manager of its own; what is no longer assigned is removed. What is known of them
 * is kept on the disk, so that a restarted engine goes on where it was.
 */
import type { Clock } from "../../sim/simulation.ts";
import type { AgentDisk } from "../agent-settings.ts";
import type { AssignmentsMessage } from "../api/dispatcher.ts";
import { type Config, type Secret, type Task, type TaskStatus, taskShape } from "../api/objects.ts";
import type { Executor } from "./executor.ts";
import { TaskManager } from "./task-manager.ts";

export interface WorkerSettings {
  readonly clock: Clock;
  readonly disk: AgentDisk;
  readonly executor: Executor;
  readonly report: (taskId: string, status: TaskStatus) => void;
}

/** What tasks may read: only what is assigned to this node. */
export interface Dependencies {
  secret(id: string): Secret | undefined;
  config(id: string): Config | undefined;
}

export class Worker implements Dependencies {
  readonly #settings: WorkerSettings;
  readonly #managers = new Map<string, TaskManager>();
  readonly #secrets = new Map<string, Secret>();
  readonly #configs = new Map<string, Config>();

  constructor(settings: WorkerSettings) {
    this.#settings = settings;
  }

  /** Goes on with the tasks on the disk: the containers of an engine that was stopped have ended. */
  start(): void {
    for (const [id, bytes] of this.#settings.disk.tasks) {
      const task = taskShape.parse(bytes);
      if (task !== undefined) this.#manage(id, task);
    }
  }

  /** All tasks end in good order. */
  shutdown(done: () => void): void {
    let left = this.#managers.size;
    const one = (): void => {
      if (--left === 0) done();
    };
    this.#settings.disk.tasks.clear();
    const managers = [...this.#managers.values()];
    this.#managers.clear();
    if (managers.length === 0) done();
    for (const manager of managers) manager.remove(one);
  }

  stop(): void {
    for (const manager of this.#managers.values()) manager.stop();
    this.#managers.clear();
  }

  secret(id: string): Secret | undefined {
    return this.#secrets.get(id);
  }
  config(id: string): Config | undefined {
    return this.#configs.get(id);
  }

  *statuses(): Generator<[string, TaskStatus]> {
    for (const [id, manager] of this.#managers) yield [id, manager.status];
  }

  *tasks(): Generator<Task> {
    for (const manager of this.#managers.values()) yield manager.task;
  }

  /** The node's own place in a network has come, or gone. */
  networksChanged(): void {
    for (const manager of this.#managers.values()) manager.proceed();
  }

  assign({ type, changes }: AssignmentsMessage): void {
    const assigned = new Set<string>();
    // Secrets and configs before the tasks that use them, and out of the way after them.
    for (const { action, assignment } of changes) {
      const { secret, config } = assignment ?? {};
      if (action !== "update") continue;
      if (secret !== undefined) this.#secrets.set(secret.id, secret);
      if (config !== undefined) this.#configs.set(config.id, config);
    }
    for (const { action, assignment } of changes) {
      const task = assignment?.task;
      if (task === undefined) continue;
      if (action === "remove") this.#remove(task.id);
      else {
        assigned.add(task.id);
        this.#update(task);
      }
    }
    for (const { action, assignment } of changes) {
      if (action !== "remove") continue;
      if (assignment?.secret !== undefined) this.#secrets.delete(assignment.secret.id);
      if (assignment?.config !== undefined) this.#configs.delete(assignment.config.id);
    }
    if (type !== "complete") return;
    for (const id of [...this.#managers.keys()]) if (!assigned.has(id)) this.#remove(id);
  }

  #update(task: Task): void {
    const manager = this.#managers.get(task.id);
    if (manager !== undefined) manager.update(task);
    else this.#manage(task.id, task);
  }

  #manage(id: string, task: Task): void {
    const { clock, disk, executor, report } = this.#settings;
    const manager = new TaskManager({
      clock,
      controller: executor.controllerFor(task, this),
      task,
      changed: (status) => {
        disk.tasks.set(id, taskShape.emit({ ...manager.task, status }));
        report(id, status);
      },
    });
    this.#managers.set(id, manager);
    disk.tasks.set(id, taskShape.emit(task));
    manager.proceed();
  }

  #remove(id: string): void {
    this.#settings.disk.tasks.delete(id);
    const manager = this.#managers.get(id);
    this.#managers.delete(id);
    manager?.remove(() => undefined);
  }
}
