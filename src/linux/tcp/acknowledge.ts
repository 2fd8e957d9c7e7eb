/**
 * What an acknowledgement does: RFC 9293 §3.10.7.4 fifth check, with window update (§3.10.7.4), RTT measurement (RFC 6298, 7323 §4), the
 * scoreboard, loss recovery and congestion control, in the order of Linux's tcp_ack.
 */
import { SYN } from "../../wire/tcp.ts";
import { type Chunk, EVER_RETRANSMITTED, LOST, RETRANSMITTED, SACKED } from "./chunk.ts";
import type { AcknowledgementFacts } from "./congestion/congestion-control.ts";
import { type Connection, limitDuplicates } from "./connection-state.ts";
import { currentMss, push, sendQueued, setPathMtu, trimHead, updatePacingRate, usesWindow } from "./output.ts";
import * as rack from "./rack.ts";
import { alert, processTailProbe, type Retransmission, reduceProportionally, retransmitLost } from "./recovery.ts";
import * as timer from "./retransmit-timer.ts";
import { RTO_MAX_JIFFIES, RTO_MIN_JIFFIES } from "./rtt.ts";
import { AckResult, highestSack, readBlocks } from "./scoreboard.ts";
import type { IncomingSegment } from "./segment.ts";
import { add, after, before, distance } from "./sequence.ts";
import { TIMER_RETRANSMIT } from "./timers.ts";

/** `"too-old"`: from before the window, RFC 5961 §5.2; `"unsent"`: of what was never sent. */
export type AckVerdict = "ok" | "old" | "too-old" | "unsent";

const MAXIMUM_BURST_US = 1_000;
const BURST_BYTES = 65_215;

/** What the congestion control is told; one object for all. */
class Facts implements AcknowledgementFacts {
  nowNs = 0;
  sndUna = 0;
  sndNxt = 0;
  burstUs = 0;
}

const result = new AckResult();
const facts = new Facts();

/** Takes the acknowledgement in. What it allows to be sent again goes out at once; new data is the caller's matter (`push`). */
export function acknowledge(c: Connection, segment: IncomingSegment): AckVerdict {
  const acknowledgement = segment.acknowledgement;
  const priorUna = c.sndUna;
  if (before(acknowledgement, priorUna)) {
    if (before(acknowledgement, (priorUna - c.maximumWindow) | 0)) return "too-old";
    oldAcknowledgement(c, segment, priorUna);
    return "old";
  }
  if (after(acknowledgement, c.sndNxt)) return "unsent";
  result.reset();
  c.echoed = segment.hasTimestamp ? segment.timestampEcho : 0;
  const priorOut = c.packetsOut;
  const priorDelivered = c.delivered;
  const priorLost = c.lostOut;
  const priorHighest = highestSack(c);
  result.advanced = after(acknowledgement, priorUna);
  if (result.advanced) c.retransmissions = 0;
  result.carriesData = segment.payloadBytes > 0 || segment.end !== segment.sequence;
  updateWindow(c, segment, result);
  c.sndUna = acknowledgement;
  if (result.advanced) {
    c.bytesAcknowledged += distance(priorUna, acknowledgement);
    c.send.release(acknowledgement);
  }
  c.probesOut = 0;
  c.softError = undefined;
  c.lastReceivedNs = c.host.clock.nowNs;
  if (priorOut === 0) {
    answerToProbe(c);
    return "ok";
  }
  if (segment.sackCount > 0 && c.sackEnabled) readBlocks(c, segment, priorUna, result);
  cleanQueue(c, priorHighest);
  rack.updateWindow(c, priorDelivered);
  processTailProbe(c, acknowledgement, result);
  let next: Retransmission = "nothing";
  const duplicate = !result.carriesData && !result.advanced && !result.windowUpdated;
  if (isDubious(c, result, duplicate)) next = alert(c, priorUna, duplicate ? 1 : 0, result);
  if (result.setTimer) timer.restartAfterProgress(c);
  if (result.advanced || duplicate) c.host.confirmNeighbour(c);
  const delivered = c.delivered - priorDelivered;
  controlCongestion(c, delivered, Math.max(0, c.lostOut - priorLost));
  sendAgain(c, next);
  return "ok";
}

/** An acknowledgement that a later one has overtaken may still carry SACK blocks. */
function oldAcknowledgement(c: Connection, segment: IncomingSegment, priorUna: number): void {
  if (segment.sackCount === 0 || !c.sackEnabled || c.packetsOut === 0) return;
  result.reset();
  c.echoed = 0;
  const priorDelivered = c.delivered;
  readBlocks(c, segment, priorUna, result);
  const next = alert(c, priorUna, 0, result);
  rack.updateWindow(c, priorDelivered);
  sendAgain(c, next);
}

/** Only these need the state machine of loss recovery. */
function isDubious(c: Connection, found: AckResult, duplicate: boolean): boolean {
  return duplicate || found.dataSacked || found.duplicateReported || c.congestionState !== "open";
}

/** RFC 9293 §3.10.7.4: the newest segment tells the window. */
function updateWindow(c: Connection, segment: IncomingSegment, found: AckResult): void {
  const scale = segment.has(SYN) ? 0 : c.sndScale;
  const window = segment.window * 2 ** scale;
  const newer =
    after(segment.acknowledgement, c.sndUna) ||
    after(segment.sequence, c.sndWl1) ||
    (segment.sequence === c.sndWl1 && (window > c.sndWnd || window === 0));
  if (!newer) return;
  found.windowUpdated = segment.acknowledgement !== c.sndUna || window !== c.sndWnd;
  c.sndWl1 = segment.sequence;
  c.sndWnd = window;
  if (window > c.maximumWindow) {
    c.maximumWindow = window;
    setPathMtu(c, c.pathMtu);
  }
}

/** Nothing was out: the answer to a window probe, or a mere window update. */
function answerToProbe(c: Connection): void {
  const head = c.send.chunks.unsent;
  if (head === undefined) return;
  if (!after(head.end, add(c.sndUna, c.sndWnd))) {
    c.rtt.backoff = 0;
    c.probeStartNs = -1;
    if (c.pendingTimer === "probe-window") timer.stop(c);
  } else {
    c.pendingTimer = "probe-window";
    c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, windowProbeJiffies(c));
  }
}

/** The time until the next window probe: the timeout, doubled for each probe without a better answer. */
export function windowProbeJiffies(c: Connection): number {
  const base = Math.max(c.rtt.rtoJiffies, RTO_MIN_JIFFIES);
  return Math.min(base * 2 ** Math.min(c.rtt.backoff, 16), RTO_MAX_JIFFIES);
}

/** Takes acknowledged chunks off the queue; measures the RTT. */
function cleanQueue(c: Connection, priorHighest: number): void {
  const chunks = c.send.chunks;
  const nowUs = c.nowUs;
  let acknowledged = 0;
  let firstUs = -1;
  let lastUs = -1;
  let head: Chunk | undefined = chunks.head;
  for (; head !== undefined && head !== chunks.unsent; head = chunks.head) {
    const whole = !after(head.end, c.sndUna);
    let count = head.segments;
    if (!whole) {
      if (count === 1 || !after(c.sndUna, head.sequence)) break;
      // Whole segments of a burst leave; `trimHead` recounts what is left below.
      count = Math.min(count - 1, Math.floor(distance(head.sequence, c.sndUna) / head.mss));
      if (count === 0) break;
    }
    const marks = head.marks;
    if ((marks & (RETRANSMITTED | EVER_RETRANSMITTED)) !== 0) {
      result.retransmittedAcked = true;
    } else if ((marks & SACKED) === 0) {
      lastUs = head.sentUs;
      if (firstUs < 0) firstUs = head.sentUs;
      if (before(head.sequence, priorHighest)) result.noteReordered(head.sequence);
      if (!after(head.end, c.recoveryPoint)) result.originalArrived = true;
    }
    if ((marks & SACKED) === 0) {
      if (c.sackEnabled) c.delivered += count;
      rack.advance(c, head, whole ? head.end : c.sndUna);
    }
    acknowledged += count;
    if ((head.flags & SYN) !== 0) {
      result.synAcked = true;
      c.retransmitStamp = 0;
    } else {
      result.dataAcked = true;
    }
    if (!whole) {
      trimHead(c, head);
      break;
    }
    c.packetsOut -= count;
    if ((marks & RETRANSMITTED) !== 0) c.retransmittedOut -= count;
    if ((marks & LOST) !== 0) c.lostOut -= count;
    if ((marks & SACKED) !== 0) c.sackedOut -= count;
    chunks.removeHead();
  }
  if (head !== undefined && head !== chunks.unsent && (head.marks & SACKED) !== 0) result.reneged = true;
  measure(c, nowUs, firstUs, lastUs, acknowledged);
  if (acknowledged > 0) {
    result.setTimer = true;
    if (!c.sackEnabled) removeDuplicates(c, acknowledged);
    else if (result.retransmittedAcked) result.originalArrived = false;
    else if (result.hasReordered && before(result.reordered, priorHighest))
      rack.noteReordering(c, result.reordered, priorHighest);
  } else if (head !== undefined && result.firstSackedUs >= 0 && result.firstSackedUs < head.sentUs) {
    // SACK speaks of what was sent before the head was sent again: the timer may start anew.
    result.setTimer = true;
  }
}

/** Without SACK: the segments counted by duplicates are among those acknowledged now, all but the retransmitted one. */
function removeDuplicates(c: Connection, acknowledged: number): void {
  c.delivered += Math.max(acknowledged - c.sackedOut, 1);
  c.sackedOut = acknowledged - 1 >= c.sackedOut ? 0 : c.sackedOut - (acknowledged - 1);
  limitDuplicates(c);
}

/** RTT samples: never from what was sent twice (Karn), unless the timestamp echo tells which (RFC 7323 §4). */
function measure(c: Connection, nowUs: number, firstUs: number, lastUs: number, acknowledged: number): void {
  let sampleUs = -1;
  let newestUs = -1;
  if (firstUs >= 0 && !result.retransmittedAcked) {
    sampleUs = nowUs - firstUs;
    newestUs = nowUs - lastUs;
  } else if (result.firstSackedUs >= 0) {
    sampleUs = nowUs - result.firstSackedUs;
    newestUs = nowUs - result.lastSackedUs;
  }
  if (result.firstSackedUs >= 0) newestUs = nowUs - result.lastSackedUs;
  if (sampleUs < 0 && acknowledged > 0 && c.timestamps && c.echoed !== 0) {
    const elapsedMs = (c.timestampNow - c.echoed) | 0;
    if (elapsedMs >= 0 && elapsedMs < 2 ** 21) {
      sampleUs = Math.max(elapsedMs * 1_000, 1_000);
      newestUs = sampleUs;
    }
  }
  if (newestUs >= 0) {
    facts.nowNs = c.host.clock.nowNs;
    facts.sndUna = c.sndUna;
    facts.sndNxt = c.sndNxt;
    facts.burstUs = Math.min(MAXIMUM_BURST_US, Math.floor((BURST_BYTES * 4 * 1_000_000) / Math.max(c.pacingRate, 1)));
  }
  if (sampleUs < 0) return;
  c.rtt.noteMinimum(newestUs, nowUs);
  c.rtt.sample(sampleUs, c.sndUna, c.sndNxt);
  c.rtt.resetTimeout();
  if (newestUs >= 0) c.congestion.measured(c.cwnd, newestUs, facts);
}

function controlCongestion(c: Connection, delivered: number, newlyLost: number): void {
  const state = c.congestionState;
  if (state === "recovery" || state === "reduced") {
    reduceProportionally(c, delivered, newlyLost, result);
  } else {
    const progress = c.reordering > c.settings.reordering ? result.dataAcked || result.dataSacked : result.dataAcked;
    if (progress && delivered > 0 && usesWindow(c)) c.congestion.increase(c.cwnd, delivered, c.host.clock.nowNs);
  }
  updatePacingRate(c);
}

function sendAgain(c: Connection, next: Retransmission): void {
  if (next === "nothing" || c.state === "closed") return;
  if (next === "new") {
    push(c, "push");
    if (after(c.sndNxt, c.recoveryPoint)) return;
    c.forwardRto = false;
  }
  retransmitLost(c);
}

/** One more segment as a tail loss probe, whatever the congestion window says. */
export function sendProbeOfNewData(c: Connection): boolean {
  const out = c.packetsOut;
  sendQueued(c, currentMss(c), "push", "probe");
  return c.packetsOut > out;
}
