import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatDuration, parseChance, parseDuration, parseRate, parseSize } from "../../src/scenario/units.ts";

describe("A duration", () => {
  it("is a decimal number and a unit, or several of them", () => {
    expect(parseDuration("200ms")).toBe(200_000_000);
    expect(parseDuration("1.5s")).toBe(1_500_000_000);
    expect(parseDuration("1m30s")).toBe(90_000_000_000);
    expect(parseDuration("2min")).toBe(120_000_000_000);
    expect(parseDuration("1h1m1s1ms1us1ns")).toBe(3_661_001_001_001);
    expect(parseDuration("50us")).toBe(50_000);
    expect(parseDuration("50µs")).toBe(50_000);
    expect(parseDuration("0")).toBe(0);
  });

  it("is exact to the nanosecond where doubles are not", () => {
    expect(parseDuration("0.1s")).toBe(100_000_000);
    expect(parseDuration("0.3s")).toBe(300_000_000);
    expect(parseDuration("1.005s")).toBe(1_005_000_000); // 1.005 * 1000 is 1004.9999999999999
    expect(parseDuration("4.35ms")).toBe(4_350_000);
  });

  it("has the same value however the nanoseconds are written", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 4_000_000 }),
        fc.integer({ min: 0, max: 999_999_999 }),
        (seconds, nanos) => {
          const wanted = seconds * 1_000_000_000 + nanos;
          expect(parseDuration(`${seconds}.${String(nanos).padStart(9, "0")}s`)).toBe(wanted);
          expect(parseDuration(`${seconds}s${nanos}ns`)).toBe(wanted);
          expect(parseDuration(`${wanted}ns`)).toBe(wanted);
        },
      ),
    );
  });

  it("is refused without a unit, with a sign, with anything around it, or beyond what a number holds exactly", () => {
    for (const text of [
      "",
      " ",
      "5",
      "-5ms",
      "+5ms",
      "5 ms",
      "ms",
      "5sec",
      "1e3s",
      "5ms!",
      "1.s",
      ".5s",
      "1..5s",
      "9999999999h",
      "NaNs",
    ])
      expect(parseDuration(text), JSON.stringify(text)).toBeUndefined();
  });

  it("is refused or read for any text, in time that grows with its length", () => {
    fc.assert(fc.property(fc.string(), (text) => void parseDuration(text)));
    expect(parseDuration("1s".repeat(100_000))).toBe(100_000_000_000_000);
    expect(parseDuration("1".repeat(100_000))).toBeUndefined();
  });

  it("is shown in the largest unit that fits", () => {
    expect(formatDuration(50_000)).toBe("50us");
    expect(formatDuration(1_500_000_000)).toBe("1.5s");
    expect(formatDuration(7)).toBe("7ns");
    expect(formatDuration(0)).toBe("0ns");
  });

  it("is read back as it is shown, to a thousandth of the unit", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e15 }), (time) => {
        const again = parseDuration(formatDuration(time));
        expect(Math.abs(again! - time)).toBeLessThanOrEqual(time / 1_000);
      }),
    );
  });
});

describe("A rate", () => {
  it("is in bits a second, as tc has it", () => {
    expect(parseRate("1gbit")).toBe(1_000_000_000);
    expect(parseRate("1Gbps")).toBe(1_000_000_000);
    expect(parseRate("10 mbit")).toBe(10_000_000);
    expect(parseRate("2.5gbit")).toBe(2_500_000_000);
    expect(parseRate("9600bit")).toBe(9_600);
  });

  it("is refused without a unit, at zero, below it, or beyond what a number holds", () => {
    for (const text of ["", "10", "0mbit", "-1mbit", "fast", "10mbyte", "1e9bit", "99999999999gbit"])
      expect(parseRate(text), text).toBeUndefined();
  });
});

describe("A chance", () => {
  it("is a percentage, kept in parts per million", () => {
    expect(parseChance("5%")).toBe(50_000);
    expect(parseChance("0.01%")).toBe(100);
    expect(parseChance("0.0001%")).toBe(1);
    expect(parseChance("0%")).toBe(0);
    expect(parseChance("100%")).toBe(1_000_000);
    expect(parseChance("0.29%")).toBe(2_900); // 0.29 * 10000 is 2899.9999999999995
  });

  it("is refused without the sign and beyond 100%", () => {
    for (const text of ["", "5", "0.05", "100.1%", "-1%", "%", "5 %"]) expect(parseChance(text), text).toBeUndefined();
  });
});

describe("A size", () => {
  it("is in bytes, with decimal and binary multiples", () => {
    expect(parseSize("1500")).toBe(1_500);
    expect(parseSize("64kb")).toBe(64_000);
    expect(parseSize("64k")).toBe(65_536);
    expect(parseSize("64KiB")).toBe(65_536);
    expect(parseSize("1.5mb")).toBe(1_500_000);
    expect(parseSize("2m")).toBe(2_097_152);
  });

  it("is refused with another unit, a sign, or beyond what a number holds", () => {
    for (const text of ["", "10 packets", "-1", "1gb", "99999999999999999999"])
      expect(parseSize(text), text).toBeUndefined();
  });
});
