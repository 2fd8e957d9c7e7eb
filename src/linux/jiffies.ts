/**
 * The kernel's clock tick and timer wheel at HZ 250 (kernel/time/timer.c). A timer never fires early: its expiry is rounded up to the next slot of
 * its wheel level, 4 ms for delays below 252 ms, 32 ms below 2 s, 256 ms below 16 s, 2 s below 129 s. That is why ARP requests
 * that retransmit after one second are seen 1.004 to 1.032 s apart.
 */
import type { Nanoseconds } from "../sim/time.ts";

export const JIFFY_NS: Nanoseconds = 4_000_000;
/** Jiffies in a second. */
export const HZ = 250;

const LEVEL_SLOTS = 64;
const LEVEL_BITS = 3; // a level's slot is 8 of the level below
const LAST_LEVEL = 8;

/** The tick that `timeNs` lies in. */
export function jiffiesAt(timeNs: Nanoseconds): number {
  return Math.floor(timeNs / JIFFY_NS);
}

/** The tick at which a timer fires that is set, in tick `now`, for tick `expires`. */
export function wheelExpiry(now: number, expires: number): number {
  const delta = expires - now;
  let level = 0;
  let slot = 1;
  while (level < LAST_LEVEL && delta >= (LEVEL_SLOTS - 1) * slot) {
    level++;
    slot *= 1 << LEVEL_BITS;
  }
  return (Math.floor(expires / slot) + 1) * slot;
}

/** How long from now until a timer fires that is set now for tick `expires`. */
export function wheelDelayNs(nowNs: Nanoseconds, expires: number): Nanoseconds {
  const now = jiffiesAt(nowNs);
  return wheelExpiry(now, Math.max(expires, now)) * JIFFY_NS - nowNs;
}
