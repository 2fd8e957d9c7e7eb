/** Internet Protocol version 4 header, RFC 791 §3.1: 20 bytes, and up to 40 of options. */
import { assert } from "../sim/assert.ts";
import type { Ipv4Address } from "./address.ts";
import { getU16, getU32, putU16, putU32 } from "./bytes.ts";
import { adjust, finish, type Memory, sum, sumBytes } from "./checksum.ts";

/** The header without options. */
export const HEADER_BYTES = 20;
export const MAXIMUM_OPTIONS_BYTES = 40;

export const PROTOCOL_ICMP = 1;
export const PROTOCOL_IGMP = 2;
export const PROTOCOL_TCP = 6;
export const PROTOCOL_UDP = 17;
export const PROTOCOL_ESP = 50;

/** Bits of `flagsAndOffset`. */
export const DONT_FRAGMENT = 0x4000;
export const MORE_FRAGMENTS = 0x2000;
const OFFSET_MASK = 0x1fff;

const VERSION_AND_LENGTH = 0;
const TYPE_OF_SERVICE = 1;
const TOTAL_LENGTH = 2;
const IDENTIFICATION = 4;
const FLAGS_AND_OFFSET = 6;
const TIME_TO_LIVE = 8;
const PROTOCOL = 9;
const CHECKSUM = 10;
const SOURCE = 12;
const DESTINATION = 16;

export interface Ipv4 {
  /** Six bits DSCP (RFC 2474) and two bits ECN (RFC 3168). */
  readonly typeOfService: number;
  /** Of header and payload. */
  readonly totalLength: number;
  readonly identification: number;
  readonly dontFragment: boolean;
  readonly moreFragments: boolean;
  /** A multiple of 8. */
  readonly fragmentOffsetBytes: number;
  readonly timeToLive: number;
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  /** As on the wire: a multiple of 4 bytes, at most 40. */
  readonly options: Uint8Array;
}

export type Malformed =
  | "ipv4-truncated"
  | "ipv4-bad-version"
  | "ipv4-bad-header-length"
  | "ipv4-bad-total-length"
  | "ipv4-bad-checksum";

/** Says why no packet lies between `at` and `end`; the header checksum is `checksumOk`'s matter. Bytes behind the total length are padding. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  const reason = checkHeader(bytes, at, end);
  if (reason !== undefined) return reason;
  const total = totalLength(bytes, at);
  if (total < headerBytes(bytes, at)) return "ipv4-bad-total-length";
  if (total > end - at) return "ipv4-truncated";
  return undefined;
}

/** The same for the header alone, as for the beginning of a packet that an ICMP error quotes. */
export function checkHeader(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  if (end - at < HEADER_BYTES) return "ipv4-truncated";
  if (bytes[at + VERSION_AND_LENGTH]! >>> 4 !== 4) return "ipv4-bad-version";
  const length = headerBytes(bytes, at);
  if (length < HEADER_BYTES) return "ipv4-bad-header-length";
  if (length > end - at) return "ipv4-truncated";
  return undefined;
}

/** 20 to 60: where the payload begins, counted from `at`. */
export function headerBytes(bytes: Uint8Array, at: number): number {
  return (bytes[at + VERSION_AND_LENGTH]! & 15) * 4;
}

export function typeOfService(bytes: Uint8Array, at: number): number {
  return bytes[at + TYPE_OF_SERVICE]!;
}

export function totalLength(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + TOTAL_LENGTH);
}

export function identification(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + IDENTIFICATION);
}

/** The 16 bits that hold DF, MF and the fragment offset in units of 8 bytes. */
export function flagsAndOffset(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + FLAGS_AND_OFFSET);
}

export function dontFragment(bytes: Uint8Array, at: number): boolean {
  return (getU16(bytes, at + FLAGS_AND_OFFSET) & DONT_FRAGMENT) !== 0;
}

export function moreFragments(bytes: Uint8Array, at: number): boolean {
  return (getU16(bytes, at + FLAGS_AND_OFFSET) & MORE_FRAGMENTS) !== 0;
}

export function fragmentOffsetBytes(bytes: Uint8Array, at: number): number {
  return (getU16(bytes, at + FLAGS_AND_OFFSET) & OFFSET_MASK) * 8;
}

/** Part of a larger packet: MF set, or an offset. */
export function isFragment(bytes: Uint8Array, at: number): boolean {
  return (getU16(bytes, at + FLAGS_AND_OFFSET) & (MORE_FRAGMENTS | OFFSET_MASK)) !== 0;
}

export function timeToLive(bytes: Uint8Array, at: number): number {
  return bytes[at + TIME_TO_LIVE]!;
}

export function protocol(bytes: Uint8Array, at: number): number {
  return bytes[at + PROTOCOL]!;
}

export function checksum(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + CHECKSUM);
}

export function source(bytes: Uint8Array, at: number): Ipv4Address {
  return getU32(bytes, at + SOURCE) as Ipv4Address;
}

/** The source's 32 bits as a signed integer: never a box on the heap, as half of all addresses are where V8 does not inline. */
export function sourceBits(bytes: Uint8Array, at: number): number {
  const from = at + SOURCE;
  return (bytes[from]! << 24) | (bytes[from + 1]! << 16) | (bytes[from + 2]! << 8) | bytes[from + 3]!;
}

export function destination(bytes: Uint8Array, at: number): Ipv4Address {
  return getU32(bytes, at + DESTINATION) as Ipv4Address;
}

/** Is the header checksum right? `at` is even. */
export function checksumOk(memory: Memory, at: number): boolean {
  return finish(sum(memory, at, at + headerBytes(memory.bytes, at))) === 0;
}

/** The header as a value; here a wrong header checksum is a reason too. */
export function parse(bytes: Uint8Array, at: number, end: number): Ipv4 | Malformed {
  const reason = check(bytes, at, end);
  if (reason !== undefined) return reason;
  const optionsEnd = at + headerBytes(bytes, at);
  if (finish(sumBytes(bytes, at, optionsEnd)) !== 0) return "ipv4-bad-checksum";
  return {
    typeOfService: typeOfService(bytes, at),
    totalLength: totalLength(bytes, at),
    identification: identification(bytes, at),
    dontFragment: dontFragment(bytes, at),
    moreFragments: moreFragments(bytes, at),
    fragmentOffsetBytes: fragmentOffsetBytes(bytes, at),
    timeToLive: timeToLive(bytes, at),
    protocol: protocol(bytes, at),
    source: source(bytes, at),
    destination: destination(bytes, at),
    options: bytes.slice(at + HEADER_BYTES, optionsEnd),
  };
}

/** Writes the header with its options and checksum: `HEADER_BYTES` and the options' length. */
export function emit(header: Ipv4, bytes: Uint8Array, at: number): void {
  const options = header.options;
  assert(options.length % 4 === 0 && options.length <= MAXIMUM_OPTIONS_BYTES, "IPv4 options of a wrong length");
  assert(header.fragmentOffsetBytes % 8 === 0, "an IPv4 fragment offset that is no multiple of 8");
  const flags = (header.dontFragment ? DONT_FRAGMENT : 0) | (header.moreFragments ? MORE_FRAGMENTS : 0);
  write(
    bytes,
    at,
    header.totalLength,
    header.identification,
    flags | (header.fragmentOffsetBytes / 8),
    header.timeToLive,
    header.protocol,
    header.source,
    header.destination,
    header.typeOfService,
  );
  if (options.length === 0) return;
  bytes[at + VERSION_AND_LENGTH] = 0x45 + options.length / 4;
  bytes.set(options, at + HEADER_BYTES);
  writeChecksum(bytes, at);
}

/** Writes a header without options, its checksum included; `flagsAndOffset` as on the wire (`DONT_FRAGMENT` ...). */
export function write(
  bytes: Uint8Array,
  at: number,
  totalLength: number,
  identification: number,
  flagsAndOffset: number,
  timeToLive: number,
  protocol: number,
  source: Ipv4Address,
  destination: Ipv4Address,
  typeOfService: number,
): void {
  bytes[at + VERSION_AND_LENGTH] = 0x45;
  bytes[at + TYPE_OF_SERVICE] = typeOfService;
  putU16(bytes, at + TOTAL_LENGTH, totalLength);
  putU16(bytes, at + IDENTIFICATION, identification);
  putU16(bytes, at + FLAGS_AND_OFFSET, flagsAndOffset);
  bytes[at + TIME_TO_LIVE] = timeToLive;
  bytes[at + PROTOCOL] = protocol;
  putU32(bytes, at + SOURCE, source);
  putU32(bytes, at + DESTINATION, destination);
  // Summed from the arguments: nothing that was just written is read again.
  const total =
    0x4500 +
    typeOfService +
    totalLength +
    identification +
    flagsAndOffset +
    timeToLive * 0x100 +
    protocol +
    (source >>> 16) +
    (source & 0xffff) +
    (destination >>> 16) +
    (destination & 0xffff);
  putU16(bytes, at + CHECKSUM, finish(total));
}

/** Computes the header checksum afresh, after a change of fields. */
export function writeChecksum(bytes: Uint8Array, at: number): void {
  putU16(bytes, at + CHECKSUM, 0);
  putU16(bytes, at + CHECKSUM, finish(sumBytes(bytes, at, at + headerBytes(bytes, at))));
}

/** One hop less, and the checksum adjusted as RFC 1624 says. The time to live is not 0. */
export function decrementTtl(bytes: Uint8Array, at: number): void {
  const before = getU16(bytes, at + TIME_TO_LIVE);
  const after = before - 0x100;
  putU16(bytes, at + TIME_TO_LIVE, after);
  putU16(bytes, at + CHECKSUM, adjust(getU16(bytes, at + CHECKSUM), before, after));
}

/** Replaces DSCP and ECN, and adjusts the checksum. */
export function setTypeOfService(bytes: Uint8Array, at: number, value: number): void {
  const before = getU16(bytes, at + VERSION_AND_LENGTH);
  const after = (before & 0xff00) | value;
  putU16(bytes, at + VERSION_AND_LENGTH, after);
  putU16(bytes, at + CHECKSUM, adjust(getU16(bytes, at + CHECKSUM), before, after));
}

/** Replaces the source and adjusts the header checksum; that of UDP or TCP is the caller's. */
export function setSource(bytes: Uint8Array, at: number, address: Ipv4Address): void {
  setAddress(bytes, at, SOURCE, address);
}

/** Replaces the destination and adjusts the header checksum; that of UDP or TCP is the caller's. */
export function setDestination(bytes: Uint8Array, at: number, address: Ipv4Address): void {
  setAddress(bytes, at, DESTINATION, address);
}

function setAddress(bytes: Uint8Array, at: number, field: number, address: Ipv4Address): void {
  const before = getU32(bytes, at + field);
  putU32(bytes, at + field, address);
  const half = adjust(getU16(bytes, at + CHECKSUM), before >>> 16, address >>> 16);
  putU16(bytes, at + CHECKSUM, adjust(half, before & 0xffff, address & 0xffff));
}
