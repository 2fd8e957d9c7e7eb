/**
 * For programs that test their own scenarios ('vxlab/testing'), with whatever test runner: the laws of the emulated world, all at once or one by one.
 *
 *   expect(checkLaws(loadScenario(text, "mine.yaml"))).toEqual([]);
 *
 * A law that is broken answers with its name, words, and the place, the time and the packet's number in captures.
 */
export { checkLaws, checkObservation, LAWS } from "./check/check-laws.ts";
export type { Law, Violation } from "./check/law.ts";
export { checkDeterminism } from "./check/laws/determinism.ts";
export { checkIndependentLinks, type LossChange } from "./check/laws/independent-links.ts";
export { type Accounts, type Observation, type ObservedFrame, observe } from "./check/observation.ts";
