/**
 * How long bytes take at a rate, in the kernel's own arithmetic (net/sched/sch_generic.c, psched_ratecfg_precompute): one multiplication by
 * a 32-bit number and a shift, instead of a division, rounded down.
 */
import type { Nanoseconds } from "../../sim/time.ts";

const TOP_OF_32_BITS = 1n << 31n;
const TOP_OF_64_BITS = 1n << 63n;
const SECOND_NS = 1_000_000_000n;

export class RateClock {
  readonly bytesPerSecond: number;
  readonly #multiplier: number; // below 2^32
  readonly #divisor: number; // a power of two

  /** The rate is at least 8 bits a second. */
  constructor(rateBitsPerSecond: number) {
    this.bytesPerSecond = Math.floor(rateBitsPerSecond / 8);
    const rate = BigInt(this.bytesPerSecond);
    let factor = SECOND_NS;
    let shift = 0;
    let multiplier = factor / rate;
    while ((multiplier & TOP_OF_32_BITS) === 0n && (factor & TOP_OF_64_BITS) === 0n) {
      factor <<= 1n;
      shift++;
      multiplier = factor / rate;
    }
    this.#multiplier = Number(multiplier & 0xffff_ffffn);
    this.#divisor = 2 ** shift;
  }

  /** psched_l2t_ns. */
  timeNs(lengthBytes: number): Nanoseconds {
    const product = lengthBytes * this.#multiplier;
    if (product <= Number.MAX_SAFE_INTEGER) return Math.floor(product / this.#divisor);
    return Number((BigInt(lengthBytes) * BigInt(this.#multiplier)) / BigInt(this.#divisor)); // a burst of megabytes
  }
}
