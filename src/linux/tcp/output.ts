/**
 * Sending: RFC 9293 §3.8 and §3.10.8, Nagle's rule with Minshall's change (RFC 1122 §4.2.3.4), RFC 5681's window, and the bursts in which Linux
 * hands data to the network (tcp_tso_autosize): several segments built from one chunk, of which the last carries PSH.
 */
import { MILLISECOND } from "../../sim/time.ts";
import { HEADER_BYTES as IPV4_HEADER_BYTES } from "../../wire/ipv4.ts";
import { ACK, FIN, PSH, RST, SYN, HEADER_BYTES as TCP_HEADER_BYTES } from "../../wire/tcp.ts";
import { ALIGNED_TIMESTAMPS_BYTES } from "../../wire/tcp-options.ts";
import { type Chunk, countSegments, dataBytes, EVER_RETRANSMITTED, LOST, RETRANSMITTED, SACKED } from "./chunk.ts";
import { INFINITE_THRESHOLD, INITIAL_WINDOW } from "./congestion/congestion-control.ts";
import { ACK_SCHEDULED, type Connection, DEFAULT_MSS, limitDuplicates } from "./connection-state.ts";
import { rearm, scheduleTailProbe } from "./retransmit-timer.ts";
import { RTO_MIN_JIFFIES, usOfJiffies } from "./rtt.ts";
import { add, after, before, distance } from "./sequence.ts";
import { TIMER_COMPRESSED_ACK, TIMER_DELAYED_ACK, TIMER_RETRANSMIT } from "./timers.ts";
import { advertise } from "./window.ts";

/** What one burst may hold: 64 KiB less the room for headers (sk_gso_max_size). */
const BURST_MAXIMUM_BYTES = 65_215;
const ATO_MINIMUM_JIFFIES = 10; // 40 ms

/** How Nagle's rule is applied to a segment that is not full. */
export type Urgency = "nagle" | "push";

/** The first sequence number beyond the peer's window. */
export function windowEnd(c: Connection): number {
  return add(c.sndUna, c.sndWnd);
}

/** Bytes of a full segment now: less while SACK blocks are to be sent. */
export function currentMss(c: Connection): number {
  const mtu = c.host.pathMtu(c);
  if (mtu !== c.pathMtu) setPathMtu(c, mtu);
  const blocks = c.sackEnabled ? c.sackBlocks.count(c.timestamps) : 0;
  return blocks === 0 ? c.mss : c.mss - 4 - 8 * blocks;
}

/** Cuts segments for packets of `mtu` bytes from now on (RFC 1191 §6.4). */
export function setPathMtu(c: Connection, mtu: number): void {
  c.pathMtu = mtu;
  let mss = Math.min(mtu - IPV4_HEADER_BYTES - TCP_HEADER_BYTES, c.peerMss);
  mss = Math.max(mss, c.settings.minimumSendMss);
  if (c.timestamps) mss -= ALIGNED_TIMESTAMPS_BYTES;
  // Half of the largest window: a full segment must fit a small window twice.
  const half = c.maximumWindow > DEFAULT_MSS ? c.maximumWindow >>> 1 : c.maximumWindow;
  if (half > 0 && mss > half) mss = Math.max(half, 68 - TCP_HEADER_BYTES);
  c.mss = mss;
}

/** Bytes that a chunk may gather while the program writes (tcp_xmit_size_goal). */
function sizeGoal(c: Connection, mss: number): number {
  const half = c.maximumWindow > DEFAULT_MSS ? c.maximumWindow >>> 1 : c.maximumWindow;
  const most = half > 0 ? Math.min(BURST_MAXIMUM_BYTES, half) : BURST_MAXIMUM_BYTES;
  return Math.max(most - (most % mss), mss);
}

/** Segments that may leave as one burst: what the pacing rate sends in about a millisecond, more on short paths. */
export function burstSegments(c: Connection, mss: number): number {
  let bytes = Math.floor(c.pacingRate / 1024);
  const distanceLog = c.rtt.minimumUs >>> c.settings.tsoRttLog;
  if (distanceLog < 32) bytes += BURST_MAXIMUM_BYTES >>> distanceLog;
  bytes = Math.min(bytes, BURST_MAXIMUM_BYTES);
  return Math.max(Math.floor(bytes / mss), c.settings.minimumTsoSegments);
}

/** The rate at which the window leaves in a round trip: twice that in slow start, 1.2 times later. */
export function updatePacingRate(c: Connection): void {
  const window = Math.max(c.cwnd.segments, c.packetsOut);
  const percent = c.cwnd.segments < c.cwnd.threshold >>> 1 ? 200 : 120;
  const srttUs = c.rtt.smoothedEighthsUs / 8;
  const bytes = (c.mss * window * percent) / 100;
  c.pacingRate = srttUs > 0 ? Math.min(Math.floor((bytes * 1_000_000) / srttUs), 2 ** 52) : 2 ** 52;
}

// ---- What the program writes

/** Takes up to `count` bytes from `bytes`; says how many were taken. They are sent as far as windows allow. */
export function write(c: Connection, bytes: Uint8Array, at: number, count: number): number {
  restartAfterIdle(c);
  const mss = currentMss(c);
  const goal = sizeGoal(c, mss);
  const chunks = c.send.chunks;
  let taken = 0;
  while (taken < count) {
    let tail = chunks.unsent === undefined ? undefined : chunks.tail;
    if (tail !== undefined && ((tail.flags & FIN) !== 0 || dataBytes(tail) >= goal)) tail = undefined;
    // The limit is looked at for each new chunk only: a chunk that was begun is filled.
    if (tail === undefined && c.send.full) break;
    const used = tail === undefined ? 0 : dataBytes(tail);
    const part = Math.min(count - taken, goal - used);
    const first = c.send.store(bytes, at + taken, part);
    if (tail === undefined) {
      tail = chunks.append(first, add(first, part), 0);
    } else {
      tail.end = add(tail.end, part);
      if (taken === 0) tail.flags &= ~PSH;
    }
    countSegments(tail, mss);
    c.writeSequence = tail.end;
    taken += part;
    if (used + part < goal || taken === count) continue;
    if (after(c.writeSequence, add(c.pushedSequence, c.maximumWindow >>> 1))) {
      markPush(c, tail);
      push(c, "push");
    } else if (tail === chunks.unsent) {
      sendQueued(c, currentMss(c), "push", "one");
    }
  }
  if (taken > 0) {
    if (chunks.tail !== undefined && chunks.unsent !== undefined) markPush(c, chunks.tail);
    push(c, taken < count ? "push" : "nagle");
  }
  return taken;
}

function markPush(c: Connection, chunk: Chunk): void {
  chunk.flags |= PSH;
  c.pushedSequence = c.writeSequence;
}

/** Ends our direction: FIN rides on the last unsent data, or goes alone. */
export function queueFin(c: Connection): void {
  const chunks = c.send.chunks;
  const tail = chunks.unsent === undefined ? undefined : chunks.tail;
  c.writeSequence = add(c.writeSequence, 1);
  if (tail !== undefined) {
    tail.flags |= FIN;
    tail.end = c.writeSequence;
  } else {
    chunks.append(add(c.writeSequence, -1), c.writeSequence, FIN);
  }
  push(c, "push");
}

/** Sends what windows allow; arms the window probe when nothing could go and nothing is out. */
export function push(c: Connection, urgency: Urgency): void {
  if (c.send.chunks.unsent === undefined) return;
  if (c.state === "closed" || c.state === "syn-sent") return;
  if (sendQueued(c, currentMss(c), urgency, "all") && c.pendingTimer === "none") armWindowProbe(c);
}

/** The first window probe comes after one timeout (RFC 9293 §3.8.6.1). */
export function armWindowProbe(c: Connection): void {
  c.pendingTimer = "probe-window";
  c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, Math.max(c.rtt.rtoJiffies, RTO_MIN_JIFFIES));
}

/**
 * Sends queued chunks while the congestion window and the peer's allow it: all, one burst, or one segment as a tail loss probe whatever the
 * congestion window says. True when there is data, nothing in flight, and yet nothing could go.
 */
export function sendQueued(c: Connection, mss: number, urgency: Urgency, how: "all" | "one" | "probe"): boolean {
  const chunks = c.send.chunks;
  const burst = burstSegments(c, mss);
  let sent = 0;
  let limited = false;
  for (let chunk = chunks.unsent; chunk !== undefined; chunk = chunks.unsent) {
    let quota = windowQuota(c);
    if (quota === 0) {
      if (how !== "probe") break;
      quota = 1;
    }
    quota = Math.min(quota, burst);
    const missing = quota * mss - dataBytes(chunk);
    if (missing > 0 && chunk.next !== undefined && (chunk.flags & FIN) === 0) chunks.pull(chunk, missing, mss);
    countSegments(chunk, mss);
    const firstEnd = dataBytes(chunk) > mss ? add(chunk.sequence, mss) : chunk.end;
    if (after(firstEnd, windowEnd(c))) break;
    const last = chunk.next === undefined;
    if (chunk.segments === 1) {
      if (last && urgency === "nagle" && (chunk.flags & FIN) === 0 && holdsBack(c, dataBytes(chunk) < mss)) break;
    } else if (how === "all") {
      const deferral = defers(c, chunk, last, burst);
      if (deferral !== "no") {
        limited = deferral === "window";
        break;
      }
    }
    if (chunk.segments > 1) {
      const limit = splitPoint(c, chunk, mss, quota, last, urgency);
      if (limit < dataBytes(chunk)) chunks.split(chunk, limit, mss);
    }
    if (chunk.end === chunk.sequence) break;
    transmitChunk(c, chunk);
    noteFirstSending(c, chunk, mss);
    sent += chunk.segments;
    if (how !== "all") break;
  }
  if (c.inFlight >= c.cwnd.segments) limited = true;
  if (sent > 0 || limited) validateWindow(c, limited);
  if (sent === 0) return c.packetsOut === 0 && chunks.unsent !== undefined;
  if (c.congestionState === "recovery" || c.congestionState === "reduced") c.prrOut += sent;
  if (how !== "probe") scheduleTailProbe(c);
  return false;
}

/** Segments that the congestion window allows now; at most half of it, so that two bursts are under way. */
function windowQuota(c: Connection): number {
  const free = c.cwnd.segments - c.inFlight;
  if (free <= 0) return 0;
  return Math.min(Math.max(c.cwnd.segments >>> 1, 1), free);
}

/** Nagle: a partial segment waits while an earlier partial one is not acknowledged. */
function holdsBack(c: Connection, partial: boolean): boolean {
  return partial && !c.noDelay && c.packetsOut > 0 && after(c.smallEnd, c.sndUna) && !after(c.smallEnd, c.sndNxt);
}

/** Is it better to wait for the next acknowledgement, which will let a larger burst go (tcp_tso_should_defer)? */
function defers(c: Connection, chunk: Chunk, last: boolean, burst: number): "no" | "window" | "peer" | "program" {
  if (c.congestionState === "recovery" || c.congestionState === "loss") return "no";
  const nowNs = c.host.clock.nowNs;
  if (nowNs - c.lastSentNs > MILLISECOND) return "no";
  const byPeer = distance(chunk.sequence, windowEnd(c));
  const byWindow = (c.cwnd.segments - c.inFlight) * c.mss;
  const limit = Math.min(byPeer, byWindow);
  const size = dataBytes(chunk);
  if (limit >= burst * c.mss) return "no";
  if (!last && limit >= size) return "no";
  if (c.settings.tsoWindowDivisor > 0) {
    const whole = Math.min(c.sndWnd, c.cwnd.segments * c.mss);
    if (limit >= Math.floor(whole / c.settings.tsoWindowDivisor)) return "no";
  } else if (limit > 3 * c.mss) return "no";
  const head = c.send.chunks.head!;
  if (head === c.send.chunks.unsent) return "no";
  // An acknowledgement that is half a round trip away is too late.
  if (c.nowUs - head.sentUs < c.rtt.smoothedEighthsUs >>> 4) return "no";
  if (byWindow < byPeer) {
    if (byWindow <= size) return "window";
  } else if (byPeer <= size) return "peer";
  return (chunk.flags & FIN) !== 0 ? "no" : "program";
}

/** How many bytes of the chunk go now: whole segments, and a rest only when Nagle has nothing against it. */
function splitPoint(c: Connection, chunk: Chunk, mss: number, quota: number, last: boolean, urgency: Urgency): number {
  const window = distance(chunk.sequence, windowEnd(c));
  const most = mss * quota;
  if (most <= window && !last) return Math.min(most, dataBytes(chunk));
  const needed = Math.min(dataBytes(chunk), window);
  if (most <= needed) return most;
  const partial = needed % mss;
  if (partial > 0 && urgency === "nagle" && holdsBack(c, true)) return needed - partial;
  return needed;
}

function noteFirstSending(c: Connection, chunk: Chunk, mss: number): void {
  const chunks = c.send.chunks;
  chunks.unsent = chunk.next;
  c.sndNxt = chunk.end;
  const first = c.packetsOut === 0;
  c.packetsOut += chunk.segments;
  if (dataBytes(chunk) < chunk.segments * mss) c.smallEnd = chunk.end;
  if (first || c.pendingTimer === "probe-tail") rearm(c);
}

/** Remembers whether the window was in full use: only then may it grow (RFC 7661). */
function validateWindow(c: Connection, limited: boolean): void {
  const nowNs = c.host.clock.nowNs;
  if (!before(c.sndUna, c.usageEnd) || limited || (!c.windowLimited && c.packetsOut > c.maximumOut)) {
    c.windowLimited = limited;
    c.maximumOut = c.packetsOut;
    c.usageEnd = c.sndNxt;
  }
  if (usesWindow(c)) {
    c.usedSegments = 0;
    c.cwnd.stampNs = nowNs;
    return;
  }
  if (c.packetsOut > c.usedSegments) c.usedSegments = c.packetsOut;
  if (!c.settings.slowStartAfterIdle) return;
  if (nowNs - c.cwnd.stampNs < usOfJiffies(c.rtt.rtoJiffies) * 1_000) return;
  if (c.congestionState === "open") {
    const used = Math.max(c.usedSegments, INITIAL_WINDOW);
    if (used < c.cwnd.segments) {
      c.cwnd.threshold = Math.min(c.cwnd.current, INFINITE_THRESHOLD);
      c.cwnd.segments = (c.cwnd.segments + used) >>> 1;
    }
    c.usedSegments = 0;
  }
  c.cwnd.stampNs = nowNs;
}

/** Was the window in full use, so that it may grow? */
export function usesWindow(c: Connection): boolean {
  if (c.windowLimited) return true;
  return c.cwnd.inSlowStart && c.cwnd.segments < 2 * c.maximumOut;
}

/** After an idle time of more than one timeout the window is halved for each (RFC 5681 §4.1). */
function restartAfterIdle(c: Connection): void {
  if (!c.settings.slowStartAfterIdle || c.packetsOut > 0 || c.lastSentNs === 0) return;
  const rtoNs = usOfJiffies(c.rtt.rtoJiffies) * 1_000;
  let idleNs = c.host.clock.nowNs - c.lastSentNs;
  if (idleNs <= rtoNs) return;
  const restart = Math.min(INITIAL_WINDOW, c.cwnd.segments);
  c.cwnd.threshold = c.cwnd.current;
  for (idleNs -= rtoNs; idleNs > 0 && c.cwnd.segments > restart; idleNs -= rtoNs) c.cwnd.segments >>>= 1;
  c.cwnd.segments = Math.max(c.cwnd.segments, restart);
  c.cwnd.stampNs = c.host.clock.nowNs;
  c.usedSegments = 0;
}

// ---- Segments

/** Sends a chunk's segments, for the first time or again. */
export function transmitChunk(c: Connection, chunk: Chunk): void {
  const total = dataBytes(chunk);
  if ((chunk.flags & SYN) !== 0) {
    sendSyn(c, chunk);
    return;
  }
  // The last of several segments carries PSH, so that the receiver hands the burst on.
  const last = ACK | (chunk.flags & (PSH | FIN)) | (chunk.segments > 1 ? PSH : 0);
  const step = chunk.segments > 1 ? Math.min(currentMss(c), total) : total;
  noteDataSent(c);
  chunk.sentUs = c.nowUs;
  chunk.order = ++c.sendOrder;
  let at = chunk.sequence;
  let left = total;
  do {
    const size = Math.min(step, left);
    left -= size;
    emit(c, left > 0 ? ACK : last, at, size);
    at = add(at, size);
  } while (left > 0);
  c.dataSegmentsSent += total > 0 ? chunk.segments : 0;
  c.bytesSent += total;
}

function noteDataSent(c: Connection): void {
  const nowNs = c.host.clock.nowNs;
  if (c.packetsOut === 0 && c.lastSentNs > 0) c.congestion.resumed(c.lastSentNs, nowNs);
  c.lastSentNs = nowNs;
  if (nowNs - c.lastDataNs < usOfJiffies(c.ackTimeoutJiffies) * 1_000 && c.interactive < 255) c.interactive++;
}

function sendSyn(c: Connection, chunk: Chunk): void {
  const segment = c.host.segment;
  chunk.sentUs = c.nowUs;
  chunk.order = ++c.sendOrder;
  segment.reset(SYN, chunk.sequence, 0);
  segment.mss = c.advertisedMss;
  segment.sackPermitted = c.settings.sack;
  segment.windowScale = c.windowScaling ? c.rcvScale : -1;
  segment.window = Math.min(c.rcvWnd, 0xffff);
  if (c.settings.timestamps) {
    segment.hasTimestamp = true;
    segment.timestampValue = c.timestampNow;
    segment.timestampEcho = 0;
  }
  c.segmentsSent++;
  c.host.transmit(c);
}

/** One segment with an acknowledgement, the options agreed, and `payloadBytes` of data from `sequence` on. */
function emit(c: Connection, flags: number, sequence: number, payloadBytes: number): void {
  const segment = c.host.segment;
  segment.reset(flags, sequence, c.rcvNxt);
  segment.window = advertise(c);
  if (c.timestamps) {
    segment.hasTimestamp = true;
    segment.timestampValue = c.timestampNow;
    segment.timestampEcho = c.recentTimestamp;
  }
  if (c.sackEnabled && (c.receive.hasHole || c.sackBlocks.hasDuplicate))
    c.sackBlocks.write(segment, c.receive, c.timestamps);
  segment.payload = c.send.ring;
  segment.payloadBytes = payloadBytes;
  noteAckSent(c);
  c.segmentsSent++;
  c.host.transmit(c);
}

/** An acknowledgement went out, alone or with data: nothing is owed any more. */
function noteAckSent(c: Connection): void {
  if (c.quickAcks > 0 && (c.ackPending & ACK_SCHEDULED) !== 0) {
    c.quickAcks--;
    if (c.quickAcks === 0) c.ackTimeoutJiffies = ATO_MINIMUM_JIFFIES;
  }
  c.ackPending = 0;
  c.compressedAcks = 0;
  const timers = c.host.timers;
  timers.stop(c.timerRow, TIMER_DELAYED_ACK);
  timers.stop(c.timerRow, TIMER_COMPRESSED_ACK);
}

/** Sends an acknowledgement without data. */
export function sendAck(c: Connection): void {
  if (c.state === "closed") return;
  emit(c, ACK, acceptableSequence(c), 0);
}

/** Keepalives and window probes: an old sequence number, which the peer must answer (RFC 9293 §3.8.4). */
export function sendProbe(c: Connection): void {
  emit(c, ACK, add(c.sndUna, -1), 0);
}

/** Ends the connection for the peer (RFC 9293 §3.5.2); the caller closes it here. */
export function sendReset(c: Connection): void {
  const segment = c.host.segment;
  segment.reset(RST | ACK, acceptableSequence(c), c.rcvNxt);
  if (c.timestamps) {
    segment.hasTimestamp = true;
    segment.timestampValue = c.timestampNow;
    segment.timestampEcho = c.recentTimestamp;
  }
  c.segmentsSent++;
  c.host.transmit(c);
}

/** sndNxt, unless the peer has shrunk its window so that it would refuse that. */
function acceptableSequence(c: Connection): number {
  const end = windowEnd(c);
  if (!before(end, c.sndNxt) || distance(end, c.sndNxt) < 2 ** c.sndScale) return c.sndNxt;
  return end;
}

/** Sends one chunk again, at most `segments` of it; false when it cannot go now. */
export function retransmitChunk(c: Connection, chunk: Chunk, segments: number): boolean {
  const chunks = c.send.chunks;
  const mss = currentMss(c);
  if (before(chunk.sequence, c.sndUna)) trimHead(c, chunk);
  const window = distance(chunk.sequence, windowEnd(c));
  // Outside of a window that the peer has shrunk only the oldest may go, as a probe (RFC 9293 §3.8.6).
  if (window <= 0 && chunk.sequence !== c.sndUna) return false;
  let most = mss * segments;
  if (window > 0 && window < most) most = Math.max(window - (window % mss), Math.min(mss, window));
  const formerly = chunk.segments;
  if (dataBytes(chunk) > most) {
    chunks.split(chunk, most, mss);
    recount(c, chunk, formerly, chunk.segments + chunk.next!.segments);
  } else {
    countSegments(chunk, mss);
    recount(c, chunk, formerly, chunk.segments);
    if (dataBytes(chunk) < mss) collapseFollowing(c, chunk, mss);
  }
  const again = (chunk.marks & RETRANSMITTED) === 0;
  transmitChunk(c, chunk);
  chunk.marks |= EVER_RETRANSMITTED | RETRANSMITTED;
  if (again) c.retransmittedOut += chunk.segments;
  c.retransmittedSegments += chunk.segments;
  c.bytesRetransmitted += dataBytes(chunk);
  if (c.retransmitStamp === 0) c.retransmitStamp = c.timestampNow === 0 ? 1 : c.timestampNow;
  if (c.undoRetransmissions < 0) c.undoRetransmissions = 0;
  c.undoRetransmissions += chunk.segments;
  return true;
}

/** A chunk that was sent takes another number of segments now: the counts of RFC 6675 follow. */
export function recount(c: Connection, chunk: Chunk, formerly: number, now: number): void {
  const change = now - formerly;
  if (change === 0) return;
  c.packetsOut += change;
  if ((chunk.marks & SACKED) !== 0) c.sackedOut += change;
  if ((chunk.marks & RETRANSMITTED) !== 0) c.retransmittedOut += change;
  if ((chunk.marks & LOST) !== 0) c.lostOut += change;
  limitDuplicates(c);
}

/** A part of the oldest chunk is acknowledged already. */
export function trimHead(c: Connection, chunk: Chunk): void {
  const formerly = chunk.segments;
  chunk.sequence = c.sndUna;
  countSegments(chunk, chunk.mss);
  recount(c, chunk, formerly, chunk.segments);
}

/** Small chunks behind this one ride along when they fit one segment (tcp_retrans_try_collapse). */
function collapseFollowing(c: Connection, chunk: Chunk, mss: number): void {
  if ((chunk.flags & SYN) !== 0) return;
  const chunks = c.send.chunks;
  for (let next = chunk.next; next !== undefined && next !== chunks.unsent; next = chunk.next) {
    if (next.segments > 1 || (next.marks & SACKED) !== 0) return;
    if ((chunk.flags & FIN) !== 0) return;
    if (dataBytes(chunk) + dataBytes(next) > mss || after(next.end, windowEnd(c))) return;
    if ((next.marks & LOST) !== 0) c.lostOut -= next.segments;
    if ((next.marks & RETRANSMITTED) !== 0) c.retransmittedOut -= next.segments;
    c.packetsOut -= next.segments;
    chunks.absorbNext(chunk, mss);
    limitDuplicates(c);
  }
}
