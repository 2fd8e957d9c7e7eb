import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MacRows, NO_ROW, ROW_TIMES, ROW_WORDS, TARGET, USED } from "../../src/linux/mac-rows.ts";

describe("A table by MAC address", () => {
  it("does what a Map does, whatever is set and removed", () => {
    // Few values in each half, so that keys meet again and rows collide.
    const key = fc.tuple(fc.constantFrom(0, 0x0242, 0xffff), fc.integer({ min: -20, max: 20 }));
    const step = fc.record({ key, remove: fc.boolean(), value: fc.nat() });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const table = new MacRows();
        const model = new Map<string, number>();
        const value = (row: number): number | undefined =>
          row === NO_ROW ? undefined : table.words[row * ROW_WORDS + TARGET]!;
        for (const { key, remove, value: given } of steps) {
          const [high, low] = key;
          let row = table.find(high, low);
          expect(value(row)).toBe(model.get(`${high} ${low}`));
          if (remove) {
            if (row !== NO_ROW) table.remove(row);
            model.delete(`${high} ${low}`);
          } else {
            if (row === NO_ROW) row = table.insert(high, low);
            table.words[row * ROW_WORDS + TARGET] = given;
            table.times[row * ROW_TIMES + USED] = given / 4;
            model.set(`${high} ${low}`, given);
          }
          expect(table.size).toBe(model.size);
        }
        for (const high of [0, 0x0242, 0xffff])
          for (let low = -20; low <= 20; low++) expect(value(table.find(high, low))).toBe(model.get(`${high} ${low}`));
        for (const row of table.rows()) expect(table.times[row * ROW_TIMES + USED]).toBe(value(row)! / 4);
        table.removeWhere((row) => value(row)! % 2 === 0);
        const odd = [...model.values()].filter((one) => one % 2 === 1);
        expect(table.rows().map(value).sort()).toEqual(odd.sort());
      }),
    );
  });
});
