/**
 * What to do about losses: Linux's congestion states (tcp_fastretrans_alert). Fast recovery by SACK or by duplicate acknowledgements
 * (RFC 5681, 6582, 6675) with proportional rate reduction (RFC 6937), retransmission timeouts (RFC 6298 §5) with F-RTO (RFC 5682), and
 * undoing a reduction that turns out to have been needless (RFC 3522 by timestamps, RFC 3708 by DSACK).
 */
import { LOST, RETRANSMITTED, SACKED } from "./chunk.ts";
import { INFINITE_THRESHOLD } from "./congestion/congestion-control.ts";
import type { CongestionState, Connection } from "./connection-state.ts";
import { burstSegments, currentMss, recount, retransmitChunk, windowEnd } from "./output.ts";
import * as rack from "./rack.ts";
import * as timer from "./retransmit-timer.ts";
import type { AckResult } from "./scoreboard.ts";
import { after, before } from "./sequence.ts";
import { TIMER_RETRANSMIT } from "./timers.ts";

/** What is to be sent after the acknowledgement was dealt with. */
export type Retransmission = "nothing" | "lost" | "new";

/** Handles an acknowledgement that brings duplicates, losses or comes during a recovery. */
export function alert(c: Connection, priorUna: number, duplicates: number, result: AckResult): Retransmission {
  if (c.packetsOut === 0 && c.sackedOut > 0) c.sackedOut = 0;
  if (result.reneged) {
    // The peer took back what it had reported: give it a moment, then treat all as lost.
    c.pendingTimer = "retransmit";
    c.host.timers.set(c.timerRow, TIMER_RETRANSMIT, Math.max(c.rtt.smoothedUs * 500, 10_000_000));
    return "nothing";
  }
  if (c.congestionState === "open") {
    if (c.retransmittedOut === 0) c.retransmitStamp = 0;
  } else if (!before(c.sndUna, c.recoveryPoint)) {
    if (c.congestionState === "reduced") {
      if (c.sndUna !== c.recoveryPoint) {
        endReduction(c);
        setState(c, "open");
      }
    } else if (c.congestionState === "recovery") {
      if (!c.sackEnabled) c.sackedOut = 0;
      if (undoRecovery(c)) return "nothing";
      endReduction(c);
    }
  }
  switch (c.congestionState) {
    case "recovery":
      if (!result.advanced) {
        if (!c.sackEnabled && duplicates > 0) addDuplicate(c);
      } else if (undoPartial(c, result)) {
        return "nothing";
      }
      if (undoByDuplicates(c)) keepOpen(c);
      identifyLosses(c, result);
      return "lost";
    case "loss": {
      const next = processLoss(c, duplicates, result);
      identifyLosses(c, result);
      const state = c.congestionState as CongestionState; // processLoss may have changed it
      if (state !== "open" && !result.lostRetransmission) return next;
      return recoverIfNeeded(c, duplicates, result, next);
    }
    default:
      return recoverIfNeeded(c, duplicates, result, "nothing", priorUna);
  }
}

function recoverIfNeeded(
  c: Connection,
  duplicates: number,
  result: AckResult,
  otherwise: Retransmission,
  priorUna?: number,
): Retransmission {
  if (!c.sackEnabled && priorUna !== undefined) {
    if (result.advanced) c.sackedOut = 0;
    if (duplicates > 0) addDuplicate(c);
  }
  if (c.congestionState === "open" || c.congestionState === "disorder") undoByDuplicates(c);
  if (priorUna !== undefined) identifyLosses(c, result);
  if (c.lostOut === 0) {
    tryToOpen(c);
    return otherwise;
  }
  enterRecovery(c);
  return "lost";
}

function setState(c: Connection, state: CongestionState): void {
  c.congestionState = state;
}

/** Without SACK each duplicate acknowledgement stands for one segment that has arrived (RFC 5681 §3.2). */
function addDuplicate(c: Connection): void {
  const limit = c.packetsOut - c.lostOut;
  c.sackedOut = Math.min(c.sackedOut + 1, Math.max(limit, 0));
  c.delivered++;
}

function identifyLosses(c: Connection, result: AckResult): void {
  const head = c.send.chunks.head;
  if (head === undefined || c.packetsOut === 0) return;
  if (!c.sackEnabled || !c.settings.rack) {
    identifyByDuplicates(c, result);
    return;
  }
  const retransmitted = c.retransmittedOut;
  if (rack.detectLosses(c)) result.setTimer = false;
  if (retransmitted > c.retransmittedOut) result.lostRetransmission = true;
}

/** NewReno, RFC 6582: the oldest is lost after three duplicates, and each oldest of a partial acknowledgement. */
function identifyByDuplicates(c: Connection, result: AckResult): void {
  const recovering = c.congestionState === "recovery";
  const early = c.congestionState === "open" || c.congestionState === "disorder" || c.congestionState === "reduced";
  if (!((early && c.sackedOut >= c.reordering) || (recovering && result.advanced))) return;
  const chunks = c.send.chunks;
  let head = chunks.head!;
  while ((head.marks & SACKED) !== 0 && head.next !== undefined && head.next !== chunks.unsent) head = head.next;
  if ((head.marks & (LOST | SACKED)) !== 0) return;
  const mss = currentMss(c);
  if (head.segments > 1) {
    const formerly = head.segments;
    chunks.split(head, Math.min(mss, head.mss), mss);
    recount(c, head, formerly, head.segments + head.next!.segments);
  }
  rack.markLost(c, head);
}

function tryToOpen(c: Connection): void {
  if (c.retransmittedOut === 0) c.retransmitStamp = 0;
  if (c.congestionState !== "reduced") keepOpen(c);
}

function keepOpen(c: Connection): void {
  const state = c.sackedOut + c.lostOut > 0 || c.retransmittedOut > 0 ? "disorder" : "open";
  if (state === c.congestionState) return;
  setState(c, state);
  c.recoveryPoint = c.sndNxt;
}

// ---- Reductions

function beginReduction(c: Connection): void {
  c.recoveryPoint = c.sndNxt;
  c.tailProbing = false;
  c.cwnd.count = 0;
  c.cwnd.prior = c.cwnd.segments;
  c.prrDelivered = 0;
  c.prrOut = 0;
  c.cwnd.threshold = c.congestion.reduced(c.cwnd);
}

function endReduction(c: Connection): void {
  if (c.cwnd.threshold < INFINITE_THRESHOLD && (c.congestionState === "reduced" || c.mayUndo)) {
    c.cwnd.segments = c.cwnd.threshold;
    c.cwnd.stampNs = c.host.clock.nowNs;
  }
}

function enterRecovery(c: Connection): void {
  c.priorThreshold = 0;
  beginUndo(c);
  if (c.congestionState !== "reduced") {
    c.priorThreshold = c.cwnd.current;
    beginReduction(c);
  }
  setState(c, "recovery");
}

/** RFC 6937: sends in proportion to what is delivered, so that cwnd reaches ssthresh at the end of the round trip. */
export function reduceProportionally(c: Connection, delivered: number, newlyLost: number, result: AckResult): void {
  if (delivered <= 0 || c.cwnd.prior === 0) return;
  const room = c.cwnd.threshold - c.inFlight;
  c.prrDelivered += delivered;
  let allowed: number;
  if (room < 0) {
    allowed = Math.ceil((c.cwnd.threshold * c.prrDelivered) / c.cwnd.prior) - c.prrOut;
  } else {
    allowed = Math.max(c.prrDelivered - c.prrOut, delivered);
    if (result.advanced && newlyLost === 0) allowed++;
    allowed = Math.min(room, allowed);
  }
  // The first retransmission goes at once.
  allowed = Math.max(allowed, c.prrOut > 0 ? 0 : 1);
  c.cwnd.segments = Math.max(1, c.inFlight + allowed);
}

/** A tail loss probe's answer shows whether something was lost (RFC 8985 §7.4). */
export function processTailProbe(c: Connection, acknowledgement: number, result: AckResult): void {
  if (!c.tailProbing || before(acknowledgement, c.tailProbeEnd)) return;
  if (!c.tailProbeRetransmitted || result.duplicateIsTailProbe) {
    c.tailProbing = false;
  } else if (after(acknowledgement, c.tailProbeEnd)) {
    beginReduction(c);
    setState(c, "reduced");
    endReduction(c);
    keepOpen(c);
  } else if (!result.advanced && !result.carriesData && !result.windowUpdated && !result.dataSacked) {
    c.tailProbing = false;
  }
}

// ---- Timeouts

/** The retransmission timer ran out: all that was sent long enough ago is lost (RFC 6298 §5.4 f., RFC 5681 §3.1). */
export function enterLoss(c: Connection): void {
  const state = c.congestionState;
  const early = state === "open" || state === "disorder";
  const fresh = early || state === "reduced";
  markAllLost(c);
  if (early || !after(c.recoveryPoint, c.sndUna) || (state === "loss" && c.retransmissions === 0)) {
    c.priorThreshold = c.cwnd.current;
    c.cwnd.prior = c.cwnd.segments;
    c.cwnd.threshold = c.congestion.reduced(c.cwnd);
    beginUndo(c);
  }
  c.cwnd.segments = c.inFlight + 1;
  c.cwnd.count = 0;
  c.cwnd.stampNs = c.host.clock.nowNs;
  if (early && c.sackedOut >= c.settings.reordering) c.reordering = Math.min(c.reordering, c.settings.reordering);
  if (state !== "loss") c.congestion.timedOut();
  setState(c, "loss");
  c.recoveryPoint = c.sndNxt;
  c.tailProbing = false;
  c.forwardRto = c.settings.forwardRto && (fresh || c.retransmissions > 0);
}

function markAllLost(c: Connection): void {
  const chunks = c.send.chunks;
  const head = chunks.head;
  if (head === undefined) return;
  const reneged = (head.marks & SACKED) !== 0;
  if (!c.sackEnabled) c.sackedOut = 0;
  for (let chunk: typeof head | undefined = head; chunk !== undefined && chunk !== chunks.unsent; chunk = chunk.next) {
    if (reneged && (chunk.marks & SACKED) !== 0) {
      chunk.marks &= ~SACKED;
      c.sackedOut -= chunk.segments;
    } else if (c.settings.rack && c.sackEnabled && chunk !== head && rack.untilLostUs(c, chunk, 0) > 0) {
      continue; // sent a moment ago
    }
    rack.markLost(c, chunk);
  }
}

function processLoss(c: Connection, duplicates: number, result: AckResult): Retransmission {
  const recovered = !before(c.sndUna, c.recoveryPoint);
  if (result.advanced && undoLoss(c, false)) return "nothing";
  if (c.forwardRto) {
    // RFC 5682 §3.1: the timeout was needless when something arrives that was not sent again.
    if (result.originalArrived && undoLoss(c, true)) return "nothing";
    if (after(c.sndNxt, c.recoveryPoint)) {
      if (result.dataSacked || duplicates > 0) c.forwardRto = false;
    } else if (result.advanced && !recovered) {
      c.recoveryPoint = c.sndNxt;
      if (c.send.chunks.unsent !== undefined && after(windowEnd(c), c.sndNxt)) return "new";
      c.forwardRto = false;
    }
  }
  if (recovered) {
    undoRecovery(c);
    return "nothing";
  }
  if (!c.sackEnabled) {
    if (after(c.sndNxt, c.recoveryPoint) && duplicates > 0) addDuplicate(c);
    else if (result.advanced) c.sackedOut = 0;
  }
  return "lost";
}

// ---- Undoing

function beginUndo(c: Connection): void {
  c.mayUndo = true;
  c.undoMarker = c.sndUna;
  c.undoRetransmissions = c.retransmittedOut > 0 ? c.retransmittedOut : -1;
}

/** Every retransmission was reported as a duplicate, or the acknowledgement's echo is older than the first one. */
function wasNeedless(c: Connection): boolean {
  return c.mayUndo && (c.undoRetransmissions === 0 || echoesOriginal(c));
}

function echoesOriginal(c: Connection): boolean {
  if (c.retransmitStamp === 0 || !c.timestamps || c.echoed === 0) return false;
  return before(c.echoed, c.retransmitStamp);
}

function undoReduction(c: Connection, clearLost: boolean): void {
  if (clearLost) {
    const chunks = c.send.chunks;
    for (let chunk = chunks.head; chunk !== undefined && chunk !== chunks.unsent; chunk = chunk.next)
      chunk.marks &= ~LOST;
    c.lostOut = 0;
  }
  if (c.priorThreshold > 0) {
    c.cwnd.segments = Math.max(c.cwnd.segments, c.cwnd.prior);
    if (c.priorThreshold > c.cwnd.threshold) c.cwnd.threshold = c.priorThreshold;
  }
  c.cwnd.stampNs = c.host.clock.nowNs;
  c.mayUndo = false;
  c.rackAdvanced = true;
}

/** All that was out when recovery began has arrived. True when it must go on all the same. */
function undoRecovery(c: Connection): boolean {
  if (wasNeedless(c)) undoReduction(c, false);
  else if (c.rackWindowPersist > 0) c.rackWindowPersist--;
  if (holdsAgainstFalseRetransmits(c)) return true;
  setState(c, "open");
  return false;
}

/** RFC 6582 §3.2 without SACK: stays until more than the recovery point is acknowledged. */
function holdsAgainstFalseRetransmits(c: Connection): boolean {
  if (c.sackEnabled || c.sndUna !== c.recoveryPoint) return false;
  if (c.retransmittedOut === 0) c.retransmitStamp = 0;
  return true;
}

function undoPartial(c: Connection, result: AckResult): boolean {
  if (!c.mayUndo || !echoesOriginal(c)) return false;
  if (result.hasReordered) rack.noteReordering(c, c.undoMarker, c.sndUna);
  if (c.retransmittedOut > 0) return true;
  c.retransmitStamp = 0;
  undoReduction(c, true);
  keepOpen(c);
  return true;
}

function undoByDuplicates(c: Connection): boolean {
  if (!c.mayUndo || c.undoRetransmissions !== 0) return false;
  c.rackWindowPersist = Math.min(16, c.rackWindowPersist + 1);
  undoReduction(c, false);
  return true;
}

function undoLoss(c: Connection, byForwardRto: boolean): boolean {
  if (!byForwardRto && !wasNeedless(c)) return false;
  undoReduction(c, true);
  c.retransmissions = 0;
  if (holdsAgainstFalseRetransmits(c)) return true;
  if (byForwardRto || c.sackEnabled) setState(c, "open");
  return true;
}

// ---- Sending again

/** Sends what is marked lost, as far as the congestion window allows. */
export function retransmitLost(c: Connection): void {
  if (c.packetsOut === 0) return;
  const chunks = c.send.chunks;
  const burst = burstSegments(c, currentMss(c));
  let rearm = false;
  for (let chunk = chunks.head; chunk !== undefined && chunk !== chunks.unsent; chunk = chunk.next) {
    if ((chunk.marks & LOST) === 0 || (chunk.marks & (SACKED | RETRANSMITTED)) !== 0) continue;
    const room = c.cwnd.segments - c.inFlight;
    if (room <= 0) break;
    const isHead = chunk === chunks.head;
    if (!retransmitChunk(c, chunk, Math.min(room, burst))) break;
    if (c.congestionState === "recovery" || c.congestionState === "reduced") c.prrOut += chunk.segments;
    if (isHead && c.pendingTimer !== "reorder") rearm = true;
  }
  if (rearm) timer.restart(c);
}

/** The path takes less than thought: what is too long is sent again at once, without a reduction (tcp_simple_retransmit, RFC 1191 §6.4). */
export function retransmitTooLong(c: Connection): void {
  const mss = currentMss(c);
  const chunks = c.send.chunks;
  const lost = c.lostOut;
  for (let chunk = chunks.head; chunk !== undefined && chunk !== chunks.unsent; chunk = chunk.next)
    if (chunk.mss > mss && longestSegment(chunk.mss, chunk.end - chunk.sequence) > mss) rack.markLost(c, chunk);
  if (lost === c.lostOut) return;
  if (!c.sackEnabled) c.sackedOut = Math.min(c.sackedOut, c.packetsOut - c.lostOut);
  if (c.congestionState !== "loss") {
    c.recoveryPoint = c.sndNxt;
    c.cwnd.threshold = c.cwnd.current;
    c.priorThreshold = 0;
    c.mayUndo = false;
    setState(c, "loss");
  }
  retransmitLost(c);
}

function longestSegment(mss: number, distance32: number): number {
  return Math.min(mss, distance32 | 0);
}
