/** A node's doubt in itself, Lifeguard §IV-A and memberlist awareness.go: the worse its own probes go, the more time it gives the others. */
import type { Nanoseconds } from "../sim/time.ts";

export class Health {
  /** 0 is well. */
  #score = 0;
  readonly #maximum: number;

  /** The score stays below `maximum`. */
  constructor(maximum: number) {
    this.#maximum = maximum;
  }

  get score(): number {
    return this.#score;
  }

  adjust(delta: number): void {
    this.#score = Math.min(this.#maximum - 1, Math.max(0, this.#score + delta));
  }

  stretchNs(timeNs: Nanoseconds): Nanoseconds {
    return timeNs * (this.#score + 1);
  }
}
