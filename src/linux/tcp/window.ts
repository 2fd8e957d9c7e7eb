/**
 * The receive window, RFC 9293 §3.8.6 and RFC 7323 §2, as Linux opens it: it begins small, grows with what comes as long as memory allows
 * (tcp_grow_window), follows the reader's speed (dynamic right-sizing, tcp_rcv_space_adjust), never shrinks, and avoids the silly window
 * syndrome (RFC 1122 §4.2.3.3).
 */

import { INITIAL_WINDOW } from "./congestion/congestion-control.ts";
import { ACK_PUSHED, ACK_PUSHED_TWICE, type Connection, MAXIMUM_WINDOW_SCALE } from "./connection-state.ts";
import { truesize } from "./receive-buffer.ts";
import { add, distance } from "./sequence.ts";
import type { TcpSettings } from "./settings.ts";

const UNSCALED_MAXIMUM = 0xffff;

/** Data bytes that fit into `memory` bytes of kernel memory. */
export function windowOfMemory(c: Connection, memory: number): number {
  return Math.floor((memory * c.scalingRatio) / 256);
}

function memoryOfWindow(c: Connection, window: number): number {
  return Math.floor((window * 256) / c.scalingRatio);
}

function freeSpace(c: Connection): number {
  return windowOfMemory(c, Math.max(0, c.receiveLimit - c.receive.memory));
}

/** The first window: what half of the memory takes in whole segments of `mss` bytes, in 16 bits. */
export function initialWindow(memoryLimit: number, mss: number): number {
  let space = memoryLimit >>> 1;
  if (space > mss) space -= space % mss;
  return Math.min(space, UNSCALED_MAXIMUM);
}

/** The scale that leaves room for the largest window which tuning may reach (RFC 7323 §2.3). */
export function initialScale(settings: TcpSettings, memoryLimit: number): number {
  const largest = Math.max(memoryLimit >>> 1, settings.receiveMemory[2], settings.receiveMemoryLimit);
  return Math.min(Math.max(31 - Math.clz32(largest) - 15, 0), MAXIMUM_WINDOW_SCALE);
}

/** Sets the first window. `mss` is what a segment will carry. */
export function selectInitialWindow(c: Connection, mss: number): void {
  c.rcvWnd = initialWindow(c.receiveLimit, mss);
  c.rcvScale = c.windowScaling ? initialScale(c.settings, c.receiveLimit) : 0;
  c.windowClamp = UNSCALED_MAXIMUM * 2 ** c.rcvScale;
  c.receiveThreshold = c.rcvWnd;
}

/** The handshake is complete: what autotuning measures begins here. */
export function beginReceiving(c: Connection): void {
  if (!c.windowScaling) c.windowClamp = Math.min(c.windowClamp, UNSCALED_MAXIMUM);
  const most = windowOfMemory(c, c.receiveLimit);
  if (c.windowClamp >= most) c.windowClamp = most;
  c.receiveThreshold = Math.min(c.receiveThreshold, c.windowClamp);
  c.spaceBytes = Math.min(c.rcvWnd, INITIAL_WINDOW * c.advertisedMss);
  c.spaceStartUs = c.nowUs;
  c.spaceSequence = c.receive.readSequence;
  c.receiveRttSequence = add(c.rcvNxt, c.rcvWnd);
  c.receiveRttStartUs = c.nowUs;
}

/** What is left of the window last advertised. */
export function receiveWindow(c: Connection): number {
  return Math.max(0, distance(c.rcvNxt, add(c.rcvWup, c.rcvWnd)));
}

/** The window to advertise now, as it goes on the wire; what was promised is remembered. */
export function advertise(c: Connection): number {
  const current = receiveWindow(c);
  let window = offer(c);
  const unit = 2 ** c.rcvScale;
  if (window < current) window = Math.ceil(current / unit) * unit; // never shrink (RFC 9293 §3.8.6)
  c.rcvWnd = window;
  c.rcvWup = c.rcvNxt;
  return Math.min(window, UNSCALED_MAXIMUM * unit) >>> c.rcvScale;
}

/** What one would like to offer, without regard to earlier promises (__tcp_select_window). */
export function offer(c: Connection): number {
  const allowed = windowOfMemory(c, c.receiveLimit);
  const full = Math.min(c.windowClamp, allowed);
  const mss = Math.min(c.rcvMss, full);
  if (mss <= 0) return 0;
  const unit = 2 ** c.rcvScale;
  let free = freeSpace(c);
  if (free < full >>> 1) {
    c.quickAcks = 0;
    free -= free % unit;
    if (free < allowed >>> 4 || free < mss) return 0;
  }
  free = Math.min(free, c.receiveThreshold);
  if (c.rcvScale > 0) return Math.ceil(free / unit) * unit;
  if (c.rcvWnd <= free - mss || c.rcvWnd > free) return free - (free % mss);
  if (mss === full && free > c.rcvWnd + (full >>> 1)) return free;
  return c.rcvWnd;
}

/** Follows the size of the peer's segments, the unit of delayed acknowledgements, and notes where its writes end. */
export function measureSegment(c: Connection, payloadBytes: number, pushed: boolean): void {
  if (payloadBytes >= c.rcvMss) {
    if (payloadBytes !== c.rcvMss) {
      const ratio = Math.max(1, Math.floor((payloadBytes * 256) / truesize(payloadBytes)));
      if (ratio !== c.scalingRatio) {
        c.scalingRatio = ratio;
        c.windowClamp = Math.min(windowOfMemory(c, c.receiveLimit), UNSCALED_MAXIMUM * 2 ** c.rcvScale);
      }
    }
    c.rcvMss = Math.min(payloadBytes, c.advertisedMss);
    if (pushed) c.ackPending |= ACK_PUSHED;
    return;
  }
  // A small segment without PSH may be a full one of a small-MSS peer.
  if (!pushed && payloadBytes >= 88 && payloadBytes === c.lastSmallSegment) c.rcvMss = payloadBytes;
  c.lastSmallSegment = payloadBytes;
  c.ackPending |= (c.ackPending & ACK_PUSHED) !== 0 ? ACK_PUSHED | ACK_PUSHED_TWICE : ACK_PUSHED;
}

/** More window for data that came well packed. */
export function growWindow(c: Connection, payloadBytes: number): void {
  const room = Math.min(c.windowClamp, freeSpace(c)) - c.receiveThreshold;
  if (room <= 0) return;
  const memory = truesize(payloadBytes);
  let growth = windowOfMemory(c, memory) <= payloadBytes ? 2 * c.advertisedMss : growthBySize(c, payloadBytes, memory);
  if (growth === 0) return;
  growth = Math.max(growth, 2 * payloadBytes);
  c.receiveThreshold += Math.min(room, growth);
  c.quickAcks |= 1;
}

/** Poorly packed data opens the window only while it would still fit a larger buffer (__tcp_grow_window). */
function growthBySize(c: Connection, payloadBytes: number, memory: number): number {
  let size = windowOfMemory(c, memory) >> 1;
  let window = windowOfMemory(c, c.settings.receiveMemory[2]) >> 1;
  while (c.receiveThreshold <= window) {
    if (size <= payloadBytes) return 2 * c.rcvMss;
    size >>= 1;
    window >>= 1;
  }
  return 0;
}

/** The program has read: if it takes more in a round trip than before, the buffer grows (Linux's dynamic right-sizing). */
export function adjustSpace(c: Connection): void {
  const nowUs = c.nowUs;
  if (c.receiveRttEighthsUs === 0 || nowUs - c.spaceStartUs < c.receiveRttEighthsUs >>> 3) return;
  const copied = distance(c.spaceSequence, c.receive.readSequence);
  if (copied > c.spaceBytes) {
    if (c.settings.moderateReceiveBuffer && !c.receiveFixed) {
      let window = 2 * copied + 16 * c.advertisedMss;
      window += 2 * Math.floor((window * (copied - c.spaceBytes)) / c.spaceBytes);
      const memory = Math.min(memoryOfWindow(c, window), c.settings.receiveMemory[2]);
      if (memory > c.receiveLimit) {
        c.receiveLimit = memory;
        c.windowClamp = Math.min(windowOfMemory(c, memory), UNSCALED_MAXIMUM * 2 ** c.rcvScale);
      }
    }
    c.spaceBytes = copied;
  }
  c.spaceSequence = c.receive.readSequence;
  c.spaceStartUs = nowUs;
}

/** One more measurement of the RTT as a receiver sees it. */
export function sampleReceiveRtt(c: Connection, rttUs: number): void {
  const sample = Math.max(rttUs, 1);
  if (c.receiveRttEighthsUs === 0) c.receiveRttEighthsUs = sample * 8;
  else c.receiveRttEighthsUs += sample - (c.receiveRttEighthsUs >>> 3);
}
