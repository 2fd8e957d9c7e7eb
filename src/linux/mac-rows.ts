/**
 * A table by MAC address for the way of packets: open addressing with linear probing, keyed by an address's halves as frames carry them (16
 * high bits, 32 low bits signed), so that no lookup makes a double, a string or a bigint. What a frame reads and writes of an entry stands
 * beside its key in a row of 32 bytes: half a line of the cache, where an object with two boxed times takes four of them (VXLAN among 256 hosts:
 * 735 ns a hop with objects, 650 with rows).
 *
 * Inserting and removing move rows: a row's number is good until the next of either. There are no tombstones.
 */
const INITIAL_ROWS = 16; // a power of two
const FREE = -1; // in place of a key's high half

/** In place of a row: the address is not there. */
export const NO_ROW = -1;

/** A row of `words`: the key, then what the table's owner keeps: where the address leads, and the place in the order of creation. */
export const ROW_WORDS = 8;
const HIGH = 0;
const LOW = 1;
export const TARGET = 2;
export const SERIAL = 3;
/** The same row in `times`. */
export const ROW_TIMES = ROW_WORDS / 2;
export const UPDATED = 2;
export const USED = 3;

export class MacRows {
  /** Both are replaced when the table grows. */
  times = new Float64Array(INITIAL_ROWS * ROW_TIMES);
  words = new Int32Array(this.times.buffer).fill(FREE);
  #mask = INITIAL_ROWS - 1;
  #count = 0;

  get size(): number {
    return this.#count;
  }

  high(row: number): number {
    return this.words[row * ROW_WORDS + HIGH]!;
  }

  low(row: number): number {
    return this.words[row * ROW_WORDS + LOW]!;
  }

  /** The row of an address, or `NO_ROW`. */
  find(high: number, low: number): number {
    const row = this.#search(high, low);
    return this.words[row * ROW_WORDS] === FREE ? NO_ROW : row;
  }

  /** A row for an address that is not there. What stands behind its key is the caller's to set. */
  insert(high: number, low: number): number {
    if ((this.#count + 1) * 2 > this.#mask + 1) this.#grow();
    const row = this.#search(high, low);
    this.words[row * ROW_WORDS + HIGH] = high;
    this.words[row * ROW_WORDS + LOW] = low;
    this.#count++;
    return row;
  }

  remove(removed: number): void {
    const words = this.words;
    const mask = this.#mask;
    let hole = removed;
    this.#count--;
    // Whoever stands behind the hole and would have liked to stand at or before it moves in.
    for (let row = (hole + 1) & mask; words[row * ROW_WORDS] !== FREE; row = (row + 1) & mask) {
      const home = hash(this.high(row), this.low(row)) & mask;
      if (((row - home) & mask) < ((row - hole) & mask)) continue;
      words.copyWithin(hole * ROW_WORDS, row * ROW_WORDS, (row + 1) * ROW_WORDS);
      hole = row;
    }
    words[hole * ROW_WORDS] = FREE;
  }

  /** The rows in use, in no order that means anything. */
  rows(): number[] {
    const rows: number[] = [];
    for (let row = 0; row <= this.#mask; row++) if (this.words[row * ROW_WORDS] !== FREE) rows.push(row);
    return rows;
  }

  /** Removes the rows that `which` picks. */
  removeWhere(which: (row: number) => boolean): void {
    const keys = this.rows().flatMap((row) => (which(row) ? [{ high: this.high(row), low: this.low(row) }] : []));
    for (const { high, low } of keys) this.remove(this.#search(high, low));
  }

  /** The key's row, or the free row where it would go. */
  #search(high: number, low: number): number {
    const words = this.words;
    const mask = this.#mask;
    let row = hash(high, low) & mask;
    for (;;) {
      const at = row * ROW_WORDS;
      const found = words[at]!;
      if (found === FREE || (words[at + LOW] === low && found === high)) return row;
      row = (row + 1) & mask;
    }
  }

  #grow(): void {
    const old = this.times;
    const oldWords = this.words;
    const oldRows = this.#mask + 1;
    this.times = new Float64Array(old.length * 2);
    this.words = new Int32Array(this.times.buffer).fill(FREE);
    this.#mask = oldRows * 2 - 1;
    for (let row = 0; row < oldRows; row++) {
      const at = row * ROW_WORDS;
      if (oldWords[at] === FREE) continue;
      const to = this.#search(oldWords[at + HIGH]!, oldWords[at + LOW]!) * ROW_WORDS;
      for (let word = 0; word < ROW_WORDS; word++) this.words[to + word] = oldWords[at + word]!;
    }
  }
}

/** Containers' addresses differ in their last bits, nodes' in the middle: every bit must reach the low ones. */
function hash(high: number, low: number): number {
  let mixed = Math.imul(low ^ Math.imul(high, 0x85eb_ca6b), 0x9e37_79b1);
  mixed ^= mixed >>> 15;
  mixed = Math.imul(mixed, 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
