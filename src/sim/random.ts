/**
 * Named random streams. Every user of chance owns a stream forked by name from the run's seed, so that adding one user
 * leaves every other draw as it was. The generator is sfc32 (C. Doty-Humphrey, PractRand), integers only; names are hashed
 * with FNV-1a (32 bits, four times with different bases).
 */
export class Random {
  // The name's hashes, from which those of a fork's longer name go on: the name itself is not kept.
  readonly #keyA: number;
  readonly #keyB: number;
  readonly #keyC: number;
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** `seed` may be any text or integer; equal seeds give equal streams on every machine. With `parent` the seed goes on where that one's ends. */
  constructor(seed: string | number, parent?: Random) {
    const key = String(seed);
    this.#keyA = fnv1a(key, parent === undefined ? 0x811c9dc5 : parent.#keyA);
    this.#keyB = fnv1a(key, parent === undefined ? 0x2f0b4c47 : parent.#keyB);
    this.#keyC = fnv1a(key, parent === undefined ? 0x6d2b79f5 : parent.#keyC);
    this.#a = this.#keyA;
    this.#b = this.#keyB;
    this.#c = this.#keyC;
    this.#counter = 1;
    for (let round = 0; round < 12; round++) this.u32();
  }

  /** A stream of its own, decided by this stream's seed and `name` alone, whatever has been drawn so far. */
  fork(name: string): Random {
    return new Random(`/${name}`, this);
  }

  /** 32 random bits, 0 to 2^32 - 1. */
  u32(): number {
    const sum = (this.#a + this.#b + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = ((this.#c << 21) | (this.#c >>> 11)) + sum;
    this.#c |= 0;
    return sum >>> 0;
  }

  /** An integer from 0 to `bound` - 1, each equally likely. `bound` from 1 to 2^32. */
  below(bound: number): number {
    const limit = 0x1_0000_0000 - (0x1_0000_0000 % bound);
    let draw = this.u32();
    while (draw >= limit) draw = this.u32();
    return draw % bound;
  }

  /** An integer from `low` to `high`, both included; the span may be up to 2^53. */
  between(low: number, high: number): number {
    const span = high - low + 1;
    if (span <= 0x1_0000_0000) return low + this.below(span);
    const draw = (this.u32() & 0x1f_ffff) * 0x1_0000_0000 + this.u32();
    return low + (draw % span);
  }

  /** True with a chance of `partsPerMillion` in 1 000 000. */
  chance(partsPerMillion: number): boolean {
    return partsPerMillion > 0 && this.below(1_000_000) < partsPerMillion;
  }

  /** Fisher-Yates, in place. */
  shuffle<T>(items: T[]): T[] {
    for (let last = items.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const held = items[last] as T;
      items[last] = items[other] as T;
      items[other] = held;
    }
    return items;
  }
}

function fnv1a(text: string, basis: number): number {
  let hash = basis;
  for (let index = 0; index < text.length; index++) {
    const unit = text.charCodeAt(index);
    hash = Math.imul(hash ^ (unit & 0xff), 0x01000193);
    hash = Math.imul(hash ^ (unit >>> 8), 0x01000193);
  }
  return hash | 0;
}
