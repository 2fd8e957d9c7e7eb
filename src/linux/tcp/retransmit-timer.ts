/**
 * When to stop waiting: the retransmission timer (RFC 6298 §5), and the tail loss probe that comes first (RFC 8985 §7.2) at twice the smoothed
 * RTT, with room for a delayed acknowledgement when only one segment is out.
 */
import type { Connection } from "./connection-state.ts";
import { jiffiesOfUs, RTO_INITIAL_JIFFIES, RTO_MIN_US, usOfJiffies } from "./rtt.ts";
import { TIMER_RETRANSMIT } from "./timers.ts";

const TAIL_PROBE_MARGIN_US = 2_000;

/** Microseconds until the oldest segment's timeout; negative when it is due. */
function untilTimeoutUs(c: Connection): number {
  return c.send.chunks.head!.sentUs + usOfJiffies(c.rtt.rtoJiffies) - c.nowUs;
}

/** Starts the retransmission timer anew, or stops it when nothing is out. */
export function rearm(c: Connection): void {
  if (c.packetsOut === 0) {
    stop(c);
    return;
  }
  let jiffies = c.rtt.rtoJiffies;
  // The time that a probe or a reordering timer took counts.
  if (c.pendingTimer === "probe-tail" || c.pendingTimer === "reorder" || c.pendingTimer === "none")
    jiffies = jiffiesOfUs(Math.max(untilTimeoutUs(c), 1));
  c.pendingTimer = "retransmit";
  c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, jiffies);
}

/** Lets the retransmission timer run for its whole time from now on. */
export function restart(c: Connection): void {
  c.pendingTimer = "retransmit";
  c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, c.rtt.rtoJiffies);
}

export function stop(c: Connection): void {
  c.pendingTimer = "none";
  c.host.timers.stop(c.timerRow, TIMER_RETRANSMIT);
}

/** Puts the tail loss probe in the timer's place; false when this is no time for one. */
export function scheduleTailProbe(c: Connection): boolean {
  if (!c.settings.tailLossProbe || c.packetsOut === 0 || !c.sackEnabled) return false;
  if (c.congestionState !== "open" && c.congestionState !== "reduced") return false;
  let jiffies = RTO_INITIAL_JIFFIES;
  if (c.rtt.smoothedEighthsUs > 0) {
    const roundTrips = c.rtt.smoothedEighthsUs >>> 2;
    jiffies = jiffiesOfUs(roundTrips + (c.packetsOut === 1 ? RTO_MIN_US : TAIL_PROBE_MARGIN_US));
  }
  const timeoutUs = untilTimeoutUs(c);
  if (timeoutUs > 0) jiffies = Math.min(jiffies, jiffiesOfUs(timeoutUs));
  c.pendingTimer = "probe-tail";
  c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, jiffies);
  return true;
}

/** After an acknowledgement: the probe if there may be one, else the timeout. */
export function restartAfterProgress(c: Connection): void {
  if (!scheduleTailProbe(c)) rearm(c);
}
