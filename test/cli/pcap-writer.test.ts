import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { createPcapWriter, readCapture } from "../../src/cli/pcap-writer.ts";

describe("vxlab/pcap, in the words of the package pcap-writer", () => {
  let folder = "";
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "pcap-writer-"));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });

  it("writes packets with their microseconds, cut to the snap length", () => {
    const file = join(folder, "a.pcap");
    const writer = createPcapWriter(file, 4, 105);
    writer.writePacket(Buffer.from([1, 2, 3]), 1_500_000);
    writer.writePacket(new Uint8Array([1, 2, 3, 4, 5]), 1_700_000_000_000_001);
    writer.close();
    expect(readCapture(readFileSync(file))).toMatchObject({
      frames: [
        { time: { seconds: 1, nanoseconds: 500_000_000 }, bytes: new Uint8Array([1, 2, 3]), linkType: 105 },
        {
          time: { seconds: 1_700_000_000, nanoseconds: 1_000 },
          bytes: new Uint8Array([1, 2, 3, 4]),
          originalLength: 5,
        },
      ],
      problem: undefined,
    });
  });

  it("takes the time since its beginning when none is given, and tells file and time at the end", () => {
    const file = join(folder, "b.pcap");
    const writer = createPcapWriter(file);
    writer.writePacket(Buffer.alloc(60));
    const told: unknown[] = [];
    writer.close((name, elapsed) => told.push(name, typeof elapsed));
    expect(told).toEqual([file, "number"]);
    const [frame] = readCapture(readFileSync(file)).frames;
    expect(frame?.time.seconds).toBeLessThan(10);
  });

  it("throws where the fault is: a bad name, a bad snap length, a bad time, a closed file", () => {
    expect(() => createPcapWriter(join(folder, "no", "such", "folder.pcap"))).toThrow(/ENOENT/);
    expect(() => createPcapWriter(join(folder, "c.pcap"), 0)).toThrow(/snaplen 0/);
    const writer = createPcapWriter(join(folder, "d.pcap"));
    expect(() => writer.writePacket(Buffer.alloc(1), Number.NaN)).toThrow(/timestamp NaN/);
    writer.close();
    expect(() => writer.writePacket(Buffer.alloc(1), 0)).toThrow(/is closed/);
  });
});
