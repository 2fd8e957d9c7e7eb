/** Tasks in the Control service (swarmkit manager/controlapi/task.go). */
import type { RequestOf, ResponseOf } from "../api/control.ts";
import type { Task } from "../api/objects.ts";
import { isTaskDirty } from "../orchestrator/task.ts";
import type { Store } from "../store/store.ts";
import { taskName } from "../store/tables.ts";
import { matchesFilters } from "./filters.ts";
import { type Answered, INVALID_ARGUMENT, notFound } from "./refusals.ts";
import { write } from "./write.ts";

export class Tasks {
  readonly #store: Store;

  constructor(store: Store) {
    this.#store = store;
  }

  get({ id }: RequestOf<"GetTask">): Answered<ResponseOf<"GetTask">> {
    if (id === "") return { status: INVALID_ARGUMENT };
    const task = this.#store.get("task", id);
    return task === undefined ? { status: notFound("task", id) } : { response: { task } };
  }

  list({ filters }: RequestOf<"ListTasks">): ResponseOf<"ListTasks"> {
    if (filters === undefined) return { tasks: [...this.#store.all("task")] };
    const { serviceIds, nodeIds, upToDate } = filters;
    const tasks = [...this.#candidates(serviceIds, nodeIds)].filter((task) => {
      if (serviceIds.length > 0 && !serviceIds.includes(task.serviceId)) return false;
      if (nodeIds.length > 0 && !nodeIds.includes(task.nodeId)) return false;
      if (upToDate && !this.#isUpToDate(task)) return false;
      const { labels } = task.spec.container ?? { labels: new Map<string, string>() };
      return matchesFilters(filters, { id: task.id, name: taskName(task), labels });
    });
    return { tasks };
  }

  #candidates(serviceIds: readonly string[], nodeIds: readonly string[]): Iterable<Task> {
    if (serviceIds.length > 0) return serviceIds.flatMap((id) => this.#store.tasksOfService(id));
    if (nodeIds.length > 0) return nodeIds.flatMap((id) => this.#store.tasksOfNode(id));
    return this.#store.all("task");
  }

  #isUpToDate(task: Task): boolean {
    const service = this.#store.get("service", task.serviceId);
    if (service === undefined) return false;
    return service.jobStatus === undefined
      ? !isTaskDirty(service, task, this.#store.get("node", task.nodeId))
      : task.jobIteration?.index === service.jobStatus.jobIteration.index;
  }

  remove({ id }: RequestOf<"RemoveTask">, done: (answer: Answered<ResponseOf<"RemoveTask">>) => void): void {
    if (id === "") {
      done({ status: INVALID_ARGUMENT });
      return;
    }
    write(
      this.#store,
      (tx) => (tx.remove("task", id) === undefined ? () => ({}) : { status: notFound("task", id) }),
      done,
    );
  }
}
