import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ReplayWindow } from "../../../src/linux/xfrm/replay-window.ts";

describe("replay window (RFC 4303 §3.4.3)", () => {
  it("says what a list of all numbers that were accepted would say", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 100 }),
        fc.array(fc.integer({ min: 0, max: 300 }), { maxLength: 200 }),
        (size, numbers) => {
          const window = new ReplayWindow(size);
          const accepted = new Set<number>();
          let highest = 0;
          for (const sequence of numbers) {
            const expected =
              sequence === 0 || sequence <= highest - size ? "too-old" : accepted.has(sequence) ? "seen" : "fresh";
            expect(window.check(sequence)).toBe(expected);
            if (expected !== "fresh") continue;
            window.advance(sequence);
            accepted.add(sequence);
            highest = Math.max(highest, sequence);
            expect(window.highest).toBe(highest);
            for (let back = 0; back < Math.min(32, size); back++)
              expect((window.bitmap >>> back) & 1).toBe(accepted.has(highest - back) ? 1 : 0);
          }
        },
      ),
    );
  });

  it("lets everything pass when its size is 0", () => {
    const window = new ReplayWindow(0);
    for (const sequence of [5, 5, 1, 0]) {
      expect(window.check(sequence)).toBe("fresh");
      window.advance(sequence);
    }
    expect(window.highest).toBe(0);
  });

  it("jumps to the end of the numbers in one step", () => {
    const window = new ReplayWindow(32);
    window.advance(1);
    window.advance(0xffff_ffff);
    expect(window.check(0xffff_ffff)).toBe("seen");
    expect(window.check(0xffff_fff0)).toBe("fresh");
    expect(window.check(1)).toBe("too-old");
  });
});
