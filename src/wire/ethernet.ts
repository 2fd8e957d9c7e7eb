/**
 * Ethernet frame header, IEEE 802.3-2018 §3.1.1: destination, source, then a type (1536 and up) or the length of an
 * LLC payload (up to 1500). The frame check sequence is not kept, as in captures.
 */
import type { MacAddress } from "./address.ts";
import { getU16, getU48, putU16, putU32, putU48 } from "./bytes.ts";

export const HEADER_BYTES = 14;
/** The shortest frame on a real wire, without its check sequence; shorter payloads are padded there (not on a veth). */
export const MINIMUM_FRAME_BYTES = 60;

export const ETHERTYPE_IPV4 = 0x0800;
export const ETHERTYPE_ARP = 0x0806;
export const ETHERTYPE_VLAN = 0x8100;
export const ETHERTYPE_IPV6 = 0x86dd;
/** IEEE 802.3 §3.2.6: from here on the field is a type. */
export const FIRST_ETHERTYPE = 0x0600;
const LAST_LENGTH = 1500;

const DESTINATION = 0;
const SOURCE = 6;
const TYPE = 12;

export interface Ethernet {
  readonly destination: MacAddress;
  readonly source: MacAddress;
  /** A type, or the length of an LLC payload when it is at most 1500. */
  readonly etherType: number;
}

export type Malformed = "ethernet-truncated";

/** Says why no header starts at `at`. */
export function check(_bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  return end - at < HEADER_BYTES ? "ethernet-truncated" : undefined;
}

export function destination(bytes: Uint8Array, at: number): MacAddress {
  return getU48(bytes, at + DESTINATION) as MacAddress;
}

export function source(bytes: Uint8Array, at: number): MacAddress {
  return getU48(bytes, at + SOURCE) as MacAddress;
}

/** The first 16 bits of the destination: with `destinationLow` a key without doubles, for tables in the hot path. */
export function destinationHigh(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + DESTINATION);
}

/** The last 32 bits of the destination, as a signed integer. */
export function destinationLow(bytes: Uint8Array, at: number): number {
  return getI32(bytes, at + DESTINATION + 2);
}

/** The first 16 bits of the source. */
export function sourceHigh(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + SOURCE);
}

/** The last 32 bits of the source, as a signed integer. */
export function sourceLow(bytes: Uint8Array, at: number): number {
  return getI32(bytes, at + SOURCE + 2);
}

/** An address as its halves say it: 16 bits and 32 signed bits. */
export function joinHalves(high: number, low: number): MacAddress {
  return (high * 0x1_0000_0000 + (low >>> 0)) as MacAddress;
}

/** IEEE 802-2014 §8.2.2: is the destination a group (multicast or broadcast)? */
export function isGroupDestination(bytes: Uint8Array, at: number): boolean {
  return (bytes[at + DESTINATION]! & 1) === 1;
}

export function etherType(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + TYPE);
}

/** The length of the LLC payload when the type field holds a length, else undefined. */
export function llcLength(bytes: Uint8Array, at: number): number | undefined {
  const value = getU16(bytes, at + TYPE);
  return value <= LAST_LENGTH ? value : undefined;
}

export function parse(bytes: Uint8Array, at: number, end: number): Ethernet | Malformed {
  return (
    check(bytes, at, end) ?? {
      destination: destination(bytes, at),
      source: source(bytes, at),
      etherType: etherType(bytes, at),
    }
  );
}

/** Writes `HEADER_BYTES` at `at`. */
export function emit(header: Ethernet, bytes: Uint8Array, at: number): void {
  write(bytes, at, header.destination, header.source, header.etherType);
}

/** `emit` without an object. */
export function write(
  bytes: Uint8Array,
  at: number,
  destination: MacAddress,
  source: MacAddress,
  etherType: number,
): void {
  putU48(bytes, at + DESTINATION, destination);
  putU48(bytes, at + SOURCE, source);
  putU16(bytes, at + TYPE, etherType);
}

/** `write` from address halves (see `destinationHigh`). */
export function writeHalves(
  bytes: Uint8Array,
  at: number,
  destinationHigh: number,
  destinationLow: number,
  sourceHigh: number,
  sourceLow: number,
  etherType: number,
): void {
  putU16(bytes, at + DESTINATION, destinationHigh);
  putU32(bytes, at + DESTINATION + 2, destinationLow);
  putU16(bytes, at + SOURCE, sourceHigh);
  putU32(bytes, at + SOURCE + 2, sourceLow);
  putU16(bytes, at + TYPE, etherType);
}

function getI32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!;
}
