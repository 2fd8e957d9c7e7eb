/**
 * A segment arrives: RFC 9293 §3.10.7.3 (SYN-SENT) and §3.10.7.4 (the others), in that order: sequence number with PAWS (RFC 7323 §5.3), RST and
 * SYN with challenges (RFC 5961), ACK, data, FIN. Listening and waiting in TIME-WAIT have files of their own.
 */
import { ACK, FIN, RST, SYN } from "../../wire/tcp.ts";
import type { DropReason } from "../drop-reason.ts";
import { acknowledge } from "./acknowledge.ts";
import { acknowledgeIfDue, acknowledgeQuickly, measureRttByTimestamp, noteData } from "./acknowledging.ts";
import { awaitFin, breakOff, close, enterTimeWait, establish, expandSendBuffer } from "./change-state.ts";
import { ACK_NOW, ACK_SCHEDULED, type Connection } from "./connection-state.ts";
import { push, sendAck } from "./output.ts";
import type { IncomingSegment } from "./segment.ts";
import { add, after, before, distance } from "./sequence.ts";
import { growWindow, receiveWindow } from "./window.ts";

/** What became of a segment: its data was kept, it was understood, or it was dropped. */
export type Verdict = "deliver" | "consume" | DropReason;

/** A timestamp that was not renewed for 24 days proves nothing (RFC 7323 §5.5). */
const PAWS_EXPIRY_NS = 24 * 86_400 * 1_000_000_000;

/** Handles a segment for a connection in any state but TIME-WAIT and CLOSED. */
export function receive(c: Connection, segment: IncomingSegment): Verdict {
  c.segmentsReceived++;
  if (c.state === "syn-sent") return receiveInSynSent(c, segment);
  const refused = validate(c, segment);
  if (refused !== undefined) return refused;
  if (!segment.has(ACK)) return "tcp-invalid";
  // RFC 7323 §4.3: the echo is of the segment that the last acknowledgement was waiting for.
  if (segment.hasTimestamp && c.timestamps && !after(segment.sequence, c.rcvWup)) keepTimestamp(c, segment);
  const bad = receiveAck(c, segment);
  if (bad !== undefined) return bad;
  const verdict = receiveData(c, segment);
  if (isClosed(c)) return verdict;
  push(c, "nagle");
  wakeWriter(c);
  acknowledgeIfDue(c);
  return verdict;
}

/** The state as it is now: handlers above may have ended the connection, which the compiler cannot see. */
function isClosed(c: Connection): boolean {
  return c.state === "closed" || c.state === "time-wait";
}

// ---- First to fourth check

/** Undefined when the segment is acceptable and carries neither RST nor SYN. */
function validate(c: Connection, segment: IncomingSegment): Verdict | undefined {
  const reset = segment.has(RST);
  const synchronizes = segment.has(SYN);
  if (!synchronizes && !reset && isFromThePast(c, segment)) {
    answerUnacceptable(c, segment);
    return "tcp-paws";
  }
  if (!isAcceptable(c, segment)) {
    if (reset) return "tcp-out-of-window";
    if (synchronizes) challenge(c);
    else answerUnacceptable(c, segment);
    return before(segment.end, c.rcvWup) ? "tcp-old-duplicate" : "tcp-out-of-window";
  }
  if (reset) {
    // RFC 5961 §3.2; the right edge of SACK is where a peer that has lost its state would reset.
    const edge = c.receive.hasHole && segment.sequence === c.receive.highest;
    if (segment.sequence === c.rcvNxt || edge) {
      breakOff(c, c.state === "close-wait" ? "EPIPE" : "ECONNRESET");
      return "consume";
    }
    challenge(c);
    return "tcp-invalid";
  }
  if (synchronizes) {
    if (isSimultaneousAnswer(c, segment)) return undefined;
    challenge(c);
    return "tcp-invalid";
  }
  return undefined;
}

/** PAWS, RFC 7323 §5.3 R1; a pure acknowledgement that was merely overtaken is let through. */
function isFromThePast(c: Connection, segment: IncomingSegment): boolean {
  if (!c.timestamps || !segment.hasTimestamp || c.recentTimestampNs === 0) return false;
  const behind = (c.recentTimestamp - segment.timestampValue) | 0;
  if (behind <= 1) return false;
  if (c.host.clock.nowNs - c.recentTimestampNs > PAWS_EXPIRY_NS) return false;
  const overtaken =
    segment.payloadBytes === 0 &&
    segment.sequence === c.rcvNxt &&
    segment.acknowledgement === c.sndUna &&
    !segment.has(FIN) &&
    segment.window * 2 ** c.sndScale <= c.sndWnd &&
    behind <= c.rtt.rtoJiffies * 4;
  return !overtaken;
}

/** RFC 9293 §3.4's test, from the last advertised window on; FIN may stand just beyond it. */
function isAcceptable(c: Connection, segment: IncomingSegment): boolean {
  if (before(segment.end, c.rcvWup)) return false;
  const limit = add(c.rcvNxt, receiveWindow(c));
  if (after(segment.sequence, limit)) return false;
  return !after((segment.end - (segment.flags & FIN)) | 0, limit);
}

/** A SYN,ACK that answers ours after a simultaneous open. */
function isSimultaneousAnswer(c: Connection, segment: IncomingSegment): boolean {
  return (
    c.state === "syn-received" &&
    segment.has(ACK) &&
    segment.payloadBytes === 0 &&
    add(segment.sequence, 1) === c.rcvNxt &&
    segment.acknowledgement === c.sndNxt
  );
}

function keepTimestamp(c: Connection, segment: IncomingSegment): void {
  if (c.recentTimestampNs !== 0 && ((segment.timestampValue - c.recentTimestamp) | 0) < 0) return;
  c.recentTimestamp = segment.timestampValue;
  c.recentTimestampNs = Math.max(1, c.host.clock.nowNs);
}

/** Says again where we are; a duplicate is reported by DSACK. Rarely, for such segments may be somebody's attack or a loop. */
function answerUnacceptable(c: Connection, segment: IncomingSegment): void {
  if (segment.payloadBytes === 0 && isRateLimited(c)) return;
  if (segment.end !== segment.sequence && before(segment.sequence, c.rcvNxt)) {
    acknowledgeQuickly(c);
    if (c.sackEnabled && c.settings.dsack)
      c.sackBlocks.reportDuplicate(segment.sequence, after(segment.end, c.rcvNxt) ? c.rcvNxt : segment.end);
  }
  sendAck(c);
}

/** RFC 5961 §5 and §7. */
function challenge(c: Connection): void {
  if (isRateLimited(c) || !c.host.challengeAllowed()) return;
  sendAck(c);
}

function isRateLimited(c: Connection): boolean {
  const nowNs = c.host.clock.nowNs;
  if (c.lastChallengeNs >= 0 && nowNs - c.lastChallengeNs < c.settings.invalidRateLimitNs) return true;
  c.lastChallengeNs = nowNs;
  return false;
}

// ---- Fifth check: ACK

function receiveAck(c: Connection, segment: IncomingSegment): Verdict | undefined {
  const verdict = acknowledge(c, segment);
  if (c.state === "syn-received") {
    if (verdict !== "ok") {
      resetFor(c, segment);
      return "tcp-invalid";
    }
    establish(c);
  } else if (verdict === "too-old" || verdict === "unsent") {
    if (verdict === "too-old" || c.state !== "established") challenge(c);
    return "tcp-invalid";
  }
  if (c.sndUna !== c.writeSequence) return undefined;
  switch (c.state) {
    case "fin-wait-1":
      c.state = "fin-wait-2";
      c.owner?.changed();
      if (!c.orphaned) return undefined;
      if (after((segment.end - (segment.flags & FIN)) | 0, c.rcvNxt)) return abortOnData(c, segment);
      awaitFin(c);
      return undefined;
    case "closing":
      enterTimeWait(c);
      return "consume";
    case "last-ack":
      close(c);
      return "consume";
    default:
      return undefined;
  }
}

/** Data for a program that has gone: RFC 1122 §4.2.2.13. */
function abortOnData(c: Connection, segment: IncomingSegment): Verdict {
  resetFor(c, segment);
  close(c);
  return "tcp-no-socket";
}

/** A reset with the sequence number that the segment's sender expects (RFC 9293 §3.5.2). */
function resetFor(c: Connection, segment: IncomingSegment): void {
  const out = c.host.segment;
  out.reset(RST, segment.acknowledgement, 0);
  c.host.transmit(c);
}

/** Acknowledged data makes room; a window that is not full may use a larger buffer (tcp_check_space). */
function wakeWriter(c: Connection): void {
  if (!c.writerWaits) return;
  if (c.inFlight < c.cwnd.segments) expandSendBuffer(c);
  if (c.send.writable) {
    c.writerWaits = false;
    c.owner?.changed();
  }
}

// ---- Seventh and eighth check: data and FIN

function receiveData(c: Connection, segment: IncomingSegment): Verdict {
  if (segment.end === segment.sequence || c.state === "closed") return "consume";
  switch (c.state) {
    case "close-wait":
    case "closing":
    case "last-ack":
      // After a FIN nothing may follow; a repetition of what was there is acknowledged.
      if (!before(segment.sequence, c.rcvNxt)) return "tcp-invalid";
      break;
    case "fin-wait-1":
    case "fin-wait-2":
      if (c.orphaned && after((segment.end - (segment.flags & FIN)) | 0, c.rcvNxt)) return abortOnData(c, segment);
      break;
    default:
      break;
  }
  return queue(c, segment);
}

function queue(c: Connection, segment: IncomingSegment): Verdict {
  const window = receiveWindow(c);
  if (!after(segment.end, c.rcvNxt)) {
    if (c.sackEnabled && c.settings.dsack) c.sackBlocks.reportDuplicate(segment.sequence, segment.end);
    owe(c);
    return "tcp-old-duplicate";
  }
  if (!before(segment.sequence, add(c.rcvNxt, window))) {
    owe(c);
    return window === 0 ? "tcp-buffer-full" : "tcp-out-of-window";
  }
  if (c.receive.memory > c.receiveLimit) {
    c.receive.collapse();
    if (c.receive.memory > c.receiveLimit) {
      owe(c);
      return "tcp-buffer-full";
    }
  }
  if (after(segment.sequence, c.rcvNxt)) return queueBehindHole(c, segment);
  const known = distance(segment.sequence, c.rcvNxt);
  if (known > 0 && c.sackEnabled && c.settings.dsack) c.sackBlocks.reportDuplicate(segment.sequence, c.rcvNxt);
  return queueInOrder(c, segment, known);
}

/** A duplicate, or data without room: an immediate acknowledgement tells the sender where we are. */
function owe(c: Connection): void {
  acknowledgeQuickly(c);
  c.ackPending |= ACK_SCHEDULED;
}

function queueInOrder(c: Connection, segment: IncomingSegment, known: number): Verdict {
  const count = segment.payloadBytes - known;
  const hadHole = c.receive.hasHole;
  if (count > 0) {
    c.receive.append(segment.bytes, segment.payloadAt + known, count);
    c.rcvNxt = c.receive.end;
    c.bytesReceived += count;
    c.dataSegmentsReceived++;
    noteData(c, segment, count);
  }
  if (segment.timestampEcho !== 0) measureRttByTimestamp(c, segment);
  if (hadHole) {
    c.sackBlocks.refresh(c.receive);
    // RFC 5681 §4.2: at once when a hole is filled.
    if (!c.receive.hasHole) c.ackPending |= ACK_NOW;
  }
  const early = c.hasEarlyFin && c.earlyFin === c.rcvNxt;
  if (segment.has(FIN) || early) receiveFin(c);
  if (count > 0) {
    if (c.readShut || c.orphaned) c.receive.discard();
    c.owner?.changed();
  }
  return count > 0 ? "deliver" : "consume";
}

function queueBehindHole(c: Connection, segment: IncomingSegment): Verdict {
  const receive = c.receive;
  c.ackPending |= ACK_SCHEDULED;
  if (segment.has(FIN)) {
    c.hasEarlyFin = true;
    c.earlyFin = add(segment.sequence, segment.payloadBytes);
  }
  if (segment.payloadBytes === 0) return "consume";
  const end = add(segment.sequence, segment.payloadBytes);
  const range = receive.covering(segment.sequence, end);
  if (range >= 0) {
    if (c.sackEnabled && c.settings.dsack) c.sackBlocks.reportDuplicate(segment.sequence, end);
    c.ackPending |= ACK_NOW;
    return "tcp-old-duplicate";
  }
  c.dataSegmentsReceived++;
  const index = receive.insert(segment.sequence, segment.bytes, segment.payloadAt, segment.payloadBytes);
  if (c.sackEnabled) c.sackBlocks.report(receive.rangeStart(index), receive);
  growWindow(c, segment.payloadBytes);
  return "deliver";
}

function receiveFin(c: Connection): void {
  c.rcvNxt = add(c.rcvNxt, 1);
  c.finReceived = true;
  c.hasEarlyFin = false;
  c.ackPending |= ACK_SCHEDULED;
  switch (c.state) {
    case "syn-received":
    case "established":
      c.state = "close-wait";
      c.interactive = Math.max(c.interactive, 1); // our own FIN may come soon and carry the acknowledgement
      break;
    case "fin-wait-1":
      sendAck(c);
      c.state = "closing";
      break;
    case "fin-wait-2":
      sendAck(c);
      enterTimeWait(c);
      break;
    default:
      break;
  }
  c.owner?.changed();
}

// ---- SYN-SENT, RFC 9293 §3.10.7.3

function receiveInSynSent(c: Connection, segment: IncomingSegment): Verdict {
  if (segment.has(ACK)) {
    const acknowledges = after(segment.acknowledgement, c.sndUna) && !after(segment.acknowledgement, c.sndNxt);
    if (!acknowledges || echoesNothingOfOurs(c, segment)) {
      if (!segment.has(RST)) resetFor(c, segment);
      return "tcp-invalid";
    }
    if (segment.has(RST)) {
      breakOff(c, "ECONNREFUSED");
      return "consume";
    }
    if (!segment.has(SYN)) return "tcp-invalid";
    acceptOptions(c, segment);
    acknowledge(c, segment);
    establish(c);
    sendAck(c);
    push(c, "nagle");
    return "consume";
  }
  if (segment.has(RST) || !segment.has(SYN)) return "tcp-invalid";
  acceptOptions(c, segment); // simultaneous open, RFC 9293 §3.5
  c.sndWl1 = segment.sequence;
  c.state = "syn-received";
  sendSynAck(c);
  return "consume";
}

/** RFC 7323 §3.2: an echo of a timestamp that we did not send. */
function echoesNothingOfOurs(c: Connection, segment: IncomingSegment): boolean {
  if (!segment.hasTimestamp || segment.timestampEcho === 0) return false;
  const head = c.send.chunks.head;
  if (head === undefined) return false;
  return after(segment.timestampEcho, c.timestampNow) || before(segment.timestampEcho, c.synTimestamp);
}

/** What both sides want is agreed (RFC 9293 §3.7.1, 7323, 2018). */
function acceptOptions(c: Connection, segment: IncomingSegment): void {
  c.irs = segment.sequence;
  c.rcvNxt = add(segment.sequence, 1);
  c.rcvWup = c.rcvNxt;
  c.receive.begin(c.rcvNxt);
  c.sndWl1 = segment.sequence;
  c.sndWnd = segment.window;
  c.maximumWindow = segment.window;
  if (segment.mss > 0) c.peerMss = segment.mss;
  if (segment.windowScale < 0) {
    c.windowScaling = false;
    c.rcvScale = 0;
    c.sndScale = 0;
  } else if (c.windowScaling) {
    c.sndScale = segment.windowScale;
  }
  c.sackEnabled = c.sackEnabled && segment.sackPermitted;
  c.timestamps = c.timestamps && segment.hasTimestamp;
  if (c.timestamps) {
    c.advertisedMss -= 12;
    keepTimestamp(c, segment);
  }
}

function sendSynAck(c: Connection): void {
  const out = c.host.segment;
  out.reset(SYN | ACK, c.iss, c.rcvNxt);
  out.window = Math.min(c.rcvWnd, 0xffff);
  out.mss = c.advertisedMss + (c.timestamps ? 12 : 0);
  out.windowScale = c.windowScaling ? c.rcvScale : -1;
  out.sackPermitted = c.sackEnabled;
  if (c.timestamps) {
    out.hasTimestamp = true;
    out.timestampValue = c.timestampNow;
    out.timestampEcho = c.recentTimestamp;
  }
  c.segmentsSent++;
  c.host.transmit(c);
}
