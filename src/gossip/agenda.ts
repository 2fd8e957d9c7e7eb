/** What a gossiping node means to do later: deadlines in order of time, then of entry. It stands where memberlist has its goroutines' timers. */
import { assert } from "../sim/assert.ts";
import type { Nanoseconds } from "../sim/time.ts";

export interface Appointment {
  readonly dueNs: Nanoseconds;
  readonly order: number;
  readonly run: () => void;
}

export class Agenda {
  #nowNs: Nanoseconds;
  #order = 0;
  /** Latest first: the next one is popped off the end. */
  readonly #appointments: Appointment[] = [];

  constructor(nowNs: Nanoseconds) {
    this.#nowNs = nowNs;
  }

  get nowNs(): Nanoseconds {
    return this.#nowNs;
  }

  /** When something is due next; undefined when nothing is. */
  get nextNs(): Nanoseconds | undefined {
    return this.#appointments.at(-1)?.dueNs;
  }

  after(delayNs: Nanoseconds, run: () => void): Appointment {
    const appointment = { dueNs: this.#nowNs + Math.max(0, delayNs), order: this.#order++, run };
    this.#appointments.splice(this.#place(appointment), 0, appointment);
    return appointment;
  }

  /** At every `intervalNs` from now: a Go ticker. */
  every(intervalNs: Nanoseconds, run: () => void): void {
    this.after(intervalNs, () => {
      this.every(intervalNs, run);
      run();
    });
  }

  cancel(appointment: Appointment): void {
    const place = this.#place(appointment) - 1;
    if (this.#appointments[place] === appointment) this.#appointments.splice(place, 1);
  }

  /** Drops everything. */
  clear(): void {
    this.#appointments.length = 0;
  }

  /** Runs all that is due at or before `nowNs`, each at its own time. */
  advance(nowNs: Nanoseconds): void {
    assert(nowNs >= this.#nowNs, "a gossiping node's time runs backwards");
    for (;;) {
      const next = this.#appointments.at(-1);
      if (next === undefined || next.dueNs > nowNs) break;
      this.#appointments.pop();
      this.#nowNs = next.dueNs;
      next.run();
    }
    this.#nowNs = nowNs;
  }

  /** Where `appointment` goes: behind all that come later; just behind itself when it is there. */
  #place(appointment: Appointment): number {
    let low = 0;
    let high = this.#appointments.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      const other = this.#appointments[middle]!;
      const isEarlier =
        other.dueNs < appointment.dueNs || (other.dueNs === appointment.dueNs && other.order < appointment.order);
      if (isEarlier) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
