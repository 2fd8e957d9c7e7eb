/** Dates as `date` and ctime(3) print them, in UTC, from seconds since 1970: the emulated machines' clocks, without the machine's own. */
import { type Nanoseconds, SECOND } from "../sim/time.ts";

const DAYS = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAY_SECONDS = 86_400;
/** 2026-01-01T00:00:00Z: where a run starts unless it says otherwise. */
export const DEFAULT_START_SECONDS = 1_767_225_600;

/** `Sun Nov  2 19:27:55 2026`. */
export function formatDate(sinceStartNs: Nanoseconds, startSeconds = DEFAULT_START_SECONDS): string {
  const seconds = startSeconds + Math.floor(sinceStartNs / SECOND);
  const days = Math.floor(seconds / DAY_SECONDS);
  const rest = seconds - days * DAY_SECONDS;
  const { year, month, day } = civilDate(days);
  const two = (value: number) => String(value).padStart(2, "0");
  const time = `${two(Math.floor(rest / 3600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}`;
  return `${DAYS[days % 7]} ${MONTHS[month - 1]} ${String(day).padStart(2)} ${time} ${year}`;
}

/** The Gregorian date of a day counted from 1970-01-01 (E. Richards, "Mapping Time", 1998: from Julian day numbers). */
export function civilDate(days: number): { year: number; month: number; day: number } {
  const julian = days + 2_440_588;
  const f = julian + 1401 + Math.floor((Math.floor((4 * julian + 274_277) / 146_097) * 3) / 4) - 38;
  const e = 4 * f + 3;
  const g = Math.floor((e % 1461) / 4);
  const h = 5 * g + 2;
  const day = Math.floor((h % 153) / 5) + 1;
  const month = ((Math.floor(h / 153) + 2) % 12) + 1;
  const year = Math.floor(e / 1461) - 4716 + Math.floor((14 - month) / 12);
  return { year, month, day };
}
