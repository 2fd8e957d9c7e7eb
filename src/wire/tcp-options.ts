/**
 * TCP options: MSS (RFC 9293 §3.2), window scale and timestamps (RFC 7323), selective acknowledgement (RFC 2018). Other
 * kinds, and known ones of a wrong length, are kept as bytes. An option that runs past the header ends the reading: as in
 * the kernel, the segment is not refused for it.
 */
import { assert } from "../sim/assert.ts";
import { getU16, getU32, putU16, putU32 } from "./bytes.ts";

export const MAXIMUM_OPTIONS_BYTES = 40;

export const KIND_END = 0;
export const KIND_NO_OPERATION = 1;
export const KIND_MAXIMUM_SEGMENT_SIZE = 2;
export const KIND_WINDOW_SCALE = 3;
export const KIND_SACK_PERMITTED = 4;
export const KIND_SACK = 5;
export const KIND_TIMESTAMPS = 8;

/** What `writeTimestamps` writes: two no-operations and the option, so that its words lie on multiples of 4. */
export const ALIGNED_TIMESTAMPS_BYTES = 12;

/** Sequence numbers received: from `left` to before `right`. */
export interface SackBlock {
  readonly left: number;
  readonly right: number;
}

export type TcpOption =
  | { readonly kind: "no-operation" }
  | { readonly kind: "maximum-segment-size"; readonly sizeBytes: number }
  | { readonly kind: "window-scale"; readonly shift: number }
  | { readonly kind: "sack-permitted" }
  | { readonly kind: "sack"; readonly blocks: readonly SackBlock[] }
  | { readonly kind: "timestamps"; readonly value: number; readonly echoReply: number }
  /** `bytes` is the body, without kind and length. */
  | { readonly kind: "other"; readonly type: number; readonly bytes: Uint8Array };

/** The options between `at` and `end`, up to the end-of-list option or to the first that makes no sense. */
export function parseOptions(bytes: Uint8Array, at: number, end: number): TcpOption[] {
  const options: TcpOption[] = [];
  let next = at;
  while (next < end && bytes[next] !== KIND_END) {
    if (bytes[next] === KIND_NO_OPERATION) {
      options.push({ kind: "no-operation" });
      next++;
      continue;
    }
    const size = lengthAt(bytes, next, end);
    if (size === 0) break;
    options.push(parseOption(bytes, next, size));
    next += size;
  }
  return options;
}

/** What `emitOptions` will write: a multiple of 4. */
export function optionsBytes(options: readonly TcpOption[]): number {
  let total = 0;
  for (const option of options) total += optionBytes(option);
  return (total + 3) & ~3;
}

/** Writes the options, ended and padded with zeros to a multiple of 4; says how many bytes. At most 40. */
export function emitOptions(options: readonly TcpOption[], bytes: Uint8Array, at: number): number {
  const size = optionsBytes(options);
  assert(size <= MAXIMUM_OPTIONS_BYTES, "more than 40 bytes of TCP options");
  let next = at;
  for (const option of options) {
    emitOption(option, bytes, next);
    next += optionBytes(option);
  }
  bytes.fill(KIND_END, next, at + size);
  return size;
}

/** Where the first option of `kind` begins (its kind byte), or -1; allocates nothing. `at` and `end` bound the options. */
export function find(bytes: Uint8Array, at: number, end: number, kind: number): number {
  let next = at;
  while (next < end) {
    const is = bytes[next]!;
    if (is === KIND_END) return -1;
    if (is === KIND_NO_OPERATION) {
      next++;
      continue;
    }
    const size = lengthAt(bytes, next, end);
    if (size === 0) return -1;
    if (is === kind && isWellSized(is, size)) return next;
    next += size;
  }
  return -1;
}

/** TSval of the timestamps option that `find` found. */
export function timestampValue(bytes: Uint8Array, option: number): number {
  return getU32(bytes, option + 2);
}

/** TSecr of the timestamps option that `find` found. */
export function timestampEchoReply(bytes: Uint8Array, option: number): number {
  return getU32(bytes, option + 6);
}

/** How many blocks the SACK option that `find` found has. */
export function sackBlockCount(bytes: Uint8Array, option: number): number {
  return (bytes[option + 1]! - 2) >> 3;
}

export function sackLeft(bytes: Uint8Array, option: number, block: number): number {
  return getU32(bytes, option + 2 + 8 * block);
}

export function sackRight(bytes: Uint8Array, option: number, block: number): number {
  return getU32(bytes, option + 6 + 8 * block);
}

/** Two no-operations and the timestamps: `ALIGNED_TIMESTAMPS_BYTES`, as every data segment of Linux has them. */
export function writeTimestamps(bytes: Uint8Array, at: number, value: number, echoReply: number): void {
  putU32(bytes, at, 0x0101_080a);
  putU32(bytes, at + 4, value);
  putU32(bytes, at + 8, echoReply);
}

/** The option's length, or 0 when it is impossible. */
function lengthAt(bytes: Uint8Array, at: number, end: number): number {
  if (end - at < 2) return 0;
  const size = bytes[at + 1]!;
  return size < 2 || size > end - at ? 0 : size;
}

function isWellSized(kind: number, size: number): boolean {
  switch (kind) {
    case KIND_MAXIMUM_SEGMENT_SIZE:
      return size === 4;
    case KIND_WINDOW_SCALE:
      return size === 3;
    case KIND_SACK_PERMITTED:
      return size === 2;
    case KIND_SACK:
      return size >= 10 && (size - 2) % 8 === 0;
    case KIND_TIMESTAMPS:
      return size === 10;
    default:
      return true;
  }
}

function parseOption(bytes: Uint8Array, at: number, size: number): TcpOption {
  const type = bytes[at]!;
  if (isWellSized(type, size)) {
    switch (type) {
      case KIND_MAXIMUM_SEGMENT_SIZE:
        return { kind: "maximum-segment-size", sizeBytes: getU16(bytes, at + 2) };
      case KIND_WINDOW_SCALE:
        return { kind: "window-scale", shift: bytes[at + 2]! };
      case KIND_SACK_PERMITTED:
        return { kind: "sack-permitted" };
      case KIND_SACK: {
        const blocks: SackBlock[] = [];
        for (let block = 0; block < sackBlockCount(bytes, at); block++)
          blocks.push({ left: sackLeft(bytes, at, block), right: sackRight(bytes, at, block) });
        return { kind: "sack", blocks };
      }
      case KIND_TIMESTAMPS:
        return { kind: "timestamps", value: timestampValue(bytes, at), echoReply: timestampEchoReply(bytes, at) };
    }
  }
  return { kind: "other", type, bytes: bytes.slice(at + 2, at + size) };
}

function optionBytes(option: TcpOption): number {
  switch (option.kind) {
    case "no-operation":
      return 1;
    case "maximum-segment-size":
      return 4;
    case "window-scale":
      return 3;
    case "sack-permitted":
      return 2;
    case "sack":
      return 2 + 8 * option.blocks.length;
    case "timestamps":
      return 10;
    case "other":
      return 2 + option.bytes.length;
  }
}

function emitOption(option: TcpOption, bytes: Uint8Array, at: number): void {
  if (option.kind === "no-operation") {
    bytes[at] = KIND_NO_OPERATION;
    return;
  }
  bytes[at + 1] = optionBytes(option);
  switch (option.kind) {
    case "maximum-segment-size":
      bytes[at] = KIND_MAXIMUM_SEGMENT_SIZE;
      putU16(bytes, at + 2, option.sizeBytes);
      break;
    case "window-scale":
      bytes[at] = KIND_WINDOW_SCALE;
      bytes[at + 2] = option.shift;
      break;
    case "sack-permitted":
      bytes[at] = KIND_SACK_PERMITTED;
      break;
    case "sack":
      bytes[at] = KIND_SACK;
      for (const [index, block] of option.blocks.entries()) {
        putU32(bytes, at + 2 + 8 * index, block.left);
        putU32(bytes, at + 6 + 8 * index, block.right);
      }
      break;
    case "timestamps":
      bytes[at] = KIND_TIMESTAMPS;
      putU32(bytes, at + 2, option.value);
      putU32(bytes, at + 6, option.echoReply);
      break;
    case "other":
      bytes[at] = option.type;
      bytes.set(option.bytes, at + 2);
      break;
  }
}
