/** All laws at once: what programs that test their own scenarios call. */
import { Lab } from "../scenario/lab.ts";
import { type Scenario, scenarioFrom } from "../scenario/load.ts";
import type { Law, Violation } from "./law.ts";
import { CHECKSUMS } from "./laws/checksums.ts";
import { CONSERVATION } from "./laws/conservation.ts";
import { checkDeterminism } from "./laws/determinism.ts";
import { ISOLATION } from "./laws/isolation.ts";
import { MTU } from "./laws/mtu.ts";
import { TIME_TO_LIVE } from "./laws/time-to-live.ts";
import { type Observation, observe } from "./observation.ts";

/** Those about a run's frames. */
export const LAWS: readonly Law[] = [CONSERVATION, CHECKSUMS, TIME_TO_LIVE, MTU, ISOLATION];

/** Runs the scenario (a loaded one, or an object of a scenario file's form) and returns what breaks a law; nothing, if all is well. */
export function checkLaws(scenario: Scenario | Record<string, unknown>): readonly Violation[] {
  const loaded = "source" in scenario && "file" in scenario ? (scenario as Scenario) : scenarioFrom(scenario);
  return [...checkObservation(observe(new Lab(loaded))), ...checkDeterminism(loaded)];
}

/** Holds all laws about frames against a run that has been observed. */
export function checkObservation(observation: Observation): readonly Violation[] {
  return LAWS.flatMap((law) => law.check(observation));
}
