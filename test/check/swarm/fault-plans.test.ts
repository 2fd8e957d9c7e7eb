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

  it("does not take a machine's life before its restart for the present one", () => {
    const seconds = (count: number) => count * 1_000_000_000;
    const plan: FaultPlan = {
      seed: "20261122/753", // found by the command
      managers: 3,
      workers: 3,
      steps: [
        { kind: "create", atNs: 0, service: 0, replicas: 3 },
        { kind: "loss", atNs: seconds(3.038), machine: 3, perMille: 192, delayNs: 6_000_000, forNs: seconds(6.581) },
        { kind: "update", atNs: seconds(7.448), service: 0 },
        { kind: "power", atNs: seconds(12.526), machine: 5, forNs: seconds(1.848) },
      ],
    };
    expect(runFaultPlan(plan).violations).toEqual([]);
  }, 60_000);

  const quiet: FaultPlan = {
    seed: "planted",
    managers: 1,
    workers: 1,
    steps: [{ kind: "create", atNs: 0, service: 0, replicas: 2 }],
  };

  it("would be found to have lost an acknowledged change", () => {
    const run = runFaultPlan(quiet, (swarm) => {
      const store = swarm.leader!.store!;
      for (const service of [...store.all("service")]) store.update((tx) => void tx.remove("service", service.id));
    });
    expect(run.violations).toEqual(["an acknowledged change of s0 is lost"]);
  }, 60_000);

  it("would be found not to run what is desired, and not to agree", () => {
    const run = runFaultPlan(quiet, (swarm) => swarm.machines[1]!.daemon.cutPower());
    expect(run.violations).toContain("node node2 is down");
    expect(run.violations).toContain("node1 knows 1 of 2 nodes in gossip");
  }, 60_000);
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
