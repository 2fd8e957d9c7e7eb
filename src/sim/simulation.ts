/** The main loop: one clock, one queue, receivers by number. */
import { assert } from "./assert.ts";
import { EventQueue } from "./event-queue.ts";
import type { Random } from "./random.ts";
import type { Nanoseconds } from "./time.ts";

/** Whoever events are for. `value` is what was scheduled: a frame's id, a timer's number. */
export interface Receiver {
  receive(value: number): void;
}

/** A receiver's number, given by `Clock.register`. */
export type ReceiverId = number;

/** Time as those who live in it see it. */
export interface Clock {
  readonly nowNs: Nanoseconds;
  register(receiver: Receiver): ReceiverId;
  /** Takes a number back for which no event is left; it will be given to others. */
  release(receiver: ReceiverId): void;
  /** Gives `value` to `receiver` after `delayNs` >= 0; equal times keep the order of the calls. */
  schedule(delayNs: Nanoseconds, receiver: ReceiverId, value: number): void;
}

export class Simulation implements Clock {
  /** The root of every random stream of the run. */
  readonly random: Random;
  readonly #queue = new EventQueue();
  readonly #receivers: Receiver[] = [];
  readonly #freeNumbers: ReceiverId[] = [];
  #stopped = false;
  #betweenEvents: (() => void) | undefined;

  constructor(random: Random) {
    this.random = random;
  }

  get nowNs(): Nanoseconds {
    return this.#queue.nowNs;
  }

  /** How many events have been handled since the start. */
  get events(): number {
    return this.#queue.taken;
  }

  get pendingEvents(): number {
    return this.#queue.pending;
  }

  register(receiver: Receiver): ReceiverId {
    const free = this.#freeNumbers.pop();
    if (free === undefined) return this.#receivers.push(receiver) - 1;
    this.#receivers[free] = receiver;
    return free;
  }

  release(receiver: ReceiverId): void {
    assert(this.#receivers[receiver] !== NOBODY, "a receiver's number given back twice");
    this.#receivers[receiver] = NOBODY;
    this.#freeNumbers.push(receiver);
  }

  schedule(delayNs: Nanoseconds, receiver: ReceiverId, value: number): void {
    assert(delayNs >= 0, "an event before now");
    this.#queue.push(delayNs, receiver, value);
  }

  /** Runs `work` once, after the event in hand: for work that no handler may meet half-way. */
  betweenEvents(work: () => void): void {
    this.#betweenEvents = work;
  }

  /** Ends `run` after the event in hand; time stays where it is. */
  stop(): void {
    this.#stopped = true;
  }

  /**
   * Runs what is due at or before `endNs`: by time, then in the order of scheduling. Afterwards it is `endNs` and the answer is false,
   * unless it ended early: `stop` was called, `until` (asked after every event) came true, or `mostEvents` were handled; then
   * the answer is true and time stays at the last event.
   */
  run(endNs: Nanoseconds, until?: () => boolean, mostEvents = Number.POSITIVE_INFINITY): boolean {
    const queue = this.#queue;
    const receivers = this.#receivers;
    this.#stopped = false;
    const lastEvent = queue.taken + mostEvents;
    while (queue.next(endNs)) {
      assert(queue.atNs >= queue.nowNs, "time runs backwards");
      queue.nowNs = queue.atNs;
      receivers[queue.receiver]!.receive(queue.value);
      if (this.#betweenEvents !== undefined) {
        const work = this.#betweenEvents;
        this.#betweenEvents = undefined;
        work();
      }
      if (this.#stopped || queue.taken === lastEvent || (until !== undefined && until())) return true;
    }
    if (endNs > queue.nowNs) queue.nowNs = endNs;
    return false;
  }
}

/** In place of a receiver whose number was given back. */
const NOBODY: Receiver = {
  receive() {
    assert(false, "an event for a receiver that is gone");
  },
};
