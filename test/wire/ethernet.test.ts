import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseMac } from "../../src/wire/address.ts";
import * as ethernet from "../../src/wire/ethernet.ts";
import { anyMac, anyU16, type Codec, comesBack, hex, neverThrows, refusesEveryTruncation } from "./codec-laws.ts";

const CODEC: Codec<ethernet.Ethernet> = {
  any: fc.record({ destination: anyMac(), source: anyMac(), etherType: anyU16() }),
  size: () => ethernet.HEADER_BYTES,
  emit: ethernet.emit,
  parse: ethernet.parse as Codec<ethernet.Ethernet>["parse"],
};

describe("Ethernet header (IEEE 802.3 §3.1.1)", () => {
  it("reads an ARP request's header as the kernel sent it", () => {
    const bytes = hex("ffffffffffff0201c0a8380b0806");
    expect(ethernet.parse(bytes, 0, bytes.length)).toEqual({
      destination: parseMac("ff:ff:ff:ff:ff:ff"),
      source: parseMac("02:01:c0:a8:38:0b"),
      etherType: ethernet.ETHERTYPE_ARP,
    });
    expect(ethernet.isGroupDestination(bytes, 0)).toBe(true);
    expect(ethernet.llcLength(bytes, 0)).toBeUndefined();
  });

  it("takes a type field of up to 1500 for a length", () => {
    const bytes = hex("0180c20000000201c0a8380b0026");
    expect(ethernet.llcLength(bytes, 0)).toBe(38);
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(ethernet.parse));

  it("says each address alike whole and in halves", () => {
    fc.assert(
      fc.property(CODEC.any, (header) => {
        const bytes = new Uint8Array(ethernet.HEADER_BYTES);
        ethernet.emit(header, bytes, 0);
        const { destinationHigh, destinationLow, sourceHigh, sourceLow, joinHalves } = ethernet;
        expect(joinHalves(destinationHigh(bytes, 0), destinationLow(bytes, 0))).toBe(header.destination);
        expect(joinHalves(sourceHigh(bytes, 0), sourceLow(bytes, 0))).toBe(header.source);
        const again = new Uint8Array(ethernet.HEADER_BYTES);
        ethernet.writeHalves(
          again,
          0,
          destinationHigh(bytes, 0),
          destinationLow(bytes, 0),
          sourceHigh(bytes, 0),
          sourceLow(bytes, 0),
          header.etherType,
        );
        expect(again).toEqual(bytes);
      }),
    );
  });
});
