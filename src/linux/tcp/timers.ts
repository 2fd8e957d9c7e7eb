/**
 * The timers of all connections of one host, in typed columns: one receiver at the clock for all of them, and a row of timers for each
 * connection, which is given to the next one when it is gone. A timer that is moved to a later time leaves its event where it is; the
 * event moves on when it comes early, so that re-arming on every segment costs no queue work.
 *
 * Timers go off on the kernel's ticks (jiffies.ts) unless they are high-resolution ones.
 */
import { assert } from "../../sim/assert.ts";
import type { Clock, Receiver, ReceiverId } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { JIFFY_NS, jiffiesAt, wheelDelayNs } from "../jiffies.ts";

/**
 * What a connection may wait for: a retransmission, probe or reordering timeout (one at a time, Linux's `icsk_pending`), a delayed
 * acknowledgement, a keepalive or the end of FIN-WAIT-2 and TIME-WAIT, a compressed acknowledgement.
 */
export const TIMER_RETRANSMIT = 0;
export const TIMER_DELAYED_ACK = 1;
export const TIMER_KEEPALIVE = 2;
export const TIMER_COMPRESSED_ACK = 3;
const TIMERS = 4;

export type TimerKind =
  | typeof TIMER_RETRANSMIT
  | typeof TIMER_DELAYED_ACK
  | typeof TIMER_KEEPALIVE
  | typeof TIMER_COMPRESSED_ACK;

export interface TimerOwner {
  timerFired(kind: TimerKind): void;
}

/** A row of timers. */
export type TimerRow = number & { readonly brand: "TimerRow" };

const OFF = -1;
const INITIAL_ROWS = 16;

export class TimerTable implements Receiver {
  readonly #clock: Clock;
  readonly #id: ReceiverId;
  #owners: (TimerOwner | undefined)[] = [];
  #due = new Float64Array(INITIAL_ROWS * TIMERS).fill(OFF);
  #event = new Float64Array(INITIAL_ROWS * TIMERS).fill(OFF);
  readonly #free: number[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#id = clock.register(this);
  }

  take(owner: TimerOwner): TimerRow {
    const row = this.#free.pop() ?? this.#owners.length;
    this.#owners[row] = owner;
    if ((row + 1) * TIMERS > this.#due.length) {
      this.#due = widen(this.#due);
      this.#event = widen(this.#event);
    }
    return row as TimerRow;
  }

  /** Stops the row's timers and gives it back. */
  release(row: TimerRow): void {
    assert(this.#owners[row] !== undefined, "a row of timers given back twice");
    for (let kind = 0; kind < TIMERS; kind++) this.#due[row * TIMERS + kind] = OFF;
    this.#owners[row] = undefined;
    this.#free.push(row);
  }

  armed(row: TimerRow, kind: TimerKind): boolean {
    return this.#due[row * TIMERS + kind] !== OFF;
  }

  /** When it will fire; -1 when it is off. */
  dueNs(row: TimerRow, kind: TimerKind): Nanoseconds {
    return this.#due[row * TIMERS + kind]!;
  }

  /** Fires in `jiffies` ticks, as the kernel's timer wheel does, and at no earlier setting. */
  setJiffies(row: TimerRow, kind: TimerKind, jiffies: number): void {
    const nowNs = this.#clock.nowNs;
    this.setExact(row, kind, wheelDelayNs(nowNs, jiffiesAt(nowNs) + jiffies));
  }

  /** Fires `delayNs` from now, rounded up to ticks. */
  set(row: TimerRow, kind: TimerKind, delayNs: Nanoseconds): void {
    this.setJiffies(row, kind, Math.ceil(delayNs / JIFFY_NS));
  }

  /** Fires exactly `delayNs` from now: a high-resolution timer. */
  setExact(row: TimerRow, kind: TimerKind, delayNs: Nanoseconds): void {
    const index = row * TIMERS + kind;
    const dueNs = this.#clock.nowNs + delayNs;
    this.#due[index] = dueNs;
    const eventNs = this.#event[index]!;
    if (eventNs !== OFF && eventNs <= dueNs) return;
    this.#event[index] = dueNs;
    this.#clock.schedule(delayNs, this.#id, index);
  }

  stop(row: TimerRow, kind: TimerKind): void {
    this.#due[row * TIMERS + kind] = OFF;
  }

  receive(index: number): void {
    const nowNs = this.#clock.nowNs;
    if (this.#event[index] !== nowNs) return; // a stale event: the timer was set to an earlier time meanwhile
    this.#event[index] = OFF;
    const dueNs = this.#due[index]!;
    if (dueNs === OFF) return;
    if (dueNs > nowNs) {
      this.#event[index] = dueNs;
      this.#clock.schedule(dueNs - nowNs, this.#id, index);
      return;
    }
    this.#due[index] = OFF;
    this.#owners[Math.floor(index / TIMERS)]!.timerFired((index % TIMERS) as TimerKind);
  }
}

function widen(old: Float64Array<ArrayBuffer>): Float64Array<ArrayBuffer> {
  const wider = new Float64Array(old.length * 2).fill(OFF);
  wider.set(old);
  return wider;
}
