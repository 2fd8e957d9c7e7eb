import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as vlan from "../../src/wire/vlan.ts";
import { anyU16, type Codec, comesBack, hex, neverThrows, refusesEveryTruncation } from "./codec-laws.ts";

const CODEC: Codec<vlan.Vlan> = {
  any: fc.record({ priority: fc.nat(7), dropEligible: fc.boolean(), vid: fc.nat(4_095), etherType: anyU16() }),
  size: () => vlan.HEADER_BYTES,
  emit: vlan.emit,
  parse: vlan.parse as Codec<vlan.Vlan>["parse"],
};

describe("VLAN tag (IEEE 802.1Q §9.6)", () => {
  it("holds priority, drop eligibility and VLAN in 16 bits", () => {
    const tag = { priority: 5, dropEligible: true, vid: 0x123, etherType: 0x0800 };
    expect(vlan.parse(hex("b1230800"), 0, 4)).toEqual(tag);
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(vlan.parse));
});
