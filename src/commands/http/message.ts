/** HTTP/1.1 messages, RFC 9112: heads as they stand on the wire, read without trust. */

export interface Head {
  /** `GET / HTTP/1.1`, `HTTP/1.1 200 OK`. */
  readonly startLine: string;
  /** In their order, names as they were written. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The whole head with its empty line, in bytes. */
  readonly sizeBytes: number;
}

/** Longer heads are refused, as servers do. */
export const MAXIMUM_HEAD_BYTES = 65_536;

/** The head that `bytes` begin with; undefined: its end has not come yet. */
export function parseHead(bytes: Uint8Array): Head | undefined {
  const end = endOfHead(bytes);
  if (end < 0) return undefined;
  const lines = new TextDecoder("latin1").decode(bytes.subarray(0, end)).split("\n").map(withoutReturn);
  const fields: (readonly [string, string])[] = [];
  for (const line of lines.slice(1)) {
    const colon = line.indexOf(":");
    if (colon > 0) fields.push([line.slice(0, colon), line.slice(colon + 1).trim()]);
  }
  return { startLine: lines[0] ?? "", fields, sizeBytes: end };
}

/** The first value of a field, whatever the case of its name. */
export function field(head: Head, name: string): string | undefined {
  return head.fields.find(([known]) => known.toLowerCase() === name)?.[1];
}

/** Content-Length, when there is a valid one. */
export function contentLength(head: Head): number | undefined {
  const text = field(head, "content-length");
  if (text === undefined || !/^\d{1,15}$/.test(text)) return undefined;
  return Number(text);
}

/** Where the empty line ends, -1 when there is none yet. */
function endOfHead(bytes: Uint8Array): number {
  for (let at = 0; at + 1 < bytes.length; at++) {
    if (bytes[at] !== 0x0a) continue;
    if (bytes[at + 1] === 0x0a) return at + 2;
    if (bytes[at + 1] === 0x0d && bytes[at + 2] === 0x0a) return at + 3;
  }
  return -1;
}

function withoutReturn(line: string): string {
  return line.endsWith("\r") ? line.slice(0, -1) : line;
}

/** Two runs of bytes as one. */
export function join(a: Uint8Array, b: Uint8Array): Uint8Array {
  if (a.length === 0) return b;
  const joined = new Uint8Array(a.length + b.length);
  joined.set(a);
  joined.set(b, a.length);
  return joined;
}
