/**
 * A ring of bytes addressed by sequence number: the byte with sequence number s lies at s modulo the ring's size, a power of two. Both
 * directions of a connection keep their data in one. It begins small and doubles when it must; most connections never fill a page.
 */
import { assert } from "../../sim/assert.ts";
import { add, distance } from "./sequence.ts";

const INITIAL_BYTES = 2_048;
const EMPTY = new Uint8Array(0);

export class ByteRing {
  #bytes = EMPTY;

  /** Makes room for the bytes from `first` to `end` (sequence numbers); those from `first` to `kept` hold data and stay. */
  reserve(first: number, kept: number, end: number): void {
    const need = distance(first, end);
    if (need <= this.#bytes.length) return;
    assert(need <= 2 ** 30, "more than 1 GiB in a connection's buffer");
    let size = this.#bytes.length === 0 ? INITIAL_BYTES : this.#bytes.length;
    while (size < need) size *= 2;
    const old = this.#bytes;
    this.#bytes = new Uint8Array(size);
    let at = first;
    while (at !== kept) {
      const from = at & (old.length - 1);
      const count = Math.min(distance(at, kept), old.length - from);
      this.write(at, old, from, count);
      at = add(at, count);
    }
  }

  /** Puts `count` bytes of `source` from `at` on where `sequence` lies. */
  write(sequence: number, source: Uint8Array, at: number, count: number): void {
    const ring = this.#bytes;
    const to = sequence & (ring.length - 1);
    const first = Math.min(count, ring.length - to);
    ring.set(source.subarray(at, at + first), to);
    if (first < count) ring.set(source.subarray(at + first, at + count), 0);
  }

  /** Copies the `count` bytes from `sequence` on into `target` at `at`. */
  read(sequence: number, target: Uint8Array, at: number, count: number): void {
    const ring = this.#bytes;
    const from = sequence & (ring.length - 1);
    const first = Math.min(count, ring.length - from);
    target.set(ring.subarray(from, from + first), at);
    if (first < count) target.set(ring.subarray(0, count - first), at + first);
  }

  /** Gives the memory back; the ring is empty. */
  clear(): void {
    this.#bytes = EMPTY;
  }
}
