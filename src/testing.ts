/**
 * For programs that test their own scenarios ('vxlab/testing'): the laws of the emulated world, all at once or one by one; matchers for labs; and worlds, traffic and faults that fast-check makes
 * (which is handed in). docs/TESTING.md shows how.
 *
 *   expect(checkLaws(loadScenario(text, "mine.yaml"))).toEqual([]);
 *
 * A law that is broken answers with its name, words, and the place, the time and the packet's number in captures.
 */
export { type Arbitraries, arbitraries } from "./check/arbitraries/arbitraries.ts";
export { checkPlan, checkWorld, type Finding, LAW_NAMES, parseToken, planOf } from "./check/campaign.ts";
export { checkLaws, checkObservation, LAWS } from "./check/check-laws.ts";
export type { Law, Violation } from "./check/law.ts";
export { checkDeterminism } from "./check/laws/determinism.ts";
export { checkIndependentLinks, type LossChange } from "./check/laws/independent-links.ts";
export { type HowMany, labMatchers, type MatchResult, toDropWith, toHaveFrames, toReach } from "./check/matchers.ts";
export {
  type Accounts,
  type Disturbance,
  type Observation,
  type ObservedDrop,
  type ObservedFrame,
  observe,
  Watch,
} from "./check/observation.ts";
export { proveLoops, provePing, type Verdict } from "./check/prover/prover.ts";
export type { WorldPlan } from "./check/worlds/plan.ts";
export { scenarioOfPlan } from "./check/worlds/plan-scenario.ts";
export { shrinkPlan } from "./check/worlds/shrink-plan.ts";
