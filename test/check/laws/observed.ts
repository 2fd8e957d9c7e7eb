/** Shipped scenarios, run once for all tests of laws; and tampering with what was seen. */
import { readdirSync, readFileSync } from "node:fs";
import { type Observation, type ObservedFrame, observe } from "../../../src/check/observation.ts";
import { Lab } from "../../../src/scenario/lab.ts";
import { loadScenario } from "../../../src/scenario/load.ts";
import { loadTopologyScript } from "../../../src/scenario/topology-script.ts";

const FOLDER = new URL("../../../scenarios/", import.meta.url);

/** Not those with engines: the laws that read tables know the devices of the run's start, and engines make theirs later. */
export const SCENARIOS = readdirSync(FOLDER).filter(
  (name) =>
    /\.(yaml|sh)$/.test(name) && !/^(engine|swarm|services|stack):/m.test(readFileSync(new URL(name, FOLDER), "utf8")),
);

export function scenarioOf(name: string) {
  const text = readFileSync(new URL(name, FOLDER), "utf8");
  return name.endsWith(".sh") ? loadTopologyScript(text, name, name) : loadScenario(text, name);
}

const observed = new Map<string, Observation>();

export function observationOf(name: string): Observation {
  let observation = observed.get(name);
  if (observation === undefined) {
    observation = observe(new Lab(scenarioOf(name)));
    observed.set(name, observation);
  }
  return observation;
}

/** The observation with one frame changed: the first that `which` chooses. */
export function tamper(
  observation: Observation,
  which: (frame: ObservedFrame) => boolean,
  change: (bytes: Uint8Array) => Uint8Array | undefined,
): Observation {
  const index = observation.frames.findIndex(which);
  if (index < 0) throw new Error("no frame to tamper with");
  const bytes = observation.frames[index]!.bytes.slice();
  const changed = { ...observation.frames[index]!, bytes: change(bytes) ?? bytes };
  return { ...observation, frames: observation.frames.map((frame, at) => (at === index ? changed : frame)) };
}
