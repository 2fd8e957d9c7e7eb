/**
 * Gives pending tasks their nodes (swarmkit manager/scheduler). It looks at what was committed, waits a moment for more, and decides for all
 * tasks of a service and version at once. What finds no node stays pending with the reason, and is tried again when something has changed.
 */
import type { Clock } from "../../sim/simulation.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Node, Task } from "../api/objects.ts";
import { isAtLeast, isBeyond } from "../api/task-state.ts";
import type { Change, Store, Transaction } from "../store/store.ts";
import { Pipeline } from "./filters.ts";
import { MOST_FAILURES, NodeInfo } from "./node-info.ts";
import { preferredLabels, spread } from "./spread.ts";

/** A decision waits for this long without a change, and no longer than that in all. */
const DEBOUNCE_NS = 50 * MILLISECOND;
const MOST_DEBOUNCE_NS = SECOND;

export interface SchedulerSettings {
  readonly store: Store;
  readonly clock: Clock;
}

/** What was decided for a task: its node, or why there is none. */
interface Decision {
  readonly before: Task;
  readonly after: Task;
}

export class Scheduler {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #nodes = new Map<string, NodeInfo>();
  /** Every task that is pending or uses a node, as last seen or decided. */
  readonly #tasks = new Map<string, Task>();
  readonly #unassigned = new Set<string>();
  /** Pending tasks that have their node already: those of global services. */
  readonly #preassigned = new Set<string>();
  readonly #debounce: Timer;
  readonly #unwatch: () => void;
  #firstChangeNs: Nanoseconds | undefined = undefined;

  constructor(settings: SchedulerSettings) {
    this.#store = settings.store;
    this.#clock = settings.clock;
    this.#debounce = new Timer(settings.clock, () => this.#tick());
    for (const node of this.#store.all("node")) this.#nodes.set(node.id, new NodeInfo(node));
    for (const task of this.#store.all("task")) this.#takeIn(task);
    this.#unwatch = this.#store.watch((changes) => this.#onChanges(changes));
    if (this.#unassigned.size > 0 || this.#preassigned.size > 0) this.#schedule();
  }

  stop(): void {
    this.#unwatch();
    this.#debounce.stop();
  }

  #onChanges(changes: readonly Change[]): void {
    let isWork = false;
    for (const change of changes) if (this.#onChange(change)) isWork = true;
    if (isWork) this.#schedule();
  }

  /** Whether pending tasks should be looked at again. */
  #onChange(change: Change): boolean {
    if (change.kind === "node") {
      const node = change.object;
      if (change.action === "remove") return this.#nodes.delete(node.id) && false;
      const known = this.#nodes.get(node.id);
      if (known !== undefined) known.node = node;
      else this.#nodes.set(node.id, this.#infoOf(node));
      return true;
    }
    if (change.kind !== "task") return false;
    const task = change.object;
    if (change.action === "remove") return this.#forget(task.id);
    const known = this.#tasks.get(task.id);
    const hasEnded = isBeyond(task.status.state, "running");
    if (hasEnded && known !== undefined && (task.status.state === "failed" || task.status.state === "rejected"))
      this.#nodes.get(task.nodeId)?.noteFailure(task, this.#clock.nowNs);
    if (hasEnded || !isUsing(task)) return this.#forget(task.id);
    this.#takeIn(task);
    return this.#unassigned.has(task.id) || this.#preassigned.has(task.id);
  }

  #infoOf(node: Node): NodeInfo {
    const info = new NodeInfo(node);
    for (const task of this.#store.tasksOfNode(node.id)) if (isUsing(task)) info.add(task);
    return info;
  }

  #takeIn(task: Task): void {
    if (!isUsing(task)) return;
    this.#tasks.set(task.id, task);
    this.#unassigned.delete(task.id);
    this.#preassigned.delete(task.id);
    if (task.nodeId === "") this.#unassigned.add(task.id);
    else if (task.status.state === "pending") this.#preassigned.add(task.id);
    else this.#nodes.get(task.nodeId)?.add(task);
  }

  /** A task that is gone may have made room. */
  #forget(taskId: string): boolean {
    const task = this.#tasks.get(taskId);
    if (task === undefined) return false;
    this.#tasks.delete(taskId);
    this.#unassigned.delete(taskId);
    this.#preassigned.delete(taskId);
    this.#nodes.get(task.nodeId)?.remove(taskId);
    return this.#unassigned.size > 0 || this.#preassigned.size > 0;
  }

  #schedule(): void {
    const nowNs = this.#clock.nowNs;
    this.#firstChangeNs ??= nowNs;
    const waitNs = Math.min(DEBOUNCE_NS, this.#firstChangeNs + MOST_DEBOUNCE_NS - nowNs);
    this.#debounce.set(Math.max(waitNs, 0));
  }

  #tick(): void {
    this.#firstChangeNs = undefined;
    const decisions: Decision[] = [];
    for (const id of [...this.#preassigned].sort()) this.#decidePreassigned(this.#tasks.get(id)!, decisions);
    const groups = new Map<string, Task[]>();
    for (const id of [...this.#unassigned].sort()) {
      const task = this.#tasks.get(id)!;
      const key = task.specVersion === undefined ? task.id : `${task.serviceId} ${task.specVersion.index}`;
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [task]);
      else group.push(task);
    }
    for (const group of groups.values()) this.#decideGroup(group, decisions);
    if (decisions.length > 0) this.#commit(decisions);
  }

  #decidePreassigned(task: Task, decisions: Decision[]): void {
    const info = this.#nodes.get(task.nodeId);
    if (info === undefined) return; // it will be there, or the task will go
    const pipeline = new Pipeline(task);
    if (!pipeline.passes(info)) {
      this.#explain(task, pipeline.explain(), decisions);
      return;
    }
    const message = "scheduler confirmed task can run on preassigned node";
    const after = this.#withStatus(task, { state: "assigned", message, error: "" });
    info.add(after);
    decisions.push({ before: task, after });
  }

  /** The tasks are alike but for their slots. */
  #decideGroup(group: readonly Task[], decisions: Decision[]): void {
    const task = group[0]!;
    const pipeline = new Pipeline(task);
    const nowNs = this.#clock.nowNs;
    const waiting = [...group];
    spread(group.length, this.#nodesInOrder(), preferredLabels(task), {
      serviceId: task.serviceId,
      passes: (info) => pipeline.passes(info),
      isBetter: (a, b) => isBetter(a, b, task, nowNs),
      place: (info) => {
        const before = waiting.shift()!;
        const message = "scheduler assigned task to node";
        const after = {
          ...this.#withStatus(before, { state: "assigned", message, error: "" }),
          nodeId: info.node.id,
        };
        info.add(after);
        decisions.push({ before, after });
      },
    });
    for (const left of waiting) this.#explain(left, pipeline.explain(), decisions);
  }

  /** In the order of their ids: what the rules leave open is decided by it. */
  #nodesInOrder(): NodeInfo[] {
    return [...this.#nodes.values()].sort((a, b) => (a.node.id < b.node.id ? -1 : 1));
  }

  #explain(task: Task, explanation: string, decisions: Decision[]): void {
    const error = explanation === "" ? "no suitable node" : `no suitable node (${explanation})`;
    if (task.status.error === error) return;
    decisions.push({ before: task, after: this.#withStatus(task, { error }) });
  }

  #withStatus(task: Task, status: Partial<Task["status"]>): Task {
    return { ...task, status: { ...task.status, timestamp: this.#clock.nowNs, ...status } };
  }

  #commit(decisions: readonly Decision[]): void {
    for (const { after } of decisions) {
      this.#tasks.set(after.id, after);
      if (after.status.state !== "assigned") continue;
      this.#unassigned.delete(after.id);
      this.#preassigned.delete(after.id);
    }
    const undone: Decision[] = [];
    const write = (decision: Decision) => (tx: Transaction) => {
      const { before, after } = decision;
      const task = tx.get("task", before.id);
      // The task went on without us, or its node is no longer what it was when this was decided.
      if (task === undefined || isAtLeast(task.status.state, "assigned")) return;
      const node = after.nodeId === "" ? undefined : tx.get("node", after.nodeId);
      const isFit = node?.status.state === "ready" && node.spec.availability === "active";
      if (after.status.state === "assigned" && !isFit) undone.push(decision);
      else tx.update("task", { ...task, nodeId: after.nodeId, status: after.status });
    };
    this.#store.batch(decisions.map(write), (outcome) => {
      const failed = outcome === "committed" ? undone : decisions;
      for (const { before, after } of failed) {
        this.#nodes.get(after.nodeId)?.remove(after.id);
        const task = this.#store.get("task", before.id);
        this.#tasks.delete(before.id);
        if (task !== undefined) this.#takeIn(task);
      }
      if (failed.length > 0 && outcome === "committed") this.#schedule();
    });
  }
}

/** Fewer recent failures if either has many, then fewer tasks of the service, then fewer tasks. */
function isBetter(a: NodeInfo, b: NodeInfo, task: Task, nowNs: Nanoseconds): boolean {
  const failuresOfA = a.failuresOf(task, nowNs);
  const failuresOfB = b.failuresOf(task, nowNs);
  if ((failuresOfA >= MOST_FAILURES || failuresOfB >= MOST_FAILURES) && failuresOfA !== failuresOfB)
    return failuresOfA < failuresOfB;
  const ofA = a.activeOfService(task.serviceId);
  const ofB = b.activeOfService(task.serviceId);
  return ofA === ofB ? a.activeTasks < b.activeTasks : ofA < ofB;
}

/** Pending or further on, not ended, and not given up before it had a node. */
function isUsing(task: Task): boolean {
  if (!isAtLeast(task.status.state, "pending") || isBeyond(task.status.state, "running")) return false;
  return !(task.status.state === "pending" && isBeyond(task.desiredState, "complete"));
}
