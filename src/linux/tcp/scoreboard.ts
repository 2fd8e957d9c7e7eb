/**
 * What the peer says it has: the sender's scoreboard of RFC 2018 §5 and 6675 §4, with duplicates reported by RFC 2883 (DSACK) and the checks
 * against blocks that cannot be true.
 */
import { type Chunk, dataBytes, EVER_RETRANSMITTED, LOST, RETRANSMITTED, SACKED } from "./chunk.ts";
import type { Connection } from "./connection-state.ts";
import { recount } from "./output.ts";
import * as rack from "./rack.ts";
import type { IncomingSegment } from "./segment.ts";
import { after, before, distance } from "./sequence.ts";

/** What one acknowledgement taught, gathered step by step (Linux's FLAG_ bits). One object serves all. */
export class AckResult {
  /** sndUna moved; data or the SYN was acknowledged; data was newly reported by SACK. */
  advanced = false;
  dataAcked = false;
  synAcked = false;
  dataSacked = false;
  windowUpdated = false;
  /** It carried data or control bits, so it is no duplicate acknowledgement. */
  carriesData = false;
  /** A segment arrived that was never sent again, though sent before the present recovery point. */
  originalArrived = false;
  retransmittedAcked = false;
  lostRetransmission = false;
  duplicateReported = false;
  duplicateIsTailProbe = false;
  reneged = false;
  setTimer = false;
  /** Lowest sequence number that arrived late. */
  reordered = 0;
  hasReordered = false;
  firstSackedUs = -1;
  lastSackedUs = -1;

  reset(): void {
    this.advanced = false;
    this.dataAcked = false;
    this.synAcked = false;
    this.dataSacked = false;
    this.windowUpdated = false;
    this.carriesData = false;
    this.originalArrived = false;
    this.retransmittedAcked = false;
    this.lostRetransmission = false;
    this.duplicateReported = false;
    this.duplicateIsTailProbe = false;
    this.reneged = false;
    this.setTimer = false;
    this.hasReordered = false;
    this.firstSackedUs = -1;
    this.lastSackedUs = -1;
  }

  noteReordered(sequence: number): void {
    if (this.hasReordered && !before(sequence, this.reordered)) return;
    this.hasReordered = true;
    this.reordered = sequence;
  }
}

/** Where the highest block reported so far ends. */
export function highestSack(c: Connection): number {
  return c.sackedOut === 0 || before(c.highestSack, c.sndUna) ? c.sndUna : c.highestSack;
}

/** Takes the blocks of a segment in. `priorUna` is sndUna before this acknowledgement. */
export function readBlocks(c: Connection, segment: IncomingSegment, priorUna: number, result: AckResult): void {
  // Blocks of very old acknowledgements say nothing.
  if (before(segment.acknowledgement, (priorUna - c.maximumWindow) | 0)) return;
  for (let block = 0; block < segment.sackCount; block++) {
    const start = segment.sackStart[block]!;
    const end = segment.sackEnd[block]!;
    const duplicate = block === 0 && isDuplicate(segment);
    if (duplicate) noteDuplicate(c, start, end, priorUna, segment.acknowledgement, result);
    if (!isPossible(c, duplicate, start, end)) continue;
    if (!after(end, c.sndUna) && !duplicate) continue;
    markBlock(c, start, end, duplicate, result);
  }
  if (result.hasReordered) rack.noteReordering(c, result.reordered, highestSack(c));
}

/** RFC 2883 §4: the first block lies below the acknowledgement or inside of the second block. */
function isDuplicate(segment: IncomingSegment): boolean {
  const start = segment.sackStart[0]!;
  const end = segment.sackEnd[0]!;
  if (before(start, segment.acknowledgement)) return true;
  return segment.sackCount > 1 && !after(end, segment.sackEnd[1]!) && !before(start, segment.sackStart[1]!);
}

function noteDuplicate(
  c: Connection,
  start: number,
  end: number,
  priorUna: number,
  acknowledgement: number,
  result: AckResult,
): void {
  c.dsackDuplicates += Math.max(1, Math.ceil(distance(start, end) / c.mss));
  c.rackDsackSeen = true;
  result.duplicateReported = true;
  if (c.tailProbing && c.tailProbeRetransmitted && end === c.tailProbeEnd) result.duplicateIsTailProbe = true;
  const ours = c.mayUndo && c.undoRetransmissions > 0 && !after(end, priorUna) && after(end, c.undoMarker);
  if (ours && !after(end, acknowledgement)) c.undoRetransmissions = Math.max(0, c.undoRetransmissions - 1);
}

/** A block must lie within what is out; a duplicate may lie below, as far as the last window reduction reaches. */
function isPossible(c: Connection, duplicate: boolean, start: number, end: number): boolean {
  if (after(end, c.sndNxt) || !before(start, end) || !before(start, c.sndNxt)) return false;
  if (after(start, c.sndUna)) return true;
  if (!duplicate || !c.mayUndo || after(end, c.sndUna)) return false;
  if (!before(start, c.undoMarker)) return true;
  return after(end, c.undoMarker) && !before(start, (end - c.maximumWindow) | 0);
}

function markBlock(c: Connection, start: number, end: number, duplicate: boolean, result: AckResult): void {
  const chunks = c.send.chunks;
  for (let chunk = chunks.head; chunk !== undefined && chunk !== chunks.unsent; chunk = chunk.next) {
    if (!before(chunk.sequence, end)) break;
    if (!after(chunk.end, start)) continue;
    if (covers(c, chunk, start, end)) markChunk(c, chunk, duplicate, result);
  }
}

/** Does the block hold the whole chunk? A chunk of several segments is cut where the block begins or ends, at a segment's edge. */
function covers(c: Connection, chunk: Chunk, start: number, end: number): boolean {
  const fromStart = !after(start, chunk.sequence);
  if (fromStart && !before(end, chunk.end)) return true;
  if (chunk.segments === 1) return false;
  const mss = chunk.mss;
  let count = fromStart ? distance(chunk.sequence, end) : Math.max(distance(chunk.sequence, start), mss);
  if (fromStart && count < mss) return false;
  const whole = count - (count % mss);
  count = !fromStart && whole < count ? whole + mss : whole;
  if (count >= dataBytes(chunk)) return false;
  const formerly = chunk.segments;
  c.send.chunks.split(chunk, count, mss);
  recount(c, chunk, formerly, chunk.segments + chunk.next!.segments);
  return fromStart;
}

function markChunk(c: Connection, chunk: Chunk, duplicate: boolean, result: AckResult): void {
  const count = chunk.segments;
  if ((chunk.marks & SACKED) === 0) {
    rack.advance(c, chunk, chunk.end);
    if ((chunk.marks & RETRANSMITTED) !== 0) {
      // Not marked lost: the retransmission is believed to be on its way still.
      if ((chunk.marks & LOST) !== 0) {
        chunk.marks &= ~(LOST | RETRANSMITTED);
        c.lostOut -= count;
        c.retransmittedOut -= count;
      }
    } else {
      if ((chunk.marks & EVER_RETRANSMITTED) === 0) {
        if (before(chunk.sequence, highestSack(c))) result.noteReordered(chunk.sequence);
        if (!after(chunk.end, c.recoveryPoint)) result.originalArrived = true;
        if (result.firstSackedUs < 0) result.firstSackedUs = chunk.sentUs;
        result.lastSackedUs = chunk.sentUs;
      }
      if ((chunk.marks & LOST) !== 0) {
        chunk.marks &= ~LOST;
        c.lostOut -= count;
      }
    }
    const highest = highestSack(c);
    chunk.marks |= SACKED;
    c.sackedOut += count;
    c.delivered += count;
    c.highestSack = after(chunk.end, highest) ? chunk.end : highest;
    result.dataSacked = true;
  }
  if (duplicate && (chunk.marks & RETRANSMITTED) !== 0) {
    chunk.marks &= ~RETRANSMITTED;
    c.retransmittedOut -= count;
  }
}
