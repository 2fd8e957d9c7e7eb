/**
 * Frames of HTTP/2, RFC 9113 §4 and §6: 9 octets of length, type, flags and stream, then a payload. All ten types and those that nobody knows yet.
 * What a frame means is the connection's matter; here is refused only what no connection could mean.
 */
import { getU16, getU24, getU32, putU16, putU24, putU32 } from "./bytes.ts";

export const HEADER_BYTES = 9;
/** What a client sends first (§3.4). */
export const CLIENT_PREFACE = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/** SETTINGS_MAX_FRAME_SIZE unless the peer says otherwise, and the least that it may say. */
export const DEFAULT_MAXIMUM_FRAME_BYTES = 16_384;
export const LARGEST_FRAME_BYTES = 0xff_ffff;
export const DEFAULT_WINDOW_BYTES = 65_535;
export const LARGEST_WINDOW_BYTES = 0x7fff_ffff;

export const SETTINGS_HEADER_TABLE_SIZE = 1;
export const SETTINGS_ENABLE_PUSH = 2;
export const SETTINGS_MAX_CONCURRENT_STREAMS = 3;
export const SETTINGS_INITIAL_WINDOW_SIZE = 4;
export const SETTINGS_MAX_FRAME_SIZE = 5;
export const SETTINGS_MAX_HEADER_LIST_SIZE = 6;

/** §7, by number. */
export const ERROR_NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
] as const;
export type ErrorName = (typeof ERROR_NAMES)[number];

export function errorCode(name: ErrorName): number {
  return ERROR_NAMES.indexOf(name);
}

export interface Priority {
  readonly exclusive: boolean;
  readonly dependency: number;
  /** 1 to 256. */
  readonly weight: number;
}

/** `padding`: octets behind the content, 0 to 255; undefined: not padded, which saves the octet that would say so. */
export type Frame =
  | {
      readonly kind: "data";
      readonly streamId: number;
      readonly endStream: boolean;
      readonly padding: number | undefined;
      readonly data: Uint8Array;
    }
  | {
      readonly kind: "headers";
      readonly streamId: number;
      readonly endStream: boolean;
      readonly endHeaders: boolean;
      readonly padding: number | undefined;
      readonly priority: Priority | undefined;
      readonly fragment: Uint8Array;
    }
  | { readonly kind: "priority"; readonly streamId: number; readonly priority: Priority }
  | { readonly kind: "rst-stream"; readonly streamId: number; readonly errorCode: number }
  | { readonly kind: "settings"; readonly ack: boolean; readonly settings: readonly (readonly [number, number])[] }
  | {
      readonly kind: "push-promise";
      readonly streamId: number;
      readonly endHeaders: boolean;
      readonly padding: number | undefined;
      readonly promisedStreamId: number;
      readonly fragment: Uint8Array;
    }
  | { readonly kind: "ping"; readonly ack: boolean; readonly opaque: Uint8Array }
  | {
      readonly kind: "goaway";
      readonly lastStreamId: number;
      readonly errorCode: number;
      readonly debugData: Uint8Array;
    }
  | { readonly kind: "window-update"; readonly streamId: number; readonly increment: number }
  | {
      readonly kind: "continuation";
      readonly streamId: number;
      readonly endHeaders: boolean;
      readonly fragment: Uint8Array;
    }
  | {
      readonly kind: "unknown";
      readonly type: number;
      readonly flags: number;
      readonly streamId: number;
      readonly payload: Uint8Array;
    };

/** `http2-truncated`: more octets are to come. Of the others, the first is a FRAME_SIZE_ERROR, the rest are PROTOCOL_ERRORs. */
export type Malformed = "http2-truncated" | "http2-frame-size" | "http2-bad-stream" | "http2-bad-padding";

const DATA = 0;
const HEADERS = 1;
const PRIORITY = 2;
const RST_STREAM = 3;
const SETTINGS = 4;
const PUSH_PROMISE = 5;
const PING = 6;
const GOAWAY = 7;
const WINDOW_UPDATE = 8;
const CONTINUATION = 9;

const END_STREAM = 0x01;
const ACK = 0x01;
const END_HEADERS = 0x04;
const PADDED = 0x08;
const PRIORITY_FLAG = 0x20;

const TYPE = 3;
const FLAGS = 4;
const STREAM = 5; // byte offsets
const PRIORITY_BYTES = 5;
const SETTING_BYTES = 6;

/** Octets of the frame that begins at `at`, header included; its first three octets are there. */
export function sizeAt(bytes: Uint8Array, at: number): number {
  return HEADER_BYTES + getU24(bytes, at);
}

/** The first frame from `at`; its content lies in `bytes`. `size` says where the next one begins. */
export function parse(bytes: Uint8Array, at: number, end: number): Frame | Malformed {
  if (end - at < HEADER_BYTES || end - at < sizeAt(bytes, at)) return "http2-truncated";
  const type = bytes[at + TYPE]!;
  const flags = bytes[at + FLAGS]!;
  const streamId = getU32(bytes, at + STREAM) & LARGEST_WINDOW_BYTES;
  const from = at + HEADER_BYTES;
  const to = at + sizeAt(bytes, at);
  const size = to - from;
  switch (type) {
    case DATA:
    case HEADERS:
    case PUSH_PROMISE:
      return parsePadded(type, flags, streamId, bytes, from, to);
    case PRIORITY:
      if (streamId === 0) return "http2-bad-stream";
      if (size !== PRIORITY_BYTES) return "http2-frame-size";
      return { kind: "priority", streamId, priority: readPriority(bytes, from) };
    case RST_STREAM:
      if (streamId === 0) return "http2-bad-stream";
      if (size !== 4) return "http2-frame-size";
      return { kind: "rst-stream", streamId, errorCode: getU32(bytes, from) };
    case SETTINGS: {
      const ack = (flags & ACK) !== 0;
      if (streamId !== 0) return "http2-bad-stream";
      if (size % SETTING_BYTES !== 0 || (ack && size > 0)) return "http2-frame-size";
      const settings: (readonly [number, number])[] = [];
      for (let next = from; next < to; next += SETTING_BYTES)
        settings.push([getU16(bytes, next), getU32(bytes, next + 2)]);
      return { kind: "settings", ack, settings };
    }
    case PING:
      if (streamId !== 0) return "http2-bad-stream";
      if (size !== 8) return "http2-frame-size";
      return { kind: "ping", ack: (flags & ACK) !== 0, opaque: bytes.slice(from, to) };
    case GOAWAY:
      if (streamId !== 0) return "http2-bad-stream";
      if (size < 8) return "http2-frame-size";
      return {
        kind: "goaway",
        lastStreamId: getU32(bytes, from) & LARGEST_WINDOW_BYTES,
        errorCode: getU32(bytes, from + 4),
        debugData: bytes.slice(from + 8, to),
      };
    case WINDOW_UPDATE:
      if (size !== 4) return "http2-frame-size";
      return { kind: "window-update", streamId, increment: getU32(bytes, from) & LARGEST_WINDOW_BYTES };
    case CONTINUATION:
      if (streamId === 0) return "http2-bad-stream";
      return {
        kind: "continuation",
        streamId,
        endHeaders: (flags & END_HEADERS) !== 0,
        fragment: bytes.subarray(from, to),
      };
    default:
      return { kind: "unknown", type, flags, streamId, payload: bytes.subarray(from, to) };
  }
}

function parsePadded(
  type: number,
  flags: number,
  streamId: number,
  bytes: Uint8Array,
  from: number,
  to: number,
): Frame | Malformed {
  if (streamId === 0) return "http2-bad-stream";
  let at = from;
  let end = to;
  let padding: number | undefined;
  if ((flags & PADDED) !== 0) {
    if (at === end) return "http2-frame-size";
    padding = bytes[at++]!;
    if (padding > end - at) return "http2-bad-padding";
    end -= padding;
  }
  const endHeaders = (flags & END_HEADERS) !== 0;
  if (type === DATA) {
    const data = bytes.subarray(at, end);
    return { kind: "data", streamId, endStream: (flags & END_STREAM) !== 0, padding, data };
  }
  if (type === PUSH_PROMISE) {
    if (end - at < 4) return "http2-frame-size";
    const promisedStreamId = getU32(bytes, at) & LARGEST_WINDOW_BYTES;
    return {
      kind: "push-promise",
      streamId,
      endHeaders,
      padding,
      promisedStreamId,
      fragment: bytes.subarray(at + 4, end),
    };
  }
  let priority: Priority | undefined;
  if ((flags & PRIORITY_FLAG) !== 0) {
    if (end - at < PRIORITY_BYTES) return "http2-frame-size";
    priority = readPriority(bytes, at);
    at += PRIORITY_BYTES;
  }
  const endStream = (flags & END_STREAM) !== 0;
  return { kind: "headers", streamId, endStream, endHeaders, padding, priority, fragment: bytes.subarray(at, end) };
}

function readPriority(bytes: Uint8Array, at: number): Priority {
  const word = getU32(bytes, at);
  return { exclusive: word >= 0x8000_0000, dependency: word & LARGEST_WINDOW_BYTES, weight: bytes[at + 4]! + 1 };
}

/** Octets that `emit` writes. */
export function size(frame: Frame): number {
  switch (frame.kind) {
    case "data":
      return HEADER_BYTES + paddingBytes(frame.padding) + frame.data.length;
    case "headers": {
      const priority = frame.priority === undefined ? 0 : PRIORITY_BYTES;
      return HEADER_BYTES + paddingBytes(frame.padding) + priority + frame.fragment.length;
    }
    case "push-promise":
      return HEADER_BYTES + paddingBytes(frame.padding) + 4 + frame.fragment.length;
    case "priority":
      return HEADER_BYTES + PRIORITY_BYTES;
    case "settings":
      return HEADER_BYTES + frame.settings.length * SETTING_BYTES;
    case "ping":
      return HEADER_BYTES + 8;
    case "goaway":
      return HEADER_BYTES + 8 + frame.debugData.length;
    case "rst-stream":
    case "window-update":
      return HEADER_BYTES + 4;
    case "continuation":
      return HEADER_BYTES + frame.fragment.length;
    case "unknown":
      return HEADER_BYTES + frame.payload.length;
  }
}

function paddingBytes(padding: number | undefined): number {
  return padding === undefined ? 0 : 1 + padding;
}

/** Writes `size(frame)` octets at `at`. */
export function emit(frame: Frame, bytes: Uint8Array, at: number): void {
  const from = at + HEADER_BYTES;
  const head = (type: number, flags: number, streamId: number) => {
    putU24(bytes, at, size(frame) - HEADER_BYTES);
    bytes[at + TYPE] = type;
    bytes[at + FLAGS] = flags;
    putU32(bytes, at + STREAM, streamId);
  };
  switch (frame.kind) {
    case "data": {
      head(DATA, (frame.endStream ? END_STREAM : 0) | paddedFlag(frame.padding), frame.streamId);
      bytes.set(frame.data, pad(bytes, from, frame.data.length, frame.padding));
      return;
    }
    case "headers": {
      const flags = (frame.endStream ? END_STREAM : 0) | (frame.endHeaders ? END_HEADERS : 0);
      const { priority, fragment } = frame;
      const more = priority === undefined ? 0 : PRIORITY_BYTES;
      head(HEADERS, flags | paddedFlag(frame.padding) | (more > 0 ? PRIORITY_FLAG : 0), frame.streamId);
      const content = pad(bytes, from, more + fragment.length, frame.padding);
      if (priority !== undefined) writePriority(priority, bytes, content);
      bytes.set(fragment, content + more);
      return;
    }
    case "push-promise": {
      head(PUSH_PROMISE, (frame.endHeaders ? END_HEADERS : 0) | paddedFlag(frame.padding), frame.streamId);
      const content = pad(bytes, from, 4 + frame.fragment.length, frame.padding);
      putU32(bytes, content, frame.promisedStreamId);
      bytes.set(frame.fragment, content + 4);
      return;
    }
    case "priority":
      head(PRIORITY, 0, frame.streamId);
      writePriority(frame.priority, bytes, from);
      return;
    case "rst-stream":
      head(RST_STREAM, 0, frame.streamId);
      putU32(bytes, from, frame.errorCode);
      return;
    case "settings":
      head(SETTINGS, frame.ack ? ACK : 0, 0);
      frame.settings.forEach(([identifier, value], index) => {
        putU16(bytes, from + index * SETTING_BYTES, identifier);
        putU32(bytes, from + index * SETTING_BYTES + 2, value);
      });
      return;
    case "ping":
      head(PING, frame.ack ? ACK : 0, 0);
      bytes.set(frame.opaque, from);
      return;
    case "goaway":
      head(GOAWAY, 0, 0);
      putU32(bytes, from, frame.lastStreamId);
      putU32(bytes, from + 4, frame.errorCode);
      bytes.set(frame.debugData, from + 8);
      return;
    case "window-update":
      head(WINDOW_UPDATE, 0, frame.streamId);
      putU32(bytes, from, frame.increment);
      return;
    case "continuation":
      head(CONTINUATION, frame.endHeaders ? END_HEADERS : 0, frame.streamId);
      bytes.set(frame.fragment, from);
      return;
    case "unknown":
      head(frame.type, frame.flags, frame.streamId);
      bytes.set(frame.payload, from);
      return;
  }
}

function paddedFlag(padding: number | undefined): number {
  return padding === undefined ? 0 : PADDED;
}

/** Writes the padding around a content of `contentBytes`, and says where that begins. */
function pad(bytes: Uint8Array, at: number, contentBytes: number, padding: number | undefined): number {
  if (padding === undefined) return at;
  bytes[at] = padding;
  bytes.fill(0, at + 1 + contentBytes, at + 1 + contentBytes + padding);
  return at + 1;
}

function writePriority(priority: Priority, bytes: Uint8Array, at: number): void {
  putU32(bytes, at, priority.dependency + (priority.exclusive ? 0x8000_0000 : 0));
  bytes[at + 4] = priority.weight - 1;
}
