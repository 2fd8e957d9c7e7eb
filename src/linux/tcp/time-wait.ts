/** TIME-WAIT: RFC 9293 §3.10.7.4 for that state, with the early end of RFC 6191 and RFC 1122 §4.2.2.13: a new SYN may take the place over. */
import { ACK, RST, SYN } from "../../wire/tcp.ts";
import { armKeepalive, close, TIME_WAIT_NS } from "./change-state.ts";
import type { Connection } from "./connection-state.ts";
import type { Verdict } from "./input.ts";
import { sendAck } from "./output.ts";
import type { IncomingSegment } from "./segment.ts";
import { add, after } from "./sequence.ts";

/** `"reopen"`: the segment is a SYN that begins a new connection; the old one may go. */
export function receiveInTimeWait(c: Connection, segment: IncomingSegment): Verdict | "reopen" {
  const behind = (c.recentTimestamp - segment.timestampValue) | 0;
  const old = c.timestamps && segment.hasTimestamp && behind > 1;
  const bare = segment.end === segment.sequence;
  if (!old && segment.sequence === c.rcvNxt && (bare || segment.has(RST))) {
    if (segment.has(RST)) {
      if (!c.settings.rfc1337) close(c);
    } else {
      armKeepalive(c, TIME_WAIT_NS);
    }
    return "consume";
  }
  const newer = after(segment.sequence, c.rcvNxt) || (c.timestamps && segment.hasTimestamp && behind < 0);
  if (segment.has(SYN) && !segment.has(RST) && !segment.has(ACK) && !old && newer) return "reopen";
  if (segment.has(RST)) return "tcp-out-of-window";
  if (old || segment.has(ACK)) armKeepalive(c, TIME_WAIT_NS);
  answer(c);
  return old ? "tcp-paws" : "tcp-old-duplicate";
}

function answer(c: Connection): void {
  const nowNs = c.host.clock.nowNs;
  if (c.lastChallengeNs >= 0 && nowNs - c.lastChallengeNs < c.settings.invalidRateLimitNs) return;
  c.lastChallengeNs = nowNs;
  sendAck(c);
}

/** The first sequence number of a connection that takes the place of one in TIME-WAIT: beyond everything that one sent (RFC 6191 §2). */
export function reopenedIss(c: Connection): number {
  const iss = add(c.sndNxt, 65_537);
  return iss === 0 ? 1 : iss;
}
