/**
 * MessagePack in the "old raw" dialect that memberlist speaks (hashicorp/go-msgpack with its handle's defaults): strings and byte strings are
 * both raw (0xa0, 0xda, 0xdb), never str8 or bin; a nil slice is 0xc0. memberlist's messages are flat maps, so this codec
 * knows maps of scalars and nothing deeper. Numbers are big-endian.
 */
import { getU16, getU32, putU16, putU32 } from "../wire/bytes.ts";
import type { Malformed } from "./malformed.ts";

/** A scalar as it lies on the wire: raw bytes may be text, only the reader of the field knows. */
export type Scalar = number | boolean | Uint8Array | null;

/**
 * A map as it lies on the wire: its fields are found there when they are asked for. Most messages of a large cluster are old news after two of six
 * fields, so none is made beforehand (0.7 us for those two, 1.3 for all; a Map of all: 2.7).
 */
export class Fields {
  readonly #bytes: Uint8Array;
  /** Where each value starts; its key ends there. */
  readonly #values: number[] = [];
  readonly #keys: number[] = [];

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Of equal keys the last one holds. Raw values are views. */
  get(key: string): Scalar | undefined {
    for (let index = this.#keys.length - 1; index >= 0; index--) {
      const value = this.#values[index]!;
      if (isText(key, this.#bytes, this.#keys[index]!, value)) return parseScalar(this.#bytes, value);
    }
    return undefined;
  }

  /** The key's text lies from `keyAt` to `valueAt`. */
  add(keyAt: number, valueAt: number): void {
    this.#keys.push(keyAt);
    this.#values.push(valueAt);
  }
}

/** One map and where it ended. */
export interface ParsedMap {
  readonly fields: Fields;
  readonly end: number;
}

const MOST_FIELDS = 64; // the largest map of memberlist has eight
const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();
const USUAL_BYTES = 128;
/** Longer texts go to the platform's coders, which are slow to call. */
const SHORT_TEXT = 32;

/** Writes one value after the other; the caller keeps the order of the keys. */
export class MsgpackWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** `type` is memberlist's type byte in front of everything; absent: none. `capacityBytes`: how much is to be expected. */
  constructor(type?: number, capacityBytes = USUAL_BYTES) {
    this.#bytes = new Uint8Array(capacityBytes);
    if (type !== undefined) this.#bytes[this.#length++] = type;
  }

  map(entries: number): void {
    this.#room(1);
    this.#bytes[this.#length++] = 0x80 + entries; // fewer than 16, always
  }

  text(value: string): void {
    const length = value.length;
    if (length >= SHORT_TEXT || !isAscii(value)) {
      this.raw(ENCODER.encode(value));
      return;
    }
    this.#room(1 + length);
    this.#bytes[this.#length++] = 0xa0 + length;
    for (let index = 0; index < length; index++) this.#bytes[this.#length++] = value.charCodeAt(index);
  }

  /** A byte string; null is Go's nil slice. */
  raw(value: Uint8Array | null): void {
    const length = value === null ? 0 : value.length;
    this.#room(5 + length);
    const bytes = this.#bytes;
    let at = this.#length;
    if (value === null) {
      bytes[at] = 0xc0;
      this.#length = at + 1;
      return;
    }
    if (length < 32) bytes[at++] = 0xa0 + length;
    else if (length < 0x1_0000) {
      bytes[at++] = 0xda;
      putU16(bytes, at, length);
      at += 2;
    } else {
      bytes[at++] = 0xdb;
      putU32(bytes, at, length);
      at += 4;
    }
    bytes.set(value, at);
    this.#length = at + length;
  }

  bool(value: boolean): void {
    this.#room(1);
    this.#bytes[this.#length++] = value ? 0xc3 : 0xc2;
  }

  /**
   * 0 to 2^32 - 1. Go's signed integers take the unsigned forms too in every recorded packet; later versions of go-msgpack write them
   * as 0xd1 and 0xd2, which the reader knows.
   */
  uint(value: number): void {
    this.#room(5);
    const bytes = this.#bytes;
    let at = this.#length;
    if (value < 0x80) bytes[at++] = value;
    else if (value < 0x100) {
      bytes[at++] = 0xcc;
      bytes[at++] = value;
    } else if (value < 0x1_0000) {
      bytes[at++] = 0xcd;
      putU16(bytes, at, value);
      at += 2;
    } else {
      bytes[at++] = 0xce;
      putU32(bytes, at, value);
      at += 4;
    }
    this.#length = at;
  }

  finish(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #room(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const wider = new Uint8Array(Math.max(this.#length + count, this.#bytes.length * 2));
    wider.set(this.#bytes);
    this.#bytes = wider;
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
  const fields = new Fields(bytes);
  for (let index = 0; index < count; index++) {
    const key = rawAt(bytes, at, end);
    if (typeof key === "string") return key;
    const valueAt = endOf(bytes, at, end);
    if (typeof valueAt === "string") return valueAt;
    fields.add(key, valueAt);
    const valueEnd = endOf(bytes, valueAt, end);
    if (typeof valueEnd === "string") return valueEnd;
    at = valueEnd;
  }
  return { fields, end: at };
}

/** Where the value of `key` starts in the map at `at`, without reading the rest; -1 when it is not found. */
export function valueAt(bytes: Uint8Array, at: number, end: number, key: string): number {
  if (at >= end || (bytes[at]! & 0xf0) !== 0x80) return -1;
  const count = bytes[at]! & 0x0f;
  let place = at + 1;
  for (let index = 0; index < count; index++) {
    const keyAt = rawAt(bytes, place, end);
    const value = endOf(bytes, place, end);
    if (typeof keyAt === "string" || typeof value === "string") return -1;
    const next = endOf(bytes, value, end);
    if (typeof next === "string") return -1;
    if (isText(key, bytes, keyAt, value)) return value;
    place = next;
  }
  return -1;
}

export function asText(value: Scalar | undefined): string | undefined {
  return value instanceof Uint8Array ? decodeText(value) : undefined;
}

function decodeText(bytes: Uint8Array): string {
  if (bytes.length >= SHORT_TEXT) return DECODER.decode(bytes);
  for (let index = 0; index < bytes.length; index++) if (bytes[index]! >= 0x80) return DECODER.decode(bytes);
  return String.fromCharCode.apply(null, bytes as unknown as number[]);
}

function isAscii(text: string): boolean {
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) >= 0x80) return false;
  return true;
}

/** Whether `bytes` from `at` to `end` are the ASCII text. */
function isText(text: string, bytes: Uint8Array, at: number, end: number): boolean {
  if (text.length !== end - at) return false;
  for (let index = 0; index < text.length; index++) if (text.charCodeAt(index) !== bytes[at + index]) return false;
  return true;
}

/** The scalar at `at`, which `endOf` has found good. */
export function parseScalar(bytes: Uint8Array, at: number): Scalar {
  const head = bytes[at]!;
  if (head <= 0x7f) return head;
  switch (head) {
    case 0xc0:
      return null;
    case 0xc2:
      return false;
    case 0xc3:
      return true;
    case 0xcc:
    case 0xd0:
      return bytes[at + 1]!;
    case 0xcd:
    case 0xd1:
      return getU16(bytes, at + 1);
    case 0xce:
    case 0xd2:
      return getU32(bytes, at + 1);
    case 0xcf:
    case 0xd3:
      return getU32(bytes, at + 5);
    default: {
      const start = at + 1 + lengthBytes(head);
      return bytes.subarray(start, start + rawLength(bytes, at));
    }
  }
}

/** Where the text of the raw value at `at` starts. */
function rawAt(bytes: Uint8Array, at: number, end: number): number | Malformed {
  if (at >= end) return "gossip-truncated";
  return isRaw(bytes[at]!) ? at + 1 + lengthBytes(bytes[at]!) : "gossip-fields";
}

/** Where the scalar at `at` ends; why there is none. */
function endOf(bytes: Uint8Array, at: number, end: number): number | Malformed {
  if (at >= end) return "gossip-truncated";
  const head = bytes[at]!;
  if (head <= 0x7f) return at + 1;
  if (isRaw(head)) {
    const start = at + 1 + lengthBytes(head);
    if (start > end) return "gossip-truncated";
    const length = rawLength(bytes, at);
    return length > end - start ? "gossip-truncated" : start + length;
  }
  const width = headWidth(head);
  if (width === undefined) return "gossip-fields";
  if (end - at < 1 + width) return "gossip-truncated";
  return isUsed(bytes, at) ? at + 1 + width : "gossip-fields";
}

/** Nothing in memberlist is negative, and no field needs more than 32 bits. */
function isUsed(bytes: Uint8Array, at: number): boolean {
  switch (bytes[at]) {
    case 0xd0:
    case 0xd1:
    case 0xd2:
      return bytes[at + 1]! < 0x80;
    case 0xcf:
    case 0xd3:
      return getU32(bytes, at + 1) === 0;
    default:
      return true;
  }
}

/** bin 8 to 32 and str 8 are read, as go-msgpack does, though memberlist writes neither. */
function isRaw(head: number): boolean {
  return (head & 0xe0) === 0xa0 || (head >= 0xc4 && head <= 0xc6) || (head >= 0xd9 && head <= 0xdb);
}

/** How many bytes after the head say how long a raw value is. */
function lengthBytes(head: number): number {
  if ((head & 0xe0) === 0xa0) return 0;
  if (head === 0xc4 || head === 0xd9) return 1;
  return head === 0xc5 || head === 0xda ? 2 : 4;
}

function rawLength(bytes: Uint8Array, at: number): number {
  const head = bytes[at]!;
  switch (lengthBytes(head)) {
    case 0:
      return head & 0x1f;
    case 1:
      return bytes[at + 1]!;
    case 2:
      return getU16(bytes, at + 1);
    default:
      return getU32(bytes, at + 1);
  }
}

/** How many bytes follow the head of a scalar that is not raw. */
function headWidth(head: number): number | undefined {
  switch (head) {
    case 0xc0:
    case 0xc2:
    case 0xc3:
      return 0;
    case 0xcc:
    case 0xd0:
      return 1;
    case 0xcd:
    case 0xd1:
      return 2;
    case 0xce:
    case 0xd2:
      return 4;
    case 0xcf:
    case 0xd3:
      return 8;
    default:
      return undefined;
  }
}
