/**
 * What a plain scalar means to Go's yaml.v3 when nothing asks for a type: YAML 1.2 booleans (`yes` and `on` are texts), YAML 1.1 integers
 * (`010` is eight, `1_000` a thousand) and dates.
 */
import { floatText } from "./go-number.ts";
import type { ScalarNode } from "./stack-node.ts";

type Meaning = Omit<ScalarNode, "at">;

const NULLS: ReadonlySet<string> = new Set(["", "~", "null", "Null", "NULL"]);
const TRUES: ReadonlySet<string> = new Set(["true", "True", "TRUE"]);
const FALSES: ReadonlySet<string> = new Set(["false", "False", "FALSE"]);
/** What YAML 1.1 took for booleans: the encoder still puts them into quotes. */
const OLD_BOOLEANS: ReadonlySet<string> = new Set(
  ["y", "n", "yes", "no", "on", "off"].flatMap((word) => [
    word,
    word.toUpperCase(),
    word[0]!.toUpperCase() + word.slice(1),
  ]),
);
const SEXAGESIMAL = /^[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const TIME =
  /^(\d{4})-(\d{1,2})-(\d{1,2})(?:(?:[Tt]|[ ])(\d{1,2}):(\d{2}):(\d{2})(?:\.(\d+))?(?:Z| ?([-+])(\d{1,2})(?::?(\d{2}))?)?)?$/;

export function resolvePlain(text: string): Meaning {
  const first = text[0] ?? "";
  if (NULLS.has(text)) return { kind: "null", value: null, text: "<nil>" };
  if (TRUES.has(text)) return { kind: "boolean", value: true, text: "true" };
  if (FALSES.has(text)) return { kind: "boolean", value: false, text: "false" };
  if (/[-+.0-9]/.test(first)) return number(text) ?? time(text) ?? { kind: "string", value: text, text };
  return { kind: "string", value: text, text };
}

/** Whether a text stands without quotes only for itself, in YAML 1.1 as in 1.2. */
export function isPlainText(text: string): boolean {
  return resolvePlain(text).kind === "string" && !OLD_BOOLEANS.has(text) && !SEXAGESIMAL.test(text);
}

function number(text: string): Meaning | undefined {
  if (/^[-+]?\.(?:inf|Inf|INF)$/.test(text)) return float(text[0] === "-" ? -Infinity : Infinity);
  if (/^\.(?:nan|NaN|NAN)$/.test(text)) return float(Number.NaN);
  // Longer ones are no numbers of anyone's, and cost time that grows with the square.
  if (text.length > MOST_DIGITS) return undefined;
  const plain = text.replaceAll("_", "");
  return integer(plain) ?? (FLOAT.test(plain) ? float(Number(plain)) : undefined);
}
const MOST_DIGITS = 400;

function integer(text: string): Meaning | undefined {
  if (/^(?:0|[1-9][0-9]{0,14})$/.test(text)) return { kind: "integer", value: Number(text), text };
  const match = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|[0-9]+)$/.exec(text);
  if (match === null) return undefined;
  const digits = match[2]!;
  // "09" is no octal number and, with YAML 1.1's other forms out of the way, a float.
  if (/^0[0-9]+$/.test(digits) && !/^0[0-7]+$/.test(digits)) return undefined;
  const magnitude = BigInt(/^0[0-7]/.test(digits) ? `0o${digits.slice(1)}` : digits);
  const value = match[1] === "-" ? -magnitude : magnitude;
  if (value < -(2n ** 63n) || value >= 2n ** 64n) return undefined;
  return { kind: "integer", value: Number(value), text: value.toString() };
}

function float(value: number): Meaning {
  return { kind: "float", value, text: floatText(value) };
}

/** The value is the time in RFC 3339, as JSON and YAML carry it; the text is fmt's. */
function time(text: string): Meaning | undefined {
  const match = TIME.exec(text);
  if (match === null) return undefined;
  const [, year, month, day, hour = "0", minute = "00", second = "00", fraction, sign, zoneHour, zoneMinute] = match;
  if (!isDate(Number(year), Number(month), Number(day))) return undefined;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const date = `${year}-${month!.padStart(2, "0")}-${day!.padStart(2, "0")}`;
  const kept = (fraction ?? "").slice(0, 9).replace(/0+$/, "");
  const clock = `${hour.padStart(2, "0")}:${minute}:${second}${kept === "" ? "" : `.${kept}`}`;
  const hours = (zoneHour ?? "00").padStart(2, "0");
  const zone = sign === undefined ? "Z" : `${sign}${hours}:${zoneMinute ?? "00"}`;
  const named = sign === undefined ? "+0000 UTC" : `${sign}${hours}${zoneMinute ?? "00"}`.replace(/^(.*)$/, "$1 $1");
  return { kind: "time", value: `${date}T${clock}${zone}`, text: `${date} ${clock} ${named}` };
}

function isDate(year: number, month: number, day: number): boolean {
  if (month < 1 || month > 12 || day < 1) return false;
  const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
  const days = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
  return day <= days[month - 1]!;
}
