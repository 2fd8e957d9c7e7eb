/**
 * A timer went off: retransmission (RFC 6298 §5.4 f.) with R1 and R2 of RFC 1122 §4.2.3.5, tail loss probe and reordering timeout (RFC 8985 §7, §6.2),
 * zero-window probe (RFC 9293 §3.8.6.1), keepalive (§3.8.4), delayed acknowledgement, end of FIN-WAIT-2 and TIME-WAIT.
 */
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { JIFFY_NS } from "../jiffies.ts";
import { sendProbeOfNewData, windowProbeJiffies } from "./acknowledge.ts";
import { compressedAckDue, delayedAckDue } from "./acknowledging.ts";
import { abort, armKeepalive, breakOff, close } from "./change-state.ts";
import { dataBytes } from "./chunk.ts";
import type { Connection } from "./connection-state.ts";
import { currentMss, recount, retransmitChunk, sendProbe, sendQueued, sendReset, windowEnd } from "./output.ts";
import * as rack from "./rack.ts";
import { alert, enterLoss, retransmitLost } from "./recovery.ts";
import * as timer from "./retransmit-timer.ts";
import { RTO_MAX_JIFFIES } from "./rtt.ts";
import { AckResult } from "./scoreboard.ts";
import { after, before } from "./sequence.ts";
import {
  TIMER_COMPRESSED_ACK,
  TIMER_DELAYED_ACK,
  TIMER_KEEPALIVE,
  TIMER_RETRANSMIT,
  type TimerKind,
} from "./timers.ts";

const RTO_MINIMUM_NS = 200 * MILLISECOND;
const RTO_MAXIMUM_NS = 120 * SECOND;
/** Timeouts of 200 ms that double reach two minutes after nine. */
const DOUBLINGS = 9;
const DEFAULT_ORPHAN_RETRIES = 8;
/** A send that the host itself refused is tried again after half a second. */
const LOCAL_RETRY_JIFFIES = 125;

const nothingNew = new AckResult();

export function timerFired(c: Connection, kind: TimerKind): void {
  switch (kind) {
    case TIMER_RETRANSMIT:
      retransmitTimer(c);
      break;
    case TIMER_DELAYED_ACK:
      delayedAckDue(c);
      break;
    case TIMER_COMPRESSED_ACK:
      compressedAckDue(c);
      break;
    case TIMER_KEEPALIVE:
      keepaliveTimer(c);
      break;
  }
}

function retransmitTimer(c: Connection): void {
  const pending = c.pendingTimer;
  c.pendingTimer = "none";
  switch (pending) {
    case "retransmit":
      timedOut(c);
      break;
    case "probe-tail":
      c.pendingTimer = "probe-tail";
      probeTail(c);
      break;
    case "reorder":
      reorderingTimedOut(c);
      break;
    case "probe-window":
      probeWindow(c);
      break;
    case "none":
      break;
  }
}

// ---- Retransmission timeout

function timedOut(c: Connection): void {
  const head = c.send.chunks.head;
  if (c.packetsOut === 0 || head === undefined) return;
  c.tailProbing = false;
  if (c.sndWnd === 0 && !c.orphaned && c.state !== "syn-sent" && c.state !== "syn-received") {
    shrunkWindow(c);
    return;
  }
  if (givesUp(c)) return;
  enterLoss(c);
  if (c.retransmissions === 0) c.firstTimeoutNs = c.host.clock.nowNs;
  c.retransmissions++;
  c.totalTimeouts++;
  if (!retransmitChunk(c, head, 1)) {
    c.pendingTimer = "retransmit";
    c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, Math.min(c.rtt.rtoJiffies, LOCAL_RETRY_JIFFIES));
    return;
  }
  if (c.state !== "syn-sent" || c.totalTimeouts > c.settings.synLinearTimeouts) c.rtt.doubleTimeout();
  timer.restart(c);
  if (c.retransmissions > c.settings.retries1) c.host.doubtPath(c);
}

/** The peer took its window back though data is out: that data is sent again and again, for as long as the peer answers. */
function shrunkWindow(c: Connection): void {
  if (c.host.clock.nowNs - c.lastReceivedNs > RTO_MAXIMUM_NS) {
    breakOff(c, c.softError ?? "ETIMEDOUT");
    return;
  }
  enterLoss(c);
  retransmitChunk(c, c.send.chunks.head!, 1);
  c.rtt.doubleTimeout();
  timer.restart(c);
}

/** Has it lasted too long? Then the connection is broken off. */
function givesUp(c: Connection): boolean {
  const settings = c.settings;
  let expired: boolean;
  if (c.state === "syn-sent" || c.state === "syn-received") {
    const linear = c.state === "syn-sent" ? settings.synLinearTimeouts : 0;
    const retries = c.state === "syn-sent" ? settings.synRetries + linear : settings.synAckRetries;
    expired = c.retransmissions >= retries;
  } else {
    let retries = settings.retries2;
    if (c.orphaned) {
      retries = settings.orphanRetries === 0 ? DEFAULT_ORPHAN_RETRIES : settings.orphanRetries;
      if (c.softError !== undefined) retries = 0;
    }
    expired = c.retransmissions > 0 && elapsedNs(c) >= timeoutNs(retries);
  }
  if (!expired && c.userTimeoutNs > 0 && c.retransmissions > 0) expired = elapsedNs(c) >= c.userTimeoutNs;
  if (!expired) return false;
  breakOff(c, c.softError ?? "ETIMEDOUT");
  return true;
}

/** Since the first timeout without progress. */
function elapsedNs(c: Connection): Nanoseconds {
  return c.host.clock.nowNs - c.firstTimeoutNs;
}

/** How long `retries` doubling timeouts take when they begin at 200 ms (retransmits_timed_out). */
export function timeoutNs(retries: number): Nanoseconds {
  if (retries <= DOUBLINGS) return (2 ** (retries + 1) - 1) * RTO_MINIMUM_NS;
  return (2 ** (DOUBLINGS + 1) - 1) * RTO_MINIMUM_NS + (retries - DOUBLINGS) * RTO_MAXIMUM_NS;
}

// ---- Probes

/** RFC 8985 §7.3: new data if there is some, else the last segment again. */
function probeTail(c: Connection): void {
  if (c.packetsOut === 0) {
    c.pendingTimer = "none";
    return;
  }
  if (!c.tailProbing && sendTailProbe(c)) {
    c.tailProbing = true;
    c.tailProbeEnd = c.sndNxt;
    c.pendingTimer = "none";
  }
  timer.rearm(c);
}

function sendTailProbe(c: Connection): boolean {
  c.tailProbeRetransmitted = false;
  const chunks = c.send.chunks;
  const mss = currentMss(c);
  const unsent = chunks.unsent;
  if (unsent !== undefined) {
    const firstEnd = dataBytes(unsent) > mss ? (unsent.sequence + mss) | 0 : unsent.end;
    if (!after(firstEnd, windowEnd(c))) return sendProbeOfNewData(c);
  }
  let last = chunks.lastSent;
  if (last === undefined) return false;
  if (last.segments > 1 && dataBytes(last) > (last.segments - 1) * last.mss) {
    const formerly = last.segments;
    const rest = chunks.split(last, (last.segments - 1) * last.mss, last.mss);
    recount(c, last, formerly, last.segments + rest.segments);
    last = rest;
  }
  if (!retransmitChunk(c, last, 1)) return false;
  c.tailProbeRetransmitted = true;
  return true;
}

function reorderingTimedOut(c: Connection): void {
  const inFlight = c.inFlight;
  rack.detectLate(c);
  if (c.inFlight !== inFlight) {
    if (c.congestionState !== "recovery" && c.congestionState !== "loss") {
      nothingNew.reset();
      c.rackAdvanced = false;
      alert(c, c.sndUna, 0, nothingNew);
      if (c.prrOut === 0) c.cwnd.segments = Math.max(c.cwnd.segments, c.inFlight + 1);
    }
    retransmitLost(c);
  }
  if (c.pendingTimer !== "retransmit") timer.rearm(c);
}

function probeWindow(c: Connection): void {
  const head = c.send.chunks.unsent;
  if (c.packetsOut > 0 || head === undefined) {
    c.probesOut = 0;
    c.probeStartNs = -1;
    return;
  }
  const nowNs = c.host.clock.nowNs;
  if (c.probeStartNs < 0) c.probeStartNs = nowNs;
  let limit = c.settings.retries2;
  if (c.userTimeoutNs > 0 && nowNs - c.probeStartNs >= c.userTimeoutNs) {
    breakOff(c, c.softError ?? "ETIMEDOUT");
    return;
  }
  if (c.orphaned) {
    limit = c.settings.orphanRetries === 0 ? DEFAULT_ORPHAN_RETRIES : c.settings.orphanRetries;
    if (c.rtt.backoff >= limit) {
      abort(c);
      return;
    }
  }
  if (c.probesOut >= limit) {
    breakOff(c, c.softError ?? "ETIMEDOUT");
    return;
  }
  wakeUp(c);
  if (c.packetsOut > 0 || c.send.chunks.unsent === undefined) {
    c.probesOut = 0;
    c.rtt.backoff = 0;
    c.probeStartNs = -1;
    return;
  }
  c.probesOut++;
  if (c.rtt.backoff < c.settings.retries2) c.rtt.backoff++;
  c.pendingTimer = "probe-window";
  c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, Math.min(windowProbeJiffies(c), RTO_MAX_JIFFIES));
}

/** Data if the window has room for a part of it, else an old sequence number that must be answered (tcp_write_wakeup). */
function wakeUp(c: Connection): void {
  const head = c.send.chunks.unsent;
  if (head !== undefined && before(head.sequence, windowEnd(c))) {
    const room = (windowEnd(c) - head.sequence) | 0;
    const mss = Math.min(currentMss(c), room);
    if (dataBytes(head) > mss) c.send.chunks.split(head, mss, mss);
    sendQueued(c, Math.max(mss, 1), "push", "one");
    return;
  }
  sendProbe(c);
}

// ---- Keepalive and ends

function keepaliveTimer(c: Connection): void {
  if (c.state === "time-wait") {
    close(c);
    return;
  }
  if (c.state === "fin-wait-2" && c.orphaned) {
    close(c);
    return;
  }
  if (!c.keepalive || !c.synchronized || c.orphaned) return;
  const nowNs = c.host.clock.nowNs;
  let delayNs = c.keepaliveIdleNs;
  const idleNs = nowNs - Math.max(c.lastReceivedNs, c.lastDataNs);
  if (c.packetsOut === 0 && c.send.chunks.unsent === undefined) {
    if (idleNs >= c.keepaliveIdleNs) {
      const tooMany =
        c.userTimeoutNs > 0 ? idleNs >= c.userTimeoutNs && c.probesOut > 0 : c.probesOut >= c.keepaliveCount;
      if (tooMany) {
        sendReset(c);
        breakOff(c, c.softError ?? "ETIMEDOUT");
        return;
      }
      sendProbe(c);
      c.probesOut++;
      delayNs = c.keepaliveIntervalNs;
    } else {
      delayNs = c.keepaliveIdleNs - idleNs;
    }
  }
  armKeepalive(c, Math.max(delayNs, JIFFY_NS));
}
