import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { arbitraries } from "../../../src/check/arbitraries/arbitraries.ts";
import { checkPlan, checkWorld, parseToken, planOf, tokenOf } from "../../../src/check/campaign.ts";
import { checkUnderFaults } from "../../../src/check/faulted-scenario.ts";
import { eventCount, hostCount } from "../../../src/check/worlds/plan.ts";
import { scenarioOfPlan } from "../../../src/check/worlds/plan-scenario.ts";
import { shrinkPlan, simpler } from "../../../src/check/worlds/shrink-plan.ts";
import { scenarioFrom } from "../../../src/scenario/load.ts";
import { contains, parseIpv4, parseMac } from "../../../src/wire/address.ts";

const { anyHostIn, anyMac, anyScenario, anySubnet, anyTopology, anyTraffic, anyWorldPlan } = arbitraries(fc);

describe("Random worlds", () => {
  it("keep all laws", () => {
    for (let number = 0; number < 12; number++) expect(checkWorld("suite", number)).toBeUndefined();
  }, 120_000);

  it("are the same for the same token", () => {
    for (let number = 0; number < 50; number++) {
      const { seed, number: again } = parseToken(tokenOf("a:b", number))!;
      expect(planOf(seed, again)).toEqual(planOf("a:b", number));
    }
    expect(parseToken("7:a:1")).toBeUndefined();
    expect(parseToken("1:a")).toBeUndefined();
  });

  it("are scenarios that load", () => {
    fc.assert(fc.property(anyScenario(), (scenario) => void scenarioFrom(scenario)));
    fc.assert(fc.property(anyTopology(), (scenario) => void expect(scenarioFrom(scenario).steps).toEqual([])));
  });
});

describe("A plan", () => {
  it("has simpler ones only that are simpler and load", () => {
    fc.assert(
      fc.property(anyWorldPlan(), (plan) => {
        for (const one of simpler(plan)) {
          scenarioFrom(scenarioOfPlan(one));
          expect(hostCount(one) + eventCount(one) + one.extras.length).toBeLessThanOrEqual(
            hostCount(plan) + eventCount(plan) + plan.extras.length,
          );
        }
      }),
      { numRuns: 15 },
    );
  });

  it("shrinks to the least that still fails", () => {
    const plan = planOf("shrink", 3);
    const hasPing = (one: typeof plan): boolean => one.containers.length > 0 && one.networks.length > 0;
    const least = shrinkPlan(plan, hasPing);
    expect(least.containers).toHaveLength(1);
    expect(eventCount(least)).toBe(0);
    expect(least.nodes).toBe(1);
  });

  it("that breaks a law says which", () => {
    const broken = { ...planOf("suite", 0), seed: "x" };
    expect(checkPlan(broken)).toEqual([]);
  });
});

describe("A scenario under faults", () => {
  const scenario = {
    name: "pair",
    nodes: { a: { role: "host" }, b: { role: "host" } },
    steps: [{ at: "2s", in: "a", run: "ping -c 5 -i 0.3 b" }],
    expect: [],
  };

  it("keeps the laws", () => {
    const names = ["conservation", "no loss without cause", "checksums"];
    for (let number = 0; number < 20; number++) expect(checkUnderFaults(scenario, "s", number, names)).toBeUndefined();
  });
});

describe("Arbitrary", () => {
  it("addresses are what they say", () => {
    fc.assert(fc.property(anyMac(), (mac) => void expect((parseMac(mac)! / 2 ** 40) & 3).toBe(2)));
    fc.assert(
      fc.property(
        anySubnet().chain((subnet) => fc.tuple(fc.constant(subnet), anyHostIn(subnet))),
        ([subnet, host]) => void expect(contains(subnet, parseIpv4(host)!)).toBe(true),
      ),
    );
  });

  it("traffic is among the hosts given", () => {
    const hosts = { a: "192.168.50.11", b: "192.168.50.12" };
    const nodes = { a: { address: hosts.a }, b: { address: hosts.b } };
    fc.assert(fc.property(anyTraffic(hosts), (steps) => void scenarioFrom({ name: "t", nodes, steps })));
  });
});
