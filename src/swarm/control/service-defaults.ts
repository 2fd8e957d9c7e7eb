/** What holds where a service's spec says nothing (swarmkit api/defaults/service.go): shown by `docker service inspect`. */
import { SECOND } from "../../sim/time.ts";
import {
  restartPolicyShape,
  type ServiceSpec,
  type TaskSpec,
  type UpdateConfig,
  updateConfigShape,
} from "../api/specs.ts";

export const DEFAULT_RESTART = restartPolicyShape.make({ condition: "any", delay: 5 * SECOND });
export const DEFAULT_UPDATE = updateConfigShape.make({ parallelism: 1, monitor: 5 * SECOND });
export const DEFAULT_STOP_GRACE_NS = 10 * SECOND;

export function withDefaults(spec: ServiceSpec): ServiceSpec {
  const isJob = spec.replicatedJob !== undefined || spec.globalJob !== undefined;
  const task = taskWithDefaults(spec.task, isJob);
  if (isJob) return { ...spec, task };
  return {
    ...spec,
    task,
    update: updateWithDefaults(spec.update),
    rollback: updateWithDefaults(spec.rollback),
    endpoint: spec.endpoint ?? { mode: "vip", ports: [] },
  };
}

function updateWithDefaults(update: UpdateConfig | undefined): UpdateConfig {
  return update === undefined ? DEFAULT_UPDATE : { ...update, monitor: update.monitor ?? DEFAULT_UPDATE.monitor };
}

function taskWithDefaults(task: TaskSpec, isJob: boolean): TaskSpec {
  const { container, restart } = task;
  const fallback = isJob ? { ...DEFAULT_RESTART, condition: "on-failure" as const } : DEFAULT_RESTART;
  return {
    ...task,
    container:
      container === undefined
        ? undefined
        : { ...container, stopGracePeriod: container.stopGracePeriod ?? DEFAULT_STOP_GRACE_NS },
    restart: restart === undefined ? fallback : { ...restart, delay: restart.delay ?? DEFAULT_RESTART.delay },
    resources: task.resources ?? { limits: undefined, reservations: undefined },
    placement: task.placement ?? { constraints: [], preferences: [], platforms: [], maxReplicas: 0 },
  };
}
