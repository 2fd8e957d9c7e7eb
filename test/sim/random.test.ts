import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/sim/random.ts";

function draws(random: Random, count = 8): number[] {
  return Array.from({ length: count }, () => random.u32());
}

describe("A random stream", () => {
  it("gives the same draws for the same seed, on every machine", () => {
    expect(draws(new Random(7), 4)).toEqual(draws(new Random("7"), 4));
    expect(draws(new Random(7), 4)).toMatchInlineSnapshot(`
      [
        1067116817,
        433005241,
        2330604933,
        3367566862,
      ]
    `);
  });

  it("forks by name: the fork depends on the seed and the name, not on what was drawn before", () => {
    fc.assert(
      fc.property(fc.nat(), fc.string(), fc.nat(50), (seed, name, before) => {
        const used = new Random(seed);
        draws(used, before);
        expect(draws(used.fork(name))).toEqual(draws(new Random(seed).fork(name)));
      }),
    );
  });

  it("gives forks of different names different draws", () => {
    const root = new Random(1);
    const seen = new Set<string>();
    for (let index = 0; index < 2_000; index++) seen.add(draws(root.fork(`link ${index}`), 2).join());
    expect(seen.size).toBe(2_000);
  });

  it("stays within the bounds asked for", () => {
    fc.assert(
      fc.property(fc.nat(), fc.integer({ min: 1, max: 0xffff_ffff }), (seed, bound) => {
        const draw = new Random(seed).below(bound);
        expect(draw).toBeGreaterThanOrEqual(0);
        expect(draw).toBeLessThan(bound);
      }),
    );
  });

  it("draws each of ten values about equally often", () => {
    const random = new Random("fair");
    const counts = new Array<number>(10).fill(0);
    for (let index = 0; index < 100_000; index++) {
      const draw = random.below(10);
      counts[draw] = counts[draw]! + 1;
    }
    for (const count of counts) expect(Math.abs(count - 10_000)).toBeLessThan(500);
  });

  it("shuffles into a permutation", () => {
    fc.assert(
      fc.property(fc.nat(), fc.array(fc.nat()), (seed, items) => {
        const shuffled = new Random(seed).shuffle([...items]);
        expect(shuffled.sort((a, b) => a - b)).toEqual([...items].sort((a, b) => a - b));
      }),
    );
  });
});
