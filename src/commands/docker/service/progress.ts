/**
 * What `docker service create` and its kin print while a service comes to rest (docker/cli command/service/progress), as it goes to a pipe: bars are for
 * terminals only.
 */
import type { Process } from "../../../linux/process.ts";
import { MILLISECOND, SECOND } from "../../../sim/time.ts";
import { taskFiltersShape } from "../../../swarm/api/control.ts";
import type { Node, Service, Task } from "../../../swarm/api/objects.ts";
import { isBeyond, type TaskState } from "../../../swarm/api/task-state.ts";
import type { ControlClient } from "../../../swarm/control/control-client.ts";
import { CommandError } from "../../command-error.ts";
import { type Asking, must } from "../cluster.ts";
import { ellipsis } from "../table.ts";

const POLL_NS = 200 * MILLISECOND;
const MONITOR_NS = 5 * SECOND;
const MOST_LINES = 20;
const MOST_ERROR = 75;

/** Writes what there is to say of one look at the service; true: it is as it should be. */
interface Watcher {
  update(service: Service, tasks: readonly Task[], activeNodes: ReadonlySet<string>, isRollback: boolean): boolean;
}

/** Looks five times a second until the service has been at rest for as long as its updates are monitored. The exit status. */
export function* waitOnService(
  process: Process,
  client: ControlClient,
  name: string,
  isQuiet: boolean,
): Asking<number> {
  const say = (line: string) => {
    if (!isQuiet) process.stdout.write(`${line}\n`);
  };
  let watcher: Watcher | undefined;
  let convergedNs: number | undefined;
  let isConverged = false;
  let isRollback = false;
  let ending = "";
  for (;;) {
    const service = yield* must(client.find("service", name));
    const monitorNs = service.spec.update?.monitor || MONITOR_NS;
    watcher ??= watcherOf(service, say);
    const { state, message = "" } = service.updateStatus ?? {};
    switch (state) {
      case "updating":
        isRollback = false;
        break;
      case "completed":
        if (!isConverged) return 0;
        break;
      case "paused":
        throw new CommandError(1, `service update paused: ${message}`);
      case "rollback_started":
        if (!isRollback && message !== "") say(`rollback: ${message}`);
        isRollback = true;
        break;
      case "rollback_paused":
        throw new CommandError(1, `service rollback paused: ${message}`);
      case "rollback_completed":
        if (!isConverged) return 0;
        ending = message;
        break;
    }
    const { nowNs } = process.clock;
    if (isConverged && convergedNs !== undefined && nowNs - convergedNs >= monitorNs) {
      say(`verify: Service ${name} converged`);
      if (ending !== "") say(`rollback: ${ending}`);
      return 0;
    }
    const filters = taskFiltersShape.make({ serviceIds: [service.id], upToDate: true });
    const { tasks } = yield* must(client.call("ListTasks", { filters }));
    const { nodes } = yield* must(client.call("ListNodes", {}));
    isConverged = watcher.update(service, tasks, activeNodes(nodes), isRollback);
    if (isConverged) {
      if (service.jobStatus !== undefined) {
        say("job complete");
        return 0;
      }
      convergedNs ??= process.clock.nowNs;
      const leftNs = monitorNs - (process.clock.nowNs - convergedNs);
      if (leftNs >= 0)
        say(`verify: Waiting ${Math.max(1, Math.ceil(leftNs / SECOND))} seconds to verify that tasks are stable...`);
    } else {
      if (convergedNs !== undefined) say("verify: Detected task failure");
      convergedNs = undefined;
    }
    if ((yield { queues: [], untilNs: process.clock.nowNs + POLL_NS }) !== "signal") continue;
    if (!isConverged) say(`Operation continuing in background.\nUse \`docker service ps ${name}\` to check progress.`);
    return 0;
  }
}

/** Tasks of nodes that are down are not waited for. */
function activeNodes(nodes: readonly Node[]): ReadonlySet<string> {
  return new Set(nodes.filter(({ status }) => status.state !== "down").map(({ id }) => id));
}

function watcherOf({ spec }: Service, say: (line: string) => void): Watcher {
  if (spec.replicated !== undefined) return new SlotWatcher(say);
  if (spec.global !== undefined) return new NodeWatcher(say);
  return spec.replicatedJob === undefined ? new NodeJobWatcher(say) : new JobWatcher(say);
}

function hasEnded(state: TaskState): boolean {
  return isBeyond(state, "running");
}

function overall(running: number, wanted: number, isRollback: boolean): string {
  return `overall progress: ${isRollback ? "rolling back update: " : ""}${running} out of ${wanted} tasks`;
}

/** The line of a task that has something to complain about; states alone are drawn as bars. */
function complaint(label: string, { status }: Task, say: (line: string) => void): void {
  if (status.error !== "") say(`${label}: ${ellipsis(status.error.replace("\n", " "), MOST_ERROR)}`);
}

class SlotWatcher implements Watcher {
  readonly #say: (line: string) => void;
  readonly #lines = new Map<number, number>();
  #hasBegun = false;
  #isDone = false;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  update({ spec }: Service, tasks: readonly Task[], nodes: ReadonlySet<string>, isRollback: boolean): boolean {
    const replicas = spec.replicated?.replicas ?? 0;
    if (!this.#hasBegun) this.#begin(replicas, isRollback);
    const slots = newestBySlot(tasks, nodes);
    if (this.#isDone && slots.some(({ status }) => status.state !== "running")) this.#isDone = false;
    let running = 0;
    for (const task of slots) {
      const line = this.#lines.get(task.slot) ?? this.#lines.size + 1;
      this.#lines.set(task.slot, line);
      if (!hasEnded(task.desiredState) && task.status.state === "running") running++;
      if (!this.#isDone && replicas <= MOST_LINES && line <= replicas)
        complaint(`${line}/${replicas}`, task, this.#say);
    }
    if (!this.#isDone) {
      this.#say(overall(running, replicas, isRollback));
      this.#isDone = running === replicas;
    }
    return running === replicas;
  }

  #begin(replicas: number, isRollback: boolean): void {
    this.#hasBegun = true;
    this.#say(overall(0, replicas, isRollback));
    if (replicas > MOST_LINES) return;
    for (let line = 1; line <= replicas; line++) this.#say(`${line}/${replicas}:  `);
  }
}

/** Of each slot the task that is wanted most and is furthest on. */
function newestBySlot(tasks: readonly Task[], nodes: ReadonlySet<string>): Task[] {
  const slots = new Map<number, Task>();
  for (const task of tasks) {
    if (task.nodeId !== "" && !nodes.has(task.nodeId)) continue;
    const other = slots.get(task.slot);
    if (other !== undefined) {
      if (isBeyond(task.desiredState, other.desiredState)) continue;
      if (task.desiredState === other.desiredState && isBeyond(other.status.state, task.status.state)) continue;
    }
    slots.set(task.slot, task);
  }
  return [...slots.values()].sort((a, b) => a.slot - b.slot);
}

class NodeWatcher implements Watcher {
  readonly #say: (line: string) => void;
  #isDone = false;
  #hasBegun = false;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  update(_service: Service, tasks: readonly Task[], nodes: ReadonlySet<string>, isRollback: boolean): boolean {
    const byNode = new Map<string, Task>();
    for (const task of tasks) {
      if (!nodes.has(task.nodeId)) continue;
      const other = byNode.get(task.nodeId);
      if (other !== undefined && isBeyond(task.desiredState, other.desiredState)) continue;
      byNode.set(task.nodeId, task);
    }
    const wanted = byNode.size;
    if (!this.#hasBegun) {
      // Nobody knows yet on how many nodes there will be one.
      if (wanted === 0) {
        this.#say("overall progress: waiting for new tasks");
        return false;
      }
      this.#hasBegun = true;
      this.#say(overall(0, wanted, isRollback));
    }
    const alive = [...byNode.values()].filter(({ desiredState }) => !hasEnded(desiredState));
    if (this.#isDone && alive.some(({ status }) => status.state !== "running")) this.#isDone = false;
    const running = alive.filter(({ status }) => status.state === "running").length;
    if (!this.#isDone) {
      if (wanted <= MOST_LINES) for (const [node, task] of byNode) complaint(node.slice(0, 12), task, this.#say);
      this.#say(overall(running, wanted, isRollback));
      this.#isDone = running === wanted;
    }
    return running === wanted;
  }
}

/** A job of so many completions. How many there are already is drawn as a bar. */
class JobWatcher implements Watcher {
  readonly #say: (line: string) => void;
  #hasBegun = false;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  update({ spec }: Service, tasks: readonly Task[], nodes: ReadonlySet<string>): boolean {
    const { maxConcurrent = 0, totalCompletions = 0 } = spec.replicatedJob ?? {};
    const width = String(totalCompletions).length;
    const label = (line: number) => `${String(line).padStart(width)}/${totalCompletions}`;
    const overall = (active: number, completed: number) =>
      `active tasks: ${String(active).padStart(width)} out of ${Math.min(maxConcurrent, totalCompletions - completed)} tasks`;
    if (!this.#hasBegun) {
      this.#hasBegun = true;
      this.#say(overall(0, 0));
      if (totalCompletions <= MOST_LINES)
        for (let line = 1; line <= totalCompletions; line++) this.#say(`${label(line)}:  `);
    }
    let active = 0;
    let completed = 0;
    for (const task of newestBySlot(tasks, nodes)) {
      if (task.status.state === "complete") completed++;
      else if (!hasEnded(task.status.state)) active++;
      if (totalCompletions <= MOST_LINES) complaint(label(task.slot + 1), task, this.#say);
    }
    this.#say(overall(active, completed));
    return completed === totalCompletions;
  }
}

/** A job of every node. */
class NodeJobWatcher implements Watcher {
  readonly #say: (line: string) => void;
  #wanted = 0;

  constructor(say: (line: string) => void) {
    this.#say = say;
  }

  update(_service: Service, tasks: readonly Task[], nodes: ReadonlySet<string>): boolean {
    if (this.#wanted === 0) {
      if (tasks.length === 0 && nodes.size > 0) {
        this.#say("job progress: waiting for tasks");
        return false;
      }
      this.#wanted = new Set(tasks.map(({ nodeId }) => nodeId)).size;
    }
    const byNode = new Map<string, Task>();
    for (const task of tasks) {
      const other = byNode.get(task.nodeId);
      if (other === undefined || !isBeyond(task.desiredState, other.desiredState)) byNode.set(task.nodeId, task);
    }
    if (this.#wanted <= MOST_LINES) for (const [node, task] of byNode) complaint(node, task, this.#say);
    return [...byNode.values()].filter(({ status }) => status.state === "complete").length === this.#wanted;
  }
}
