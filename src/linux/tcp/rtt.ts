/**
 * Round-trip time and retransmission timeout: RFC 6298 as Linux computes it (tcp_rtt_estimator): the smoothed RTT in eighths of a
 * microsecond, the deviation never below 200 ms and falling only once a window, so that RTO = SRTT + max(4 x deviation, 200 ms) in ticks;
 * and the least RTT of the last five minutes (Linux's windowed filter, lib/win_minmax.c).
 */
import { HZ } from "../jiffies.ts";
import { after } from "./sequence.ts";

const JIFFY_US = 1_000_000 / HZ;
export const RTO_MIN_US = 200_000;
export const RTO_MIN_JIFFIES = HZ / 5;
export const RTO_MAX_JIFFIES = 120 * HZ;
/** Before anything was measured (RFC 6298 §2.1). */
export const RTO_INITIAL_JIFFIES = HZ;

/** An echo may be older than any RTT; more would not fit 32 bits in eighths, and the timeout's limit is less anyway. */
const SAMPLE_MAXIMUM_US = 2 ** 28;

/** Microseconds in ticks, rounded up. */
export function jiffiesOfUs(microseconds: number): number {
  return Math.ceil(microseconds / JIFFY_US);
}

export function usOfJiffies(jiffies: number): number {
  return jiffies * JIFFY_US;
}

/** The least of a window: three candidates, the later ones waiting for the first to grow old (K. Nichols). */
class WindowedMinimum {
  readonly #at = [0, 0, 0];
  readonly #value = [-1, -1, -1];

  /** -1 before the first sample. */
  get value(): number {
    return this.#value[0]!;
  }

  update(value: number, atUs: number, windowUs: number): void {
    if (this.#value[0]! < 0 || value <= this.#value[0]! || atUs - this.#at[2]! > windowUs) {
      this.#set(0, value, atUs);
      return;
    }
    if (value <= this.#value[1]!) this.#set(1, value, atUs);
    else if (value <= this.#value[2]!) this.#set(2, value, atUs);
    const age = atUs - this.#at[0]!;
    if (age > windowUs) {
      this.#shift();
      this.#set(2, value, atUs);
      if (atUs - this.#at[0]! > windowUs) {
        this.#shift();
        this.#set(2, value, atUs);
      }
    } else if (this.#at[1] === this.#at[0] && age > windowUs / 4) {
      this.#set(1, value, atUs);
    } else if (this.#at[2] === this.#at[1] && age > windowUs / 2) {
      this.#set(2, value, atUs);
    }
  }

  /** Candidate `from` and all behind it become this one. */
  #set(from: number, value: number, atUs: number): void {
    for (let index = from; index < 3; index++) {
      this.#value[index] = value;
      this.#at[index] = atUs;
    }
  }

  #shift(): void {
    for (let index = 0; index < 2; index++) {
      this.#value[index] = this.#value[index + 1]!;
      this.#at[index] = this.#at[index + 1]!;
    }
  }
}

export class RttEstimator {
  /** Eight times the smoothed RTT, in microseconds; 0 before the first sample. */
  smoothedEighthsUs = 0;
  /** Four times the mean deviation. */
  #deviationUs = 0;
  /** The largest of the current window. */
  #deviationMaximumUs = RTO_MIN_US;
  /** What the timeout is computed with. */
  variationUs = 0;
  #windowEnd = 0; // sequence number that ends the current window
  /** The timeout, doubled as often as it ran out. */
  rtoJiffies = RTO_INITIAL_JIFFIES;
  /** How often it was doubled. */
  backoff = 0;
  readonly #minimum = new WindowedMinimum();
  readonly #minimumWindowUs: number;

  constructor(minimumWindowNs: number) {
    this.#minimumWindowUs = minimumWindowNs / 1_000;
  }

  /** The smoothed RTT in microseconds. */
  get smoothedUs(): number {
    return this.smoothedEighthsUs >>> 3;
  }

  /** As `ss` shows it: a quarter of the estimator's mean deviation. */
  get deviationUs(): number {
    return this.#deviationUs >>> 2;
  }

  /** The least RTT seen, in microseconds; a very large number before the first sample. */
  get minimumUs(): number {
    return this.#minimum.value < 0 ? 0xffff_ffff : this.#minimum.value;
  }

  noteMinimum(rttUs: number, nowUs: number): void {
    this.#minimum.update(Math.max(rttUs, 1), nowUs, this.#minimumWindowUs);
  }

  /** Takes one measurement in; `sndUna` and `sndNxt` tell windows apart. */
  sample(measuredUs: number, sndUna: number, sndNxt: number): void {
    const rttUs = Math.min(measuredUs, SAMPLE_MAXIMUM_US);
    if (this.smoothedEighthsUs === 0) {
      this.smoothedEighthsUs = Math.max(1, rttUs * 8);
      this.#deviationUs = rttUs * 2;
      this.variationUs = Math.max(this.#deviationUs, RTO_MIN_US);
      this.#deviationMaximumUs = this.variationUs;
      this.#windowEnd = sndNxt;
      return;
    }
    const error = rttUs - (this.smoothedEighthsUs >>> 3);
    this.smoothedEighthsUs = Math.max(1, this.smoothedEighthsUs + error);
    let deviation = Math.abs(error) - (this.#deviationUs >>> 2);
    // A falling RTT must not raise the deviation quickly (an idea of the Eifel paper).
    if (error < 0 && deviation > 0) deviation >>= 3;
    this.#deviationUs += deviation;
    if (this.#deviationUs > this.#deviationMaximumUs) {
      this.#deviationMaximumUs = this.#deviationUs;
      if (this.#deviationMaximumUs > this.variationUs) this.variationUs = this.#deviationMaximumUs;
    }
    if (after(sndUna, this.#windowEnd)) {
      if (this.#deviationMaximumUs < this.variationUs)
        this.variationUs -= (this.variationUs - this.#deviationMaximumUs) >> 2;
      this.#windowEnd = sndNxt;
      this.#deviationMaximumUs = RTO_MIN_US;
    }
  }

  /** The timeout that the estimate asks for, without doubling. */
  resetTimeout(): void {
    this.backoff = 0;
    this.rtoJiffies =
      this.smoothedEighthsUs === 0
        ? RTO_INITIAL_JIFFIES
        : Math.min(jiffiesOfUs(this.smoothedUs + this.variationUs), RTO_MAX_JIFFIES);
  }

  doubleTimeout(): void {
    this.backoff++;
    this.rtoJiffies = Math.min(this.rtoJiffies * 2, RTO_MAX_JIFFIES);
  }
}
