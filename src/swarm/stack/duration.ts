/** Durations as Go's time package reads and writes them: `1h15m30.5s`, `300ms`, `-1.5h`, `0`. */

const UNITS: ReadonlyMap<string, bigint> = new Map([
  ["ns", 1n],
  ["us", 1_000n],
  ["\u00b5s", 1_000n],
  ["\u03bcs", 1_000n],
  ["ms", 1_000_000n],
  ["s", 1_000_000_000n],
  ["m", 60_000_000_000n],
  ["h", 3_600_000_000_000n],
]);
const MOST_NS = 2n ** 63n;
const SECOND = 1_000_000_000n;

/** In nanoseconds; undefined if it is none, or too long for 64 bits. */
export function parseDuration(text: string): bigint | undefined {
  const negative = text.startsWith("-");
  const body = /^[-+]/.test(text) ? text.slice(1) : text;
  if (body === "0") return 0n;
  if (body === "" || body.length > 200) return undefined;
  const pattern = /([0-9]*)(?:\.([0-9]*))?([^0-9.]+)/y;
  let totalNs = 0n;
  while (pattern.lastIndex < body.length) {
    const match = pattern.exec(body);
    if (match === null) return undefined;
    const [, whole = "", fraction = "", unitName] = match;
    const unit = UNITS.get(unitName!);
    if (unit === undefined || (whole === "" && fraction === "")) return undefined;
    totalNs += BigInt(whole === "" ? "0" : whole) * unit;
    if (fraction !== "") totalNs += (BigInt(fraction) * unit) / 10n ** BigInt(fraction.length);
    if (totalNs > MOST_NS) return undefined;
  }
  if (!negative && totalNs === MOST_NS) return undefined;
  return negative ? -totalNs : totalNs;
}

export function isDuration(text: string): boolean {
  return parseDuration(text) !== undefined;
}

/** `1h0m0s`, `1m30s`, `1.5s`, `10ms`, `0s`. */
export function durationText(durationNs: bigint): string {
  if (durationNs === 0n) return "0s";
  const sign = durationNs < 0n ? "-" : "";
  const ns = durationNs < 0n ? -durationNs : durationNs;
  if (ns < 1_000n) return `${sign}${ns}ns`;
  if (ns < 1_000_000n) return `${sign}${decimal(ns, 1_000n)}\u00b5s`;
  if (ns < SECOND) return `${sign}${decimal(ns, 1_000_000n)}ms`;
  const minutes = ns / (60n * SECOND);
  const seconds = `${decimal(ns % (60n * SECOND), SECOND)}s`;
  if (minutes === 0n) return sign + seconds;
  return minutes < 60n ? `${sign}${minutes}m${seconds}` : `${sign}${minutes / 60n}h${minutes % 60n}m${seconds}`;
}

function decimal(value: bigint, unit: bigint): string {
  const rest = (value % unit)
    .toString()
    .padStart(unit.toString().length - 1, "0")
    .replace(/0+$/, "");
  return `${value / unit}${rest === "" ? "" : `.${rest}`}`;
}
