/** What a leader does with the store, apart from answering calls: each starts with its leadership and stops with it (swarmkit manager.go, becomeLeader). */
import { Allocator } from "./allocator/allocator.ts";
import { newId } from "./identifiers.ts";
import { KeyManager } from "./keys/key-manager.ts";
import type { LeaderComponent, LeaderContext, LeaderWork } from "./manager/leader-work.ts";
import { ConstraintEnforcer } from "./orchestrator/constraint-enforcer.ts";
import { GlobalOrchestrator } from "./orchestrator/global.ts";
import { JobOrchestrator } from "./orchestrator/jobs.ts";
import { ReplicatedOrchestrator } from "./orchestrator/replicated.ts";
import { TaskReaper } from "./orchestrator/task-reaper.ts";
import { Scheduler } from "./scheduler/scheduler.ts";

/** Orchestrators draw ids for tasks; each has its own stream of chance. */
function orchestrating({ store, clock, random }: LeaderContext, name: string) {
  const ids = random.fork(name);
  return { store, clock, newId: () => newId(ids) };
}

function work(name: string, start: (context: LeaderContext) => LeaderComponent): LeaderWork {
  return { name, methods: [], start };
}

/** In the order in which swarmkit starts them: what makes tasks comes after what serves them. */
export const LEADER_COMPONENTS: readonly LeaderWork[] = [
  work("key manager", ({ store, clock, random }) => new KeyManager({ store, clock, random: random.fork("keys") })),
  work("allocator", (context) => new Allocator(context)),
  work("scheduler", (context) => new Scheduler(context)),
  work("task reaper", (context) => new TaskReaper(context)),
  work("constraint enforcer", (context) => new ConstraintEnforcer(context)),
  work("replicated orchestrator", (context) => new ReplicatedOrchestrator(orchestrating(context, "replicated"))),
  work("global orchestrator", (context) => new GlobalOrchestrator(orchestrating(context, "global"))),
  work("job orchestrator", (context) => new JobOrchestrator(orchestrating(context, "jobs"))),
];
