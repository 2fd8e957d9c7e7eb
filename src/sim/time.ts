/** Virtual time: integer nanoseconds in a double, exact to 2^53 ns = 104 days from the start of a run. */
export type Nanoseconds = number;

export const MICROSECOND: Nanoseconds = 1_000;
export const MILLISECOND: Nanoseconds = 1_000_000;
export const SECOND: Nanoseconds = 1_000_000_000;
export const MINUTE: Nanoseconds = 60 * SECOND;

/** `1.000052000`: seconds with nine decimals, as captures print them. */
export function formatSeconds(timeNs: Nanoseconds, decimals = 9): string {
  const seconds = Math.floor(timeNs / SECOND);
  const fraction = String(timeNs - seconds * SECOND).padStart(9, "0");
  return decimals === 0 ? String(seconds) : `${seconds}.${fraction.slice(0, decimals)}`;
}
