/**
 * RACK: time-based loss detection, RFC 8985, with Linux's reordering window. What was sent before something that has arrived meanwhile,
 * and longer ago than a round trip and the window, is lost.
 */
import { type Chunk, LOST, RETRANSMITTED, SACKED } from "./chunk.ts";
import { type Connection, limitDuplicates } from "./connection-state.ts";
import { jiffiesOfUs } from "./rtt.ts";
import { after, before, distance } from "./sequence.ts";
import { TIMER_RETRANSMIT } from "./timers.ts";

const PERSIST_RECOVERIES = 16;
const STEPS_MAXIMUM = 255;

/** Was the chunk sent after the most recent one that has arrived? Parts of one burst are told apart by their sequence. */
function isNewer(c: Connection, order: number, end: number): boolean {
  return order > c.rackOrder || (order === c.rackOrder && after(end, c.rackEnd));
}

/** Takes note that a chunk has arrived, up to `end` (RFC 8985 §6.2 step 2). */
export function advance(c: Connection, chunk: Chunk, end: number): void {
  const rttUs = c.nowUs - chunk.sentUs;
  // Faster than the path can be: the acknowledgement is for the original, not for the retransmission.
  if (rttUs < c.rtt.minimumUs && (chunk.marks & RETRANSMITTED) !== 0) return;
  c.rackAdvanced = true;
  c.rackRttUs = rttUs;
  if (isNewer(c, chunk.order, end)) {
    c.rackOrder = chunk.order;
    c.rackEnd = end;
  }
}

/** How long a segment may be overtaken before it counts as lost, microseconds. */
function reorderingWindowUs(c: Connection): number {
  if (c.reorderingSeen === 0) {
    if (c.congestionState === "recovery" || c.congestionState === "loss") return 0;
    if (c.sackedOut >= c.reordering) return 0;
  }
  return Math.min((c.rtt.minimumUs >>> 2) * c.rackWindowSteps, c.rtt.smoothedEighthsUs >>> 3);
}

/** Microseconds until the chunk counts as lost; not positive when it does. */
export function untilLostUs(c: Connection, chunk: Chunk, windowUs: number): number {
  return c.rackRttUs + windowUs - (c.nowUs - chunk.sentUs);
}

/** Marks what is lost by now; says how long until the next one would be, microseconds, or 0. */
function detect(c: Connection): number {
  const windowUs = reorderingWindowUs(c);
  const unsent = c.send.chunks.unsent;
  let nextUs = 0;
  for (let chunk = c.send.chunks.head; chunk !== undefined && chunk !== unsent; chunk = chunk.next) {
    if ((chunk.marks & SACKED) !== 0) continue;
    if ((chunk.marks & LOST) !== 0 && (chunk.marks & RETRANSMITTED) === 0) continue;
    if (isNewer(c, chunk.order, chunk.end)) {
      // Everything behind was sent later still, unless it was sent again.
      if (c.retransmittedOut === 0 && c.lostOut === 0) break;
      continue;
    }
    const remainingUs = untilLostUs(c, chunk, windowUs);
    if (remainingUs <= 0) markLost(c, chunk);
    else if (remainingUs > nextUs) nextUs = remainingUs;
  }
  return nextUs;
}

/** RFC 8985 §6.2 step 5. True when a reordering timer was set in place of the others. */
export function detectLosses(c: Connection): boolean {
  if (!c.rackAdvanced) return false;
  c.rackAdvanced = false;
  const nextUs = detect(c);
  if (nextUs === 0) return false;
  c.pendingTimer = "reorder";
  c.host.timers.setJiffies(c.timerRow, TIMER_RETRANSMIT, jiffiesOfUs(nextUs + 2_000));
  return true;
}

/** The reordering timer went off. */
export function detectLate(c: Connection): void {
  detect(c);
}

/** Puts a chunk on the list of what must be sent again. */
export function markLost(c: Connection, chunk: Chunk): void {
  if ((chunk.marks & SACKED) !== 0) return;
  if ((chunk.marks & LOST) !== 0) {
    if ((chunk.marks & RETRANSMITTED) !== 0) {
      chunk.marks &= ~RETRANSMITTED; // the retransmission was lost too
      c.retransmittedOut -= chunk.segments;
    }
    return;
  }
  c.lostOut += chunk.segments;
  if ((chunk.marks & RETRANSMITTED) !== 0) {
    chunk.marks &= ~RETRANSMITTED;
    c.retransmittedOut -= chunk.segments;
  }
  chunk.marks |= LOST;
  limitDuplicates(c);
}

/** Widens the window by a quarter of the RTT for each round with needless retransmissions, for 16 recoveries (RFC 8985 §6.2 step 4). */
export function updateWindow(c: Connection, priorDelivered: number): void {
  if (priorDelivered < c.rackLastDelivered) c.rackDsackSeen = false;
  if (c.rackDsackSeen) {
    c.rackWindowSteps = Math.min(STEPS_MAXIMUM, c.rackWindowSteps + 1);
    c.rackDsackSeen = false;
    c.rackLastDelivered = c.delivered;
    c.rackWindowPersist = PERSIST_RECOVERIES;
  } else if (c.rackWindowPersist === 0) {
    c.rackWindowSteps = 1;
  }
}

/** Something arrived out of order: `low` did, though higher numbers had before (RFC 4737's extent as Linux measures it). */
export function noteReordering(c: Connection, low: number, highest: number): void {
  if (!before(low, highest)) return;
  const extent = distance(low, highest);
  if (extent > c.reordering * c.mss && c.mss > 0)
    c.reordering = Math.min(Math.ceil(extent / c.mss), c.settings.maxReordering);
  c.reorderingSeen++;
}
