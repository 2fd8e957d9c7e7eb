/** The watch over the four safety properties is awake: each rule of `rules.ts`, broken, is found out, and by the property that it serves. */
import * as fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import type * as rules from "../../src/raft/rules.ts";
import type { Property } from "./safety.ts";
import { anyReigns, anyRivalReigns, play, type Step } from "./steps.ts";

type Rules = typeof rules;
const planted = vi.hoisted(() => ({ rules: {} as Partial<Rules> }));

vi.mock("../../src/raft/rules.ts", async (load) => {
  const sound = await load<Rules>();
  const rule = <Name extends keyof Rules>(name: Name): Rules[Name] =>
    ((...args: never[]) => ((planted.rules[name] ?? sound[name]) as (...args: never[]) => unknown)(...args)) as never;
  return {
    quorumOf: rule("quorumOf"),
    isFreeToVote: rule("isFreeToVote"),
    isUpToDate: rule("isUpToDate"),
    isConsistent: rule("isConsistent"),
    mayCommit: rule("mayCommit"),
  };
});

afterEach(() => {
  planted.rules = {};
});

/** Elections at any time, one entry a message: the shortest ways to the trouble of figure 8. */
const SETTINGS = { checkQuorum: false, preVote: false, maxMessageBytes: 1 };
const MOST_RUNS = 20_000;

/** The first history that breaks `property`, shrunk. */
function findViolation(property: Property, size: number, histories = anyReigns): readonly Step[] | undefined {
  const details = fc.check(
    fc.property(fc.nat(), histories, (seed, steps) => {
      play(size, SETTINGS, seed, steps, property);
    }),
    {
      seed: 2,
      numRuns: MOST_RUNS,
      interruptAfterTimeLimit: 30_000,
      markInterruptAsFailure: false,
    },
  );
  return details.counterexample?.[1];
}

describe("A planted bug", () => {
  it("is found by election safety when a node votes twice in a term", () => {
    planted.rules = { isFreeToVote: () => true };
    expect(findViolation("election-safety", 3)?.length).toBeLessThan(12);
  });

  it("is found by election safety when half of the members make a majority", () => {
    planted.rules = { quorumOf: (voters) => Math.ceil(voters / 2) };
    expect(findViolation("election-safety", 4)?.length).toBeLessThan(12);
  });

  it("is found by log matching when entries are taken without looking at the one before", () => {
    planted.rules = { isConsistent: (ours) => ours !== undefined };
    expect(findViolation("log-matching", 3)?.length).toBeLessThan(12);
  });

  it("is found by leader completeness when a node with an old log is voted for", () => {
    planted.rules = { isUpToDate: () => true };
    expect(findViolation("leader-completeness", 3)?.length).toBeLessThan(12);
  });

  it("is found by leader completeness when copies alone commit an entry of an older term (figure 8)", () => {
    planted.rules = { mayCommit: () => true };
    expect(findViolation("leader-completeness", 5, anyRivalReigns)?.length).toBeLessThan(12);
  });

  it("is found by state machine safety when a node with an old log is voted for", () => {
    planted.rules = { isUpToDate: () => true };
    expect(findViolation("state-machine-safety", 3)?.length).toBeLessThan(12);
  });

  it("is found by state machine safety when copies alone commit an entry of an older term (figure 8)", () => {
    planted.rules = { mayCommit: () => true };
    expect(findViolation("state-machine-safety", 5, anyRivalReigns)?.length).toBeLessThan(12);
  });

  it("is not found where none was planted", () => {
    for (const property of [
      "election-safety",
      "log-matching",
      "leader-completeness",
      "state-machine-safety",
    ] as const) {
      const details = fc.check(
        fc.property(fc.nat(), anyReigns, (seed, steps) => {
          play(5, SETTINGS, seed, steps);
        }),
        { seed: 7, numRuns: 50 },
      );
      expect(details.failed, property).toBe(false);
    }
  });
});
