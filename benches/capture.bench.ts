/**
 * Capture writing: what one frame costs between the device and the sink. A thousand frames a turn, at the offsets at which frames lie in a slab.
 * Compare figures with one another only: the runner's imports make each several times what compiled code takes.
 */
import { bench, describe } from "vitest";
import type { ByteSink } from "../src/capture/byte-sink.ts";
import { compileFilter } from "../src/capture/filter.ts";
import { PcapFileWriter } from "../src/capture/pcap-file-writer.ts";
import { PcapngWriter } from "../src/capture/pcapng-writer.ts";

const NOWHERE: ByteSink = { write() {} };
const FRAMES = 1_000;
const SLOT_BYTES = 2_304;
const SLOTS = 64;
const slab = new Uint8Array(SLOT_BYTES * SLOTS).map((_, index) => index % 251);

function pcapng(): PcapngWriter {
  const writer = new PcapngWriter(NOWHERE);
  writer.addInterface("eth0");
  return writer;
}

describe.each([64, 156, 256, 512, 1_514])("1 000 frames of %i bytes", (length) => {
  const plain = pcapng();
  bench("pcapng without options", () => {
    for (let index = 0; index < FRAMES; index++) {
      const at = (index % SLOTS) * SLOT_BYTES + 192;
      plain.frame(0, index, slab, at, at + length, 0, 0);
    }
  });

  const described = pcapng();
  bench("pcapng with direction and packet id", () => {
    for (let index = 0; index < FRAMES; index++) {
      const at = (index % SLOTS) * SLOT_BYTES + 192;
      described.frame(0, index, slab, at, at + length, 1, index + 1);
    }
  });

  const inner = pcapng();
  bench("pcapng of frames half a word off", () => {
    for (let index = 0; index < FRAMES; index++) {
      const at = (index % SLOTS) * SLOT_BYTES + 142;
      inner.frame(0, index, slab, at, at + length, 1, index + 1);
    }
  });

  const classic = new PcapFileWriter(NOWHERE);
  bench("classic pcap", () => {
    for (let index = 0; index < FRAMES; index++) {
      const at = (index % SLOTS) * SLOT_BYTES + 192;
      classic.frame(index, slab, at, at + length);
    }
  });
});

describe("1 000 frames against a filter", () => {
  for (const text of ["udp port 4789", "host 10.0.0.1 and tcp[tcpflags] & tcp-syn != 0", "vxlan 4097 and arp"]) {
    const filter = compileFilter(text);
    if (typeof filter !== "function") throw new Error(text);
    const hits = new Int32Array(1);
    bench(text, () => {
      for (let index = 0; index < FRAMES; index++) if (filter(slab, index, index + 200)) hits[0]!++;
    });
  }
});
