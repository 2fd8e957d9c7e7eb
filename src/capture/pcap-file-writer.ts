/** Writes classic pcap (draft-ietf-opsawg-pcap): one interface, nanosecond or microsecond time stamps, no options. */
import { assert } from "../sim/assert.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import type { ByteSink } from "./byte-sink.ts";
import { OutputBuffer } from "./output-buffer.ts";
import { LINK_TYPE_ETHERNET, MAXIMUM_SNAP_LENGTH } from "./pcapng-format.ts";

export const MAGIC_MICROSECONDS = 0xa1b2_c3d4;
export const MAGIC_NANOSECONDS = 0xa1b2_3c4d;
export const FILE_HEADER_BYTES = 24;
export const RECORD_HEADER_BYTES = 16;

export interface PcapOptions {
  /** Frames are cut to this many bytes; 1 to 262 144, the default. */
  readonly snapLength?: number;
  /** LINKTYPE_ of the frames, 16 bits; Ethernet if not given. */
  readonly linkType?: number;
  readonly resolution?: "nanoseconds" | "microseconds";
  /** The wall clock's second (since 1970) at which virtual time 0 lies. */
  readonly startSeconds?: number;
}

export class PcapFileWriter {
  readonly #output: OutputBuffer;
  readonly #snapLength: number;
  readonly #startSeconds: number;
  readonly #nanosecondsATick: number;
  #closed = false;

  constructor(sink: ByteSink, options: PcapOptions = {}) {
    this.#output = new OutputBuffer(sink);
    this.#snapLength = options.snapLength ?? MAXIMUM_SNAP_LENGTH;
    this.#startSeconds = options.startSeconds ?? 0;
    const micro = options.resolution === "microseconds";
    this.#nanosecondsATick = micro ? 1_000 : 1;
    const snap = this.#snapLength;
    assert(Number.isInteger(snap) && snap >= 1 && snap <= MAXIMUM_SNAP_LENGTH, "snap length from 1 to 262144");
    this.#output.reserve(FILE_HEADER_BYTES);
    this.#put32(micro ? MAGIC_MICROSECONDS : MAGIC_NANOSECONDS);
    this.#put32(2 | (4 << 16)); // version 2.4
    this.#put32(0); // two fields that nobody uses
    this.#put32(0);
    this.#put32(this.#snapLength);
    this.#put32(options.linkType ?? LINK_TYPE_ETHERNET);
  }

  /** Writes the frame from `at` to `end`, cut to the snap length; `timeNs` counts from `startSeconds`. */
  frame(timeNs: Nanoseconds, bytes: Uint8Array, at: number, end: number): void {
    assert(timeNs >= 0, "a frame before the start");
    const seconds = Math.floor(timeNs / SECOND);
    const ticks = Math.floor((timeNs - seconds * SECOND) / this.#nanosecondsATick);
    this.record(this.#startSeconds + seconds, ticks, bytes, at, end);
  }

  /** The same with the time as the file has it: `seconds` since 1970, below 2^32, and `ticks` of the file's resolution. */
  record(seconds: number, ticks: number, bytes: Uint8Array, at: number, end: number): void {
    const length = end - at;
    const captured = Math.min(length, this.#snapLength);
    this.#output.reserve(RECORD_HEADER_BYTES + captured);
    this.#put32(seconds);
    this.#put32(ticks);
    this.#put32(captured);
    this.#put32(length);
    this.#output.copy(bytes, at, at + captured);
  }

  /** Hands all that was written to the sink. */
  flush(): void {
    this.#output.flush();
  }

  /** Flushes; the sink is its owner's to close. */
  close(): void {
    assert(!this.#closed, "a capture closed twice");
    this.#closed = true;
    this.flush();
  }

  #put32(value: number): void {
    const { bytes, position } = this.#output;
    bytes[position] = value;
    bytes[position + 1] = value >>> 8;
    bytes[position + 2] = value >>> 16;
    bytes[position + 3] = value >>> 24;
    this.#output.position = position + 4;
  }
}
