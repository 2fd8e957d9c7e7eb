/**
 * Internet Group Management Protocol: version 1 (RFC 1112 appendix I), 2 (RFC 2236) and 3 (RFC 3376). A message is whole
 * in itself, so `emit` writes its checksum and `parse` verifies it.
 */
import type { Ipv4Address } from "./address.ts";
import { getU16, getU32, putU16, putU32 } from "./bytes.ts";
import { finish, sumBytes } from "./checksum.ts";

/** The shortest message, and the whole of versions 1 and 2. */
export const HEADER_BYTES = 8;

export const TYPE_QUERY = 0x11;
export const TYPE_REPORT_V1 = 0x12;
export const TYPE_REPORT_V2 = 0x16;
export const TYPE_LEAVE = 0x17;
export const TYPE_REPORT_V3 = 0x22;

/** Record types of a version 3 report, RFC 3376 §4.2.12. */
export const MODE_IS_INCLUDE = 1;
export const MODE_IS_EXCLUDE = 2;
export const CHANGE_TO_INCLUDE = 3;
export const CHANGE_TO_EXCLUDE = 4;
export const ALLOW_NEW_SOURCES = 5;
export const BLOCK_OLD_SOURCES = 6;

const QUERY_V3_BYTES = 12;
const RECORD_BYTES = 8;
const CHECKSUM = 2;
const SUPPRESS = 0x08;

export interface GroupRecord {
  /** `MODE_IS_INCLUDE` and so on. */
  readonly type: number;
  readonly group: Ipv4Address;
  readonly sources: readonly Ipv4Address[];
}

export type Igmp =
  /** Version 1 is told by a zero response code (RFC 2236 §4). The code counts tenths of a second; group 0 asks for all. */
  | { readonly kind: "query"; readonly responseCode: number; readonly group: Ipv4Address }
  | {
      readonly kind: "query-v3";
      readonly responseCode: number;
      readonly group: Ipv4Address;
      readonly suppressRouterProcessing: boolean;
      /** Querier's robustness variable, 0 to 7. */
      readonly robustness: number;
      readonly queryIntervalCode: number;
      readonly sources: readonly Ipv4Address[];
    }
  | { readonly kind: "report-v1" | "report-v2" | "leave"; readonly group: Ipv4Address }
  | { readonly kind: "report-v3"; readonly records: readonly GroupRecord[] };

export type Malformed = "igmp-truncated" | "igmp-unknown-type" | "igmp-bad-length" | "igmp-bad-checksum";

/** Says why no message lies from `at` to `end`, the end of the IP packet; the checksum is `checksumOk`'s matter. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  const size = end - at;
  if (size < HEADER_BYTES) return "igmp-truncated";
  switch (bytes[at]!) {
    case TYPE_REPORT_V1:
    case TYPE_REPORT_V2:
    case TYPE_LEAVE:
      return undefined;
    case TYPE_QUERY:
      // RFC 3376 §7.1: 8 bytes are version 1 or 2, 12 and more are version 3, anything between is ignored.
      if (size === HEADER_BYTES) return undefined;
      if (size < QUERY_V3_BYTES) return "igmp-bad-length";
      return size < QUERY_V3_BYTES + 4 * getU16(bytes, at + 10) ? "igmp-truncated" : undefined;
    case TYPE_REPORT_V3: {
      let next = at + HEADER_BYTES;
      for (let record = getU16(bytes, at + 6); record > 0; record--) {
        if (end - next < RECORD_BYTES) return "igmp-truncated";
        next += recordBytes(bytes, next);
        if (next > end) return "igmp-truncated";
      }
      return undefined;
    }
    default:
      return "igmp-unknown-type";
  }
}

export function type(bytes: Uint8Array, at: number): number {
  return bytes[at]!;
}

/** Of every message but a version 3 report. */
export function group(bytes: Uint8Array, at: number): Ipv4Address {
  return getU32(bytes, at + 4) as Ipv4Address;
}

export function checksumOk(bytes: Uint8Array, at: number, end: number): boolean {
  return finish(sumBytes(bytes, at, end)) === 0;
}

export function parse(bytes: Uint8Array, at: number, end: number): Igmp | Malformed {
  const reason = check(bytes, at, end);
  if (reason !== undefined) return reason;
  if (!checksumOk(bytes, at, end)) return "igmp-bad-checksum";
  switch (type(bytes, at)) {
    case TYPE_REPORT_V1:
      return { kind: "report-v1", group: group(bytes, at) };
    case TYPE_REPORT_V2:
      return { kind: "report-v2", group: group(bytes, at) };
    case TYPE_LEAVE:
      return { kind: "leave", group: group(bytes, at) };
    case TYPE_QUERY:
      return parseQuery(bytes, at, end);
    default:
      return { kind: "report-v3", records: parseRecords(bytes, at) };
  }
}

/** Bytes that `emit` writes. */
export function messageBytes(message: Igmp): number {
  switch (message.kind) {
    case "query-v3":
      return QUERY_V3_BYTES + 4 * message.sources.length;
    case "report-v3":
      return message.records.reduce((sum, record) => sum + RECORD_BYTES + 4 * record.sources.length, HEADER_BYTES);
    default:
      return HEADER_BYTES;
  }
}

/** Writes the whole message with its checksum: `messageBytes(message)`. */
export function emit(message: Igmp, bytes: Uint8Array, at: number): void {
  putU32(bytes, at, 0);
  switch (message.kind) {
    case "query":
    case "query-v3":
      bytes[at] = TYPE_QUERY;
      bytes[at + 1] = message.responseCode;
      putU32(bytes, at + 4, message.group);
      if (message.kind === "query") break;
      bytes[at + 8] = (message.suppressRouterProcessing ? SUPPRESS : 0) | message.robustness;
      bytes[at + 9] = message.queryIntervalCode;
      putU16(bytes, at + 10, message.sources.length);
      emitSources(message.sources, bytes, at + QUERY_V3_BYTES);
      break;
    case "report-v3": {
      bytes[at] = TYPE_REPORT_V3;
      putU16(bytes, at + 4, 0);
      putU16(bytes, at + 6, message.records.length);
      let next = at + HEADER_BYTES;
      for (const record of message.records) {
        putU16(bytes, next, record.type << 8);
        putU16(bytes, next + 2, record.sources.length);
        putU32(bytes, next + 4, record.group);
        emitSources(record.sources, bytes, next + RECORD_BYTES);
        next += RECORD_BYTES + 4 * record.sources.length;
      }
      break;
    }
    case "report-v1":
    case "report-v2":
    case "leave":
      bytes[at] =
        message.kind === "leave" ? TYPE_LEAVE : message.kind === "report-v1" ? TYPE_REPORT_V1 : TYPE_REPORT_V2;
      putU32(bytes, at + 4, message.group);
      break;
  }
  putU16(bytes, at + CHECKSUM, finish(sumBytes(bytes, at, at + messageBytes(message))));
}

function parseQuery(bytes: Uint8Array, at: number, end: number): Igmp {
  const responseCode = bytes[at + 1]!;
  if (end - at === HEADER_BYTES) return { kind: "query", responseCode, group: group(bytes, at) };
  return {
    kind: "query-v3",
    responseCode,
    group: group(bytes, at),
    suppressRouterProcessing: (bytes[at + 8]! & SUPPRESS) !== 0,
    robustness: bytes[at + 8]! & 7,
    queryIntervalCode: bytes[at + 9]!,
    sources: parseSources(bytes, at + QUERY_V3_BYTES, getU16(bytes, at + 10)),
  };
}

function parseRecords(bytes: Uint8Array, at: number): GroupRecord[] {
  const records: GroupRecord[] = [];
  let next = at + HEADER_BYTES;
  for (let record = getU16(bytes, at + 6); record > 0; record--) {
    records.push({
      type: bytes[next]!,
      group: getU32(bytes, next + 4) as Ipv4Address,
      sources: parseSources(bytes, next + RECORD_BYTES, getU16(bytes, next + 2)),
    });
    next += recordBytes(bytes, next);
  }
  return records;
}

/** A record's length: its sources and its auxiliary data (counted in words, of no meaning yet: §4.2.11) included. */
function recordBytes(bytes: Uint8Array, at: number): number {
  return RECORD_BYTES + 4 * getU16(bytes, at + 2) + 4 * bytes[at + 1]!;
}

function parseSources(bytes: Uint8Array, at: number, count: number): Ipv4Address[] {
  const sources: Ipv4Address[] = [];
  for (let index = 0; index < count; index++) sources.push(getU32(bytes, at + 4 * index) as Ipv4Address);
  return sources;
}

function emitSources(sources: readonly Ipv4Address[], bytes: Uint8Array, at: number): void {
  for (const [index, source] of sources.entries()) putU32(bytes, at + 4 * index, source);
}
