import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { makeMemory } from "../../src/wire/checksum.ts";
import * as icmp from "../../src/wire/icmp.ts";
import {
  anyIpv4,
  anyOctet,
  anyU16,
  anyU32,
  type Codec,
  comesBack,
  hex,
  memoryOf,
  neverThrows,
  refusesEveryTruncation,
  slowChecksum,
} from "./codec-laws.ts";

const KNOWN = [0, 3, 5, 8, 11, 12, 13, 14];
const anyMessage = (): fc.Arbitrary<icmp.Icmp> =>
  fc.oneof(
    fc.record({
      kind: fc.constantFrom("echo-request" as const, "echo-reply" as const),
      identifier: anyU16(),
      sequence: anyU16(),
    }),
    fc
      .record({ kind: fc.constant("unreachable" as const), code: fc.nat(15), mtu: anyU16() })
      .map((message) => ({ ...message, mtu: message.code === 4 ? message.mtu : 0 })),
    fc.record({ kind: fc.constant("time-exceeded" as const), code: anyOctet() }),
    fc.record({ kind: fc.constant("redirect" as const), code: anyOctet(), gateway: anyIpv4() }),
    fc.record({ kind: fc.constant("parameter-problem" as const), code: anyOctet(), pointer: anyOctet() }),
    fc.record({
      kind: fc.constantFrom("timestamp-request" as const, "timestamp-reply" as const),
      identifier: anyU16(),
      sequence: anyU16(),
      originateMs: anyU32(),
      receiveMs: anyU32(),
      transmitMs: anyU32(),
    }),
    fc.record({
      kind: fc.constant("other" as const),
      type: anyOctet().filter((type) => !KNOWN.includes(type)),
      code: anyOctet(),
      rest: anyU32(),
    }),
  );

const CODEC: Codec<icmp.Icmp> = {
  any: anyMessage(),
  size: (message) => (message.kind.startsWith("timestamp") ? icmp.TIMESTAMP_BYTES : icmp.HEADER_BYTES),
  emit: icmp.emit,
  parse: icmp.parse as Codec<icmp.Icmp>["parse"],
};

// What `ping` sends: 56 bytes of data, the first 16 a time stamp.
const PING = `0800783602930001 442d036b000000006eca080000000000 101112131415161718191a1b1c1d1e1f
  202122232425262728292a2b2c2d2e2f 3031323334353637`;

describe("ICMP message (RFC 792)", () => {
  it("reads an echo request as the kernel sent it, with its checksum", () => {
    const memory = memoryOf(hex(PING));
    expect(icmp.parse(memory.bytes, 0, 64)).toEqual({ kind: "echo-request", identifier: 0x293, sequence: 1 });
    expect(icmp.checksumOk(memory, 0, 64)).toBe(true);
    memory.bytes.fill(0xff, 2, 4);
    icmp.finishChecksum(memory, 0, 64);
    expect(memory.bytes).toEqual(hex(PING));
  });

  it("carries the next hop's MTU only when fragmentation is needed (RFC 1191 §4)", () => {
    expect(icmp.parse(hex("03040000000005aa"), 0, 8)).toEqual({ kind: "unreachable", code: 4, mtu: 1450 });
    expect(icmp.parse(hex("03010000000005aa"), 0, 8)).toEqual({ kind: "unreachable", code: 1, mtu: 0 });
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => neverThrows(icmp.parse));

  it("has the checksum that RFC 1071 word by word gives, at any even offset and any length", () => {
    fc.assert(
      fc.property(anyMessage(), fc.uint8Array({ maxLength: 100 }), fc.nat(8), (message, payload, half) => {
        const at = half * 2;
        const end = at + CODEC.size(message) + payload.length;
        const memory = makeMemory(end + 2);
        memory.bytes.fill(0xee);
        icmp.emit(message, memory.bytes, at);
        memory.bytes.set(payload, end - payload.length);
        icmp.finishChecksum(memory, at, end);
        expect(slowChecksum(memory.bytes.slice(at, end))).toBe(0);
        expect(icmp.checksumOk(memory, at, end)).toBe(true);
      }),
    );
  });
});
