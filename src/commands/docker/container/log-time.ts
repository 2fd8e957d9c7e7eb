/** Times in logs: how lines are stamped, and how `--since` and `--until` name a moment. */
import type { Nanoseconds } from "../../../sim/time.ts";
import { parseDuration } from "../../../swarm/stack/duration.ts";
import { CommandError } from "../../command-error.ts";
import { DEFAULT_START_SECONDS } from "../../wall-date.ts";
import { goTime } from "../go-text.ts";

/** With all nine digits, as the log driver keeps it. */
export function stamp(atNs: Nanoseconds): string {
  const [head = "", fraction = ""] = goTime(atNs).slice(0, -1).split(".");
  return `${head}.${fraction.padEnd(9, "0")}Z`;
}

/** A time before now (`10m`), seconds since 1970, or a date; in the run's time. */
export function readTime(text: string | undefined, name: string, nowNs: Nanoseconds): Nanoseconds | undefined {
  if (text === undefined || text === "") return undefined;
  const back = parseDuration(text);
  if (back !== undefined) return nowNs - Number(back);
  if (/^\d+(\.\d+)?$/.test(text)) return (Number(text) - DEFAULT_START_SECONDS) * 1e9;
  const date = /^(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d):(\d\d)(?:\.\d+)?Z?)?$/.exec(text);
  if (date === null)
    throw new CommandError(1, `invalid value for "${name}": failed to parse value as time or duration: "${text}"`);
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0] = date
    .slice(1)
    .map((part) => Number(part ?? 0));
  // Days since 1970 in the Gregorian calendar, counted from March so that the leap day comes last.
  const y = month <= 2 ? year - 1 : year;
  const era = Math.floor(y / 400);
  const dayOfYear = Math.floor((153 * ((month + 9) % 12) + 2) / 5) + day - 1;
  const days =
    era * 146_097 +
    (y - era * 400) * 365 +
    Math.floor((y - era * 400) / 4) -
    Math.floor((y - era * 400) / 100) +
    dayOfYear -
    719_468;
  return (days * 86_400 + hour * 3_600 + minute * 60 + second - DEFAULT_START_SECONDS) * 1e9;
}
