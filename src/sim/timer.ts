/**
 * A timer that may be set, moved and stopped at will. At most one live event a timer: moving a timer to a later time leaves its
 * event where it is, and the event moves on when it fires early (so a TCP connection that re-arms on every segment
 * costs no queue work). The clock knows a timer only while it has events: whoever owns one may be forgotten once it is idle.
 */
import type { Clock, Receiver, ReceiverId } from "./simulation.ts";
import type { Nanoseconds } from "./time.ts";

const OFF = -1;

export class Timer implements Receiver {
  readonly #clock: Clock;
  #id: ReceiverId = OFF; // while events are pending
  #pendingEvents = 0; // the live one and stale ones
  readonly #fire: () => void;
  #dueNs: Nanoseconds = OFF; // when it shall fire
  #eventNs: Nanoseconds = OFF; // when the live event comes
  #generation = 0; // the live event's value; others are stale

  /** `fire` is called at the due time; made once a timer, not once a firing. */
  constructor(clock: Clock, fire: () => void) {
    this.#clock = clock;
    this.#fire = fire;
  }

  get armed(): boolean {
    return this.#dueNs !== OFF;
  }

  /** When it will fire; -1 when it is off. */
  get dueNs(): Nanoseconds {
    return this.#dueNs;
  }

  /** Fires `delayNs` from now, and at no earlier setting. */
  set(delayNs: Nanoseconds): void {
    const dueNs = this.#clock.nowNs + delayNs;
    this.#dueNs = dueNs;
    if (this.#eventNs !== OFF && this.#eventNs <= dueNs) return;
    this.#schedule(delayNs);
  }

  stop(): void {
    this.#dueNs = OFF;
  }

  receive(generation: number): void {
    this.#pendingEvents--;
    if (generation === this.#generation) this.#liveEvent();
    if (this.#pendingEvents > 0) return;
    this.#clock.release(this.#id);
    this.#id = OFF;
  }

  #liveEvent(): void {
    this.#eventNs = OFF;
    if (this.#dueNs === OFF) return;
    const nowNs = this.#clock.nowNs;
    if (this.#dueNs > nowNs) {
      this.#schedule(this.#dueNs - nowNs);
      return;
    }
    this.#dueNs = OFF;
    this.#fire();
  }

  #schedule(delayNs: Nanoseconds): void {
    if (this.#id === OFF) this.#id = this.#clock.register(this);
    this.#pendingEvents++;
    this.#generation = (this.#generation + 1) | 0;
    this.#eventNs = this.#clock.nowNs + delayNs;
    this.#clock.schedule(delayNs, this.#id, this.#generation);
  }
}
