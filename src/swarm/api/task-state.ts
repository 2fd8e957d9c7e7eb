/**
 * States of a task (swarmkit api/types.proto, TaskState): they only grow, so that of two observations the greater is the newer. Up to RUNNING
 * the task is alive; above, it has ended.
 */
export const TASK_STATES = {
  new: 0,
  pending: 64,
  assigned: 192,
  accepted: 256,
  preparing: 320,
  ready: 384,
  starting: 448,
  running: 512,
  complete: 576,
  shutdown: 640,
  failed: 704,
  rejected: 768,
  /** Desired only: the task is to be stopped and forgotten. */
  remove: 800,
  /** The node is down for so long that nobody knows. */
  orphaned: 832,
} as const;

export type TaskState = keyof typeof TASK_STATES;

const BY_NUMBER: ReadonlyMap<number, TaskState> = new Map(
  Object.entries(TASK_STATES).map(([name, number]) => [number, name as TaskState]),
);

export function taskStateOf(number: number): TaskState {
  return BY_NUMBER.get(number) ?? "new";
}

/** Whether a task in state `a` is further on than one in state `b`. */
export function isBeyond(a: TaskState, b: TaskState): boolean {
  return TASK_STATES[a] > TASK_STATES[b];
}
export function isAtLeast(a: TaskState, b: TaskState): boolean {
  return TASK_STATES[a] >= TASK_STATES[b];
}
