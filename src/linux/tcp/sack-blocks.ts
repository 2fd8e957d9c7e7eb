/**
 * The SACK blocks that a receiver reports: the one with the newest segment first, then those reported most recently (RFC 2018 §4), and in
 * front a duplicate's range when there was one (DSACK, RFC 2883). The list keeps what was reported, cut to what still is behind a hole.
 */
import type { ReceiveBuffer } from "./receive-buffer.ts";
import type { OutgoingSegment } from "./segment.ts";
import { before } from "./sequence.ts";

const KEPT = 4;

export class SackBlocks {
  // Where each reported block starts, newest first; its end is what the receive buffer says.
  readonly #recent = new Int32Array(KEPT);
  #count = 0;
  #duplicateStart = 0;
  #duplicateEnd = 0;
  hasDuplicate = false;

  /** The range that begins at `start` has got new data; it may have swallowed others. */
  report(start: number, buffer: ReceiveBuffer): void {
    let keep = 0;
    const old = this.#recent.slice(0, this.#count);
    this.#recent[keep++] = start;
    for (const other of old)
      if (other !== start && keep < KEPT && isRangeStart(buffer, other)) this.#recent[keep++] = other;
    this.#count = keep;
  }

  /** A hole was filled: forgets the blocks that are in order now. */
  refresh(buffer: ReceiveBuffer): void {
    let keep = 0;
    for (let index = 0; index < this.#count; index++) {
      const start = this.#recent[index]!;
      if (isRangeStart(buffer, start)) this.#recent[keep++] = start;
    }
    this.#count = keep;
  }

  /** The bytes from `start` to `end` came a second time. */
  reportDuplicate(start: number, end: number): void {
    if (this.hasDuplicate && !before(start, this.#duplicateStart) && !before(this.#duplicateEnd, start)) {
      if (before(this.#duplicateEnd, end)) this.#duplicateEnd = end;
      return;
    }
    this.hasDuplicate = true;
    this.#duplicateStart = start;
    this.#duplicateEnd = end;
  }

  /** How many blocks an acknowledgement would carry now. */
  count(withTimestamps: boolean): number {
    return Math.min(this.#count + (this.hasDuplicate ? 1 : 0), withTimestamps ? 3 : 4);
  }

  /** Puts the blocks into a segment; a duplicate is reported once. */
  write(segment: OutgoingSegment, buffer: ReceiveBuffer, withTimestamps: boolean): void {
    const limit = this.count(withTimestamps);
    let count = 0;
    if (this.hasDuplicate) {
      segment.sackStart[0] = this.#duplicateStart;
      segment.sackEnd[0] = this.#duplicateEnd;
      this.hasDuplicate = false;
      count = 1;
    }
    for (let index = 0; index < this.#count && count < limit; index++) {
      const range = rangeOf(buffer, this.#recent[index]!);
      if (range < 0) continue;
      segment.sackStart[count] = buffer.rangeStart(range);
      segment.sackEnd[count] = buffer.rangeEnd(range);
      count++;
    }
    segment.sackCount = count;
  }
}

function rangeOf(buffer: ReceiveBuffer, start: number): number {
  for (let range = 0; range < buffer.ranges; range++) if (buffer.rangeStart(range) === start) return range;
  return -1;
}

function isRangeStart(buffer: ReceiveBuffer, start: number): boolean {
  return rangeOf(buffer, start) >= 0;
}
