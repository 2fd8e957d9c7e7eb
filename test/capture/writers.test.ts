import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type ByteSink, MemorySink } from "../../src/capture/byte-sink.ts";
import type { CapturedFrame } from "../../src/capture/capture-frame.ts";
import { CaptureReader, readCapture } from "../../src/capture/capture-reader.ts";
import { PcapFileWriter } from "../../src/capture/pcap-file-writer.ts";
import { PcapReader } from "../../src/capture/pcap-reader.ts";
import { PcapngReader } from "../../src/capture/pcapng-reader.ts";
import { type Direction, PcapngWriter } from "../../src/capture/pcapng-writer.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { toHex } from "../../src/wire/bytes.ts";

const anyText = fc.string({ unit: "grapheme", maxLength: 20 });
const anyDirection = fc.constantFrom<Direction>(0, 1, 2);

interface Sample {
  interfaceId: number;
  timeNs: number;
  bytes: Uint8Array;
  direction: Direction;
  packetId: number;
  comment: string | undefined;
}

const anySample: fc.Arbitrary<Sample> = fc.record({
  interfaceId: fc.nat(2),
  timeNs: fc.oneof(fc.nat(), fc.maxSafeNat()),
  bytes: fc.uint8Array({ maxLength: 400 }),
  direction: anyDirection,
  packetId: fc.oneof(fc.constant(0), fc.nat(), fc.maxSafeNat()),
  comment: fc.option(anyText, { nil: undefined }),
});

function written(
  write: (writer: PcapngWriter) => void,
  options: ConstructorParameters<typeof PcapngWriter>[1] = {},
): Uint8Array {
  const sink = new MemorySink();
  const writer = new PcapngWriter(sink, options);
  write(writer);
  writer.close();
  return sink.toBytes();
}

/** A file's frames when it comes in pieces of these lengths, again and again. */
function readInPieces(file: Uint8Array, lengths: readonly number[]): CapturedFrame[] {
  const reader = new CaptureReader();
  const frames: CapturedFrame[] = [];
  for (let at = 0, turn = 0; at < file.length; turn++) {
    const chunk = file.slice(at, at + (lengths[turn % lengths.length] ?? 1));
    frames.push(...reader.push(chunk));
    at += chunk.length;
    chunk.fill(0xee); // the reader may keep nothing of it
  }
  expect(reader.finish()).toBeUndefined();
  return frames;
}

describe("A pcapng capture", () => {
  it("begins with these bytes", () => {
    const file = written((writer) => {
      writer.addInterface("c1/eth0");
      writer.frame(0, 1_000_000_001, new Uint8Array([1, 2, 3, 4, 5]), 0, 5, 0, 0);
    });
    expect(toHex(file)).toBe(
      // section header: type, length, byte-order magic, version 1.0, section length -1, length
      "0a0d0d0a" +
        "1c000000" +
        "4d3c2b1a" +
        "01000000" +
        "ffffffffffffffff" +
        "1c000000" +
        // interface: Ethernet, snap length 262144, if_name c1/eth0, if_tsresol 9, end
        "01000000" +
        "2c000000" +
        "01000000" +
        "00000400" +
        "02000700" +
        "63312f6574683000" +
        "09000100" +
        "09000000" +
        "00000000" +
        "2c000000" +
        // enhanced packet: interface 0, time 1000000001, 5 of 5 bytes, padding, no options
        "06000000" +
        "28000000" +
        "00000000" +
        "00000000" +
        "01ca9a3b" +
        "05000000" +
        "05000000" +
        "0102030405000000" +
        "28000000",
    );
  });

  it("gives back every frame, wherever it lay and in whatever pieces it is read", () => {
    const anyPieces = fc.array(fc.integer({ min: 1, max: 700 }), { minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(
        fc.array(anySample, { maxLength: 12 }),
        fc.nat(70),
        fc.nat(0xffff_ffff),
        anyPieces,
        (samples, at, startSeconds, pieces) => {
          const slab = new Uint8Array(600).fill(0xdd); // frames share one buffer, as in the emulator
          const file = written(
            (writer) => {
              for (const name of ["n1/eth0", "n1/br0", "ü/☃"]) writer.addInterface(name, `about ${name}`);
              for (const { interfaceId, timeNs, bytes, direction, packetId, comment } of samples) {
                slab.set(bytes, at);
                writer.frame(interfaceId, timeNs, slab, at, at + bytes.length, direction, packetId, comment);
              }
            },
            { startSeconds },
          );
          const expected = samples.map((sample) => ({
            interfaceId: sample.interfaceId,
            interfaceName: ["n1/eth0", "n1/br0", "ü/☃"][sample.interfaceId],
            time: {
              seconds: startSeconds + Math.floor(sample.timeNs / 1e9),
              nanoseconds: sample.timeNs % 1_000_000_000,
            },
            bytes: sample.bytes,
            originalLength: sample.bytes.length,
            direction: sample.direction,
            packetId: sample.packetId,
            comment: sample.comment,
            linkType: 1,
          }));
          expect(readInPieces(file, pieces)).toEqual(expected);
        },
      ),
    );
  });

  it("cuts frames to the snap length and keeps their length on the wire", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.integer({ min: 1, max: 300 }), (bytes, snapLength) => {
        const file = written(
          (writer) => {
            writer.addInterface("eth0");
            for (let turn = 0; turn < 3; turn++) writer.frame(0, 0, bytes, 0, bytes.length, 2, 7);
          },
          { snapLength },
        );
        for (const frame of readCapture(file).frames) {
          expect(frame.bytes).toEqual(bytes.slice(0, snapLength));
          expect(frame).toMatchObject({ originalLength: bytes.length, direction: 2, packetId: 7 });
        }
      }),
    );
  });

  it("tells its section, its interfaces, its names and its keys", () => {
    const file = written(
      (writer) => {
        writer.addInterface("n1/eth0", "underlay");
        writer.addName(0x0a00_0001 as Ipv4Address, "c1");
        writer.addDecryptionSecrets(0x544c_534b, new Uint8Array([1, 2, 3]));
        writer.frame(0, 5, new Uint8Array(60), 0, 60, 1, 1);
        writer.addName(0x0a00_0002 as Ipv4Address, "c2");
        writer.addInterface("n2/eth0");
        writer.frame(1, 6, new Uint8Array(60), 0, 60, 1, 1);
        writer.addName(0x0a00_0003 as Ipv4Address, "c3");
      },
      { comment: "vxlab run x.yaml --seed 7", hardware: "none", operatingSystem: "any", application: "vxlab 0.1.0" },
    );
    const reader = new PcapngReader();
    expect(reader.push(file)).toHaveLength(2);
    expect(reader.finish()).toBeUndefined();
    expect(reader.section).toMatchObject({
      comment: "vxlab run x.yaml --seed 7",
      hardware: "none",
      operatingSystem: "any",
      application: "vxlab 0.1.0",
      interfaces: [
        { name: "n1/eth0", description: "underlay", linkType: 1, snapLength: 262_144 },
        { name: "n2/eth0", description: "" },
      ],
    });
    expect([...reader.names.values()]).toEqual(["c1", "c2", "c3"]);
    expect(reader.secrets).toEqual([{ type: 0x544c_534b, bytes: new Uint8Array([1, 2, 3]) }]);
  });

  it("splits very many names into several blocks", () => {
    const file = written((writer) => {
      for (let host = 1; host <= 20_000; host++) writer.addName((0x0a00_0000 + host) as Ipv4Address, `service.${host}`);
    });
    const reader = new PcapngReader();
    reader.push(file);
    expect(reader.finish()).toBeUndefined();
    expect(reader.names.size).toBe(20_000);
    expect(reader.names.get(0x0a00_4e20 as Ipv4Address)).toBe("service.20000");
  });

  it("cuts a comment that is too long for an option between two characters", () => {
    const comment = "☃".repeat(40_000);
    const file = written((writer) => {
      writer.addInterface("eth0");
      writer.frame(0, 0, new Uint8Array(1), 0, 1, 0, 0, comment);
    });
    const { frames, problem } = readCapture(file);
    expect(problem).toBeUndefined();
    expect(comment.startsWith(frames[0]?.comment ?? "-")).toBe(true);
    expect(frames[0]?.comment?.length).toBeGreaterThan(20_000);
  });

  it("takes frames longer than its buffer", () => {
    const frame = new Uint8Array(262_144).map((_, index) => index % 251);
    const file = written((writer) => {
      writer.addInterface("lo");
      for (let turn = 0; turn < 3; turn++) writer.frame(0, turn, frame, 0, frame.length, 1, 9, "long");
    });
    expect(readCapture(file).frames.map((each) => toHex(each.bytes) === toHex(frame))).toEqual([true, true, true]);
  });

  it("is the same bytes from any sink, however often it is flushed", () => {
    const write = (flush: boolean) =>
      written((writer) => {
        writer.addInterface("eth0");
        for (let index = 0; index < 50; index++) {
          writer.frame(0, index, new Uint8Array(index), 0, index, 1, index);
          if (flush) writer.flush();
        }
      });
    expect(write(true)).toEqual(write(false));
  });
});

describe("A classic pcap capture", () => {
  it("gives back every frame, in nanoseconds and in microseconds", () => {
    const anyOptions = fc.record({
      resolution: fc.constantFrom("nanoseconds" as const, "microseconds" as const),
      startSeconds: fc.nat(0x7fff_ffff),
      linkType: fc.constantFrom(1, 113, 276),
      snapLength: fc.integer({ min: 1, max: 500 }),
    });
    fc.assert(
      fc.property(fc.array(anySample, { maxLength: 8 }), anyOptions, (samples, options) => {
        const sink = new MemorySink();
        const writer = new PcapFileWriter(sink, options);
        for (const { timeNs, bytes } of samples) writer.frame(timeNs % 2 ** 50, bytes, 0, bytes.length);
        writer.close();
        const unit = options.resolution === "microseconds" ? 1_000 : 1;
        const reader = new PcapReader();
        expect(reader.push(sink.toBytes())).toMatchObject(
          samples.map(({ timeNs, bytes }) => ({
            time: {
              seconds: options.startSeconds + Math.floor((timeNs % 2 ** 50) / 1e9),
              nanoseconds: Math.floor(((timeNs % 2 ** 50) % 1e9) / unit) * unit,
            },
            bytes: bytes.slice(0, options.snapLength),
            originalLength: bytes.length,
            linkType: options.linkType,
          })),
        );
        expect(reader.finish()).toBeUndefined();
      }),
    );
  });
});

describe("A writer", () => {
  it("keeps its memory flat over a million frames", () => {
    let sizeBytes = 0;
    let largest = 0;
    const sink: ByteSink = {
      write(bytes) {
        sizeBytes += bytes.length;
        largest = Math.max(largest, bytes.length);
      },
    };
    const writer = new PcapngWriter(sink);
    writer.addInterface("eth0");
    const slab = new Uint8Array(4_096).fill(1);
    const write = (count: number) => {
      for (let index = 0; index < count; index++) writer.frame(0, index, slab, 14, 78, 1, index + 1);
    };
    write(100_000);
    const before = process.memoryUsage();
    write(900_000);
    const after = process.memoryUsage();
    writer.close();
    expect(sizeBytes).toBeGreaterThan(1_000_000 * (32 + 64 + 24));
    expect(largest).toBeLessThanOrEqual(256 * 1024);
    expect(after.heapUsed + after.arrayBuffers - before.heapUsed - before.arrayBuffers).toBeLessThan(16 * 1024 * 1024);
  });
});
