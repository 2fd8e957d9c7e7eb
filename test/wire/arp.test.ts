import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIpv4, parseMac } from "../../src/wire/address.ts";
import * as arp from "../../src/wire/arp.ts";
import {
  anyIpv4,
  anyMac,
  anyU16,
  type Codec,
  comesBack,
  hex,
  neverThrows,
  refusesEveryTruncation,
} from "./codec-laws.ts";

const CODEC: Codec<arp.Arp> = {
  any: fc.record({
    operation: anyU16(),
    senderHardwareAddress: anyMac(),
    senderProtocolAddress: anyIpv4(),
    targetHardwareAddress: anyMac(),
    targetProtocolAddress: anyIpv4(),
  }),
  size: () => arp.HEADER_BYTES,
  emit: arp.emit,
  parse: arp.parse as Codec<arp.Arp>["parse"],
};

const REQUEST = "0001 0800 06 04 0001 0201c0a8380b c0a8380b 000000000000 c0a8380c";

describe("ARP packet (RFC 826)", () => {
  it("reads a request as the kernel sent it, and writes the same bytes", () => {
    const bytes = hex(REQUEST);
    const request: arp.Arp = {
      operation: arp.OPERATION_REQUEST,
      senderHardwareAddress: parseMac("02:01:c0:a8:38:0b")!,
      senderProtocolAddress: parseIpv4("192.168.56.11")!,
      targetHardwareAddress: parseMac("00:00:00:00:00:00")!,
      targetProtocolAddress: parseIpv4("192.168.56.12")!,
    };
    expect(arp.parse(bytes, 0, bytes.length)).toEqual(request);
    const again = new Uint8Array(arp.HEADER_BYTES).fill(0xaa);
    arp.emit(request, again, 0);
    expect(again).toEqual(bytes);
  });

  it("is refused when it is not about Ethernet and IPv4", () => {
    const broken = (at: number) => {
      const bytes = hex(REQUEST);
      bytes[at] = 9;
      return arp.parse(bytes, 0, bytes.length);
    };
    expect(broken(1)).toBe("arp-bad-hardware-type");
    expect(broken(2)).toBe("arp-bad-protocol-type");
    expect(broken(4)).toBe("arp-bad-address-length");
    expect(broken(5)).toBe("arp-bad-address-length");
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(arp.parse));
});
