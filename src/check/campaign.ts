/** Random worlds held against the laws: number by number, each decided by the campaign's seed alone, so that a failure is found again anywhere. */
import { Lab } from "../scenario/lab.ts";
import { scenarioFrom } from "../scenario/load.ts";
import { Random } from "../sim/random.ts";
import { checkObservation, LAWS } from "./check-laws.ts";
import type { Law, Violation } from "./law.ts";
import { Watch } from "./observation.ts";
import { checkReachability, REACHABILITY_NAME } from "./prover/agreement.ts";
import { drawPlan } from "./worlds/draw-plan.ts";
import type { WorldPlan } from "./worlds/plan.ts";
import { scenarioOfPlan } from "./worlds/plan-scenario.ts";
import { shrinkPlan } from "./worlds/shrink-plan.ts";

/** Of the worlds that a token's number draws: moves when the drawing does. */
export const TOKEN_VERSION = 1;

/** Some hundred times what a world takes. */
const MOST_EVENTS = 1_000_000;

/** The names of all laws that a campaign may be asked for. */
export const LAW_NAMES: readonly string[] = [...LAWS.map(({ name }) => name), REACHABILITY_NAME];

export interface Finding {
  readonly token: string;
  /** As drawn, and made small. */
  readonly drawn: WorldPlan;
  readonly plan: WorldPlan;
  /** What the small one breaks. */
  readonly violations: readonly Violation[];
}

export function tokenOf(seed: string, number: number): string {
  return `${TOKEN_VERSION}:${seed}:${number}`;
}

/** The seed and the world's number; undefined: no token of this version. */
export function parseToken(token: string): { readonly seed: string; readonly number: number } | undefined {
  const [, version, seed, number] = /^(\d+):(.*):(\d+)$/.exec(token) ?? [];
  if (Number(version) !== TOKEN_VERSION || seed === undefined) return undefined;
  return { seed, number: Number(number) };
}

export function planOf(seed: string, number: number): WorldPlan {
  const random = new Random(`check ${seed}`).fork(`world ${number}`);
  return drawPlan(`${seed}/${number}`, (bound) => random.below(bound));
}

/** Runs one plan and holds the laws against it: an exception of the emulator's own is a broken law, too. */
export function checkPlan(plan: WorldPlan, names: readonly string[] = LAW_NAMES): readonly Violation[] {
  try {
    const lab = new Lab(scenarioFrom(scenarioOfPlan(plan)));
    const watch = new Watch(lab);
    if (!lab.advance(MOST_EVENTS)) return [{ law: "an end", words: `the run goes on after ${MOST_EVENTS} events` }];
    const report = lab.report();
    const probing = names.includes(REACHABILITY_NAME) ? checkReachability(lab, plan) : [];
    const laws: readonly Law[] = LAWS.filter(({ name }) => names.includes(name));
    return [...checkObservation(watch.observation(report), laws), ...probing];
  } catch (error) {
    const words =
      error instanceof Error ? (error.stack ?? error.message).split("\n").slice(0, 4).join(" | ") : String(error);
    return [{ law: "no exception", words }];
  }
}

/** One world of a campaign; the smallest world that breaks one of the same laws, if it breaks any. */
export function checkWorld(seed: string, number: number, names: readonly string[] = LAW_NAMES): Finding | undefined {
  const drawn = planOf(seed, number);
  const broken = new Set(checkPlan(drawn, names).map(({ law }) => law));
  if (broken.size === 0) return undefined;
  const fails = (plan: WorldPlan): boolean => checkPlan(plan, names).some(({ law }) => broken.has(law));
  const plan = shrinkPlan(drawn, fails);
  return { token: tokenOf(seed, number), drawn, plan, violations: checkPlan(plan, names) };
}
