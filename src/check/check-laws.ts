/** All laws at once: what programs that test their own scenarios call. */
import { Lab } from "../scenario/lab.ts";
import { type Scenario, scenarioFrom } from "../scenario/load.ts";
import type { Law, Violation } from "./law.ts";
import { AFFINITY } from "./laws/affinity.ts";
import { CAUSES } from "./laws/causes.ts";
import { CHECKSUMS } from "./laws/checksums.ts";
import { CONSERVATION } from "./laws/conservation.ts";
import { checkDeterminism } from "./laws/determinism.ts";
import { DUPLICATES } from "./laws/duplicates.ts";
import { ISOLATION } from "./laws/isolation.ts";
import { LEARNING } from "./laws/learning.ts";
import { LOOPS } from "./laws/loops.ts";
import { MTU } from "./laws/mtu.ts";
import { REASSEMBLY } from "./laws/reassembly.ts";
import { ROUND_ROBIN } from "./laws/round-robin.ts";
import { SPLIT_HORIZON } from "./laws/split-horizon.ts";
import { TABLES } from "./laws/tables.ts";
import { TIME_TO_LIVE } from "./laws/time-to-live.ts";
import { TRANSLATION } from "./laws/translation.ts";
import { type Observation, observe } from "./observation.ts";

/** Those about a run's frames and the tables at its end. */
export const LAWS: readonly Law[] = [
  CONSERVATION,
  CAUSES,
  DUPLICATES,
  CHECKSUMS,
  TIME_TO_LIVE,
  MTU,
  ISOLATION,
  SPLIT_HORIZON,
  LOOPS,
  LEARNING,
  TABLES,
  REASSEMBLY,
  TRANSLATION,
  AFFINITY,
  ROUND_ROBIN,
];

/** Runs the scenario (a loaded one, or an object of a scenario file's form) and returns what breaks a law; nothing, if all is well. */
export function checkLaws(scenario: Scenario | Record<string, unknown>): readonly Violation[] {
  const loaded = "source" in scenario && "file" in scenario ? (scenario as Scenario) : scenarioFrom(scenario);
  return [...checkObservation(observe(new Lab(loaded))), ...checkDeterminism(loaded)];
}

/** Holds laws about frames, all unless some are chosen, against a run that has been observed. */
export function checkObservation(observation: Observation, laws: readonly Law[] = LAWS): readonly Violation[] {
  return laws.flatMap((law) => law.check(observation));
}
