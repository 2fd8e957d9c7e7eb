/**
 * A table by MAC address for the way of packets: open addressing with linear probing, keyed by an address's halves as frames carry them (16
 * high bits, 32 low bits signed), so that no lookup makes a double, a string or a bigint. Both halves of a key lie side by side in one
 * Int32Array: a probe touches one line of the cache. Removing moves later rows forward; there are no tombstones.
 */
const INITIAL_ROWS = 16; // a power of two
const FREE = -1; // in place of a key's high half

export class MacTable<T> {
  #keys = new Int32Array(INITIAL_ROWS * 2).fill(FREE);
  #mask = INITIAL_ROWS - 1;
  #values: (T | undefined)[] = new Array<T | undefined>(INITIAL_ROWS).fill(undefined);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  get(high: number, low: number): T | undefined {
    const row = this.#find(high, low);
    return this.#keys[row * 2] === FREE ? undefined : this.#values[row];
  }

  set(high: number, low: number, value: T): void {
    let row = this.#find(high, low);
    if (this.#keys[row * 2] === FREE) {
      if ((this.#count + 1) * 2 > this.#values.length) {
        this.#grow();
        row = this.#find(high, low);
      }
      this.#keys[row * 2] = high;
      this.#keys[row * 2 + 1] = low;
      this.#count++;
    }
    this.#values[row] = value;
  }

  delete(high: number, low: number): boolean {
    const keys = this.#keys;
    const mask = this.#mask;
    let hole = this.#find(high, low);
    if (keys[hole * 2] === FREE) return false;
    this.#count--;
    // Whoever stands behind the hole and would have liked to stand at or before it moves in.
    for (let row = (hole + 1) & mask; keys[row * 2] !== FREE; row = (row + 1) & mask) {
      const home = hash(keys[row * 2]!, keys[row * 2 + 1]!) & mask;
      if (((row - home) & mask) < ((row - hole) & mask)) continue;
      keys[hole * 2] = keys[row * 2]!;
      keys[hole * 2 + 1] = keys[row * 2 + 1]!;
      this.#values[hole] = this.#values[row];
      hole = row;
    }
    keys[hole * 2] = FREE;
    this.#values[hole] = undefined;
    return true;
  }

  /** In no order that means anything. */
  values(): T[] {
    return this.#values.filter((value) => value !== undefined);
  }

  /** The key's row, or the free row where it would go. */
  #find(high: number, low: number): number {
    const keys = this.#keys;
    const mask = this.#mask;
    let row = hash(high, low) & mask;
    while (keys[row * 2] !== FREE && (keys[row * 2 + 1] !== low || keys[row * 2] !== high)) row = (row + 1) & mask;
    return row;
  }

  #grow(): void {
    const oldKeys = this.#keys;
    const oldValues = this.#values;
    const rows = oldValues.length * 2;
    this.#keys = new Int32Array(rows * 2).fill(FREE);
    this.#mask = rows - 1;
    this.#values = new Array<T | undefined>(rows).fill(undefined);
    for (let old = 0; old < oldValues.length; old++) {
      if (oldKeys[old * 2] === FREE) continue;
      const row = this.#find(oldKeys[old * 2]!, oldKeys[old * 2 + 1]!);
      this.#keys[row * 2] = oldKeys[old * 2]!;
      this.#keys[row * 2 + 1] = oldKeys[old * 2 + 1]!;
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
