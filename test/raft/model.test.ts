/** Random histories against the Raft paper's figure 3. RAFT_RUNS=100000 makes it a campaign. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anySettings, anySteps, anyStepsWithChanges, play } from "./steps.ts";

const RUNS = Number(process.env["RAFT_RUNS"] ?? 100);
const TIMEOUT_MS = 20_000 + RUNS * 100;
/** Two candidates may meet, one whose log is behind may come first: each costs a round of up to 19 ticks. */
const AGREEMENT_TICKS = 600;

describe("A cluster under loss, delay, duplication, reordering, partition, crash and restart", () => {
  it(
    "is safe after every step, and agrees once the faults end, in all settings",
    () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 7 }), anySettings, fc.nat(), anySteps, (size, settings, seed, steps) => {
          expect(play(size, settings, seed, steps).heal(AGREEMENT_TICKS)).toBeLessThanOrEqual(AGREEMENT_TICKS);
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  it(
    "is so with Swarm's own settings",
    () => {
      fc.assert(
        fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(), anySteps, (size, seed, steps) => {
          expect(play(size, {}, seed, steps).heal(AGREEMENT_TICKS)).toBeLessThanOrEqual(AGREEMENT_TICKS);
        }),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  it(
    "is so while members come and go",
    () => {
      fc.assert(
        fc.property(
          fc.integer({ min: 1, max: 5 }),
          anySettings,
          fc.nat(),
          anyStepsWithChanges,
          (size, settings, seed, steps) => {
            play(size, settings, seed, steps);
          },
        ),
        { numRuns: RUNS },
      );
    },
    TIMEOUT_MS,
  );

  it("does the same again from the same seed", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 7 }), fc.nat(), anySteps, (size, seed, steps) => {
        const once = play(size, {}, seed, steps);
        expect(play(size, {}, seed, steps).inflight).toEqual(once.inflight);
      }),
      { numRuns: 20 },
    );
  });
});
