/**
 * `vxlab/pcap`: captures written to and read from files by programs of one's own. `createPcapWriter` has the interface of the npm package `pcap-writer`, so that
 * its users need to change one line only; unlike there, a packet is in the file or in a buffer of fixed size when `writePacket` returns, however
 * fast packets come, and a disk that is full is an exception where it happens.
 */
import { closeSync, openSync, writeSync } from "node:fs";
import type { ByteSink } from "../capture/byte-sink.ts";
import { PcapFileWriter } from "../capture/pcap-file-writer.ts";
import { MAXIMUM_SNAP_LENGTH } from "../capture/pcapng-format.ts";

export { type ByteSink, MemorySink } from "../capture/byte-sink.ts";
export type { CapturedFrame, CaptureProblem, CaptureTime, FrameReader } from "../capture/capture-frame.ts";
export { CaptureReader, readCapture } from "../capture/capture-reader.ts";
export { compileFilter, type FilterProblem, type FrameFilter } from "../capture/filter.ts";
export { PcapFileWriter, type PcapOptions } from "../capture/pcap-file-writer.ts";
export { PcapReader } from "../capture/pcap-reader.ts";
export { PcapngReader } from "../capture/pcapng-reader.ts";
export { type Direction, type PcapngOptions, PcapngWriter } from "../capture/pcapng-writer.ts";

export interface PcapWriter {
  /**
   * Appends one packet. `timestampMicroseconds` since 1970 (or from any other beginning); without one, the time since the writer was made.
   */
  writePacket(packet: Uint8Array, timestampMicroseconds?: number): void;
  /** Completes the file. `done` is called, before `close` returns, with the file's name and the milliseconds since the writer was made. */
  close(done?: (file: string, elapsedMilliseconds: number) => void): void;
}

const DEFAULT_SNAP_LENGTH = 65_535;

/** Creates `file`, or empties it, and writes the header. Packets are cut to `snaplen` bytes; `linktype` 1 is Ethernet. Throws what `node:fs` throws. */
export function createPcapWriter(file: string, snaplen = DEFAULT_SNAP_LENGTH, linktype = 1): PcapWriter {
  if (!(Number.isInteger(snaplen) && snaplen >= 1 && snaplen <= MAXIMUM_SNAP_LENGTH)) {
    throw new RangeError(`snaplen ${snaplen}: expected 1 to ${MAXIMUM_SNAP_LENGTH} bytes`);
  }
  const begunMilliseconds = performance.now();
  const sink = new FileSink(file);
  const writer = new PcapFileWriter(sink, { snapLength: snaplen, linkType: linktype, resolution: "microseconds" });
  let closed = false;
  const refuseClosed = (): void => {
    if (closed) throw new Error(`${file} is closed`);
  };
  return {
    writePacket(packet, timestampMicroseconds) {
      refuseClosed();
      const micros = timestampMicroseconds ?? (performance.now() - begunMilliseconds) * 1_000;
      if (!(micros >= 0)) throw new RangeError(`timestamp ${micros}: expected microseconds, 0 or more`);
      const seconds = Math.floor(micros / 1_000_000);
      writer.record(seconds, Math.floor(micros - seconds * 1_000_000), packet, 0, packet.length);
    },
    close(done) {
      refuseClosed();
      closed = true;
      try {
        writer.close();
      } finally {
        sink.close();
      }
      done?.(file, Math.round(performance.now() - begunMilliseconds));
    },
  };
}

class FileSink implements ByteSink {
  readonly #descriptor: number;

  constructor(file: string) {
    this.#descriptor = openSync(file, "w");
  }

  write(bytes: Uint8Array): void {
    let written = 0;
    while (written < bytes.length) written += writeSync(this.#descriptor, bytes, written);
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
