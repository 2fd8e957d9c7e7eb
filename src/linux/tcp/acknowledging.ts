/**
 * When to acknowledge: RFC 9293 §3.8.6.3 and RFC 5681 §4.2 as Linux does it: each segment at once in the beginning (quick acknowledgements), later
 * every second full one or after 40 to 200 ms; at once for duplicates and around holes; and few of those when many come
 * (compressed acknowledgements).
 */

import { PSH } from "../../wire/tcp.ts";
import { HZ, JIFFY_NS, jiffiesAt } from "../jiffies.ts";
import { ACK_NOW, ACK_PUSHED, ACK_PUSHED_TWICE, ACK_SCHEDULED, type Connection } from "./connection-state.ts";
import { sendAck } from "./output.ts";
import { jiffiesOfUs } from "./rtt.ts";
import type { IncomingSegment } from "./segment.ts";
import { distance } from "./sequence.ts";
import { TIMER_COMPRESSED_ACK, TIMER_DELAYED_ACK } from "./timers.ts";
import { growWindow, measureSegment, offer, sampleReceiveRtt } from "./window.ts";

const QUICK_ACKS = 16;
const ATO_MINIMUM = HZ / 25; // 40 ms
const DELAY_MAXIMUM = HZ / 5; // 200 ms
const DUPLICATES_AT_ONCE = 3;

/** The next acknowledgements go out at once. */
export function acknowledgeQuickly(c: Connection): void {
  raiseQuickAcks(c);
  c.interactive = 0;
  c.ackTimeoutJiffies = ATO_MINIMUM;
}

function raiseQuickAcks(c: Connection): void {
  const fitting = Math.floor(c.rcvWnd / (2 * c.rcvMss));
  const count = Math.min(fitting === 0 ? 2 : fitting, QUICK_ACKS);
  if (count > c.quickAcks) c.quickAcks = count;
}

/** Data in order came: what it says about the peer's segments, its speed and the window. */
export function noteData(c: Connection, segment: IncomingSegment, payloadBytes: number): void {
  const nowNs = c.host.clock.nowNs;
  c.ackPending |= ACK_SCHEDULED;
  measureSegment(c, payloadBytes, segment.has(PSH));
  if (!c.timestamps) measureRttByWindow(c);
  if (c.ackTimeoutJiffies === 0) {
    raiseQuickAcks(c);
    c.ackTimeoutJiffies = ATO_MINIMUM;
  } else {
    const gap = jiffiesAt(nowNs) - jiffiesAt(c.lastDataNs);
    if (gap <= ATO_MINIMUM / 2) c.ackTimeoutJiffies = (c.ackTimeoutJiffies >> 1) + ATO_MINIMUM / 2;
    else if (gap < c.ackTimeoutJiffies)
      c.ackTimeoutJiffies = Math.min((c.ackTimeoutJiffies >> 1) + gap, c.rtt.rtoJiffies);
    else if (gap > c.rtt.rtoJiffies) raiseQuickAcks(c); // a sender that has paused begins slowly
  }
  c.lastDataNs = nowNs;
  if (payloadBytes >= 128) growWindow(c, payloadBytes);
}

/** The receiver's RTT: from what we echoed to the data that the acknowledgement released (RFC 7323 §4). */
export function measureRttByTimestamp(c: Connection, segment: IncomingSegment): void {
  if (!segment.hasTimestamp || segment.timestampEcho === 0 || segment.timestampEcho === c.lastEchoSeen) return;
  c.lastEchoSeen = segment.timestampEcho;
  if (segment.payloadBytes < c.rcvMss) return;
  const elapsedMs = (c.timestampNow - segment.timestampEcho) | 0;
  if (elapsedMs >= 0 && elapsedMs < 2 ** 21) sampleReceiveRtt(c, Math.max(elapsedMs, 1) * 1_000);
}

function measureRttByWindow(c: Connection): void {
  if (distance(c.receiveRttSequence, c.rcvNxt) < 0) return;
  const nowUs = c.nowUs;
  if (c.receiveRttStartUs > 0) sampleReceiveRtt(c, nowUs - c.receiveRttStartUs);
  c.receiveRttSequence = (c.rcvNxt + c.rcvWnd) | 0;
  c.receiveRttStartUs = nowUs;
}

function acknowledgesQuickly(c: Connection): boolean {
  return c.quickAcks > 0 && c.interactive === 0;
}

/** Sends the acknowledgement that is owed, or lets it wait. */
export function acknowledgeIfDue(c: Connection): void {
  if ((c.ackPending & (ACK_SCHEDULED | ACK_NOW)) === 0) return;
  const unacknowledged = distance(c.rcvWup, c.rcvNxt);
  if (
    (unacknowledged > c.rcvMss && (c.receive.readable < 1 || offer(c) >= c.rcvWnd)) ||
    acknowledgesQuickly(c) ||
    (c.ackPending & ACK_NOW) !== 0
  ) {
    sendAck(c);
  } else if (!c.receive.hasHole) {
    delay(c);
  } else {
    compress(c);
  }
}

function delay(c: Connection): void {
  let wait = c.ackTimeoutJiffies;
  if (wait > ATO_MINIMUM) {
    const pushed = (c.ackPending & ACK_PUSHED) !== 0;
    let most = c.interactive > 0 || pushed ? DELAY_MAXIMUM : HZ / 2;
    if (c.rtt.smoothedEighthsUs > 0) most = Math.min(most, Math.max(jiffiesOfUs(c.rtt.smoothedUs), ATO_MINIMUM));
    wait = Math.min(wait, most);
  }
  wait = Math.min(Math.max(wait, 1), DELAY_MAXIMUM);
  const timers = c.host.timers;
  if (timers.armed(c.timerRow, TIMER_DELAYED_ACK)) {
    const remaining = timers.dueNs(c.timerRow, TIMER_DELAYED_ACK) - c.host.clock.nowNs;
    if (remaining <= (wait >> 2) * JIFFY_NS) sendAck(c);
    else if (wait * JIFFY_NS < remaining) timers.setJiffies(c.timerRow, TIMER_DELAYED_ACK, wait);
    return;
  }
  c.ackPending |= ACK_SCHEDULED;
  timers.setJiffies(c.timerRow, TIMER_DELAYED_ACK, wait);
}

/** Around a hole: three duplicates at once, the others at most one in 5 % of the RTT (1 ms at most). */
function compress(c: Connection): void {
  if (!c.sackEnabled || c.compressedAcks >= c.settings.compressedAckLimit) {
    sendAck(c);
    return;
  }
  if (c.compressedAckNext !== c.rcvNxt) {
    c.compressedAckNext = c.rcvNxt;
    c.duplicateAcks = 0;
  }
  if (c.duplicateAcks < DUPLICATES_AT_ONCE) {
    c.duplicateAcks++;
    sendAck(c);
    return;
  }
  c.compressedAcks++;
  const timers = c.host.timers;
  if (timers.armed(c.timerRow, TIMER_COMPRESSED_ACK)) return;
  let rttUs = c.receiveRttEighthsUs >>> 3;
  if (c.rtt.smoothedEighthsUs > 0 && c.rtt.smoothedUs < rttUs) rttUs = c.rtt.smoothedUs;
  timers.setExact(c.timerRow, TIMER_COMPRESSED_ACK, Math.min(c.settings.compressedAckDelayNs, rttUs * 50));
}

/** The wait for a delayed acknowledgement is over. */
export function delayedAckDue(c: Connection): void {
  if (c.state === "closed" || (c.ackPending & ACK_SCHEDULED) === 0) return;
  if (c.interactive === 0) {
    c.ackTimeoutJiffies = Math.min(c.ackTimeoutJiffies * 2, c.rtt.rtoJiffies);
  } else {
    c.interactive = 0;
    c.ackTimeoutJiffies = ATO_MINIMUM;
  }
  sendAck(c);
}

export function compressedAckDue(c: Connection): void {
  if (c.state !== "closed" && c.compressedAcks > 0) sendAck(c);
}

/** The program has read: a window update may be worth a segment of its own (RFC 1122 §4.2.3.3; tcp_cleanup_rbuf). */
export function acknowledgeAfterRead(c: Connection, readBytes: number): void {
  let now = false;
  if ((c.ackPending & ACK_SCHEDULED) !== 0) {
    const pushed =
      (c.ackPending & ACK_PUSHED_TWICE) !== 0 || ((c.ackPending & ACK_PUSHED) !== 0 && c.interactive === 0);
    now = distance(c.rcvWup, c.rcvNxt) > c.rcvMss || (readBytes > 0 && pushed && c.receive.memory === 0);
  }
  if (readBytes > 0 && !now && !c.finReceived) {
    const left = Math.max(0, distance(c.rcvNxt, (c.rcvWup + c.rcvWnd) | 0));
    // Twice the window: worth telling; computing it is dear, so only when it may be.
    if (2 * left <= c.windowClamp) {
      const offered = offer(c);
      if (offered > 0 && offered >= 2 * left) now = true;
    }
  }
  if (now) sendAck(c);
}
