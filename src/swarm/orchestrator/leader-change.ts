/** What a new leader does with the tasks that it finds (swarmkit manager/orchestrator/taskinit): restarts that were due, delays that ran. */
import type { Task } from "../api/objects.ts";
import type { Orchestrating, RestartSupervisor } from "./restart-supervisor.ts";
import { isAlive, isWanted, modeOf, restartDelayNs, type ServiceMode, serviceOfMode } from "./task.ts";

/** `mustRestart` is the orchestrator's own rule for its tasks. */
export function fixTasks(
  { store, clock }: Orchestrating,
  restarts: RestartSupervisor,
  mode: ServiceMode,
  mustRestart: (task: Task) => boolean,
): void {
  const nowNs = clock.nowNs;
  const due: string[] = [];
  for (const task of store.all("task")) {
    if (task.serviceId === "") continue;
    const service = store.get("service", task.serviceId);
    if (service === undefined || modeOf(service.spec) !== mode) continue;
    if (mustRestart(task)) due.push(task.id);
    else if (task.desiredState === "ready" && isAlive(task)) {
      const sinceNs = task.status.timestamp ?? nowNs;
      const leftNs = Math.min(Math.max(sinceNs + restartDelayNs(task.spec) - nowNs, 0), restartDelayNs(task.spec));
      restarts.delayStart(undefined, task.id, leftNs);
    }
  }
  store.batch(
    due.map((id) => (tx) => {
      const task = tx.get("task", id);
      const service = task === undefined ? undefined : serviceOfMode(tx, task, mode);
      if (task !== undefined && service !== undefined && isWanted(task)) restarts.restart(tx, service, task);
    }),
  );
}
