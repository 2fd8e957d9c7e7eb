/**
 * The receiver's memory of sequence numbers, RFC 4303 §3.4.3, as net/xfrm/xfrm_replay.c keeps it: the highest number that was good, and a
 * bit for each of the `size` numbers up to it. A size of 0 turns the check off (Docker's choice: its sender restarts).
 */
export type ReplayAnswer = "fresh" | "seen" | "too-old";

/** XFRMA_REPLAY_ESN_MAX. */
export const LARGEST_REPLAY_WINDOW = 4_096;

export class ReplayWindow {
  /** How many numbers are remembered, 0 to `LARGEST_REPLAY_WINDOW`. */
  readonly size: number;
  #highest: number;
  /** Bit n % size: number n was seen. */
  readonly #seen: Uint32Array;

  /** `highest`: the number that counts as seen already. */
  constructor(size: number, highest = 0) {
    this.size = size;
    this.#highest = highest;
    this.#seen = new Uint32Array((size + 31) >> 5);
  }

  /** The highest number accepted: `replay.seq`. Stays 0 when the check is off. */
  get highest(): number {
    return this.#highest;
  }

  /** May `sequence` be taken in? Changes nothing: the packet has not been verified. */
  check(sequence: number): ReplayAnswer {
    if (this.size === 0) return "fresh";
    if (sequence === 0) return "too-old";
    if (sequence > this.#highest) return "fresh";
    if (this.#highest - sequence >= this.size) return "too-old";
    return this.#has(sequence) ? "seen" : "fresh";
  }

  /** Remembers a number that `check` has called fresh and whose packet has been verified. */
  advance(sequence: number): void {
    if (this.size === 0) return;
    if (sequence > this.#highest) {
      const forget = Math.min(sequence - this.#highest, this.size);
      for (let step = 0; step < forget; step++) this.#set(sequence - step, false);
      this.#highest = sequence;
    }
    this.#set(sequence, true);
  }

  /** The 32 numbers up to the highest as a word, the lowest bit the highest number: `bitmap` of `ip xfrm state`. */
  get bitmap(): number {
    let word = 0;
    for (let back = 0; back < 32 && back < this.size && this.#highest - back > 0; back++)
      if (this.#has(this.#highest - back)) word |= 1 << back;
    return word >>> 0;
  }

  /** All of the memory as 32-bit words, the highest number in the lowest bit of the first. */
  words(): number[] {
    const words = new Array<number>((this.size + 31) >> 5).fill(0);
    for (let back = 0; back < this.size && this.#highest - back > 0; back++)
      if (this.#has(this.#highest - back)) words[back >> 5] = (words[back >> 5]! | (1 << (back & 31))) >>> 0;
    return words;
  }

  #has(sequence: number): boolean {
    const bit = sequence % this.size;
    return (this.#seen[bit >> 5]! & (1 << (bit & 31))) !== 0;
  }

  #set(sequence: number, value: boolean): void {
    const bit = sequence % this.size;
    const word = this.#seen[bit >> 5]!;
    this.#seen[bit >> 5] = value ? word | (1 << (bit & 31)) : word & ~(1 << (bit & 31));
  }
}
