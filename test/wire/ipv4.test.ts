import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIpv4 } from "../../src/wire/address.ts";
import { makeMemory } from "../../src/wire/checksum.ts";
import * as ipv4 from "../../src/wire/ipv4.ts";
import {
  anyIpv4,
  anyOctet,
  anyU16,
  type Codec,
  comesBack,
  hex,
  memoryOf,
  neverThrows,
  refusesEveryTruncation,
  slowChecksum,
} from "./codec-laws.ts";

const anyHeader = (): fc.Arbitrary<ipv4.Ipv4> =>
  fc
    .record({
      typeOfService: anyOctet(),
      payload: fc.nat(1_000),
      identification: anyU16(),
      dontFragment: fc.boolean(),
      moreFragments: fc.boolean(),
      fragmentOffsetBytes: fc.nat(0x1fff).map((units) => units * 8),
      timeToLive: anyOctet(),
      protocol: anyOctet(),
      source: anyIpv4(),
      destination: anyIpv4(),
      options: fc.nat(10).chain((words) => fc.uint8Array({ minLength: words * 4, maxLength: words * 4 })),
    })
    .map(({ payload, ...header }) => ({
      ...header,
      totalLength: ipv4.HEADER_BYTES + header.options.length + payload,
    }));

const size = (header: ipv4.Ipv4) => ipv4.HEADER_BYTES + header.options.length;
const CODEC: Codec<ipv4.Ipv4> = {
  any: anyHeader(),
  size,
  payload: (header) => header.totalLength - size(header),
  emit: ipv4.emit,
  parse: ipv4.parse as Codec<ipv4.Ipv4>["parse"],
};

// Outer header of a VXLAN packet, kernel 6.18.
const CAPTURED = "4500004e832d00004011060ac0a8380bc0a8380c";

describe("IPv4 header (RFC 791 §3.1)", () => {
  it("reads a header as the kernel sent it, and writes the same bytes", () => {
    const bytes = new Uint8Array(0x4e);
    bytes.set(hex(CAPTURED));
    const header: ipv4.Ipv4 = {
      typeOfService: 0,
      totalLength: 0x4e,
      identification: 0x832d,
      dontFragment: false,
      moreFragments: false,
      fragmentOffsetBytes: 0,
      timeToLive: 64,
      protocol: ipv4.PROTOCOL_UDP,
      source: parseIpv4("192.168.56.11")!,
      destination: parseIpv4("192.168.56.12")!,
      options: new Uint8Array(0),
    };
    expect(ipv4.parse(bytes, 0, bytes.length)).toEqual(header);
    expect(ipv4.checksumOk(memoryOf(bytes), 0)).toBe(true);
    const again = new Uint8Array(20).fill(0x55);
    ipv4.emit(header, again, 0);
    expect(again).toEqual(hex(CAPTURED));
  });

  it("is refused with a reason for each fault", () => {
    const broken = (at: number, value: number) => {
      const bytes = new Uint8Array(0x4e);
      bytes.set(hex(CAPTURED));
      bytes[at] = value;
      return ipv4.parse(bytes, 0, bytes.length);
    };
    expect(broken(0, 0x65)).toBe("ipv4-bad-version");
    expect(broken(0, 0x44)).toBe("ipv4-bad-header-length");
    expect(broken(3, 19)).toBe("ipv4-bad-total-length");
    expect(broken(3, 0x4f)).toBe("ipv4-truncated");
    expect(broken(10, 7)).toBe("ipv4-bad-checksum");
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(ipv4.parse));

  it("has the checksum that RFC 1071 word by word gives", () => {
    fc.assert(
      fc.property(anyHeader(), (header) => {
        const memory = makeMemory(size(header));
        ipv4.emit(header, memory.bytes, 0);
        expect(slowChecksum(memory.bytes)).toBe(0);
        expect(ipv4.checksumOk(memory, 0)).toBe(true);
        memory.bytes[8]! ^= 1;
        expect(ipv4.checksumOk(memory, 0)).toBe(false);
      }),
    );
  });

  it("keeps a right checksum when the time to live, the type of service or an address changes", () => {
    fc.assert(
      fc.property(anyHeader(), anyIpv4(), anyIpv4(), anyOctet(), (header, source, destination, typeOfService) => {
        const timeToLive = Math.max(1, header.timeToLive);
        const changed = makeMemory(size(header));
        ipv4.emit({ ...header, timeToLive }, changed.bytes, 0);
        ipv4.decrementTtl(changed.bytes, 0);
        ipv4.setTypeOfService(changed.bytes, 0, typeOfService);
        ipv4.setSource(changed.bytes, 0, source);
        ipv4.setDestination(changed.bytes, 0, destination);
        expect(ipv4.checksumOk(changed, 0)).toBe(true);
        const fresh = new Uint8Array(size(header));
        ipv4.emit({ ...header, timeToLive: timeToLive - 1, typeOfService, source, destination }, fresh, 0);
        expect(changed.bytes).toEqual(fresh);
      }),
    );
  });
});
