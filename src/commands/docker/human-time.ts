/** Durations in the docker client's words (docker/go-units): `5 minutes`, `About an hour`. */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";

export function humanDuration(durationNs: Nanoseconds): string {
  const seconds = Math.floor(durationNs / SECOND);
  if (seconds < 1) return "Less than a second";
  if (seconds === 1) return "1 second";
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.floor(seconds / 60);
  if (minutes === 1) return "About a minute";
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.floor(seconds / 3_600 + 0.5);
  if (hours === 1) return "About an hour";
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.floor(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.floor(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.floor(hours / 24 / 30)} months`;
  return `${Math.floor(seconds / 3_600 / 24 / 365)} years`;
}

/** `5 minutes ago`. */
export function ago(atNs: Nanoseconds, nowNs: Nanoseconds): string {
  return `${humanDuration(nowNs - atNs)} ago`;
}
