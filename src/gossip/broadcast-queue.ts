/**
 * memberlist's transmit-limited queue, queue.go: rumours go out with the packets that have room, those sent least first, then the longest that
 * fits, then the newest; each a number of times that grows with the cluster. A newer rumour about a subject replaces the older.
 */
import { retransmitLimit } from "./settings.ts";

interface Rumour {
  /** Undefined: replaced by none. */
  readonly subject: string | undefined;
  readonly message: Uint8Array;
  readonly order: number;
  transmissions: number;
  readonly finished: (() => void) | undefined;
}

export class BroadcastQueue {
  /** Sorted as they go out. */
  #rumours: Rumour[] = [];
  #order = 0;
  readonly #multiplier: number;
  readonly #countNodes: () => number;

  /** `countNodes`: how many nodes the rumours are for. */
  constructor(multiplier: number, countNodes: () => number) {
    this.#multiplier = multiplier;
    this.#countNodes = countNodes;
  }

  get length(): number {
    return this.#rumours.length;
  }

  /** `finished` is called when the rumour was sent often enough, or replaced. */
  add(subject: string | undefined, message: Uint8Array, finished?: () => void): void {
    if (subject !== undefined) {
      const old = this.#rumours.findIndex((rumour) => rumour.subject === subject);
      if (old >= 0) this.#rumours.splice(old, 1)[0]!.finished?.();
    }
    this.#insert({ subject, message, order: this.#order++, transmissions: 0, finished });
  }

  /** The messages to send now: each costs its length and `overheadBytes`, all together no more than `limitBytes`. */
  take(overheadBytes: number, limitBytes: number): Uint8Array[] {
    const taken: Uint8Array[] = [];
    if (this.#rumours.length === 0) return taken;
    const limit = retransmitLimit(this.#multiplier, this.#countNodes());
    const again: Rumour[] = [];
    let freeBytes = limitBytes - overheadBytes;
    const left = this.#rumours.filter((rumour) => {
      if (freeBytes <= 0 || rumour.message.length > freeBytes) return true;
      freeBytes -= overheadBytes + rumour.message.length;
      taken.push(rumour.message);
      if (rumour.transmissions + 1 >= limit) rumour.finished?.();
      else again.push(rumour);
      return false;
    });
    if (taken.length === 0) return taken;
    this.#rumours = left;
    for (const rumour of again) {
      rumour.transmissions++;
      this.#insert(rumour);
    }
    return taken;
  }

  #insert(rumour: Rumour): void {
    let low = 0;
    let high = this.#rumours.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (goesBefore(this.#rumours[middle]!, rumour)) low = middle + 1;
      else high = middle;
    }
    this.#rumours.splice(low, 0, rumour);
  }
}

function goesBefore(one: Rumour, other: Rumour): boolean {
  if (one.transmissions !== other.transmissions) return one.transmissions < other.transmissions;
  if (one.message.length !== other.message.length) return one.message.length > other.message.length;
  return one.order > other.order;
}
