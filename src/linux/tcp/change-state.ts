/** The turning points of a connection's life, RFC 9293 §3.3.2: established, waiting for the last FIN, TIME-WAIT, closed, broken. */
import { SECOND } from "../../sim/time.ts";
import type { Errno } from "../errno.ts";
import { JIFFY_NS } from "../jiffies.ts";
import { INITIAL_WINDOW } from "./congestion/congestion-control.ts";
import { type Connection, DEFAULT_MSS, MINIMUM_MSS } from "./connection-state.ts";
import { sendReset, setPathMtu, updatePacingRate } from "./output.ts";
import { TIMER_COMPRESSED_ACK, TIMER_DELAYED_ACK, TIMER_KEEPALIVE, TIMER_RETRANSMIT } from "./timers.ts";
import { beginReceiving } from "./window.ts";

/** TIME-WAIT: Linux waits 60 s whatever the MSL. */
export const TIME_WAIT_NS = 60 * SECOND;

/** The handshake is complete: the connection can carry data. */
export function establish(c: Connection): void {
  c.state = "established";
  setPathMtu(c, c.host.pathMtu(c));
  const guess = Math.min(c.advertisedMss, c.mss, c.rcvWnd >>> 1, DEFAULT_MSS);
  c.rcvMss = Math.max(guess, MINIMUM_MSS);
  beginReceiving(c);
  c.usageEnd = c.sndNxt;
  c.rtt.backoff = 0;
  c.retransmissions = 0;
  c.totalTimeouts = 0;
  c.firstTimeoutNs = 0;
  c.retransmitStamp = 0;
  c.lastSentNs = c.host.clock.nowNs;
  c.lastDataNs = c.host.clock.nowNs;
  c.lastReceivedNs = c.host.clock.nowNs;
  c.pushedSequence = c.sndUna;
  c.smallEnd = c.sndUna;
  expandSendBuffer(c);
  updatePacingRate(c);
  if (c.keepalive) armKeepalive(c, c.keepaliveIdleNs);
  c.owner?.changed();
}

/** Room for two windows of segments with the kernel's overhead (tcp_sndbuf_expand). */
export function expandSendBuffer(c: Connection): void {
  if (c.send.fixed) return;
  let segment = 2048;
  while (segment < c.peerMss + 640) segment *= 2;
  const segments = Math.max(INITIAL_WINDOW, c.cwnd.segments, c.reordering + 1);
  const bytes = Math.min(2 * segments * (segment + 256), c.settings.sendMemory[2]);
  if (bytes > c.send.limitBytes) c.send.limitBytes = bytes;
}

export function armKeepalive(c: Connection, delayNs: number): void {
  c.host.timers.set(c.timerRow, TIMER_KEEPALIVE, Math.max(delayNs, JIFFY_NS));
}

/** FIN-WAIT-2 without a program: the peer has `tcp_fin_timeout` to send its FIN. */
export function awaitFin(c: Connection): void {
  armKeepalive(c, c.settings.finTimeoutNs);
}

/** All is said; for a minute, what is late on its way is recognized (RFC 9293 §3.6.1). */
export function enterTimeWait(c: Connection): void {
  c.state = "time-wait";
  c.send.clear();
  forgetOut(c);
  stopTimers(c);
  armKeepalive(c, TIME_WAIT_NS);
  c.owner?.changed();
}

/** The connection is gone; what was received can still be read. */
export function close(c: Connection): void {
  if (c.state === "closed") return;
  c.state = "closed";
  c.send.clear();
  forgetOut(c);
  if (c.orphaned) c.receive.clear();
  c.host.timers.release(c.timerRow);
  c.owner?.changed();
  c.owner?.ended();
}

/** The connection ended badly: reset by the peer, refused, timed out. */
export function breakOff(c: Connection, error: Errno): void {
  c.error = error;
  close(c);
}

/** Ends it for both sides at once (RFC 9293 §3.10.5). */
export function abort(c: Connection): void {
  if (c.state !== "closed" && c.state !== "syn-sent" && c.state !== "time-wait") sendReset(c);
  close(c);
}

function forgetOut(c: Connection): void {
  c.packetsOut = 0;
  c.sackedOut = 0;
  c.lostOut = 0;
  c.retransmittedOut = 0;
  c.pendingTimer = "none";
}

function stopTimers(c: Connection): void {
  const timers = c.host.timers;
  timers.stop(c.timerRow, TIMER_RETRANSMIT);
  timers.stop(c.timerRow, TIMER_DELAYED_ACK);
  timers.stop(c.timerRow, TIMER_COMPRESSED_ACK);
}
