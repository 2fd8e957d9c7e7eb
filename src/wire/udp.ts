/** User Datagram Protocol, RFC 768; the checksum's rules are RFC 1122 §4.1.3.4. */
import type { Ipv4Address } from "./address.ts";
import { getU16, putU16 } from "./bytes.ts";
import { finish, type Memory, pseudoSum, sum } from "./checksum.ts";
import { PROTOCOL_UDP } from "./ipv4.ts";

export const HEADER_BYTES = 8;

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const LENGTH = 4;
const CHECKSUM = 6;

export interface Udp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  /** Of header and payload, 8 to 65535. */
  readonly length: number;
}

export type Malformed = "udp-truncated" | "udp-bad-length" | "udp-bad-checksum";

/** Says why no datagram lies between `at` and `end`, the end of the IP packet; the checksum is `checksumOk`'s matter. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  if (end - at < HEADER_BYTES) return "udp-truncated";
  const size = length(bytes, at);
  if (size < HEADER_BYTES) return "udp-bad-length";
  if (size > end - at) return "udp-truncated";
  return undefined;
}

export function sourcePort(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + SOURCE_PORT);
}

export function destinationPort(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + DESTINATION_PORT);
}

/** Of header and payload. */
export function length(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + LENGTH);
}

/** Zero: the sender computed none. */
export function checksum(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + CHECKSUM);
}

/** Does the datagram's checksum hold, or has it none? `at` is even; `source` and `destination` are IP's. */
export function checksumOk(memory: Memory, at: number, source: Ipv4Address, destination: Ipv4Address): boolean {
  if (checksum(memory.bytes, at) === 0) return true;
  const size = length(memory.bytes, at);
  return finish(pseudoSum(source, destination, PROTOCOL_UDP, size) + sum(memory, at, at + size)) === 0;
}

/** Writes the checksum over the datagram that stands at even `at`; a sum of 0 goes out as 0xffff, for 0 means none. */
export function finishChecksum(memory: Memory, at: number, source: Ipv4Address, destination: Ipv4Address): void {
  const size = length(memory.bytes, at);
  putU16(memory.bytes, at + CHECKSUM, 0);
  const value = finish(pseudoSum(source, destination, PROTOCOL_UDP, size) + sum(memory, at, at + size));
  putU16(memory.bytes, at + CHECKSUM, value === 0 ? 0xffff : value);
}

export function parse(bytes: Uint8Array, at: number, end: number): Udp | Malformed {
  return (
    check(bytes, at, end) ?? {
      sourcePort: sourcePort(bytes, at),
      destinationPort: destinationPort(bytes, at),
      length: length(bytes, at),
    }
  );
}

/** Writes `HEADER_BYTES` at `at` without a checksum: call `finishChecksum` once the payload stands. */
export function emit(header: Udp, bytes: Uint8Array, at: number): void {
  write(bytes, at, header.sourcePort, header.destinationPort, header.length);
}

/** `emit` without an object. */
export function write(
  bytes: Uint8Array,
  at: number,
  sourcePort: number,
  destinationPort: number,
  length: number,
): void {
  putU16(bytes, at + SOURCE_PORT, sourcePort);
  putU16(bytes, at + DESTINATION_PORT, destinationPort);
  putU16(bytes, at + LENGTH, length);
  putU16(bytes, at + CHECKSUM, 0);
}
