/**
 * Domain names, RFC 1035 §3.1 and §4.1.4. Inside vxlab a name is text without the final dot (the root is ""); a dot or a
 * backslash inside a label is written `\.` and `\\`, an octet that does not print `\ddd` (§5.1).
 */

/** RFC 1035 §2.3.4: of a whole name on the wire, its length octets and the root's included. */
export const MAXIMUM_NAME_BYTES = 255;
const MAXIMUM_LABEL_BYTES = 63;
const POINTER = 0xc0;

const DOT = 0x2e;
const BACKSLASH = 0x5c;

export type MalformedName = "dns-truncated" | "dns-bad-label" | "dns-bad-pointer" | "dns-name-too-long";

/** A name, and the offset behind it where it was met (a pointer is not followed for that). */
export interface ReadName {
  readonly name: string;
  readonly next: number;
}

/**
 * Reads the name at `at` of the message that lies from `start` to `end`. A pointer must lead to before the place that the
 * reading last began at, so no chain of pointers is endless.
 */
export function readName(bytes: Uint8Array, start: number, at: number, end: number): ReadName | MalformedName {
  const labels: string[] = [];
  let size = 1;
  let index = at;
  let barrier = at;
  let next = -1;
  for (;;) {
    if (index >= end) return "dns-truncated";
    const length = bytes[index]!;
    if (length === 0) break;
    if ((length & POINTER) === POINTER) {
      if (index + 2 > end) return "dns-truncated";
      const target = start + (((length & 0x3f) << 8) | bytes[index + 1]!);
      if (target >= barrier) return "dns-bad-pointer";
      if (next < 0) next = index + 2;
      index = barrier = target;
      continue;
    }
    if (length > MAXIMUM_LABEL_BYTES) return "dns-bad-label";
    if (index + 1 + length > end) return "dns-truncated";
    size += 1 + length;
    if (size > MAXIMUM_NAME_BYTES) return "dns-name-too-long";
    labels.push(formatLabel(bytes, index + 1, index + 1 + length));
    index += 1 + length;
  }
  return { name: labels.join("."), next: next < 0 ? index + 1 : next };
}

/** The labels of a name as octets, or undefined when `name` is none: an empty or too long label, a broken escape, too long. */
export function labelsOf(name: string): readonly (readonly number[])[] | undefined {
  if (name === "") return [];
  const labels: number[][] = [[]];
  let size = 2;
  for (let index = 0; index < name.length; index++) {
    let octet = name.charCodeAt(index);
    const label = labels[labels.length - 1]!;
    if (octet === DOT) {
      if (label.length === 0) return undefined;
      labels.push([]);
      size++;
      continue;
    }
    if (octet === BACKSLASH) {
      const decimal = /^\d{3}/.exec(name.slice(index + 1, index + 4));
      octet = decimal === null ? name.charCodeAt(index + 1) : Number(decimal[0]);
      index += decimal === null ? 1 : 3;
    }
    if (!(octet <= 255)) return undefined; // NaN too: a backslash at the end
    label.push(octet);
    size++;
    if (label.length > MAXIMUM_LABEL_BYTES || size > MAXIMUM_NAME_BYTES) return undefined;
  }
  return labels[labels.length - 1]!.length === 0 ? undefined : labels;
}

/** May `name` be sent? */
export function isName(name: string): boolean {
  return labelsOf(name) !== undefined;
}

function formatLabel(bytes: Uint8Array, at: number, end: number): string {
  let text = "";
  for (let index = at; index < end; index++) {
    const octet = bytes[index]!;
    if (octet === DOT || octet === BACKSLASH) text += `\\${String.fromCharCode(octet)}`;
    else if (octet > 0x20 && octet < 0x7f) text += String.fromCharCode(octet);
    else text += `\\${String(octet).padStart(3, "0")}`;
  }
  return text;
}
