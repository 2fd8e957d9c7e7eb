/**
 * MessagePack in the "old raw" dialect that memberlist speaks (hashicorp/go-msgpack with its handle's defaults): strings and byte strings are
 * both raw (0xa0, 0xda, 0xdb), never str8 or bin; a nil slice is 0xc0. memberlist's messages are flat maps, so this codec
 * knows maps of scalars and nothing deeper. Numbers are big-endian.
 */
import { getU16, getU32 } from "../wire/bytes.ts";
import type { Malformed } from "./malformed.ts";

/** A scalar as it lies on the wire: raw bytes may be text, only the reader of the field knows. */
export type Scalar = number | boolean | Uint8Array | null;

/** One map and where it ended. */
export interface ParsedMap {
  readonly fields: ReadonlyMap<string, Scalar>;
  readonly end: number;
}

const MOST_FIELDS = 64; // the largest map of memberlist has eight
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();

/** Writes one value after the other; the caller keeps the order of the keys. */
export class MsgpackWriter {
  readonly #bytes: number[] = [];

  map(entries: number): void {
    this.#bytes.push(0x80 + entries); // fewer than 16, always
  }

  text(value: string): void {
    this.raw(ENCODER.encode(value));
  }

  /** A byte string; null is Go's nil slice. */
  raw(value: Uint8Array | null): void {
    if (value === null) {
      this.#bytes.push(0xc0);
      return;
    }
    const length = value.length;
    if (length < 32) this.#bytes.push(0xa0 + length);
    else if (length < 0x1_0000) this.#bytes.push(0xda, length >>> 8, length & 255);
    else this.#bytes.push(0xdb, length >>> 24, (length >>> 16) & 255, (length >>> 8) & 255, length & 255);
    for (const byte of value) this.#bytes.push(byte);
  }

  bool(value: boolean): void {
    this.#bytes.push(value ? 0xc3 : 0xc2);
  }

  /**
   * 0 to 2^32 - 1. Go's signed integers take the unsigned forms too in every recorded packet; later versions of go-msgpack write them
   * as 0xd1 and 0xd2, which the reader knows.
   */
  uint(value: number): void {
    if (value < 0x80) this.#bytes.push(value);
    else if (value < 0x100) this.#bytes.push(0xcc, value);
    else if (value < 0x1_0000) this.#bytes.push(0xcd, value >>> 8, value & 255);
    else this.#bytes.push(0xce, value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255);
  }

  finish(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Reads the map of scalars at `at`. Raw values are views of `bytes`. */
export function parseMap(bytes: Uint8Array, at: number, end: number): ParsedMap | Malformed {
  if (at >= end) return "gossip-truncated";
  const head = bytes[at]!;
  let count: number;
  if ((head & 0xf0) === 0x80) {
    count = head & 0x0f;
    at += 1;
  } else if (head === 0xde) {
    if (end - at < 3) return "gossip-truncated";
    count = getU16(bytes, at + 1);
    at += 3;
  } else return "gossip-fields";
  if (count > MOST_FIELDS) return "gossip-fields";
  const fields = new Map<string, Scalar>();
  const cursor = { at };
  for (let index = 0; index < count; index++) {
    const key = parseScalar(bytes, cursor, end);
    if (typeof key === "string") return key;
    if (!(key instanceof Uint8Array)) return "gossip-fields";
    const value = parseScalar(bytes, cursor, end);
    if (typeof value === "string") return value;
    fields.set(DECODER.decode(key), value);
  }
  return { fields, end: cursor.at };
}

export function asText(value: Scalar | undefined): string | undefined {
  return value instanceof Uint8Array ? DECODER.decode(value) : undefined;
}

function parseScalar(bytes: Uint8Array, cursor: { at: number }, end: number): Scalar | Malformed {
  const at = cursor.at;
  if (at >= end) return "gossip-truncated";
  const head = bytes[at]!;
  if (head <= 0x7f) {
    cursor.at = at + 1;
    return head;
  }
  if ((head & 0xe0) === 0xa0) return raw(bytes, cursor, at + 1, head & 0x1f, end);
  const width = headWidth(head);
  if (width === undefined) return "gossip-fields";
  if (end - at < 1 + width) return "gossip-truncated";
  cursor.at = at + 1 + width;
  switch (head) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xc4: // bin 8 and str 8: read, as go-msgpack does, though memberlist writes neither
    case 0xd9:
      return raw(bytes, cursor, at + 2, bytes[at + 1]!, end);
    case 0xc5:
    case 0xda:
      return raw(bytes, cursor, at + 3, getU16(bytes, at + 1), end);
    case 0xc6:
    case 0xdb:
      return raw(bytes, cursor, at + 5, getU32(bytes, at + 1), end);
    case 0xcc:
      return bytes[at + 1]!;
    case 0xcd:
      return getU16(bytes, at + 1);
    case 0xce:
      return getU32(bytes, at + 1);
    case 0xd0:
      return bytes[at + 1]! < 0x80 ? bytes[at + 1]! : "gossip-fields"; // nothing in memberlist is negative
    case 0xd1:
      return getU16(bytes, at + 1) < 0x8000 ? getU16(bytes, at + 1) : "gossip-fields";
    case 0xd2:
      return getU32(bytes, at + 1) < 0x8000_0000 ? getU32(bytes, at + 1) : "gossip-fields";
    default: {
      // 0xcf and 0xd3: 64 bits; no field of memberlist needs more than 32
      return getU32(bytes, at + 1) === 0 ? getU32(bytes, at + 5) : "gossip-fields";
    }
  }
}

function raw(
  bytes: Uint8Array,
  cursor: { at: number },
  start: number,
  length: number,
  end: number,
): Uint8Array | Malformed {
  if (length > end - start) return "gossip-truncated";
  cursor.at = start + length;
  return bytes.subarray(start, start + length);
}

function headWidth(head: number): number | undefined {
  switch (head) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return 0;
    case 0xc4:
    case 0xcc:
    case 0xd0:
    case 0xd9:
      return 1;
    case 0xc5:
    case 0xcd:
    case 0xd1:
    case 0xda:
      return 2;
    case 0xc6:
    case 0xce:
    case 0xd2:
    case 0xdb:
      return 4;
    case 0xcf:
    case 0xd3:
      return 8;
    default:
      return undefined;
  }
}
