import { readdirSync, readFileSync } from "node:fs";
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemorySink } from "../../src/capture/byte-sink.ts";
import type { FrameReader } from "../../src/capture/capture-frame.ts";
import { CaptureReader, readCapture } from "../../src/capture/capture-reader.ts";
import { PcapFileWriter } from "../../src/capture/pcap-file-writer.ts";
import { PcapngReader } from "../../src/capture/pcapng-reader.ts";
import { PcapngWriter } from "../../src/capture/pcapng-writer.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { fromHex, toHex } from "../../src/wire/bytes.ts";

/** Builds blocks of either byte order from numbers, as another program would write them. */
class Blocks {
  readonly #bytes: number[] = [];
  readonly #little: boolean;

  constructor(little: boolean) {
    this.#little = little;
  }

  u16(value: number): number[] {
    const bytes = [value >>> 8, value & 255];
    return this.#little ? bytes.reverse() : bytes;
  }

  u32(value: number): number[] {
    const bytes = [(value >>> 24) & 255, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
    return this.#little ? bytes.reverse() : bytes;
  }

  u64(high: number, low: number): number[] {
    return this.#little ? [...this.u32(low), ...this.u32(high)] : [...this.u32(high), ...this.u32(low)];
  }

  option(code: number, value: readonly number[]): number[] {
    return [
      ...this.u16(code),
      ...this.u16(value.length),
      ...value,
      ...new Array<number>((4 - (value.length % 4)) % 4).fill(0),
    ];
  }

  block(type: number, ...parts: readonly (readonly number[])[]): this {
    const body = parts.flat();
    while (body.length % 4 !== 0) body.push(0);
    this.#bytes.push(...this.u32(type), ...this.u32(body.length + 12), ...body, ...this.u32(body.length + 12));
    return this;
  }

  section(...options: readonly (readonly number[])[]): this {
    return this.block(
      0x0a0d0d0a,
      this.u32(0x1a2b3c4d),
      this.u16(1),
      this.u16(0),
      this.u64(0xffff_ffff, 0xffff_ffff),
      ...options,
    );
  }

  interface(linkType: number, snapLength: number, ...options: readonly (readonly number[])[]): this {
    return this.block(1, this.u16(linkType), this.u16(0), this.u32(snapLength), ...options);
  }

  packet(
    interfaceId: number,
    high: number,
    low: number,
    data: readonly number[],
    ...options: readonly (readonly number[])[]
  ): this {
    const padding = new Array<number>((4 - (data.length % 4)) % 4).fill(0);
    const head = [
      ...this.u32(interfaceId),
      ...this.u32(high),
      ...this.u32(low),
      ...this.u32(data.length),
      ...this.u32(data.length),
    ];
    return this.block(6, head, data, padding, ...options);
  }

  bytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

const text = (value: string): number[] => [...new TextEncoder().encode(value)];
const fixture = (name: string): Uint8Array => readFileSync(new URL(`fixtures/${name}`, import.meta.url));

describe.each([
  ["little-endian", true],
  ["big-endian", false],
])("A pcapng reader, of a %s file", (_, little) => {
  const blocks = () => new Blocks(little);

  it("reads every kind of block, and skips those that it does not know", () => {
    const b = blocks();
    b.section(b.option(1, text("made by hand")), b.option(0, []))
      .block(0x0bad, [1, 2, 3, 4])
      .interface(1, 4, b.option(2, text("eth0")), b.option(9, [9]))
      .interface(113, 0)
      .block(10, b.u32(0x544c534b), b.u32(2), [7, 8])
      .block(
        4,
        b.u16(1),
        b.u16(7),
        [10, 0, 0, 1],
        text("c1"),
        [0, 0],
        b.u16(2),
        b.u16(20),
        new Array<number>(20).fill(1),
        b.u16(0),
        b.u16(0),
      )
      .packet(
        0,
        1,
        2,
        [1, 2, 3],
        b.option(2, b.u32(2)),
        b.option(5, b.u64(1, 5)),
        b.option(1, text("one")),
        b.option(1, text("two")),
      )
      .block(3, b.u32(6), [1, 2, 3, 4])
      .block(
        2,
        b.u16(1),
        b.u16(9),
        b.u32(0),
        b.u32(1_500_000),
        b.u32(2),
        b.u32(60),
        [5, 6, 0, 0],
        b.option(2, b.u32(1)),
      )
      .block(5, b.u32(0), b.u64(0, 0), b.option(4, b.u64(0, 40)), b.option(5, b.u64(0, 2)));
    const reader = new PcapngReader();
    const plain = { comment: undefined, packetId: 0, direction: 0 };
    expect(reader.push(b.bytes())).toEqual([
      {
        ...{ interfaceId: 0, interfaceName: "eth0", linkType: 1, time: { seconds: 4, nanoseconds: 294_967_298 } },
        ...{
          bytes: new Uint8Array([1, 2, 3]),
          originalLength: 3,
          direction: 2,
          packetId: 0x1_0000_0005,
          comment: "one\ntwo",
        },
      },
      {
        ...{ ...plain, interfaceId: 0, interfaceName: "eth0", linkType: 1, time: { seconds: 0, nanoseconds: 0 } },
        ...{ bytes: new Uint8Array([1, 2, 3, 4]), originalLength: 6 },
      },
      {
        ...{
          ...plain,
          interfaceId: 1,
          interfaceName: "",
          linkType: 113,
          time: { seconds: 1, nanoseconds: 500_000_000 },
        },
        ...{ bytes: new Uint8Array([5, 6]), originalLength: 60, direction: 1 },
      },
    ]);
    expect(reader.finish()).toBeUndefined();
    expect(reader.section?.comment).toBe("made by hand");
    expect(reader.section?.interfaces[0]).toMatchObject({ received: 40, dropped: 2 });
    expect([...reader.names]).toEqual([[0x0a00_0001 as Ipv4Address, "c1"]]);
    expect(reader.secrets).toEqual([{ type: 0x544c_534b, bytes: new Uint8Array([7, 8]) }]);
  });

  it.each([
    ["milliseconds", 3, 1_500, { seconds: 1, nanoseconds: 500_000_000 }],
    ["seconds", 0, 7, { seconds: 7, nanoseconds: 0 }],
    ["picoseconds", 12, 2_999, { seconds: 0, nanoseconds: 2 }],
    ["1/1024 of a second", 0x8a, 1_536, { seconds: 1, nanoseconds: 500_000_000 }],
    ["2^-32 s", 0xa0, 0x8000_0000, { seconds: 0, nanoseconds: 500_000_000 }],
  ])("reads time stamps in %s", (_name, code, low, time) => {
    const b = blocks();
    b.section()
      .interface(1, 0, b.option(9, [code]))
      .packet(0, 0, low, []);
    expect(readCapture(b.bytes()).frames[0]?.time).toEqual(time);
  });

  it("adds an interface's time offset, which may be negative", () => {
    const b = blocks();
    b.section()
      .interface(1, 0, b.option(14, b.u64(-1, -3)))
      .interface(1, 0, b.option(14, b.u64(0, 100)));
    b.packet(0, 0, 5_000_001, []).packet(1, 0, 5_000_001, []);
    expect(readCapture(b.bytes()).frames.map((frame) => frame.time)).toEqual([
      { seconds: 2, nanoseconds: 1_000 },
      { seconds: 105, nanoseconds: 1_000 },
    ]);
  });

  it("numbers interfaces anew in each section, and takes each section's own byte order", () => {
    const other = new Blocks(!little);
    const b = blocks();
    b.section()
      .interface(1, 0, b.option(2, text("a")))
      .packet(0, 0, 1, [1]);
    other
      .section()
      .interface(101, 0, other.option(2, text("b")))
      .packet(0, 0, 2, [2]);
    const { frames, problem } = readCapture(Uint8Array.from([...b.bytes(), ...other.bytes(), ...b.bytes()]));
    expect(problem).toBeUndefined();
    expect(frames.map((frame) => [frame.interfaceName, frame.linkType])).toEqual([
      ["a", 1],
      ["b", 101],
      ["a", 1],
    ]);
  });

  it("says what is wrong, and where", () => {
    const valid = () => blocks().section();
    const b = blocks();
    const problemOf = (bytes: Uint8Array) => readCapture(bytes).problem;
    expect(problemOf(valid().packet(0, 0, 0, []).bytes())).toEqual({
      offset: 36,
      found: "interface 0",
      expected: "one of the 0 described so far",
    });
    expect(problemOf(valid().interface(1, 0, b.u16(2), b.u16(99)).bytes())).toMatchObject({
      offset: 44,
      found: "an option of 99 bytes",
    });
    expect(
      problemOf(
        valid()
          .interface(1, 0, b.option(9, [20]))
          .bytes(),
      ),
    ).toMatchObject({ found: "a time resolution of 0x14" });
    expect(problemOf(Uint8Array.from([...valid().bytes(), ...b.u32(6), ...b.u32(13), ...b.u32(0)]))).toMatchObject({
      offset: 32,
      found: "a block length of 13",
    });
    expect(
      problemOf(Uint8Array.from([...valid().bytes(), ...b.u32(6), ...b.u32(0x7fff_fffc), ...b.u32(0)])),
    ).toMatchObject({ offset: 32 });
    expect(problemOf(Uint8Array.from([...valid().bytes(), ...b.u32(9), ...b.u32(12), ...b.u32(16)]))).toMatchObject({
      offset: 36,
      found: "the length 16 behind the block",
    });
    expect(problemOf(valid().bytes().slice(0, 20))).toMatchObject({
      offset: 0,
      found: "the end of the file after 20 bytes of a block",
    });
  });
});

describe("A capture reader", () => {
  it.each([
    [
      "little-endian microseconds",
      "d4c3b2a1" +
        "02000400" +
        "0000000000000000" +
        "ffff0000" +
        "01000000" +
        "01000000" +
        "40420f00" +
        "02000000" +
        "3c000000" +
        "aabb",
      0,
    ],
    [
      "big-endian nanoseconds",
      "a1b23c4d" +
        "00020004" +
        "0000000000000000" +
        "0000ffff" +
        "00000001" +
        "00000001" +
        "3b9aca01" +
        "00000002" +
        "0000003c" +
        "aabb",
      1,
    ],
  ])("reads classic pcap, %s, and carries a fraction that runs over", (_name, hex, nanoseconds) => {
    expect(readCapture(fromHex(hex)!)).toMatchObject({
      frames: [
        { time: { seconds: 2, nanoseconds }, bytes: new Uint8Array([0xaa, 0xbb]), originalLength: 60, linkType: 1 },
      ],
      problem: undefined,
    });
  });

  it("refuses what is no capture", () => {
    expect(readCapture(new Uint8Array(0)).problem).toMatchObject({ found: "a file of 0 bytes" });
    expect(readCapture(new Uint8Array(100)).problem).toMatchObject({ offset: 0, found: "the magic 0x00000000" });
    expect(readCapture(fromHex(`d4c3b2a103000000${"00".repeat(16)}`)!).problem).toMatchObject({
      found: "version 3.0",
    });
    const huge = fromHex("d4c3b2a1020004000000000000000000ffff0000010000000000000000000000ffffff7fffffff7f")!;
    expect(readCapture(huge).problem).toMatchObject({ offset: 24, found: "a frame of 2147483647 bytes" });
  });

  it("reads captures of the real kernel", () => {
    const arp = readCapture(fixture("arp-request.pcap"));
    expect(arp.problem).toBeUndefined();
    expect(arp.frames).toHaveLength(1);
    expect(arp.frames[0]?.originalLength).toBe(42);
    expect(toHex(arp.frames[0]!.bytes, 12, 22)).toBe("08060001080006040001");
    const vxlan = readCapture(fixture("vxlan-device.pcap"));
    expect(vxlan.problem).toBeUndefined();
    expect(vxlan.frames.length).toBeGreaterThan(1);
  });

  it("forgets what it has given: memory stays flat", () => {
    const block = (() => {
      const sink = new MemorySink();
      const writer = new PcapngWriter(sink);
      writer.addInterface("eth0");
      for (let index = 0; index < 500; index++) writer.frame(0, index, new Uint8Array(200), 0, 200, 1, 1);
      writer.close();
      return sink.toBytes();
    })();
    const reader = new CaptureReader();
    let frames = 0;
    const before = process.memoryUsage();
    for (let turn = 0; turn < 300; turn++) frames += reader.push(block).length;
    expect(frames).toBe(150_000);
    expect(process.memoryUsage().arrayBuffers - before.arrayBuffers).toBeLessThan(40 * 1024 * 1024);
  });
});

/** Small valid files of both formats. */
const VALID: readonly Uint8Array[] = (() => {
  const classic = new MemorySink();
  const pcap = new PcapFileWriter(classic);
  const modern = new MemorySink();
  const pcapng = new PcapngWriter(modern, { comment: "c", application: "vxlab" });
  pcapng.addInterface("eth0", "d");
  pcapng.addName(1 as Ipv4Address, "one");
  pcapng.addDecryptionSecrets(1, new Uint8Array(5));
  for (let index = 0; index < 4; index++) {
    pcap.frame(index, new Uint8Array(index * 3), 0, index * 3);
    pcapng.frame(0, index, new Uint8Array(index * 3), 0, index * 3, 1, index, index === 2 ? "remark" : undefined);
  }
  pcap.close();
  pcapng.close();
  return [classic.toBytes(), modern.toBytes()];
})();

function survives(file: Uint8Array, piece: number): FrameReader {
  const reader = new CaptureReader();
  let frames = 0;
  for (let at = 0; at < file.length; at += piece) frames += reader.push(file.subarray(at, at + piece)).length;
  const problem = reader.finish();
  expect(frames).toBeLessThanOrEqual(file.length / 12);
  if (problem !== undefined) {
    expect(problem.offset).toBeGreaterThanOrEqual(0);
    expect(problem.offset).toBeLessThanOrEqual(file.length);
    expect(problem.found).not.toBe("");
    expect(reader.finish()).toEqual(problem); // one problem, and it stays
    expect(reader.push(file)).toEqual([]);
  }
  return reader;
}

describe("A broken capture", () => {
  it("gives the frames in front of the place where it was cut, then at most one problem", () => {
    for (const file of VALID) {
      const whole = readCapture(file).frames.map((frame) => toHex(frame.bytes));
      for (let length = 0; length < file.length; length++) {
        const { frames } = readCapture(file.slice(0, length));
        expect(frames.map((frame) => toHex(frame.bytes))).toEqual(whole.slice(0, frames.length));
        survives(file.slice(0, length), 7);
      }
    }
  });

  it("ends in frames and at most one problem, whatever bytes were changed", () => {
    const anyChange = fc.tuple(fc.nat(1_000), fc.oneof(fc.nat(255), fc.constantFrom(0, 1, 127, 128, 255)));
    fc.assert(
      fc.property(
        fc.constantFrom(...VALID),
        fc.array(anyChange, { minLength: 1, maxLength: 6 }),
        fc.integer({ min: 1, max: 300 }),
        (valid, changes, piece) => {
          const file = valid.slice();
          for (const [at, value] of changes) file[at % file.length] = value;
          survives(file, piece);
        },
      ),
      { numRuns: 1_000 },
    );
  });

  it("ends so for noise behind a valid beginning, too", () => {
    fc.assert(
      fc.property(fc.constantFrom(...VALID), fc.nat(200), fc.uint8Array({ maxLength: 200 }), (valid, keep, noise) => {
        survives(Uint8Array.from([...valid.slice(0, keep), ...noise]), 64);
      }),
    );
  });
});

/** All captures recorded from the real kernel, where they are at hand. */
const RECORDED = (() => {
  try {
    const root = new URL("../conformance/", import.meta.url);
    return readdirSync(root, { recursive: true, encoding: "utf8" })
      .filter((name) => /\.pcap(ng)?$/.test(name))
      .map((name) => new URL(name, root));
  } catch {
    return [];
  }
})();

describe.skipIf(RECORDED.length === 0)("The recorded captures", () => {
  it("are all read to their end", () => {
    for (const file of RECORDED) expect(readCapture(readFileSync(file)).problem, file.pathname).toBeUndefined();
  });
});
