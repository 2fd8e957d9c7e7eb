/** Amounts of memory as Docker's go-units reads them: `50M`, `1.5g`, `512 kb`, `2GiB`; always powers of 1024. */

const POWERS = "kmgtp";

/** In bytes, or the client's complaint. */
export function parseMemorySize(text: string): number | string {
  const last = Math.max(
    ...["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", ".", " "].map((d) => text.lastIndexOf(d)),
  );
  if (last < 0) return `invalid size: '${text}'`;
  const suffix = text.slice(last + 1);
  const number = text[last] === " " ? text.slice(0, last) : text.slice(0, last + 1);
  if (!/^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)$/.test(number) || number.startsWith("-")) return `invalid size: '${text}'`;
  const size = Number(number);
  if (suffix === "") return Math.trunc(size);
  const lower = suffix.toLowerCase();
  if (lower === "b") return Math.trunc(size);
  const power = POWERS.indexOf(lower[0]!);
  if (suffix.length > 3) return `invalid suffix: '${suffix}'`;
  if (power < 0 || !["", "b", "ib"].includes(lower.slice(1))) return `invalid suffix: '${lower}'`;
  return Math.trunc(size * 1024 ** (power + 1));
}
