/**
 * A suspicion, memberlist suspicion.go (Lifeguard §IV-B): its time runs down from the longest to the shortest as independent nodes confirm it.
 * The caller keeps the timer: it asks `deadlineNs` again after each confirmation.
 */
import type { Nanoseconds } from "../sim/time.ts";
import { type Settings, suspicionMinimumNs, suspicionTimeoutNs } from "./settings.ts";

export class Suspicion {
  readonly #startNs: Nanoseconds;
  readonly #minimumNs: Nanoseconds;
  readonly #maximumNs: Nanoseconds;
  readonly #wanted: number;
  /** Who said so, the first accuser too. */
  readonly #accusers = new Set<string>();

  constructor(settings: Settings, nodes: number, accuser: string, nowNs: Nanoseconds) {
    this.#startNs = nowNs;
    this.#accusers.add(accuser);
    this.#minimumNs = suspicionMinimumNs(settings, nodes);
    this.#maximumNs = this.#minimumNs * settings.suspicionMaximumMultiplier;
    const wanted = settings.suspicionMultiplier - 2;
    this.#wanted = nodes - 2 < wanted ? 0 : wanted; // too few others to confirm
  }

  get confirmations(): number {
    return this.#accusers.size - 1;
  }

  get deadlineNs(): Nanoseconds {
    return this.#startNs + suspicionTimeoutNs(this.#minimumNs, this.#maximumNs, this.confirmations, this.#wanted);
  }

  /** Whether `accuser` is news. */
  confirm(accuser: string): boolean {
    if (this.confirmations >= this.#wanted || this.#accusers.has(accuser)) return false;
    this.#accusers.add(accuser);
    return true;
  }
}
