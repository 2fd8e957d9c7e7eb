import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { RealServer } from "../../../src/linux/ipvs/real-server.ts";
import { makeScheduler, type SchedulerName } from "../../../src/linux/ipvs/scheduler.ts";
import type { Ipv4Address } from "../../../src/wire/address.ts";

function servers(weights: readonly number[]): RealServer[] {
  return weights.map(
    (weight, index) =>
      new RealServer({
        address: (index + 1) as Ipv4Address,
        port: 80,
        method: "masquerade",
        weight,
        upperThreshold: 0,
        lowerThreshold: 0,
      }),
  );
}

/** How often each server is chosen in `rounds` connections. */
function share(name: SchedulerName, list: readonly RealServer[], rounds: number): number[] {
  const scheduler = makeScheduler(name);
  scheduler.changed(list, undefined, -1);
  const counts = list.map(() => 0);
  for (let round = 0; round < rounds; round++) {
    const chosen = scheduler.choose(list, round * 7_919, 1);
    if (chosen !== undefined) counts[list.indexOf(chosen)]!++;
  }
  return counts;
}

const anyWeights = () => fc.array(fc.integer({ min: 0, max: 12 }), { minLength: 1, maxLength: 8 });

describe("schedulers of the load balancer", () => {
  it("rr gives each server that takes any the same, give or take one", () => {
    fc.assert(
      fc.property(anyWeights(), fc.nat(100), (weights, rounds) => {
        const counts = share("rr", servers(weights), rounds);
        const eligible = weights.filter((weight) => weight > 0).length;
        for (const [index, weight] of weights.entries()) {
          if (weight === 0) expect(counts[index]).toBe(0);
          else expect(Math.abs(counts[index]! - rounds / eligible)).toBeLessThan(1);
        }
      }),
    );
  });

  it("rr goes on behind the one that got the last, also when that one is taken out", () => {
    const list = servers([1, 1, 1, 1]);
    const scheduler = makeScheduler("rr");
    expect(scheduler.choose(list, 0, 0)).toBe(list[0]);
    expect(scheduler.choose(list, 0, 0)).toBe(list[1]);
    const left = [list[0]!, list[2]!, list[3]!];
    scheduler.changed(left, list[1], 1);
    expect(scheduler.choose(left, 0, 0)).toBe(list[2]);
  });

  it("wrr gives each server exactly its weight's share of a cycle", () => {
    fc.assert(
      fc.property(anyWeights(), fc.integer({ min: 1, max: 4 }), (weights, cycles) => {
        const divisor = weights.reduce((a, b) => gcd(a, b), 0);
        if (divisor === 0) {
          expect(share("wrr", servers(weights), 10)).toEqual(weights.map(() => 0));
          return;
        }
        const parts = weights.map((weight) => weight / divisor);
        const cycle = parts.reduce((a, b) => a + b, 0);
        expect(share("wrr", servers(weights), cycle * cycles)).toEqual(parts.map((part) => part * cycles));
      }),
    );
  });

  it.each(["lc", "wlc", "sed", "nq"] as const)("%s keeps the servers as busy as they should be", (name) => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 6 }), (weights) => {
        const list = servers(weights);
        const scheduler = makeScheduler(name);
        for (let round = 0; round < 200; round++) scheduler.choose(list, 0, 0)!.activeConnections++;
        const loads = list.map((server, index) => server.activeConnections / (name === "lc" ? 1 : weights[index]!));
        expect(Math.max(...loads) - Math.min(...loads)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("lc and wlc count 256 that are over as one that lives", () => {
    for (const name of ["lc", "wlc"] as const) {
      const list = servers([1, 1]);
      list[0]!.activeConnections = 1;
      list[1]!.inactiveConnections = 255;
      expect(makeScheduler(name).choose(list, 0, 0)).toBe(list[1]);
      list[1]!.inactiveConnections = 257;
      expect(makeScheduler(name).choose(list, 0, 0)).toBe(list[0]);
    }
  });

  it("sh gives a client the same server every time, and clients to servers by their weights", () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 }),
        fc.nat(0xffff_ffff),
        (weights, client) => {
          const list = servers(weights);
          const scheduler = makeScheduler("sh");
          scheduler.changed(list, undefined, -1);
          const first = scheduler.choose(list, client, 1);
          expect(first).toBeDefined();
          expect(scheduler.choose(list, client, 2)).toBe(first);
        },
      ),
    );
    const list = servers([1, 3]);
    const scheduler = makeScheduler("sh");
    scheduler.changed(list, undefined, -1);
    let second = 0;
    for (let client = 0; client < 256; client++) if (scheduler.choose(list, client, 1) === list[1]) second++;
    expect(second).toBe(192);
  });

  it("dh goes by the virtual address, fo by the highest weight", () => {
    const list = servers([1, 5, 3]);
    const byAddress = makeScheduler("dh");
    byAddress.changed(list, undefined, -1);
    expect(byAddress.choose(list, 1, 77)).toBe(byAddress.choose(list, 2, 77));
    const failover = makeScheduler("fo");
    expect(failover.choose(list, 1, 1)).toBe(list[1]);
    list[1]!.weight = 0;
    expect(failover.choose(list, 1, 1)).toBe(list[2]);
  });

  it("choose nobody when nobody may be chosen", () => {
    for (const name of ["rr", "wrr", "lc", "wlc", "sed", "nq", "fo", "sh", "dh"] as const) {
      expect(share(name, servers([0, 0]), 5)).toEqual([0, 0]);
      expect(share(name, servers([]), 5)).toEqual([]);
      const list = servers([1]);
      list[0]!.overloaded = true;
      expect(share(name, list, 5)).toEqual([0]);
    }
  });
});

function gcd(a: number, b: number): number {
  return b === 0 ? a : gcd(b, a % b);
}
