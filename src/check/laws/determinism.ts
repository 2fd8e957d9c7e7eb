/** The same scenario and seed give the same bytes: two runs, every device captured, the files equal byte by byte. */
import { Lab } from "../../scenario/lab.ts";
import type { Scenario } from "../../scenario/load.ts";
import type { Violation } from "../law.ts";

export const DETERMINISM_NAME = "determinism";
export const DETERMINISM_SOURCE = "scenario and seed decide every byte and every time stamp of a capture";

/** Runs the scenario twice. `build` makes each of the two labs. */
export function checkDeterminism(
  scenario: Scenario,
  build: (scenario: Scenario) => Lab = (given) => new Lab(given),
): readonly Violation[] {
  const [first, second] = [captureOf(build(scenario)), captureOf(build(scenario))];
  const length = Math.max(first.length, second.length);
  for (let at = 0; at < length; at++) {
    if (first[at] === second[at]) continue;
    const words = `two runs differ from byte ${at} of their captures on (${first.length} and ${second.length} bytes)`;
    return [{ law: DETERMINISM_NAME, words }];
  }
  return [];
}

function captureOf(lab: Lab): Uint8Array {
  const capture = lab.capture(["*"]);
  lab.run();
  return capture.close();
}
