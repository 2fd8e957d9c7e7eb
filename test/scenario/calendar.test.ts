import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatTimestamp, parseTimestamp } from "../../src/scenario/calendar.ts";

describe("A timestamp (RFC 3339)", () => {
  it("is read as seconds since 1970", () => {
    expect(parseTimestamp("1970-01-01T00:00:00Z")).toBe(0);
    expect(parseTimestamp("2026-01-01T00:00:00Z")).toBe(1_767_225_600);
    expect(parseTimestamp("2000-02-29T23:59:59Z")).toBe(951_868_799);
    expect(parseTimestamp("2026-01-01")).toBe(1_767_225_600);
    expect(parseTimestamp("2026-01-01 00:00")).toBe(1_767_225_600);
  });

  it("may stand in another zone", () => {
    expect(parseTimestamp("2026-01-01T02:00:00+02:00")).toBe(1_767_225_600);
    expect(parseTimestamp("2025-12-31T18:30:00-05:30")).toBe(1_767_225_600);
  });

  it("agrees with the machine's calendar", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 4_260_000_000 }), (seconds) => {
        const text = new Date(seconds * 1_000).toISOString().replace(".000Z", "Z");
        expect(parseTimestamp(text)).toBe(seconds);
        expect(formatTimestamp(seconds)).toBe(text);
      }),
    );
  });

  it("is refused when no calendar has it", () => {
    for (const text of [
      "2026-02-30",
      "2025-02-29",
      "1900-01-01",
      "2106-01-01",
      "2026-13-01",
      "2026-00-01",
      "2026-01-00",
      "2026-01-01T24:00:00Z",
      "2026-01-01T00:60:00Z",
      "2026-01-01T00:00:61Z",
      "yesterday",
      "",
      "2026-1-1",
    ])
      expect(parseTimestamp(text), text).toBeUndefined();
  });
});
