import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseIpv4 } from "../../src/wire/address.ts";
import { makeMemory } from "../../src/wire/checksum.ts";
import * as tcp from "../../src/wire/tcp.ts";
import * as options from "../../src/wire/tcp-options.ts";
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
  pseudoHeader,
  refusesEveryTruncation,
  slowChecksum,
} from "./codec-laws.ts";

const KNOWN = [0, 1, 2, 3, 4, 5, 8];
const anyOption = (): fc.Arbitrary<options.TcpOption> =>
  fc.oneof(
    fc.constant({ kind: "no-operation" as const }),
    fc.record({ kind: fc.constant("maximum-segment-size" as const), sizeBytes: anyU16() }),
    fc.record({ kind: fc.constant("window-scale" as const), shift: anyOctet() }),
    fc.constant({ kind: "sack-permitted" as const }),
    fc.record({
      kind: fc.constant("sack" as const),
      blocks: fc.array(fc.record({ left: anyU32(), right: anyU32() }), { minLength: 1, maxLength: 4 }),
    }),
    fc.record({ kind: fc.constant("timestamps" as const), value: anyU32(), echoReply: anyU32() }),
    fc.record({
      kind: fc.constant("other" as const),
      type: anyOctet().filter((type) => !KNOWN.includes(type)),
      bytes: fc.uint8Array({ maxLength: 12 }),
    }),
  );
const anyHeader = (): fc.Arbitrary<tcp.Tcp> =>
  fc.record({
    sourcePort: anyU16(),
    destinationPort: anyU16(),
    sequence: anyU32(),
    acknowledgement: anyU32(),
    flags: anyOctet(),
    window: anyU16(),
    urgentPointer: anyU16(),
    options: fc
      .array(anyOption(), { maxLength: 6 })
      .filter((list) => options.optionsBytes(list) <= options.MAXIMUM_OPTIONS_BYTES),
  });

const CODEC: Codec<tcp.Tcp> = {
  any: anyHeader(),
  size: tcp.headerBytes,
  emit: tcp.emit,
  parse: tcp.parse as Codec<tcp.Tcp>["parse"],
};

const CLIENT = parseIpv4("10.0.0.2")!;
const SERVER = parseIpv4("10.0.0.3")!;
const SYN = "4e21005005292 7a400000000a002fd5ca6f10000 020405820402080aff4715570000000001030309";
const SACK = "13894e211b60484a00f06d68b01000955fc20000 0101080adc31018f2ec49e6f 0101050a00f0731000f078b8";

describe("TCP header (RFC 9293 §3.1)", () => {
  it("reads a SYN as the kernel sent it, and writes the same bytes", () => {
    const memory = memoryOf(hex(SYN));
    const header: tcp.Tcp = {
      sourcePort: 20_001,
      destinationPort: 80,
      sequence: 86_583_204,
      acknowledgement: 0,
      flags: tcp.SYN,
      window: 64_860,
      urgentPointer: 0,
      options: [
        { kind: "maximum-segment-size", sizeBytes: 1_410 },
        { kind: "sack-permitted" },
        { kind: "timestamps", value: 4_282_848_599, echoReply: 0 },
        { kind: "no-operation" },
        { kind: "window-scale", shift: 9 },
      ],
    };
    expect(tcp.parse(memory.bytes, 0, 40)).toEqual(header);
    expect(tcp.checksumOk(memory, 0, 40, CLIENT, SERVER)).toBe(true);
    memory.bytes.fill(0xcc);
    tcp.emit(header, memory.bytes, 0);
    tcp.finishChecksum(memory, 0, 40, CLIENT, SERVER);
    expect(memory.bytes).toEqual(hex(SYN));
  });

  it("gives timestamps and selective acknowledgements without allocating", () => {
    const memory = memoryOf(hex(SACK));
    const bytes = memory.bytes;
    expect(tcp.checksumOk(memory, 0, bytes.length, SERVER, CLIENT)).toBe(true);
    const end = tcp.dataOffsetBytes(bytes, 0);
    const timestamps = options.find(bytes, tcp.HEADER_BYTES, end, options.KIND_TIMESTAMPS);
    expect(options.timestampValue(bytes, timestamps)).toBe(3_694_199_183);
    expect(options.timestampEchoReply(bytes, timestamps)).toBe(784_637_551);
    const sack = options.find(bytes, tcp.HEADER_BYTES, end, options.KIND_SACK);
    expect(options.sackBlockCount(bytes, sack)).toBe(1);
    expect(options.sackRight(bytes, sack, 0) - options.sackLeft(bytes, sack, 0)).toBe(1_448);
    expect(options.find(bytes, tcp.HEADER_BYTES, end, options.KIND_WINDOW_SCALE)).toBe(-1);
    const again = new Uint8Array(options.ALIGNED_TIMESTAMPS_BYTES);
    options.writeTimestamps(again, 0, 3_694_199_183, 784_637_551);
    expect(again).toEqual(bytes.slice(20, 32));
  });

  it("is refused when its data offset is below 5 words or beyond the segment", () => {
    const bytes = hex(SYN);
    bytes[12] = 0x40;
    expect(tcp.parse(bytes, 0, 40)).toBe("tcp-bad-data-offset");
    bytes[12] = 0xb0;
    expect(tcp.parse(bytes, 0, 40)).toBe("tcp-truncated");
  });

  it("keeps what stands before a broken option and is not refused for it", () => {
    const body = hex("0204058403ff0000");
    expect(options.parseOptions(body, 0, 8)).toEqual([{ kind: "maximum-segment-size", sizeBytes: 1_412 }]);
    expect(options.find(body, 0, 8, options.KIND_WINDOW_SCALE)).toBe(-1);
    expect(options.parseOptions(hex("0201"), 0, 2)).toEqual([]);
  });

  it("comes back from its own bytes and touches no other", () => comesBack(CODEC));
  it("is refused when cut", () => refusesEveryTruncation(CODEC));
  it("never throws on random bytes", () => {
    neverThrows(tcp.parse);
    neverThrows(options.parseOptions);
    neverThrows((bytes, at, end) => options.find(bytes, at, end, options.KIND_SACK));
  });

  it("has the checksum that RFC 1071 word by word gives, at any even offset and any length", () => {
    fc.assert(
      fc.property(
        anyHeader(),
        anyIpv4(),
        anyIpv4(),
        fc.uint8Array({ maxLength: 100 }),
        fc.nat(8),
        (header, from, to, data, half) => {
          const at = half * 2;
          const end = at + tcp.headerBytes(header) + data.length;
          const memory = makeMemory(end + 2);
          memory.bytes.fill(0xee);
          tcp.emit(header, memory.bytes, at);
          memory.bytes.set(data, end - data.length);
          tcp.finishChecksum(memory, at, end, from, to);
          expect(slowChecksum(pseudoHeader(from, to, 6, end - at), memory.bytes.slice(at, end))).toBe(0);
          expect(tcp.checksumOk(memory, at, end, from, to)).toBe(true);
        },
      ),
    );
  });
});
