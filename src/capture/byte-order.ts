/** Reads in the byte order of the machine that wrote the file, on bytes already checked. */
import { getU16, getU32 } from "../wire/bytes.ts";

export function readU16(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  return littleEndian ? bytes[at]! | (bytes[at + 1]! << 8) : getU16(bytes, at);
}

/** 0 to 2^32 - 1. */
export function readU32(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  if (!littleEndian) return getU32(bytes, at);
  return (bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24)) >>> 0;
}

/** 0 to 2^64 - 1, rounded above 2^53. */
export function readU64(bytes: Uint8Array, at: number, littleEndian: boolean): number {
  const first = readU32(bytes, at, littleEndian);
  const second = readU32(bytes, at + 4, littleEndian);
  return littleEndian ? second * 0x1_0000_0000 + first : first * 0x1_0000_0000 + second;
}
