/**
 * netem's random numbers (net/sched/sch_netem.c, get_crandom): 32 bits, each drawn partly towards the one before when a correlation is given.
 * The mean stays; the spread shrinks, as with the kernel's.
 */
import type { Random } from "../../sim/random.ts";

const RANGE = 0x1_0000_0000;

export class CorrelatedRandom {
  readonly #random: Random;
  /** 0 to 2^32: how much of the last one goes into the next. */
  readonly #weight: number;
  #last: number;

  constructor(random: Random, correlationPartsPerMillion = 0) {
    this.#random = random;
    this.#weight = correlationPartsPerMillion === 0 ? 0 : Math.round((correlationPartsPerMillion * RANGE) / 1_000_000);
    this.#last = this.#weight === 0 ? 0 : random.u32();
  }

  /** 0 to 2^32 - 1. */
  next(): number {
    const drawn = this.#random.u32();
    if (this.#weight === 0) return drawn;
    const mixed = Math.floor((drawn * (RANGE - this.#weight) + this.#last * this.#weight) / RANGE);
    this.#last = Math.min(mixed, RANGE - 1);
    return this.#last;
  }

  /** True with a chance of `partsPerMillion` in 1 000 000. */
  chance(partsPerMillion: number): boolean {
    return partsPerMillion > 0 && this.next() * 1_000_000 < partsPerMillion * RANGE;
  }
}
