/** One shard of `vxlab check`: every j-th world of a campaign, in a thread of its own. */
import { parentPort, workerData } from "node:worker_threads";
import { checkWorld } from "../check/campaign.ts";
import { checkUnderFaults, type ScenarioObject } from "../check/faulted-scenario.ts";
import type { Violation } from "../check/law.ts";
import { eventCount, hostCount } from "../check/worlds/plan.ts";
import { scenarioOfPlan } from "../check/worlds/plan-scenario.ts";

export interface Shard {
  readonly seed: string;
  readonly laws: readonly string[];
  readonly first: number;
  readonly step: number;
  /** The first number that is not looked at. */
  readonly end: number;
  /** Virtual time has no end of its own: the wall clock's, in milliseconds since 1970. */
  readonly deadlineMs: number;
  /** Undefined: random worlds. */
  readonly scenario: ScenarioObject | undefined;
}

/** What breaks a law, as it is told and written. */
export interface Found {
  readonly number: number;
  readonly token: string;
  readonly scenario: ScenarioObject;
  readonly violations: readonly Pick<Violation, "law" | "words" | "place" | "timeNs" | "packetId">[];
  readonly size: string;
}

export type Told =
  | { readonly kind: "done"; readonly worlds: number }
  | { readonly kind: "found"; readonly found: Found };

/** Worlds between two messages. */
const REPORT_EVERY = 5;

/** Goes through the shard's worlds and tells of them. */
export function runShard(shard: Shard, tell: (told: Told) => void): void {
  let worlds = 0;
  for (let number = shard.first; number < shard.end && Date.now() < shard.deadlineMs; number += shard.step) {
    const found = look(shard, number);
    worlds++;
    if (found !== undefined) {
      tell({ kind: "found", found });
      return;
    }
    if (worlds % REPORT_EVERY !== 0) continue;
    tell({ kind: "done", worlds });
    worlds = 0;
  }
  tell({ kind: "done", worlds });
}

export function look({ scenario, seed, laws }: Shard, number: number): Found | undefined {
  if (scenario !== undefined) {
    const finding = checkUnderFaults(scenario, seed, number, laws);
    if (finding === undefined) return undefined;
    return { number, ...finding, size: `${finding.faults} faults` };
  }
  const finding = checkWorld(seed, number, laws);
  if (finding === undefined) return undefined;
  const { token, plan, violations } = finding;
  const size = `${plan.nodes} machines, ${hostCount(plan) - plan.nodes} containers, ${eventCount(plan)} events`;
  return { number, token, scenario: { ...scenarioOfPlan(plan) }, violations, size };
}

if (parentPort !== null && workerData !== null) {
  const port = parentPort;
  runShard(workerData as Shard, (told) => port.postMessage(told));
}
