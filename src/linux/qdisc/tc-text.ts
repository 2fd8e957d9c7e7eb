/** Rates, times, sizes and percentages as `tc qdisc show` prints them (iproute2's lib/utils_math.c, tc/tc_util.c). */
import { MICROSECOND, MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";

const RATE_UNITS = ["", "K", "M", "G", "T"];

/** `10Mbit`, `1500Kbit`. */
export function rateText(bitsPerSecond: number): string {
  let rate = bitsPerSecond;
  let unit = 0;
  while (unit < RATE_UNITS.length - 1 && rate >= 1_000 && (rate % 1_000 === 0 || rate >= 1_000_000)) {
    rate /= 1_000;
    unit++;
  }
  return `${rate.toFixed(0)}${RATE_UNITS[unit]}bit`;
}

/** `4Kb`, `99b`: a size that is near whole KiB or MiB is printed as such. */
export function sizeText(sizeBytes: number): string {
  const mebibytes = Math.round(sizeBytes / 0x10_0000);
  if (sizeBytes >= 0x10_0000 && Math.abs(mebibytes * 0x10_0000 - sizeBytes) < 1_024) return `${mebibytes}Mb`;
  const kibibytes = Math.round(sizeBytes / 1_024);
  if (sizeBytes >= 1_024 && Math.abs(kibibytes * 1_024 - sizeBytes) < 16) return `${kibibytes}Kb`;
  return `${sizeBytes}b`;
}

/** `318ms`, `12.5s`, `40us`: three significant digits. */
export function timeText(timeNs: Nanoseconds): string {
  if (timeNs >= SECOND) return `${significant(timeNs / SECOND)}s`;
  if (timeNs >= MILLISECOND) return `${significant(timeNs / MILLISECOND)}ms`;
  if (timeNs >= MICROSECOND) return `${significant(timeNs / MICROSECOND)}us`;
  return `${timeNs}ns`;
}

/** `0.1%`. */
export function percentText(partsPerMillion: number): string {
  return `${significant(partsPerMillion / 10_000, 6)}%`;
}

/** printf's %.3g and %g for numbers that need no exponent. */
function significant(value: number, digits = 3): string {
  return String(Number(value.toPrecision(digits)));
}
