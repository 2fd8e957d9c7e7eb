import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIpv4 } from "../../src/wire/address.ts";
import * as igmp from "../../src/wire/igmp.ts";
import {
  anyIpv4,
  anyOctet,
  type Codec,
  comesBack,
  hex,
  neverThrows,
  refusesEveryTruncation,
  slowChecksum,
} from "./codec-laws.ts";

const sources = () => fc.array(anyIpv4(), { maxLength: 6 });
const anyMessage = (): fc.Arbitrary<igmp.Igmp> =>
  fc.oneof(
    fc.record({ kind: fc.constant("query" as const), responseCode: anyOctet(), group: anyIpv4() }),
    fc.record({
      kind: fc.constant("query-v3" as const),
      responseCode: anyOctet(),
      group: anyIpv4(),
      suppressRouterProcessing: fc.boolean(),
      robustness: fc.nat(7),
      queryIntervalCode: anyOctet(),
      sources: sources(),
    }),
    fc.record({
      kind: fc.constantFrom("report-v1" as const, "report-v2" as const, "leave" as const),
      group: anyIpv4(),
    }),
    fc.record({
      kind: fc.constant("report-v3" as const),
      records: fc.array(fc.record({ type: anyOctet(), group: anyIpv4(), sources: sources() }), { maxLength: 4 }),
    }),
  );

const CODEC: Codec<igmp.Igmp> = {
  any: anyMessage(),
  size: igmp.messageBytes,
  emit: igmp.emit,
  parse: igmp.parse as Codec<igmp.Igmp>["parse"],
};

// The kernel joins 239.1.1.1: change to exclude nothing.
const REPORT = "2200e9fb00000001 04000000ef010101";

describe("IGMP message (RFC 3376)", () => {
  it("reads a version 3 report as the kernel sent it, and writes the same bytes", () => {
    const message: igmp.Igmp = {
      kind: "report-v3",
      records: [{ type: igmp.CHANGE_TO_EXCLUDE, group: parseIpv4("239.1.1.1")!, sources: [] }],
    };
    expect(igmp.parse(hex(REPORT), 0, 16)).toEqual(message);
    const again = new Uint8Array(16).fill(0x99);
    igmp.emit(message, again, 0);
    expect(again).toEqual(hex(REPORT));
  });

  it("tells the version of a query by its length (§7.1)", () => {
    expect(igmp.parse(hex("1164ee9b00000000"), 0, 8)).toEqual({ kind: "query", responseCode: 100, group: 0 });
    expect(igmp.parse(hex("1164ee9b0000000000"), 0, 9)).toBe("igmp-bad-length");
    expect(igmp.parse(hex("1164ec1e00000000027d0000"), 0, 12)).toMatchObject({
      kind: "query-v3",
      robustness: 2,
      queryIntervalCode: 125,
    });
  });

  it("skips the auxiliary data of a record (§4.2.11)", () => {
    const bytes = hex("2200000000000001 04010000ef010101 01020304");
    const sum = slowChecksum(bytes);
    bytes[2] = sum >>> 8;
    bytes[3] = sum & 255;
    expect(igmp.parse(bytes, 0, 20)).toMatchObject({ records: [{ type: 4, sources: [] }] });
    expect(igmp.parse(bytes, 0, 19)).toBe("igmp-truncated");
  });

  it("is refused when a byte is wrong", () => {
    const bytes = hex(REPORT);
    bytes[15] = 2;
    expect(igmp.parse(bytes, 0, 16)).toBe("igmp-bad-checksum");
    bytes[0] = 0x42;
    expect(igmp.parse(bytes, 0, 16)).toBe("igmp-unknown-type");
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  // The first 8 bytes of a version 3 query are a version 2 query when what follows sums to zero: no reader can tell.
  it("is refused when cut", () =>
    refusesEveryTruncation({ ...CODEC, any: anyMessage().filter((message) => message.kind !== "query-v3") }));
  it("never throws on random bytes", () => neverThrows(igmp.parse));
});
