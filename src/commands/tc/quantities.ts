/** Rates, sizes, times and percentages as `tc` takes them (iproute2's lib/utils_math.c and tc/tc_util.c). Undefined: it is none. */
import { MICROSECOND, type Nanoseconds } from "../../sim/time.ts";

const RATE_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["bit", 1],
  ["kibit", 1_024],
  ["kbit", 1_000],
  ["mibit", 1_024 ** 2],
  ["mbit", 1_000_000],
  ["gibit", 1_024 ** 3],
  ["gbit", 1_000_000_000],
  ["tibit", 1_024 ** 4],
  ["tbit", 1_000_000_000_000],
  ["bps", 8],
  ["kibps", 8 * 1_024],
  ["kbps", 8_000],
  ["mibps", 8 * 1_024 ** 2],
  ["mbps", 8_000_000],
  ["gibps", 8 * 1_024 ** 3],
  ["gbps", 8_000_000_000],
  ["tibps", 8 * 1_024 ** 4],
  ["tbps", 8_000_000_000_000],
]);

const SIZE_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["k", 1_024],
  ["kb", 1_024],
  ["m", 1_024 ** 2],
  ["mb", 1_024 ** 2],
  ["g", 1_024 ** 3],
  ["gb", 1_024 ** 3],
  ["kbit", 1_024 / 8],
  ["mbit", 1_024 ** 2 / 8],
  ["gbit", 1_024 ** 3 / 8],
]);

/** In microseconds, as a bare number is. */
const TIME_UNITS: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["s", 1_000_000],
  ["sec", 1_000_000],
  ["secs", 1_000_000],
  ["ms", 1_000],
  ["msec", 1_000],
  ["msecs", 1_000],
  ["us", 1],
  ["usec", 1],
  ["usecs", 1],
]);

const MAXIMUM_U32 = 0xffff_ffff;

/** `10mbit`, `64kbit`, `1mbps` (bytes): bits a second; the kernel counts whole bytes. */
export function parseRate(text: string): number | undefined {
  const bits = parseScaled(text, RATE_UNITS);
  return bits === undefined || bits > Number.MAX_SAFE_INTEGER ? undefined : Math.floor(bits / 8) * 8;
}

/** `2000`, `4k`, `1mb`: bytes. */
export function parseSize(text: string): number | undefined {
  const size = parseScaled(text, SIZE_UNITS);
  return size === undefined || size > MAXIMUM_U32 ? undefined : Math.floor(size);
}

/** `50ms`, `1.5s`; a bare number is microseconds. */
export function parseTime(text: string): Nanoseconds | undefined {
  const timeUs = parseScaled(text, TIME_UNITS);
  return timeUs === undefined || timeUs > MAXIMUM_U32 ? undefined : Math.floor(timeUs) * MICROSECOND;
}

/** `1%`, `0.5`: parts per million, at most all of them. */
export function parsePercent(text: string): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+)%?$/.exec(text);
  const parts = match === null ? undefined : Math.round(Number(match[1]) * 10_000);
  return parts === undefined || parts > 1_000_000 ? undefined : parts;
}

export function parseCount(text: string): number | undefined {
  const count = /^(0[xX][0-9a-fA-F]+|\d+)$/.test(text) ? Number(text) : undefined;
  return count === undefined || count > MAXIMUM_U32 ? undefined : count;
}

function parseScaled(text: string, units: ReadonlyMap<string, number>): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+)([a-zA-Z]*)$/.exec(text);
  const unit = match === null ? undefined : units.get(match[2]!.toLowerCase());
  return unit === undefined ? undefined : Number(match![1]) * unit;
}
