/**
 * Time stamps of pcapng: a 64-bit count of ticks, whose length if_tsresol tells (draft-ietf-opsawg-pcapng §4.2): 10^-n s, or 2^-n s when the
 * top bit is set.
 */
import type { CaptureTime } from "./capture-frame.ts";

const TWO_TO_32 = 0x1_0000_0000;

/** How one interface counts time. */
export interface TimeResolution {
  readonly ticksASecond: bigint;
  /** if_tsoffset, seconds to add to every time stamp. */
  readonly offsetSeconds: number;
}

export const MICROSECONDS: TimeResolution = { ticksASecond: 1_000_000n, offsetSeconds: 0 };

/** `code` is the option's one byte. Undefined for 10^-20 and below, where 64 bits hold less than a second. */
export function timeResolution(code: number, offsetSeconds: number): TimeResolution | undefined {
  const exponent = code & 0x7f;
  if ((code & 0x80) !== 0) return exponent > 63 ? undefined : { ticksASecond: 2n ** BigInt(exponent), offsetSeconds };
  return exponent > 19 ? undefined : { ticksASecond: 10n ** BigInt(exponent), offsetSeconds };
}

export function captureTime(high: number, low: number, resolution: TimeResolution): CaptureTime {
  const ticks = BigInt(high) * BigInt(TWO_TO_32) + BigInt(low);
  const seconds = ticks / resolution.ticksASecond;
  const rest = ticks - seconds * resolution.ticksASecond;
  return {
    seconds: Number(seconds) + resolution.offsetSeconds,
    nanoseconds: Number((rest * 1_000_000_000n) / resolution.ticksASecond),
  };
}
