/**
 * The queue in front of a transmitter of fixed rate, without events of its own: when a frame leaves is known when it comes. Rate
 * arithmetic is exact: what a frame's time exceeds whole nanoseconds by is carried over to the next one of the same busy
 * period, so that n frames take n times one frame's time, rounded once.
 */
import type { Nanoseconds } from "../sim/time.ts";

/** What `admit` answers when the queue is full. */
export const QUEUE_FULL = -1;

/** A ring is made for the first frame that waits: many links are never busy. A power of two. */
const FIRST_FRAMES = 16;
const NO_DEPARTURES = new Float64Array(0);
const NO_LENGTHS = new Int32Array(0);

export class TransmitQueue {
  // What a frame touches that finds the link idle stands first.
  readonly #clock: { readonly nowNs: Nanoseconds };
  #busyUntilNs: Nanoseconds = 2 ** 52; // a double from the start, see EventQueue
  readonly #limitBytes: number;
  #count = 0;
  // The time of the last length that found the link idle, for frames of one flow are alike: no division a frame.
  #knownBytes = -1;
  #knownNs = 0;
  #aloneBytes = 0; // length of a frame on the wire that is not in the ring: it found the link idle

  #knownRemainder = 0;
  readonly #rateBitsPerSecond: number;
  readonly #limitFrames: number;
  #remainder = 0; // of bits * 10^9 / rate, below the rate
  // A ring of frames not yet gone: when each has left, and its length.
  #departures = NO_DEPARTURES;
  #lengths = NO_LENGTHS;
  #head = 0;
  #queuedBytes = 0;

  /** The rate is at least 1; a limit of 0 bytes is none. The clock is asked here: a time as an argument may be a box on the heap (16 bytes a frame). */
  constructor(
    clock: { readonly nowNs: Nanoseconds },
    rateBitsPerSecond: number,
    limitFrames: number,
    limitBytes: number,
  ) {
    this.#clock = clock;
    this.#rateBitsPerSecond = rateBitsPerSecond;
    this.#limitFrames = limitFrames;
    this.#limitBytes = limitBytes;
    this.#busyUntilNs = 0;
  }

  /** How long from now until the last bit of a frame that comes now has left, or `QUEUE_FULL`. */
  admit(lengthBytes: number): Nanoseconds {
    const nowNs = this.#clock.nowNs;
    if (this.#busyUntilNs <= nowNs && (this.#limitBytes === 0 || lengthBytes <= this.#limitBytes)) {
      // The usual case, a link that is idle, leaves the ring alone: its rows would be two more cache misses a frame.
      if (this.#count > 0) {
        this.#count = 0;
        this.#queuedBytes = 0;
      }
      if (lengthBytes !== this.#knownBytes) this.#know(lengthBytes);
      this.#aloneBytes = lengthBytes;
      this.#busyUntilNs = nowNs + this.#knownNs;
      return this.#knownNs;
    }
    if (this.#aloneBytes > 0) {
      this.#remember(this.#busyUntilNs, this.#aloneBytes);
      this.#remainder = this.#knownRemainder;
      this.#aloneBytes = 0;
    }
    this.#forgetDeparted(nowNs);
    if (this.#count >= this.#limitFrames) return QUEUE_FULL;
    if (this.#limitBytes > 0 && this.#queuedBytes + lengthBytes > this.#limitBytes) return QUEUE_FULL;
    const departureNs = this.#transmit(lengthBytes);
    this.#remember(departureNs, lengthBytes);
    return departureNs - nowNs;
  }

  #know(lengthBytes: number): void {
    const product = lengthBytes * 8_000_000_000;
    this.#knownBytes = lengthBytes;
    this.#knownNs = Math.floor(product / this.#rateBitsPerSecond);
    this.#knownRemainder = product - this.#knownNs * this.#rateBitsPerSecond;
  }

  /** Puts a frame behind the others on the wire; when it has left. */
  #transmit(lengthBytes: number): Nanoseconds {
    const product = lengthBytes * 8_000_000_000 + this.#remainder;
    const wholeNs = Math.floor(product / this.#rateBitsPerSecond);
    this.#remainder = product - wholeNs * this.#rateBitsPerSecond;
    this.#busyUntilNs += wholeNs;
    return this.#busyUntilNs;
  }

  #forgetDeparted(nowNs: Nanoseconds): void {
    while (this.#count > 0 && this.#departures[this.#head]! <= nowNs) {
      this.#queuedBytes -= this.#lengths[this.#head]!;
      this.#head = (this.#head + 1) & (this.#departures.length - 1);
      this.#count--;
    }
  }

  #remember(departureNs: Nanoseconds, lengthBytes: number): void {
    if (this.#count === this.#departures.length) this.#grow();
    const tail = (this.#head + this.#count) & (this.#departures.length - 1);
    this.#departures[tail] = departureNs;
    this.#lengths[tail] = lengthBytes;
    this.#count++;
    this.#queuedBytes += lengthBytes;
  }

  #grow(): void {
    const size = this.#departures.length;
    const wider = size === 0 ? FIRST_FRAMES : size * 2;
    const departures = new Float64Array(wider);
    const lengths = new Int32Array(wider);
    for (let index = 0; index < size; index++) {
      const from = (this.#head + index) & (size - 1);
      departures[index] = this.#departures[from]!;
      lengths[index] = this.#lengths[from]!;
    }
    this.#departures = departures;
    this.#lengths = lengths;
    this.#head = 0;
  }
}
