/** Values as Go's programs write them: JSON, times. */

import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { civilDate, DEFAULT_START_SECONDS } from "../wall-date.ts";

/** What a template or `inspect` shows. Plain objects keep the order of their fields; a Map is sorted, as Go sorts maps. */
export type Shown =
  | string
  | number
  | boolean
  | null
  | undefined
  | readonly Shown[]
  | ReadonlyMap<string, Shown>
  | { readonly [field: string]: Shown };

/** encoding/json without the escaping of HTML; `indent` spaces a level, or all on one line. */
export function goJson(value: Shown, indent = 0, level = 0): string {
  if (value === undefined || value === null) return "null";
  if (typeof value !== "object") return JSON.stringify(value);
  const list = isList(value);
  const parts = list
    ? value.map((each) => goJson(each, indent, level + 1))
    : fieldsOf(value).map(
        ([name, each]) => `${JSON.stringify(name)}:${indent > 0 ? " " : ""}${goJson(each, indent, level + 1)}`,
      );
  const [open, close] = list ? ["[", "]"] : ["{", "}"];
  if (parts.length === 0) return open + close;
  if (indent === 0) return open + parts.join(",") + close;
  const inner = `\n${" ".repeat(indent * (level + 1))}`;
  return `${open}${inner}${parts.join(`,${inner}`)}\n${" ".repeat(indent * level)}${close}`;
}

export function isList(value: Shown): value is readonly Shown[] {
  return Array.isArray(value);
}

export function isMap(value: Shown): value is ReadonlyMap<string, Shown> {
  return value instanceof Map;
}

/** Names and values in the order in which Go shows them. */
export function fieldsOf(value: ReadonlyMap<string, Shown> | { readonly [field: string]: Shown }): [string, Shown][] {
  if (isMap(value)) return [...value].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return Object.entries(value);
}

/** RFC 3339 with nanoseconds, without zeros at the end: `2026-01-01T00:00:02.5Z`. `0001-01-01T00:00:00Z` when it never was. */
export function goTime(atNs: Nanoseconds | undefined, startSeconds = DEFAULT_START_SECONDS): string {
  if (atNs === undefined) return "0001-01-01T00:00:00Z";
  const { date, time, fraction } = wallTime(atNs, startSeconds);
  const digits = String(fraction).padStart(9, "0").replace(/0+$/, "");
  return `${date}T${time}${digits === "" ? "" : `.${digits}`}Z`;
}

/** `2026-01-01 00:00:02 +0000 UTC`. */
export function goDate(atNs: Nanoseconds, startSeconds = DEFAULT_START_SECONDS): string {
  const { date, time } = wallTime(atNs, startSeconds);
  return `${date} ${time} +0000 UTC`;
}

/** `2026-01-01 00:00:02.5 +0000 utc`: what `inspect --pretty` makes of a time. */
export function prettyDate(atNs: Nanoseconds | undefined, startSeconds = DEFAULT_START_SECONDS): string {
  return `${goTime(atNs, startSeconds).replace("T", " ").replace("Z", "")} +0000 utc`;
}

function wallTime(atNs: Nanoseconds, startSeconds: number): { date: string; time: string; fraction: number } {
  const seconds = startSeconds + Math.floor(atNs / SECOND);
  const days = Math.floor(seconds / 86_400);
  const rest = seconds - days * 86_400;
  const { year, month, day } = civilDate(days);
  const two = (value: number) => String(value).padStart(2, "0");
  return {
    date: `${String(year).padStart(4, "0")}-${two(month)}-${two(day)}`,
    time: `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`,
    fraction: atNs % SECOND,
  };
}
