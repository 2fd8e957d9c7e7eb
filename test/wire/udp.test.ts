import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Ipv4Address, parseIpv4 } from "../../src/wire/address.ts";
import { makeMemory } from "../../src/wire/checksum.ts";
import * as udp from "../../src/wire/udp.ts";
import {
  anyIpv4,
  anyU16,
  type Codec,
  comesBack,
  hex,
  memoryOf,
  neverThrows,
  pseudoHeader,
  refusesEveryTruncation,
  slowChecksum,
} from "./codec-laws.ts";

const CODEC: Codec<udp.Udp> = {
  any: fc.record({ sourcePort: anyU16(), destinationPort: anyU16(), length: fc.integer({ min: 8, max: 1_200 }) }),
  size: () => udp.HEADER_BYTES,
  payload: (header) => header.length - udp.HEADER_BYTES,
  emit: udp.emit,
  parse: udp.parse as Codec<udp.Udp>["parse"],
};

// A VXLAN packet's UDP datagram: an ARP request of 10.0.0.2 for 10.0.0.3 on VNI 100.
const CAPTURED = `964612b5003ab67c 0800000000006400 ffffffffffff02420a0000020806
  0001080006040001 02420a0000020a000002 0000000000000a000003`;
const SOURCE = parseIpv4("192.168.56.11")!;
const DESTINATION = parseIpv4("192.168.56.12")!;

describe("UDP header (RFC 768)", () => {
  it("reads a datagram as the kernel sent it, with its checksum", () => {
    const memory = memoryOf(hex(CAPTURED));
    expect(udp.parse(memory.bytes, 0, 58)).toEqual({ sourcePort: 38470, destinationPort: 4789, length: 58 });
    expect(udp.checksumOk(memory, 0, SOURCE, DESTINATION)).toBe(true);
    expect(udp.checksumOk(memory, 0, SOURCE, (DESTINATION + 1) as Ipv4Address)).toBe(false);
    udp.emit({ sourcePort: 38470, destinationPort: 4789, length: 58 }, memory.bytes, 0);
    udp.finishChecksum(memory, 0, SOURCE, DESTINATION);
    expect(memory.bytes).toEqual(hex(CAPTURED));
  });

  it("is refused when its length is shorter than a header or longer than the packet", () => {
    expect(udp.parse(hex("0001000200070000"), 0, 8)).toBe("udp-bad-length");
    expect(udp.parse(hex("0001000200090000"), 0, 8)).toBe("udp-truncated");
  });

  it("needs no checksum: zero means none", () => {
    expect(udp.checksumOk(memoryOf(hex("0001000200080000")), 0, SOURCE, DESTINATION)).toBe(true);
  });

  it("sends a sum of zero as 0xffff", () => {
    // Ports 0, length 8 twice (pseudo-header and header) and protocol 17: the payload's word makes the sum 0xffff.
    const memory = memoryOf(hex("00000000000a0000 0000"));
    const free = slowChecksum(pseudoHeader(SOURCE, DESTINATION, 17, 10), memory.bytes);
    memory.bytes[8] = free >>> 8;
    memory.bytes[9] = free & 0xff;
    udp.finishChecksum(memory, 0, SOURCE, DESTINATION);
    expect(udp.checksum(memory.bytes, 0)).toBe(0xffff);
    expect(udp.checksumOk(memory, 0, SOURCE, DESTINATION)).toBe(true);
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(udp.parse));

  it("has the checksum that RFC 1071 word by word gives, at any even offset and any length", () => {
    fc.assert(
      fc.property(anyIpv4(), anyIpv4(), fc.uint8Array({ maxLength: 100 }), fc.nat(8), (from, to, payload, half) => {
        const at = half * 2;
        const end = at + udp.HEADER_BYTES + payload.length;
        const memory = makeMemory(end + 2);
        memory.bytes.fill(0xee);
        udp.write(memory.bytes, at, 1, 2, end - at);
        memory.bytes.set(payload, at + udp.HEADER_BYTES);
        udp.finishChecksum(memory, at, from, to);
        expect(slowChecksum(pseudoHeader(from, to, 17, end - at), memory.bytes.slice(at, end))).toBe(0);
        expect(udp.checksumOk(memory, at, from, to)).toBe(true);
      }),
    );
  });
});
