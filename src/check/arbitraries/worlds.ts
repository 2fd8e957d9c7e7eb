/**
 * Whole worlds, traffic and faults as fast-check makes and shrinks them, in the form of scenario files. The drawing is that of `vxlab check`; each of its choices is a number that shrinks
 * towards 0, the simplest.
 */
import type { Arbitrary } from "fast-check";
import type { ScenarioInput, StepInput } from "../../scenario/input.ts";
import { type Draw, drawFault, drawPlan } from "../worlds/draw-plan.ts";
import type { WorldPlan } from "../worlds/plan.ts";
import { faultInput, scenarioOfPlan } from "../worlds/plan-scenario.ts";
import type { FastCheck } from "./fast-check.ts";

/** Machines, networks, containers, published ports, balancers, traffic and faults: a scenario that runs. */
export function anyScenario(fc: FastCheck): Arbitrary<ScenarioInput> {
  return anyWorldPlan(fc).map((plan) => scenarioOfPlan(plan));
}

/** The same without anything happening in it. */
export function anyTopology(fc: FastCheck): Arbitrary<ScenarioInput> {
  return anyWorldPlan(fc).map((plan) => scenarioOfPlan({ ...plan, traffic: [], faults: [] }));
}

export function anyWorldPlan(fc: FastCheck): Arbitrary<WorldPlan> {
  return drawn(fc, (draw) => drawPlan("1", draw));
}

/** Steps that make traffic among the given hosts' addresses: pings of every size that matters, at times up to `withinMs`. */
export function anyTraffic(
  fc: FastCheck,
  hosts: Readonly<Record<string, string>>,
  withinMs = 5_000,
): Arbitrary<readonly StepInput[]> {
  const names = Object.keys(hosts);
  const step = fc
    .record({
      from: fc.constantFrom(...names),
      to: fc.constantFrom(...names),
      atMs: fc.integer({ min: 1_500, max: 1_500 + withinMs }),
      sizeBytes: fc.constantFrom(56, 0, 8, 1_000, 1_372, 1_422, 1_423, 1_472, 2_000, 4_000),
      count: fc.integer({ min: 1, max: 3 }),
    })
    .map(({ from, to, atMs, sizeBytes, count }): StepInput => {
      const run = `ping -n -c ${count} -i 0.3 -W 1 -s ${sizeBytes} ${hosts[to]}`;
      return { at: `${atMs}ms`, in: from, run };
    });
  return fc.array(step, { minLength: 1, maxLength: 8 });
}

/** Steps that disturb the given machines' links: loss, delay, duplicates, overtaking, damage, slow and dead links, partitions. */
export function anyFaults(fc: FastCheck, machines: readonly string[]): Arbitrary<readonly StepInput[]> {
  return drawn(fc, (draw) =>
    Array.from({ length: draw(5) }, () => drawFault(draw, machines.length)).flatMap(
      ({ kind, atMs, forMs, node, amount }): StepInput[] => {
        const fault = faultInput(kind, machines[node]!, machines, amount);
        return fault === undefined ? [] : [{ at: `${atMs}ms`, fault, for: `${forMs}ms` }];
      },
    ),
  );
}

/** What `make` draws, from choices that fast-check makes one by one. */
function drawn<T>(fc: FastCheck, make: (draw: Draw) => T): Arbitrary<T> {
  const choiceBelow = (bound: number): Arbitrary<number> => fc.nat(bound - 1);
  return fc.gen().map((gen) => make((bound) => gen(choiceBelow, bound)));
}
