/** Encapsulating Security Payload, the clear part in front: RFC 4303 §2. What follows is sealed. */
import { getU32, putU32 } from "./bytes.ts";

export const HEADER_BYTES = 8;

const SPI = 0;
const SEQUENCE = 4;

export interface Esp {
  /** Security parameters index: which association of the receiver this belongs to; not 0 on the wire. */
  readonly spi: number;
  readonly sequence: number;
}

export type Malformed = "esp-truncated";

/** Says why no header starts at `at`. */
export function check(_bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  return end - at < HEADER_BYTES ? "esp-truncated" : undefined;
}

export function spi(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + SPI);
}

export function sequence(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + SEQUENCE);
}

export function parse(bytes: Uint8Array, at: number, end: number): Esp | Malformed {
  return check(bytes, at, end) ?? { spi: spi(bytes, at), sequence: sequence(bytes, at) };
}

/** Writes `HEADER_BYTES` at `at`. */
export function emit(header: Esp, bytes: Uint8Array, at: number): void {
  write(bytes, at, header.spi, header.sequence);
}

/** `emit` without an object. */
export function write(bytes: Uint8Array, at: number, spi: number, sequence: number): void {
  putU32(bytes, at + SPI, spi);
  putU32(bytes, at + SEQUENCE, sequence);
}
