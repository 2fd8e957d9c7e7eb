/** Work at an interval by one worker, as a goroutine that reads a Go ticker: while it is busy one tick waits, further ones are lost. */
import type { Nanoseconds } from "../sim/time.ts";
import type { Agenda } from "./agenda.ts";

export class Ticker {
  #isBusy = false;
  #isTickWaiting = false;
  readonly #work: (done: () => void) => void;

  /** `work` calls `done` once: at once, or later. */
  constructor(agenda: Agenda, intervalNs: Nanoseconds, work: (done: () => void) => void) {
    this.#work = work;
    agenda.every(intervalNs, () => this.#tick());
  }

  #tick(): void {
    if (this.#isBusy) {
      this.#isTickWaiting = true;
      return;
    }
    this.#isBusy = true;
    this.#work(() => {
      this.#isBusy = false;
      if (!this.#isTickWaiting) return;
      this.#isTickWaiting = false;
      this.#tick();
    });
  }
}
