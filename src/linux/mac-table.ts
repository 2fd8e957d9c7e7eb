/**
 * A table by MAC address for the way of packets: open addressing with linear probing on Int32 columns, keyed by an address's halves as
 * frames carry them (16 high bits, 32 low bits signed), so that no lookup makes a double, a string or a bigint. Removing moves later
 * rows forward; there are no tombstones.
 */
const INITIAL_ROWS = 16; // a power of two
const FREE = -1; // in #high

export class MacTable<T> {
  #high = new Int32Array(INITIAL_ROWS).fill(FREE);
  #low = new Int32Array(INITIAL_ROWS);
  #values: (T | undefined)[] = new Array<T | undefined>(INITIAL_ROWS).fill(undefined);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get(high: number, low: number): T | undefined {
    const row = this.#find(high, low);
    return this.#high[row] === FREE ? undefined : this.#values[row];
  }

  set(high: number, low: number, value: T): void {
    let row = this.#find(high, low);
    if (this.#high[row] === FREE) {
      if ((this.#count + 1) * 2 > this.#high.length) {
        this.#grow();
        row = this.#find(high, low);
      }
      this.#high[row] = high;
      this.#low[row] = low;
      this.#count++;
    }
    this.#values[row] = value;
  }

  delete(high: number, low: number): boolean {
    const mask = this.#high.length - 1;
    let hole = this.#find(high, low);
    if (this.#high[hole] === FREE) return false;
    this.#count--;
    // Whoever stands behind the hole and would have liked to stand at or before it moves in.
    for (let row = (hole + 1) & mask; this.#high[row] !== FREE; row = (row + 1) & mask) {
      const home = hash(this.#high[row]!, this.#low[row]!) & mask;
      if (((row - home) & mask) < ((row - hole) & mask)) continue;
      this.#high[hole] = this.#high[row]!;
      this.#low[hole] = this.#low[row]!;
      this.#values[hole] = this.#values[row];
      hole = row;
    }
    this.#high[hole] = FREE;
    this.#values[hole] = undefined;
    return true;
  }

  /** In no order that means anything. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }

  /** The key's row, or the free row where it would go. */
  #find(high: number, low: number): number {
    const mask = this.#high.length - 1;
    let row = hash(high, low) & mask;
    while (this.#high[row] !== FREE && (this.#low[row] !== low || this.#high[row] !== high)) row = (row + 1) & mask;
    return row;
  }

  #grow(): void {
    const oldHigh = this.#high;
    const oldLow = this.#low;
    const oldValues = this.#values;
    const rows = oldHigh.length * 2;
    this.#high = new Int32Array(rows).fill(FREE);
    this.#low = new Int32Array(rows);
    this.#values = new Array<T | undefined>(rows).fill(undefined);
    for (let old = 0; old < oldHigh.length; old++) {
      if (oldHigh[old] === FREE) continue;
      const row = this.#find(oldHigh[old]!, oldLow[old]!);
      this.#high[row] = oldHigh[old]!;
      this.#low[row] = oldLow[old]!;
      this.#values[row] = oldValues[old];
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
