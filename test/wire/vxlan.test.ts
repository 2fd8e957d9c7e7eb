import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import * as vxlan from "../../src/wire/vxlan.ts";
import { anyVni, type Codec, comesBack, hex, neverThrows, refusesEveryTruncation } from "./codec-laws.ts";

const CODEC: Codec<vxlan.Vxlan> = {
  any: fc.record({ vni: anyVni() }),
  size: () => vxlan.HEADER_BYTES,
  emit: vxlan.emit,
  parse: vxlan.parse as Codec<vxlan.Vxlan>["parse"],
};

describe("VXLAN header (RFC 7348 §5)", () => {
  it("reads a header as the kernel sent it", () => {
    expect(vxlan.parse(hex("0800000000006400"), 0, 8)).toEqual({ vni: 100 });
    expect(vxlan.reservedBitsSet(hex("0800000000006400"), 0)).toBe(false);
  });

  it("is refused when the I flag is clear", () => {
    const bytes = new Uint8Array(vxlan.HEADER_BYTES);
    expect(vxlan.parse(bytes, 0, bytes.length)).toBe("vxlan-without-vni");
  });

  it("tells every reserved bit, and no bit of the I flag or the VNI", () => {
    for (let bit = 0; bit < 64; bit++) {
      const bytes = hex("0800000000000000");
      bytes[bit >> 3]! |= 0x80 >> (bit & 7);
      expect(vxlan.reservedBitsSet(bytes, 0)).toBe(bit !== 4 && !(bit >= 32 && bit < 56));
    }
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(vxlan.parse));
});
