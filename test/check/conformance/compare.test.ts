import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { CapturedFrame } from "../../../src/capture/capture-frame.ts";
import { type CompareOptions, compareCaptures, parseOptions, summary } from "../../../src/check/conformance/compare.ts";
import { parseFilter } from "../../../src/check/conformance/display-filter.ts";
import { matchingPairs } from "../../../src/check/conformance/matching-blocks.ts";
import { parseIpv4, parseMac } from "../../../src/wire/address.ts";
import * as arp from "../../../src/wire/arp.ts";
import * as ethernet from "../../../src/wire/ethernet.ts";

function options(...words: string[]): CompareOptions {
  const parsed = parseOptions(words);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return parsed;
}

/** An ARP request for 10.0.0.`last`, `ms` after the start. */
function request(last: number, ms = 0): CapturedFrame {
  const bytes = new Uint8Array(42);
  ethernet.write(bytes, 0, parseMac("ff:ff:ff:ff:ff:ff")!, parseMac("02:42:0a:00:00:02")!, ethernet.ETHERTYPE_ARP);
  const header: arp.Arp = {
    operation: 1,
    senderHardwareAddress: parseMac("02:42:0a:00:00:02")!,
    senderProtocolAddress: parseIpv4("10.0.0.2")!,
    targetHardwareAddress: parseMac("00:00:00:00:00:00")!,
    targetProtocolAddress: parseIpv4(`10.0.0.${last}`)!,
  };
  arp.emit(header, bytes, 14);
  return {
    interfaceId: 0,
    interfaceName: "",
    time: { seconds: 100 + Math.floor(ms / 1_000), nanoseconds: (ms % 1_000) * 1_000_000 },
    bytes,
    originalLength: 42,
    direction: 0,
    packetId: 0,
    comment: undefined,
    linkType: 1,
  };
}

describe("The comparison of captures", () => {
  it("finds equal what differs in time alone", () => {
    const result = compareCaptures([request(3), request(4, 20)], [request(3, 500), request(4, 900)], options());
    expect(result).toMatchObject({ same: true, matched: 2, total: 2 });
    expect(summary(result)).toBe("match 2 of 2");
  });

  it("shows what is missing and what is too much", () => {
    const result = compareCaptures([request(3), request(4)], [request(4), request(5)], options());
    expect(summary(result)).toBe("match 1 of 2");
    expect(result.diff.filter((line) => line.startsWith("-") || line.startsWith("+"))).toHaveLength(2);
    expect(summary(compareCaptures([request(3)], [], options()))).toBe("match 0 of 1 (reference 1, ours 0)");
  });

  it("holds times, counted from the first frame, within a tolerance where asked", () => {
    const late = compareCaptures([request(3), request(4, 20)], [request(3), request(4, 60)], options("--timing", "30"));
    expect(late).toMatchObject({ same: false, matched: 2, late: 1 });
    expect(summary(late)).toBe("match 2 of 2; 1 outside the timing tolerance");
    const fine = compareCaptures([request(3), request(4, 20)], [request(3), request(4, 45)], options("--timing", "30"));
    expect(fine.same).toBe(true);
  });

  it("takes captures as bags, as sets, by their heads, and without some protocol", () => {
    const a = [request(3), request(4), request(3)];
    expect(compareCaptures(a, [request(4), request(3), request(3)], options("--unordered")).same).toBe(true);
    expect(compareCaptures(a, [request(4), request(3)], options("--unordered")).same).toBe(false);
    expect(compareCaptures(a, [request(4), request(3)], options("--distinct")).same).toBe(true);
    expect(compareCaptures(a, [request(3), request(9)], options("--head", "1")).same).toBe(true);
    expect(compareCaptures(a, [], options("--ignore", "arp")).same).toBe(true);
    expect(compareCaptures(a, [], options("--filter", "!arp || ip")).same).toBe(true);
  });

  it("refuses options and filters that it does not know", () => {
    expect(parseOptions(["--nope"])).toEqual({ problem: "unknown compare option --nope" });
    expect(parseFilter("ip.ttl == 3")).toHaveProperty("problem");
    expect(parseFilter("(arp")).toHaveProperty("problem");
  });

  it("pairs frames in order, each once, and all of them when nothing differs", () => {
    const lines = fc.array(fc.constantFrom("a", "b", "c", "d"), { maxLength: 30 });
    fc.assert(
      fc.property(lines, lines, (a, b) => {
        const pairs = matchingPairs(a, b);
        for (const [i, j] of pairs) expect(a[i]).toBe(b[j]);
        for (let at = 1; at < pairs.length; at++) {
          expect(pairs[at]![0]).toBeGreaterThan(pairs[at - 1]![0]);
          expect(pairs[at]![1]).toBeGreaterThan(pairs[at - 1]![1]);
        }
        expect(matchingPairs(a, a)).toHaveLength(a.length);
        const same = compareLines(a, b);
        expect(pairs.length === Math.max(a.length, b.length)).toBe(same);
      }),
    );
  });
});

function compareLines(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((line, index) => line === b[index]);
}
