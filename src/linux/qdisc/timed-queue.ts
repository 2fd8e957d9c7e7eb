/** Frames by the time at which they shall leave; equal times in the order of their coming (netem's tfifo). */
import type { Nanoseconds } from "../../sim/time.ts";
import type { FrameId } from "../frame-store.ts";

interface Waiting {
  readonly atNs: Nanoseconds;
  readonly frame: FrameId;
}

export class TimedQueue {
  /** Ascending by time; those before `#head` are gone. */
  #waiting: Waiting[] = [];
  #head = 0;

  get count(): number {
    return this.#waiting.length - this.#head;
  }

  /** When the first one leaves; there is one. */
  get firstNs(): Nanoseconds {
    return this.#waiting[this.#head]!.atNs;
  }

  /** When the last one leaves; there is one. */
  get lastNs(): Nanoseconds {
    return this.#waiting[this.#waiting.length - 1]!.atNs;
  }

  push(atNs: Nanoseconds, frame: FrameId): void {
    let index = this.#waiting.length;
    while (index > this.#head && this.#waiting[index - 1]!.atNs > atNs) index--;
    this.#waiting.splice(index, 0, { atNs, frame });
  }

  /** In front of all others, whatever their times. */
  pushFirst(atNs: Nanoseconds, frame: FrameId): void {
    this.#waiting.splice(this.#head, 0, { atNs, frame });
  }

  /** Takes the first one; there is one. */
  shift(): FrameId {
    const { frame } = this.#waiting[this.#head]!;
    this.#head++;
    if (this.#head > 64 && this.#head * 2 > this.#waiting.length) {
      this.#waiting = this.#waiting.slice(this.#head);
      this.#head = 0;
    }
    return frame;
  }
}
