/** Transmission Control Protocol header, RFC 9293 §3.1: 20 bytes, and up to 40 of options (tcp-options.ts). */
import type { Ipv4Address } from "./address.ts";
import { getU16, getU32, putU16, putU32 } from "./bytes.ts";
import { finish, type Memory, pseudoSum, sum } from "./checksum.ts";
import { PROTOCOL_TCP } from "./ipv4.ts";
import { emitOptions, optionsBytes, parseOptions, type TcpOption } from "./tcp-options.ts";

/** The header without options. */
export const HEADER_BYTES = 20;

/** Bits of `flags`. */
export const FIN = 0x01;
export const SYN = 0x02;
export const RST = 0x04;
export const PSH = 0x08;
export const ACK = 0x10;
export const URG = 0x20;
export const ECE = 0x40;
export const CWR = 0x80;

const SOURCE_PORT = 0;
const DESTINATION_PORT = 2;
const SEQUENCE = 4;
const ACKNOWLEDGEMENT = 8;
const DATA_OFFSET = 12;
const FLAGS = 13;
const WINDOW = 14;
const CHECKSUM = 16;
const URGENT_POINTER = 18;

export interface Tcp {
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly sequence: number;
  readonly acknowledgement: number;
  /** `SYN | ACK` and so on. */
  readonly flags: number;
  /** As on the wire: not yet scaled. */
  readonly window: number;
  readonly urgentPointer: number;
  readonly options: readonly TcpOption[];
}

export type Malformed = "tcp-truncated" | "tcp-bad-data-offset" | "tcp-bad-checksum";

/** Says why no segment lies between `at` and `end`, the end of the IP packet; the checksum is `checksumOk`'s matter. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  if (end - at < HEADER_BYTES) return "tcp-truncated";
  const length = dataOffsetBytes(bytes, at);
  if (length < HEADER_BYTES) return "tcp-bad-data-offset";
  if (length > end - at) return "tcp-truncated";
  return undefined;
}

export function sourcePort(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + SOURCE_PORT);
}

export function destinationPort(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + DESTINATION_PORT);
}

/** 0 to 2^32 - 1. */
export function sequence(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + SEQUENCE);
}

/** 0 to 2^32 - 1; meaningful with ACK. */
export function acknowledgement(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + ACKNOWLEDGEMENT);
}

/** 20 to 60: where the data begins, counted from `at`. */
export function dataOffsetBytes(bytes: Uint8Array, at: number): number {
  return (bytes[at + DATA_OFFSET]! >>> 4) * 4;
}

export function flags(bytes: Uint8Array, at: number): number {
  return bytes[at + FLAGS]!;
}

/** As on the wire: not yet scaled. */
export function window(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + WINDOW);
}

export function checksum(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + CHECKSUM);
}

export function urgentPointer(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + URGENT_POINTER);
}

/** Does the checksum of the segment from even `at` to `end` hold? `source` and `destination` are IP's. */
export function checksumOk(
  memory: Memory,
  at: number,
  end: number,
  source: Ipv4Address,
  destination: Ipv4Address,
): boolean {
  return finish(pseudoSum(source, destination, PROTOCOL_TCP, end - at) + sum(memory, at, end)) === 0;
}

/** Writes the checksum of the segment from even `at` to `end`. */
export function finishChecksum(
  memory: Memory,
  at: number,
  end: number,
  source: Ipv4Address,
  destination: Ipv4Address,
): void {
  putU16(memory.bytes, at + CHECKSUM, 0);
  const total = pseudoSum(source, destination, PROTOCOL_TCP, end - at) + sum(memory, at, end);
  putU16(memory.bytes, at + CHECKSUM, finish(total));
}

export function parse(bytes: Uint8Array, at: number, end: number): Tcp | Malformed {
  return (
    check(bytes, at, end) ?? {
      sourcePort: sourcePort(bytes, at),
      destinationPort: destinationPort(bytes, at),
      sequence: sequence(bytes, at),
      acknowledgement: acknowledgement(bytes, at),
      flags: flags(bytes, at),
      window: window(bytes, at),
      urgentPointer: urgentPointer(bytes, at),
      options: parseOptions(bytes, at + HEADER_BYTES, at + dataOffsetBytes(bytes, at)),
    }
  );
}

/** Bytes that `emit` writes: 20 and the padded options. */
export function headerBytes(header: Tcp): number {
  return HEADER_BYTES + optionsBytes(header.options);
}

/** Writes `headerBytes(header)` at `at` with a zero checksum: call `finishChecksum` once the data stands. */
export function emit(header: Tcp, bytes: Uint8Array, at: number): void {
  const size = HEADER_BYTES + emitOptions(header.options, bytes, at + HEADER_BYTES);
  write(
    bytes,
    at,
    header.sourcePort,
    header.destinationPort,
    header.sequence,
    header.acknowledgement,
    size,
    header.flags,
    header.window,
  );
  putU16(bytes, at + URGENT_POINTER, header.urgentPointer);
}

/** The 20 bytes without an object; `dataOffsetBytes` counts the options that the caller writes; checksum and urgent pointer are zero. */
export function write(
  bytes: Uint8Array,
  at: number,
  sourcePort: number,
  destinationPort: number,
  sequence: number,
  acknowledgement: number,
  dataOffsetBytes: number,
  flags: number,
  window: number,
): void {
  putU16(bytes, at + SOURCE_PORT, sourcePort);
  putU16(bytes, at + DESTINATION_PORT, destinationPort);
  putU32(bytes, at + SEQUENCE, sequence);
  putU32(bytes, at + ACKNOWLEDGEMENT, acknowledgement);
  bytes[at + DATA_OFFSET] = dataOffsetBytes << 2;
  bytes[at + FLAGS] = flags;
  putU16(bytes, at + WINDOW, window);
  putU32(bytes, at + CHECKSUM, 0);
}
