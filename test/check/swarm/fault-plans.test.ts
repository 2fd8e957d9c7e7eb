import { describe, expect, it } from "vitest";
import { drawFaultPlan, type FaultPlan, smallerPlans } from "../../../src/check/swarm/fault-plan.ts";
import { runFaultPlan } from "../../../src/check/swarm/fault-run.ts";
import { Random } from "../../../src/sim/random.ts";

const PLANS = 16; // `node dist/cli/fault-plans.js` runs a thousand

describe("a swarm under random faults", () => {
  it.each(Array.from({ length: PLANS }, (_, number) => number))(
    "keeps its laws in plan %i",
    (number) => {
      const seed = `test/${number}`;
      expect(runFaultPlan(drawFaultPlan(seed, new Random(seed))).violations).toEqual([]);
    },
    60_000,
  );
});

describe("a smaller plan", () => {
  it("has fewer steps or machines, and there is none of an empty plan for one machine", () => {
    for (let number = 0; number < 50; number++) {
      const seed = `smaller/${number}`;
      const plan = drawFaultPlan(seed, new Random(seed));
      const size = ({ steps, managers, workers }: FaultPlan) => steps.length + managers + workers;
      for (const smaller of smallerPlans(plan)) expect(size(smaller)).toBeLessThan(size(plan));
    }
    expect([...smallerPlans({ seed: "x", managers: 1, workers: 0, steps: [] })]).toEqual([]);
  });
});
