/**
 * The buffer in front of a sink: writers store into it, and it is handed to the sink when full, so that a run of a million frames makes some
 * thousand writes and no garbage. Captures are little-endian on every machine.
 */
import { assert } from "../sim/assert.ts";
import type { ByteSink } from "./byte-sink.ts";

const SIZE_BYTES = 256 * 1024;
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;
/** Up to here a loop over words beats `set` with a view kept: a record of 42 bytes takes 72 ns instead of 82, one of 60 would take 74 instead of 66. */
const SHORT_BYTES = 48;
/**
 * Views of the source, by where they begin: emulated frames lie in slots that are used again and again, and the frames of a flow are alike. A view
 * kept is 96 bytes of garbage a frame less: a record of 156 bytes takes 84 ns instead of 124, one of 1 500 takes 114 instead of 148.
 */
const VIEWS = 256; // a power of two
const VIEW_STEP_BITS = 5; // of the offset, that do not choose the place

/** `value` as it must be stored through a `Uint32Array` so that its lowest byte comes first in memory. */
export function littleEndian(value: number): number {
  if (LITTLE_ENDIAN) return value;
  return ((value & 0xff) << 24) | ((value & 0xff00) << 8) | ((value >>> 8) & 0xff00) | (value >>> 24);
}

export class OutputBuffer {
  /** Replaced when one record is larger than the buffer; read them anew after `reserve`. */
  bytes = new Uint8Array(SIZE_BYTES);
  words = new Uint32Array(this.bytes.buffer);
  /** Offset in `bytes` of the next byte to be stored. */
  position = 0;

  readonly #sink: ByteSink;
  // Where the last frame came from, and its words once a second frame came from there: emulated frames share one slab. The view is compared, not
  // its buffer: to ask a view for its buffer is a call of some 30 ns.
  #source: Uint8Array | undefined = undefined;
  #sourceWords: Uint32Array | undefined = undefined;
  readonly #views: (Uint8Array | undefined)[] = [];
  // Of each view: from, to.
  readonly #viewEnds = new Int32Array(VIEWS * 2);

  constructor(sink: ByteSink) {
    this.#sink = sink;
  }

  /** Makes room for `count` bytes from `position`, which stays a multiple of 4 if it was one. */
  reserve(count: number): void {
    if (this.position + count <= this.bytes.length) return;
    this.flush();
    if (count <= this.bytes.length) return;
    this.bytes = new Uint8Array((count + SIZE_BYTES) & ~3);
    this.words = new Uint32Array(this.bytes.buffer);
  }

  flush(): void {
    if (this.position === 0) return;
    this.#sink.write(this.bytes.subarray(0, this.position));
    this.position = 0;
  }

  /** Stores bytes `at` to `end` of `source`; the room is reserved. */
  copy(source: Uint8Array, at: number, end: number): void {
    const length = end - at;
    assert(length >= 0 && this.position + length <= this.bytes.length, "a copy into room that was not reserved");
    if (source !== this.#source) {
      this.#source = source;
      this.#sourceWords = undefined;
      this.#views.length = 0;
      this.bytes.set(at === 0 && end === source.length ? source : source.subarray(at, end), this.position);
    } else if (length > SHORT_BYTES || !this.#copyWords(source, at, length)) {
      this.bytes.set(this.#view(source, at, end), this.position);
    }
    this.position += length;
  }

  #view(source: Uint8Array, at: number, end: number): Uint8Array {
    const place = ((at >> VIEW_STEP_BITS) ^ (at >> 13)) & (VIEWS - 1);
    const kept = this.#views[place];
    if (kept !== undefined && this.#viewEnds[place * 2] === at && this.#viewEnds[place * 2 + 1] === end) return kept;
    const view = source.subarray(at, end);
    if (this.#views.length === 0) this.#views.length = VIEWS;
    this.#views[place] = view;
    this.#viewEnds[place * 2] = at;
    this.#viewEnds[place * 2 + 1] = end;
    return view;
  }

  /** False when nothing was copied: the two places do not allow it word by word. */
  #copyWords(source: Uint8Array, at: number, length: number): boolean {
    let from = this.#sourceWords;
    if (from === undefined) {
      if (!LITTLE_ENDIAN || ((source.byteOffset | source.length) & 3) !== 0) return false;
      from = new Uint32Array(source.buffer, source.byteOffset, source.length >> 2);
      this.#sourceWords = from;
    }
    if (((at & 1) | (this.position & 3)) !== 0) return false;
    const to = this.words;
    const count = length >> 2;
    let read = at >> 2;
    let write = this.position >> 2;
    const last = write + count;
    if ((at & 2) === 0) {
      while (write < last) to[write++] = from[read++]!;
    } else if (count > 0) {
      // Half a word off, as a frame is behind a header of 14 bytes: each word is made of two.
      let low = from[read++]!;
      while (write < last) {
        const high = from[read++]!;
        to[write++] = (low >>> 16) | (high << 16);
        low = high;
      }
    }
    const bytes = this.bytes;
    let target = last << 2;
    for (let index = at + (count << 2); index < at + length; index++) bytes[target++] = source[index]!;
    return true;
  }
}
