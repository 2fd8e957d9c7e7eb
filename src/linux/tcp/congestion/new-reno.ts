/** Reno's window, RFC 5681; loss recovery (NewReno, SACK, PRR) is the same for all algorithms and stands elsewhere. */
import type { Nanoseconds } from "../../../sim/time.ts";
import type { AcknowledgementFacts, CongestionControl, CongestionWindow } from "./congestion-control.ts";

export class NewReno implements CongestionControl {
  readonly name = "reno";

  reduced(window: CongestionWindow): number {
    return Math.max(window.segments >>> 1, 2);
  }

  increase(window: CongestionWindow, acknowledged: number, _nowNs: Nanoseconds): void {
    const left = window.inSlowStart ? window.slowStart(acknowledged) : acknowledged;
    if (left > 0) window.additiveIncrease(window.segments, left);
  }

  measured(_window: CongestionWindow, _rttUs: number, _facts: AcknowledgementFacts): void {}

  timedOut(): void {}

  resumed(_idleSinceNs: Nanoseconds, _nowNs: Nanoseconds): void {}
}
