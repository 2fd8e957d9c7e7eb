/** Quantities as people write them in scenarios and after `tc`: times, rates, sizes, chances. All to integers. */
import type { Nanoseconds } from "../sim/time.ts";
import { parsed, type Shape } from "./shape.ts";

const TIME_NS: ReadonlyMap<string, number> = new Map([
  ["ns", 1],
  ["us", 1_000],
  ["µs", 1_000],
  ["ms", 1_000_000],
  ["s", 1_000_000_000],
  ["m", 60_000_000_000],
  ["min", 60_000_000_000],
  ["h", 3_600_000_000_000],
]);

/** `1.5s`, `200ms`, `1m30s`; a bare number is refused but for 0. */
export function parseDuration(text: string): Nanoseconds | undefined {
  const trimmed = text.trim();
  if (trimmed === "0") return 0;
  const part = /(\d+(?:\.\d+)?)(ns|us|µs|ms|min|s|m|h)/y;
  let total = 0;
  while (part.lastIndex < trimmed.length) {
    const from = part.lastIndex;
    const match = part.exec(trimmed);
    if (match === null) return undefined;
    total += scaled(match[1]!, TIME_NS.get(match[2]!)!);
    if (part.lastIndex === from) return undefined;
  }
  return trimmed.length > 0 && Number.isSafeInteger(total) ? total : undefined;
}

const RATE_BITS: ReadonlyMap<string, number> = new Map([
  ["bit", 1],
  ["bps", 1],
  ["kbit", 1_000],
  ["kbps", 1_000],
  ["mbit", 1_000_000],
  ["mbps", 1_000_000],
  ["gbit", 1_000_000_000],
  ["gbps", 1_000_000_000],
]);

/** Bits a second: `10mbit`, `1gbit` (also `gbps`, meant as bits). */
export function parseRate(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]+)$/i.exec(text.trim());
  const unit = match === null ? undefined : RATE_BITS.get(match[2]!.toLowerCase());
  if (match === null || unit === undefined) return undefined;
  const rate = scaled(match[1]!, unit);
  return rate > 0 && Number.isSafeInteger(rate) ? rate : undefined;
}

/** Parts per million: `5%`, `0.01%`. */
export function parseChance(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)%$/.exec(text.trim());
  if (match === null) return undefined;
  const ppm = scaled(match[1]!, 10_000);
  return ppm <= 1_000_000 ? ppm : undefined;
}

const SIZE_BYTES: ReadonlyMap<string, number> = new Map([
  ["", 1],
  ["b", 1],
  ["kb", 1_000],
  ["k", 1_024],
  ["kib", 1_024],
  ["mb", 1_000_000],
  ["m", 1_048_576],
  ["mib", 1_048_576],
]);

export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim());
  const unit = match === null ? undefined : SIZE_BYTES.get(match[2]!.toLowerCase());
  if (match === null || unit === undefined) return undefined;
  const size = scaled(match[1]!, unit);
  return Number.isSafeInteger(size) ? size : undefined;
}

/** `decimal` times `unit`, rounded to an integer; decimals are digits, not a double, so 0.1 s is exact. */
function scaled(decimal: string, unit: number): number {
  const [whole, fraction = ""] = decimal.split(".");
  const digits = fraction.slice(0, 12);
  return Number(whole) * unit + Math.round((Number(digits === "" ? "0" : digits) * unit) / 10 ** digits.length);
}

export const duration: Shape<Nanoseconds> = parsed("a time such as 200ms or 1m30s", parseDuration, {
  type: ["string", "integer"],
  examples: ["200ms", "1.5s", "1m30s"],
});
export const rate: Shape<number> = parsed("a rate such as 10mbit or 1gbit", parseRate, {
  type: "string",
  examples: ["10mbit"],
});
export const chance: Shape<number> = parsed("a percentage such as 5%", parseChance, {
  type: "string",
  examples: ["5%"],
});
export const size: Shape<number> = parsed("a size in bytes such as 64kb", parseSize, { type: ["string", "integer"] });

/** `50us`, `1.5s`: the largest unit that leaves few digits. */
export function formatDuration(timeNs: Nanoseconds): string {
  for (const [unit, size] of [
    ["s", 1_000_000_000],
    ["ms", 1_000_000],
    ["us", 1_000],
  ] as const)
    if (timeNs >= size) return `${Math.round((timeNs / size) * 1_000) / 1_000}${unit}`;
  return `${timeNs}ns`;
}
