/**
 * A segment as the state machine sees it, coming in and going out: RFC 9293 §3.1 with the options of RFC 7323 (window scale, timestamps) and
 * RFC 2018 (SACK). One object of each kind serves for all segments of a host; nothing is made for each. Numbers are signed 32-bit, see
 * sequence.ts.
 */
import { getU16, putU32 } from "../../wire/bytes.ts";
import * as tcp from "../../wire/tcp.ts";
import * as options from "../../wire/tcp-options.ts";
import type { ByteRing } from "./byte-ring.ts";

export const MAXIMUM_SACK_BLOCKS = 4;
const NO_BYTES = new Uint8Array(0);

export class IncomingSegment {
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  /** Not scaled. */
  window = 0;
  /** Maximum segment size, 0 when the option is missing. */
  mss = 0;
  /** -1 when the option is missing. */
  windowScale = -1;
  sackPermitted = false;
  hasTimestamp = false;
  timestampValue = 0;
  timestampEcho = 0;
  sackCount = 0;
  readonly sackStart = new Int32Array(MAXIMUM_SACK_BLOCKS);
  readonly sackEnd = new Int32Array(MAXIMUM_SACK_BLOCKS);
  /** The data: `payloadBytes` from `payloadAt` on in `bytes`; valid while the segment is being handled. */
  bytes: Uint8Array = NO_BYTES;
  payloadAt = 0;
  payloadBytes = 0;

  /** Behind the last byte; SYN and FIN count. */
  get end(): number {
    const control = ((this.flags & tcp.SYN) >> 1) + (this.flags & tcp.FIN);
    return (this.sequence + this.payloadBytes + control) | 0;
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }

  /** Reads the segment that lies between `at` and `end`; it has passed `tcp.check`. */
  read(bytes: Uint8Array, at: number, end: number): void {
    this.sequence = tcp.sequence(bytes, at) | 0;
    this.acknowledgement = tcp.acknowledgement(bytes, at) | 0;
    this.flags = tcp.flags(bytes, at);
    this.window = tcp.window(bytes, at);
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.hasTimestamp = false;
    this.sackCount = 0;
    const headerEnd = at + tcp.dataOffsetBytes(bytes, at);
    this.bytes = bytes;
    this.payloadAt = headerEnd;
    this.payloadBytes = end - headerEnd;
    const first = at + tcp.HEADER_BYTES;
    if (headerEnd === first) return;
    // The usual form, two no-operations and the timestamps, needs no search.
    if (
      headerEnd - first === options.ALIGNED_TIMESTAMPS_BYTES &&
      (bytes[first + 2]! << 8) + bytes[first + 3]! === 0x080a
    ) {
      this.hasTimestamp = true;
      this.timestampValue = options.timestampValue(bytes, first + 2) | 0;
      this.timestampEcho = options.timestampEchoReply(bytes, first + 2) | 0;
      return;
    }
    this.#readOptions(bytes, first, headerEnd);
  }

  #readOptions(bytes: Uint8Array, first: number, end: number): void {
    const timestamps = options.find(bytes, first, end, options.KIND_TIMESTAMPS);
    if (timestamps >= 0) {
      this.hasTimestamp = true;
      this.timestampValue = options.timestampValue(bytes, timestamps) | 0;
      this.timestampEcho = options.timestampEchoReply(bytes, timestamps) | 0;
    }
    if (this.has(tcp.SYN)) {
      const mss = options.find(bytes, first, end, options.KIND_MAXIMUM_SEGMENT_SIZE);
      if (mss >= 0) this.mss = getU16(bytes, mss + 2);
      const scale = options.find(bytes, first, end, options.KIND_WINDOW_SCALE);
      if (scale >= 0) this.windowScale = Math.min(bytes[scale + 2]!, 14); // RFC 7323 §2.3
      this.sackPermitted = options.find(bytes, first, end, options.KIND_SACK_PERMITTED) >= 0;
      return;
    }
    const sack = options.find(bytes, first, end, options.KIND_SACK);
    if (sack < 0) return;
    this.sackCount = Math.min(options.sackBlockCount(bytes, sack), MAXIMUM_SACK_BLOCKS);
    for (let block = 0; block < this.sackCount; block++) {
      this.sackStart[block] = options.sackLeft(bytes, sack, block);
      this.sackEnd[block] = options.sackRight(bytes, sack, block);
    }
  }
}

export class OutgoingSegment {
  sequence = 0;
  acknowledgement = 0;
  flags = 0;
  /** As it goes on the wire. */
  window = 0;
  mss = 0;
  windowScale = -1;
  sackPermitted = false;
  hasTimestamp = false;
  timestampValue = 0;
  timestampEcho = 0;
  sackCount = 0;
  readonly sackStart = new Int32Array(MAXIMUM_SACK_BLOCKS);
  readonly sackEnd = new Int32Array(MAXIMUM_SACK_BLOCKS);
  /** Where the data is taken from, beginning with that of `sequence`; meaningful when there are `payloadBytes`. */
  payload: ByteRing | undefined = undefined;
  payloadBytes = 0;

  /** A segment without options and data. */
  reset(flags: number, sequence: number, acknowledgement: number): void {
    this.flags = flags;
    this.sequence = sequence;
    this.acknowledgement = acknowledgement;
    this.window = 0;
    this.mss = 0;
    this.windowScale = -1;
    this.sackPermitted = false;
    this.hasTimestamp = false;
    this.sackCount = 0;
    this.payload = undefined;
    this.payloadBytes = 0;
  }

  get headerBytes(): number {
    return tcp.HEADER_BYTES + this.#optionsBytes();
  }

  /** Writes header and data at `at`, without a checksum. */
  write(bytes: Uint8Array, at: number, sourcePort: number, destinationPort: number): void {
    const size = this.headerBytes;
    tcp.write(
      bytes,
      at,
      sourcePort,
      destinationPort,
      this.sequence,
      this.acknowledgement,
      size,
      this.flags,
      this.window,
    );
    if (size > tcp.HEADER_BYTES) this.#writeOptions(bytes, at + tcp.HEADER_BYTES);
    if (this.payloadBytes > 0) this.payload!.read(this.sequence, bytes, at + size, this.payloadBytes);
  }

  #optionsBytes(): number {
    let size = this.hasTimestamp ? options.ALIGNED_TIMESTAMPS_BYTES : 0;
    if (this.sackCount > 0) size += 4 + 8 * this.sackCount;
    if (this.mss === 0) return size;
    size += 4;
    if (this.windowScale >= 0) size += 4;
    if (this.sackPermitted && !this.hasTimestamp) size += 4;
    return size;
  }

  /** In Linux's order: MSS, SACK permitted, timestamps, window scale, SACK; no-operations fill to multiples of 4. */
  #writeOptions(bytes: Uint8Array, first: number): void {
    let at = first;
    if (this.mss > 0) {
      putU32(bytes, at, 0x0204_0000 | this.mss);
      at += 4;
    }
    if (this.hasTimestamp) {
      options.writeTimestamps(bytes, at, this.timestampValue, this.timestampEcho);
      if (this.sackPermitted) {
        bytes[at] = options.KIND_SACK_PERMITTED;
        bytes[at + 1] = 2;
      }
      at += options.ALIGNED_TIMESTAMPS_BYTES;
    } else if (this.sackPermitted) {
      putU32(bytes, at, 0x0101_0402);
      at += 4;
    }
    if (this.windowScale >= 0) {
      putU32(bytes, at, 0x0103_0300 | this.windowScale);
      at += 4;
    }
    if (this.sackCount > 0) {
      putU32(bytes, at, 0x0101_0500 | (2 + 8 * this.sackCount));
      at += 4;
      for (let block = 0; block < this.sackCount; block++) {
        putU32(bytes, at, this.sackStart[block]!);
        putU32(bytes, at + 4, this.sackEnd[block]!);
        at += 8;
      }
    }
  }
}
