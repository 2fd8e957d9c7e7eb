/** When a deployed stack has come to rest: every task that is wanted runs or has ended its job, and those that do not have been told why. */
import type { Service, Task } from "../../swarm/api/objects.ts";
import { isBeyond } from "../../swarm/api/task-state.ts";
import type { StackView } from "./stack-view.ts";

/** A task that is wanted and does not run. */
export interface Missing {
  readonly service: string;
  /** How many tasks of the service have the same to say. */
  readonly count: number;
  readonly state: string;
  /** In Docker's words. */
  readonly why: string;
}

/** What there is still to wait for, in words; undefined: nothing, though tasks may be missing. */
export function waitsFor(view: StackView): string | undefined {
  if (view.store === undefined) return "no manager leads";
  for (const service of view.services) {
    const { name } = service.spec.annotations;
    const tasks = view.tasksOf(service);
    const wanted = tasks.filter((task) => isWanted(service, task));
    const least = service.spec.replicated?.replicas ?? 0;
    if (wanted.length < least) return `${wanted.length} of ${least} tasks of ${name} are there`;
    const moving = wanted.find((task) => !isRunning(task) && !hasBeenRefused(task));
    if (moving !== undefined) return `${name}: ${moving.status.state}`;
  }
  return undefined;
}

/** Tasks that do not run, those of a service with the same reason counted. */
export function missingTasks(view: StackView): Missing[] {
  const missing = new Map<string, { service: string; count: number; state: string; why: string }>();
  for (const service of view.services) {
    const { name } = service.spec.annotations;
    for (const task of view.tasksOf(service)) {
      if (!isWanted(service, task) || isRunning(task)) continue;
      const { state, error, message } = newestTrouble(view.tasksOf(service), task).status;
      const why = error === "" ? message : error;
      const key = `${name} ${state} ${why}`;
      const known = missing.get(key);
      if (known === undefined) missing.set(key, { service: name, count: 1, state, why });
      else known.count++;
    }
  }
  return [...missing.values()];
}

/** A task that waits for its turn says nothing; the one before it in the same slot knows why. */
function newestTrouble(tasks: readonly Task[], task: Task): Task {
  if (task.status.error !== "") return task;
  const before = tasks.filter(
    (other) =>
      other.slot === task.slot && other.status.error !== "" && (task.slot !== 0 || other.nodeId === task.nodeId),
  );
  return before.sort((a, b) => (b.meta.createdAt ?? 0) - (a.meta.createdAt ?? 0))[0] ?? task;
}

function isWanted({ spec }: Service, { desiredState, status }: Task): boolean {
  const isJob = spec.replicatedJob !== undefined || spec.globalJob !== undefined;
  if (isJob) return status.state !== "complete" && !isBeyond(desiredState, "complete");
  return !isBeyond(desiredState, "running");
}

/** A job that runs does what it shall, however long it takes. */
function isRunning({ status, desiredState }: Task): boolean {
  return status.state === "running" && (desiredState === "running" || desiredState === "complete");
}

/** The scheduler has said that no node will do. */
function hasBeenRefused({ status }: Task): boolean {
  return status.state === "pending" && status.error !== "";
}
