/**
 * What one node is to do, as its agent knows it (swarmkit manager/dispatcher/assignments.go): its tasks, and the secrets and configs that they use
 * and no others. Changes gather here until they are sent.
 */

import type { AssignmentChange } from "../api/dispatcher.ts";
import type { Config, Secret, Task } from "../api/objects.ts";
import { taskShape } from "../api/objects.ts";
import { isAtLeast, isBeyond } from "../api/task-state.ts";
import type { StoreView } from "../store/store.ts";

type Dependency = "secret" | "config";

export class AssignmentSet {
  readonly #view: StoreView;
  readonly #tasks = new Map<string, Task>();
  /** Which tasks use a secret or a config, by `secret ID`. */
  readonly #users = new Map<string, Set<string>>();
  readonly #changes = new Map<string, AssignmentChange>();

  constructor(view: StoreView) {
    this.#view = view;
  }

  get pending(): number {
    return this.#changes.size;
  }

  takeChanges(): AssignmentChange[] {
    const changes = [...this.#changes.values()];
    this.#changes.clear();
    return changes;
  }

  /** Whether the agent must hear of it. */
  put(task: Task): boolean {
    if (!isAtLeast(task.status.state, "assigned")) return false;
    const known = this.#tasks.get(task.id);
    this.#tasks.set(task.id, task);
    if (known === undefined) {
      if (!isBeyond(task.status.state, "running")) this.#use(task);
    } else if (isBeyond(task.status.state, "assigned") && isSameForAgent(known, task)) {
      // It is the agent's own news. What an ended task used is no longer needed.
      return isBeyond(task.status.state, "running") && this.#release(task);
    }
    this.#change(`task ${task.id}`, "update", { task });
    return true;
  }

  remove(taskId: string): boolean {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return false;
    this.#tasks.delete(taskId);
    this.#change(`task ${taskId}`, "remove", { task: taskShape.make({ id: taskId }) });
    this.#release(task);
    return true;
  }

  /** A secret or a config got other labels: those who have it hear of it. */
  dependencyChanged(kind: Dependency, id: string): boolean {
    if (!this.#users.has(`${kind} ${id}`)) return false;
    this.#send(kind, id);
    return true;
  }

  #use(task: Task): void {
    for (const [kind, id] of dependenciesOf(task)) {
      const key = `${kind} ${id}`;
      const users = this.#users.get(key);
      if (users !== undefined) users.add(task.id);
      else {
        this.#users.set(key, new Set([task.id]));
        this.#send(kind, id);
      }
    }
  }

  #release(task: Task): boolean {
    let isNews = false;
    for (const [kind, id] of dependenciesOf(task)) {
      const key = `${kind} ${id}`;
      const users = this.#users.get(key);
      if (users?.delete(task.id) !== true || users.size > 0) continue;
      this.#users.delete(key);
      const object = this.#view.get(kind, id);
      if (object !== undefined) this.#change(key, "remove", { [kind]: withoutData(object) });
      isNews = true;
    }
    return isNews;
  }

  #send(kind: Dependency, id: string): void {
    const object = this.#view.get(kind, id);
    if (object !== undefined) this.#change(`${kind} ${id}`, "update", { [kind]: object });
  }

  #change(
    key: string,
    action: "update" | "remove",
    given: { readonly task?: Task; readonly secret?: Secret; readonly config?: Config },
  ): void {
    this.#changes.delete(key); // the newest comes last
    this.#changes.set(key, {
      action,
      assignment: { task: undefined, secret: undefined, config: undefined, ...given },
    });
  }
}

/** All but what the agent itself reports. */
function isSameForAgent(a: Task, b: Task): boolean {
  return (
    a.desiredState === b.desiredState &&
    a.spec === b.spec &&
    a.networks === b.networks &&
    a.endpoint === b.endpoint &&
    a.nodeId === b.nodeId
  );
}

function dependenciesOf(task: Task): [Dependency, string][] {
  const { secrets = [], configs = [] } = task.spec.container ?? {};
  return [
    ...secrets.map(({ secretId }): [Dependency, string] => ["secret", secretId]),
    ...configs.map(({ configId }): [Dependency, string] => ["config", configId]),
  ];
}

function withoutData<T extends Secret | Config>(object: T): T {
  return { ...object, spec: { ...object.spec, data: new Uint8Array(0) } };
}
