/**
 * What a congestion control algorithm decides, and the rules that all share: slow start and additive increase, RFC 5681 §3.1 as Linux
 * counts it: in segments, integers only.
 */
import type { Nanoseconds } from "../../../sim/time.ts";

export const INFINITE_THRESHOLD = 0x7fff_ffff;
/** RFC 6928. */
export const INITIAL_WINDOW = 10;

/** The congestion window of one connection. */
export class CongestionWindow {
  /** cwnd, in segments. */
  segments = INITIAL_WINDOW;
  /** ssthresh, in segments. */
  threshold = INFINITE_THRESHOLD;
  /** Acknowledged segments that have not made cwnd grow yet. */
  count = 0;
  maximum = 0xffff_fffe;
  /** cwnd before the last reduction. */
  prior = 0;
  /** When it was last seen in full use or was changed. */
  stampNs: Nanoseconds = 0;

  get inSlowStart(): boolean {
    return this.segments < this.threshold;
  }

  /** The threshold that a new start would have: never below 3/4 of what is in use now. */
  get current(): number {
    return Math.max(this.threshold, (this.segments >>> 1) + (this.segments >>> 2));
  }

  /** Grows by what was acknowledged up to the threshold; says how many acknowledged segments are left over. */
  slowStart(acknowledged: number): number {
    const grown = Math.min(this.segments + acknowledged, this.threshold);
    const left = acknowledged - (grown - this.segments);
    this.segments = Math.min(grown, this.maximum);
    return left;
  }

  /** Grows by one segment for every `window` acknowledged. */
  additiveIncrease(window: number, acknowledged: number): void {
    if (this.count >= window) {
      this.count = 0;
      this.segments++;
    }
    this.count += acknowledged;
    if (this.count >= window) {
      const growth = Math.floor(this.count / window);
      this.count -= growth * window;
      this.segments += growth;
    }
    this.segments = Math.min(this.segments, this.maximum);
  }
}

/** What an algorithm is told about an acknowledgement. */
export interface AcknowledgementFacts {
  readonly nowNs: Nanoseconds;
  readonly sndUna: number;
  readonly sndNxt: number;
  /** Time that a full burst takes on the wire at the current rate, microseconds. */
  readonly burstUs: number;
}

export interface CongestionControl {
  readonly name: string;
  /** The threshold after a loss. */
  reduced(window: CongestionWindow): number;
  /** `acknowledged` segments left the network, and the window was in full use. */
  increase(window: CongestionWindow, acknowledged: number, nowNs: Nanoseconds): void;
  /** An RTT was measured. */
  measured(window: CongestionWindow, rttUs: number, facts: AcknowledgementFacts): void;
  /** All is thought to be lost: a retransmission timeout. */
  timedOut(): void;
  /** Sends again after having had nothing in flight since `idleSinceNs`. */
  resumed(idleSinceNs: Nanoseconds, nowNs: Nanoseconds): void;
}
