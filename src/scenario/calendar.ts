/** Wall clock times of a scenario, without the machine's clock: RFC 3339 text to and from seconds since 1970 (UTC). */

/** Seconds since 1970-01-01T00:00:00Z; undefined when `text` is no RFC 3339 time between 1970 and 2105. */
export function parseTimestamp(text: string): number | undefined {
  const match = /^(\d{4})-(\d\d)-(\d\d)(?:[Tt ](\d\d):(\d\d)(?::(\d\d))?(?:[Zz]|([+-])(\d\d):(\d\d))?)?$/.exec(
    text.trim(),
  );
  if (match === null) return undefined;
  const [year, month, day, hour, minute, second] = [1, 2, 3, 4, 5, 6].map((index) => Number(match[index] ?? "0")) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year < 1970 || year > 2105 || month < 1 || month > 12 || day < 1 || day > daysInMonth(year, month))
    return undefined;
  if (hour > 23 || minute > 59 || second > 59) return undefined;
  const offset = (Number(match[8] ?? "0") * 60 + Number(match[9] ?? "0")) * 60 * (match[7] === "-" ? -1 : 1);
  return daysSinceEpoch(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset;
}

/** `2026-01-01T00:00:00Z`. */
export function formatTimestamp(seconds: number): string {
  const { year, month, day } = dateOf(Math.floor(seconds / 86_400));
  const rest = seconds - Math.floor(seconds / 86_400) * 86_400;
  const two = (value: number): string => String(value).padStart(2, "0");
  return `${year}-${two(month)}-${two(day)}T${two(Math.floor(rest / 3_600))}:${two(Math.floor(rest / 60) % 60)}:${two(rest % 60)}Z`;
}

function isLeap(year: number): boolean {
  return (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
}

function daysInMonth(year: number, month: number): number {
  return month === 2 && isLeap(year) ? 29 : [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]!;
}

function daysSinceEpoch(year: number, month: number, day: number): number {
  let days = day - 1;
  for (let before = 1970; before < year; before++) days += isLeap(before) ? 366 : 365;
  for (let before = 1; before < month; before++) days += daysInMonth(year, before);
  return days;
}

function dateOf(days: number): { year: number; month: number; day: number } {
  let rest = days;
  let year = 1970;
  while (rest >= (isLeap(year) ? 366 : 365)) rest -= isLeap(year++) ? 366 : 365;
  let month = 1;
  while (rest >= daysInMonth(year, month)) rest -= daysInMonth(year, month++);
  return { year, month, day: rest + 1 };
}
