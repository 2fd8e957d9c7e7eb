import { describe, expect, it } from "vitest";
import { checkAddresses, checkSpread, checkSubnets } from "../../../src/check/control/allocation.ts";
import { MembershipScope } from "../../../src/check/control/membership-scope.ts";
import { RaftScope } from "../../../src/check/control/raft-scope.ts";
import { explore, type SmallWorld } from "../../../src/check/control/scope.ts";
import { Random } from "../../../src/sim/random.ts";

/** Counts up; 3 is broken. */
class Counter implements SmallWorld {
  readonly choices = 2;
  #value = 0;
  get state(): string {
    return String(this.#value);
  }
  take(choice: number): string | undefined {
    this.#value += choice;
    return this.#value === 3 ? "three" : undefined;
  }
}

describe("Every order of up to eight events", () => {
  it("is explored, and the shortest that breaks a law found", () => {
    expect(explore(() => new Counter(), 2)).toEqual({ states: 3, broken: undefined });
    expect(explore(() => new Counter(), 8)).toEqual({ states: 3, broken: { words: "three", history: [1, 1, 1] } });
  });

  it("of messages among two managers keeps Raft's properties", () => {
    const { states, broken } = explore(() => new RaftScope(2), 8);
    expect(broken).toBeUndefined();
    expect(states).toBeGreaterThan(100);
  });

  it("of messages among three managers keeps Raft's properties", () => {
    const { states, broken } = explore(() => new RaftScope(3), 8);
    expect(broken).toBeUndefined();
    expect(states).toBeGreaterThan(1_000);
  }, 120_000);

  it("of what is told of two members keeps SWIM's rules", () => {
    const { states, broken } = explore(() => new MembershipScope(), 8);
    expect(broken).toBeUndefined();
    expect(states).toBeGreaterThan(15);
  });
});

describe("Random requests", () => {
  it.each([
    ["addresses", checkAddresses],
    ["subnets", checkSubnets],
    ["tasks among nodes", checkSpread],
  ] as const)("for %s are granted by the rules", (_what, check) => {
    for (let run = 0; run < 200; run++) expect(check(new Random(`run ${run}`))).toBeUndefined();
  });
});
