/** Tasks as orchestrators make and compare them (swarmkit manager/orchestrator/task.go, slot.go). */

import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { sameBytes } from "../../wire/bytes.ts";
import { type Cluster, type Node, type Service, type Task, taskShape } from "../api/objects.ts";
import { endpointSpecShape } from "../api/parts.ts";
import { placementShape, type ServiceSpec, type TaskSpec, taskSpecShape, type UpdateConfig } from "../api/specs.ts";
import { isAtLeast, isBeyond } from "../api/task-state.ts";
import { meetsConstraints, parseConstraints } from "../scheduler/constraint.ts";
import type { StoreView, Transaction } from "../store/store.ts";

const DEFAULT_RESTART_DELAY_NS = 5 * SECOND;
const DEFAULT_MONITOR_NS = 5 * SECOND;

export type ServiceMode = "replicated" | "global" | "replicated-job" | "global-job";

export function modeOf(spec: ServiceSpec): ServiceMode {
  if (spec.global !== undefined) return "global";
  if (spec.replicatedJob !== undefined) return "replicated-job";
  return spec.globalJob !== undefined ? "global-job" : "replicated";
}

/** The service of a task, if it is of the mode. */
export function serviceOfMode(view: StoreView, task: Task, mode: ServiceMode): Service | undefined {
  const service = view.get("service", task.serviceId);
  return service !== undefined && modeOf(service.spec) === mode ? service : undefined;
}

export interface NewTask {
  readonly id: string;
  readonly service: Service;
  readonly cluster: Cluster | undefined;
  readonly slot: number;
  readonly nodeId: string;
  readonly nowNs: Nanoseconds;
}

/** A task of a service's present spec, that is to run. */
export function newTask({ id, service, slot, nodeId, nowNs }: NewTask): Task {
  const { spec, specVersion, jobStatus } = service;
  const empty = taskShape.make();
  return {
    ...empty,
    id,
    serviceId: service.id,
    slot,
    nodeId,
    spec: spec.task,
    specVersion,
    serviceAnnotations: spec.annotations,
    status: { ...empty.status, timestamp: nowNs, state: "new", message: "created" },
    desiredState: jobStatus === undefined ? "running" : "complete",
    endpoint: spec.endpoint === undefined ? undefined : { spec: spec.endpoint, ports: [], virtualIps: [] },
    logDriver: spec.task.logDriver,
    jobIteration: jobStatus?.jobIteration,
  };
}

/** The tasks of one slot of a replicated service, or of one node of a global one. */
export type Slot = readonly Task[];

/** A task that is not what the service's spec asks for now. */
export function isTaskDirty(service: Service, task: Task, node: Node | undefined): boolean {
  if (task.specVersion !== undefined && task.specVersion.index === service.specVersion?.index) return false;
  const wanted = service.spec.task;
  if (node !== undefined && isSame(withoutConstraints(wanted), withoutConstraints(task.spec)) && fits(wanted, node))
    return isEndpointDirty(service, task);
  return !isSame(wanted, task.spec) || isEndpointDirty(service, task);
}

function isEndpointDirty(service: Service, task: Task): boolean {
  if (task.endpoint === undefined) return service.spec.endpoint !== undefined;
  const wanted = service.spec.endpoint ?? endpointSpecShape.make();
  return !sameBytes(
    endpointSpecShape.emit(wanted),
    endpointSpecShape.emit(task.endpoint.spec ?? endpointSpecShape.make()),
  );
}

function fits(spec: TaskSpec, node: Node): boolean {
  const constraints = parseConstraints(spec.placement?.constraints ?? []);
  return !("problem" in constraints) && meetsConstraints(constraints, node);
}

function withoutConstraints(spec: TaskSpec): TaskSpec {
  return { ...spec, placement: { ...(spec.placement ?? placementShape.make()), constraints: [] } };
}

function isSame(a: TaskSpec, b: TaskSpec): boolean {
  return a === b || sameBytes(taskSpecShape.emit(a), taskSpecShape.emit(b));
}

/** A node that nothing is to run on. */
export function isInvalidNode(node: Node | undefined): boolean {
  return node === undefined || node.status.state === "down" || node.spec.availability === "drain";
}

/** Wanted to run, or to become ready to. */
export function isWanted(task: Task): boolean {
  return !isBeyond(task.desiredState, "running");
}
/** Not ended, as far as is known. */
export function isAlive(task: Task): boolean {
  return !isBeyond(task.status.state, "running");
}

/** An agent has it, or will have it in a moment: one that is to stop will say when it has. */
export function isOnNode(task: Task): boolean {
  return isAlive(task) && isAtLeast(task.status.state, "assigned");
}

export function restartDelayNs(spec: TaskSpec): Nanoseconds {
  return spec.restart?.delay ?? DEFAULT_RESTART_DELAY_NS;
}

/** How an update goes on; while it is rolled back, as the rollback says. Defaults of facts 8.7. */
export function updateConfigOf(
  service: Service,
): UpdateConfig & { readonly delay: Nanoseconds; readonly monitor: Nanoseconds } {
  const isRollback = service.updateStatus?.state === "rollback_started";
  const config = isRollback ? service.spec.rollback : service.spec.update;
  return {
    parallelism: config?.parallelism ?? 1,
    failureAction: config?.failureAction ?? "pause",
    maxFailureRatio: config?.maxFailureRatio ?? 0,
    order: config?.order ?? "stop-first",
    delay: config?.delay ?? 0,
    monitor: config?.monitor ?? DEFAULT_MONITOR_NS,
  };
}

/** Sets a task's desired state unless it is that far already; what was written, or undefined. */
export function desire(tx: Transaction, taskId: string, state: "shutdown" | "remove" | "running"): Task | undefined {
  const task = tx.get("task", taskId);
  if (task === undefined || isAtLeast(task.desiredState, state)) return undefined;
  const written = { ...task, desiredState: state };
  return tx.update("task", written) === undefined ? written : undefined;
}
