/** Looks for a bug in the emulator that it is a part of, as long as it is given, and prints what it found as one line of JSON. Run by `mutants.ts` in a mutated copy. */
import { checkWorld } from "../check/campaign.ts";
import { checkAddresses, checkSpread, checkSubnets } from "../check/control/allocation.ts";
import { MembershipScope } from "../check/control/membership-scope.ts";
import { RaftScope } from "../check/control/raft-scope.ts";
import { explore, type SmallWorld } from "../check/control/scope.ts";
import { eventCount, hostCount } from "../check/worlds/plan.ts";
import { Random } from "../sim/random.ts";
import type { Mutant } from "./mutant-list.ts";

/** What a probe prints. */
export interface Catch {
  readonly found: boolean;
  /** The law, and how many worlds, runs or states it took. */
  readonly law: string;
  readonly after: number;
  readonly machines: number;
  readonly containers: number;
  readonly events: number;
}

const RUNS = 5_000;
const SCOPE_EVENTS = 8;
const NOTHING: Catch = { found: false, law: "", after: 0, machines: 0, containers: 0, events: 0 };

function probe(by: Mutant["by"], seconds: number): Catch {
  const endMs = performance.now() + seconds * 1_000;
  switch (by) {
    case "worlds":
      return worlds(endMs);
    case "raft": {
      const two = scope("raft", 2, () => new RaftScope(2));
      return two.found ? two : scope("raft", 3, () => new RaftScope(3));
    }
    case "membership":
      return scope("membership", 2, () => new MembershipScope());
    case "addresses":
      return runs("addresses of a pool", checkAddresses);
    case "subnets":
      return runs("subnets of a pool", checkSubnets);
    case "spread":
      return runs("tasks among nodes", checkSpread);
  }
}

function worlds(endMs: number): Catch {
  let after = 0;
  for (; performance.now() < endMs; after++) {
    const finding = checkWorld("mutants", after);
    if (finding === undefined) continue;
    const { plan, violations } = finding;
    const machines = plan.nodes;
    return {
      found: true,
      law: violations[0]?.law ?? "",
      after: after + 1,
      machines,
      containers: hostCount(plan) - machines,
      events: eventCount(plan),
    };
  }
  return { ...NOTHING, after };
}

function scope(law: string, machines: number, make: () => SmallWorld): Catch {
  const { states, broken } = explore(make, SCOPE_EVENTS);
  if (broken === undefined) return { ...NOTHING, after: states };
  return {
    found: true,
    law: `${law}: ${broken.words}`,
    after: states,
    machines,
    containers: 0,
    events: broken.history.length,
  };
}

function runs(law: string, check: (random: Random) => string | undefined): Catch {
  for (let run = 0; run < RUNS; run++) {
    const words = check(new Random("mutants").fork(`run ${run}`));
    if (words !== undefined) return { ...NOTHING, found: true, law: `${law}: ${words}`, after: run + 1 };
  }
  return { ...NOTHING, after: RUNS };
}

const [by, seconds] = process.argv.slice(2);
process.stdout.write(`${JSON.stringify(probe(by as Mutant["by"], Number(seconds)))}\n`);
