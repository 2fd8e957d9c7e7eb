/** A scenario of somebody's own under random faults: the laws must hold whatever its links do. The scenario is the object that its file says. */
import { Lab } from "../scenario/lab.ts";
import { scenarioFrom } from "../scenario/load.ts";
import { Random } from "../sim/random.ts";
import { tokenOf, type Finding as WorldFinding } from "./campaign.ts";
import { checkObservation, LAWS } from "./check-laws.ts";
import type { Violation } from "./law.ts";
import { observe } from "./observation.ts";
import { type Draw, drawFault } from "./worlds/draw-plan.ts";
import type { FaultPlan } from "./worlds/plan.ts";
import { faultInput } from "./worlds/plan-scenario.ts";

/** A scenario file's content. */
export type ScenarioObject = Readonly<Record<string, unknown>>;

export interface ScenarioFinding extends Pick<WorldFinding, "token" | "violations"> {
  /** With the faults that it took, and no more. */
  readonly scenario: ScenarioObject;
  readonly faults: number;
}

/** Run `number` 0 is the scenario as it is; the others draw up to four faults. */
export function checkUnderFaults(
  scenario: ScenarioObject,
  seed: string,
  number: number,
  names: readonly string[],
): ScenarioFinding | undefined {
  const faults = number === 0 ? [] : drawFaults(scenario, seed, number);
  const broken = new Set(check(scenario, faults, names).map(({ law }) => law));
  if (broken.size === 0) return undefined;
  const fails = (some: readonly FaultPlan[]): boolean =>
    check(scenario, some, names).some(({ law }) => broken.has(law));
  let least: readonly FaultPlan[] = faults;
  for (let moved = true; moved; ) {
    moved = false;
    for (const index of least.keys()) {
      const fewer = least.filter((_, at) => at !== index);
      if (!fails(fewer)) continue;
      least = fewer;
      moved = true;
      break;
    }
  }
  return {
    token: tokenOf(seed, number),
    violations: check(scenario, least, names),
    scenario: withFaults(scenario, least),
    faults: least.length,
  };
}

function drawFaults(scenario: ScenarioObject, seed: string, number: number): FaultPlan[] {
  const random = new Random(`check ${seed}`).fork(`faults ${number}`);
  const draw: Draw = (bound) => random.below(bound);
  const nodes = nodesOf(scenario).length;
  return nodes === 0 ? [] : Array.from({ length: 1 + draw(4) }, () => drawFault(draw, nodes));
}

function check(scenario: ScenarioObject, faults: readonly FaultPlan[], names: readonly string[]): readonly Violation[] {
  const lab = new Lab(scenarioFrom(withFaults(scenario, faults)));
  return checkObservation(
    observe(lab),
    LAWS.filter(({ name }) => names.includes(name)),
  );
}

/** The scenario with the faults as steps of its own. What it expects of a network in peace is left out. */
function withFaults(scenario: ScenarioObject, faults: readonly FaultPlan[]): ScenarioObject {
  if (faults.length === 0) return scenario;
  const nodes = nodesOf(scenario);
  const steps = faults.flatMap(({ kind, atMs, forMs, node, amount }) => {
    const fault = faultInput(kind, nodes[node % nodes.length]!, nodes, amount);
    return fault === undefined ? [] : [{ at: `${atMs}ms`, fault, for: `${forMs}ms` }];
  });
  const { expect: _, ...rest } = scenario;
  return { ...rest, steps: [...(Array.isArray(scenario["steps"]) ? scenario["steps"] : []), ...steps] };
}

function nodesOf({ nodes }: ScenarioObject): string[] {
  return typeof nodes === "object" && nodes !== null ? Object.keys(nodes) : [];
}
