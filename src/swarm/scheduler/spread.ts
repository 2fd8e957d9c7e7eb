/**
 * How tasks that are all alike are divided among nodes (swarmkit manager/scheduler: decision tree and scheduleNTasks…): first evenly among the values
 * of the preferred labels, level by level, then among a branch's nodes so that those with the fewest come first.
 */
import type { Node, Task } from "../api/objects.ts";
import type { NodeInfo } from "./node-info.ts";

/** What the division needs of its caller. */
export interface Placing {
  readonly serviceId: string;
  passes(info: NodeInfo): boolean;
  /** Whether `a` is to be preferred to `b`. */
  isBetter(a: NodeInfo, b: NodeInfo): boolean;
  /** Takes the next task of the group to the node. */
  place(info: NodeInfo): void;
}

/** Nodes of one value of a label, divided further by the next label. */
interface Branch {
  tasks: number;
  readonly nodes: NodeInfo[];
  readonly branches: Map<string, Branch>;
}

/** Places up to `tasks` tasks on `nodes`; how many found a place. `labels` are descriptors such as `node.labels.zone`. */
export function spread(tasks: number, nodes: Iterable<NodeInfo>, labels: readonly string[], placing: Placing): number {
  const root: Branch = { tasks: 0, nodes: [], branches: new Map() };
  for (const info of nodes) grow(root, info, labels, placing.serviceId);
  return divide(tasks, root, labels.length === 0, placing);
}

function grow(root: Branch, info: NodeInfo, labels: readonly string[], serviceId: string): void {
  let branch = root;
  branch.tasks += info.activeOfService(serviceId);
  for (const label of labels) {
    const value = labelOf(info.node, label);
    const next: Branch = branch.branches.get(value) ?? { tasks: 0, nodes: [], branches: new Map() };
    branch.branches.set(value, next);
    next.tasks += info.activeOfService(serviceId);
    branch = next;
  }
  branch.nodes.push(info);
}

/** Evens out the branches until all tasks have a place or no branch has room. */
function divide(tasks: number, branch: Branch, isLeaf: boolean, placing: Placing): number {
  if (isLeaf || branch.branches.size === 0) return fill(tasks, branch, placing);
  let placed = 0;
  let usable = [...branch.branches.values()];
  while (placed < tasks && usable.length > 0) {
    const total = usable.reduce((sum, { tasks: own }) => sum + own, 0) + tasks - placed;
    const share = Math.floor(total / usable.length);
    let remainder = total % usable.length;
    const full = new Set<Branch>();
    for (const next of usable) {
      if (next.tasks > share || (next.tasks === share && remainder === 0)) continue;
      const wanted = Math.min(share - next.tasks + (remainder > 0 ? 1 : 0), tasks - placed);
      const got = divide(wanted, next, false, placing);
      next.tasks += got;
      placed += got;
      if (got < wanted) full.add(next);
      else if (remainder > 0) remainder--;
    }
    usable = usable.filter((next) => !full.has(next));
  }
  return placed;
}

/** The best nodes get tasks until the next one would be better; afterwards all in turn, as long as they pass. */
function fill(tasks: number, branch: Branch, placing: Placing): number {
  const nodes = branch.nodes.filter((info) => placing.passes(info));
  nodes.sort((a, b) => (placing.isBetter(a, b) ? -1 : placing.isBetter(b, a) ? 1 : 0));
  if (nodes.length === 0) return 0;
  const isFull = nodes.map(() => false);
  let turn = 0;
  for (let placed = 0; placed < tasks; ) {
    const at = turn % nodes.length;
    const info = nodes[at]!;
    placing.place(info);
    if (++placed === tasks) return placed;
    if (turn + 1 >= nodes.length || placing.isBetter(nodes[at + 1]!, info)) turn++;
    for (let tried = 0; isFull[turn % nodes.length] === true || !placing.passes(nodes[turn % nodes.length]!); tried++) {
      if (tried === nodes.length) return placed;
      isFull[turn % nodes.length] = true;
      turn++;
    }
  }
  return tasks;
}

function labelOf(node: Node, descriptor: string): string {
  const lower = descriptor.toLowerCase();
  if (lower.startsWith("node.labels.")) return node.spec.annotations.labels.get(descriptor.slice(12)) ?? "";
  if (lower.startsWith("engine.labels.")) return node.description?.engine?.labels.get(descriptor.slice(14)) ?? "";
  return "";
}

/** The labels that a task's preferences name, in their order. */
export function preferredLabels(task: Task): string[] {
  return (task.spec.placement?.preferences ?? []).flatMap(({ spread: one }) =>
    one === undefined ? [] : [one.descriptor],
  );
}
