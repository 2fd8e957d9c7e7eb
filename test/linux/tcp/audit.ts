/** What must hold of a connection after every segment: the counts of RFC 6675 agree with the chunks, and the chunks with the sequence numbers. */

import { LOST, RETRANSMITTED, SACKED } from "../../../src/linux/tcp/chunk.ts";
import type { Connection } from "../../../src/linux/tcp/connection-state.ts";
import { assert } from "../../../src/sim/assert.ts";

export function audit(c: Connection): void {
  if (c.state === "closed" || c.state === "time-wait") return;
  const { chunks } = c.send;
  let out = 0;
  let sacked = 0;
  let lost = 0;
  let retransmitted = 0;
  let sent = true;
  let at: number | undefined;
  for (let chunk = chunks.head; chunk !== undefined; chunk = chunk.next) {
    if (chunk === chunks.unsent) sent = false;
    assert(at === undefined || at === chunk.sequence, "chunks follow each other without a gap");
    assert(((chunk.end - chunk.sequence) | 0) > 0, "no chunk is empty");
    assert(chunk.next === undefined || chunk.next.previous === chunk, "the list is linked both ways");
    at = chunk.end;
    if (!sent) continue;
    out += chunk.segments;
    if ((chunk.marks & SACKED) !== 0) sacked += chunk.segments;
    if ((chunk.marks & LOST) !== 0) lost += chunk.segments;
    if ((chunk.marks & RETRANSMITTED) !== 0) retransmitted += chunk.segments;
    assert((chunk.marks & (SACKED | LOST)) !== (SACKED | LOST), "nothing is lost that has arrived");
  }
  assert(at === undefined || at === c.writeSequence, "the last chunk ends where writing did");
  assert(out === c.packetsOut, `${c.packetsOut} segments out, ${out} in the queue`);
  if (c.sackEnabled) assert(sacked === c.sackedOut, `${c.sackedOut} sacked, ${sacked} in the queue`);
  assert(lost === c.lostOut, `${c.lostOut} lost, ${lost} in the queue`);
  assert(retransmitted === c.retransmittedOut, `${c.retransmittedOut} retransmitted, ${retransmitted} in the queue`);
  assert(c.inFlight >= 0, "fewer than no segments in flight");
  assert(c.cwnd.segments >= 1, "a congestion window of nothing");
  assert(c.packetsOut === 0 || c.pendingTimer !== "none", "data is out and no timer runs");
  assert(
    c.packetsOut > 0 || chunks.unsent === undefined || c.pendingTimer !== "none",
    "data waits, nothing is out, and no probe is planned",
  );
}
