/**
 * A gossip datagram below its encryption, memberlist net.go: an optional CRC-32 over the rest, optional compression of the rest, then one
 * message or a compound of several.
 */
import { assert } from "../sim/assert.ts";
import { getU16, getU32, putU16, putU32 } from "../wire/bytes.ts";
import * as compression from "./compression.ts";
import { crc32 } from "./crc32.ts";
import type { Malformed } from "./malformed.ts";
import { COMPOUND, COMPRESS, HAS_CRC, HAS_LABEL } from "./messages.ts";

export const COMPOUND_HEADER_BYTES = 2;
/** The length in front of each part of a compound. */
export const COMPOUND_PART_BYTES = 2;
const MOST_PARTS = 255;
const CRC_BYTES = 5;

export interface Datagram {
  readonly hasChecksum: boolean;
  readonly isCompressed: boolean;
  readonly isCompound: boolean;
  /** Whole messages with their type bytes; views of the bytes that were parsed. */
  readonly parts: readonly Uint8Array[];
}

/** The layers of `plaintext`, taken off. The parts' own insides are not looked at. */
export function parse(plaintext: Uint8Array): Datagram | Malformed {
  if (plaintext.length === 0) return "gossip-empty";
  let rest = plaintext;
  if (rest[0] === HAS_LABEL) return "gossip-label";
  const hasChecksum = rest[0] === HAS_CRC;
  if (hasChecksum) {
    if (rest.length <= CRC_BYTES) return "gossip-truncated";
    if (crc32(rest, CRC_BYTES) !== getU32(rest, 1)) return "gossip-checksum";
    rest = rest.subarray(CRC_BYTES);
  }
  const isCompressed = rest[0] === COMPRESS;
  if (isCompressed) {
    const opened = compression.decompress(rest);
    if (typeof opened === "string") return opened;
    if (opened.length === 0) return "gossip-empty";
    rest = opened;
  }
  if (rest[0] !== COMPOUND) return { hasChecksum, isCompressed, isCompound: false, parts: [rest] };
  const parts = parseCompound(rest);
  return typeof parts === "string" ? parts : { hasChecksum, isCompressed, isCompound: true, parts };
}

/** The plaintext of `datagram`; one asked to be compressed is so even if it grows. */
export function emit(datagram: Datagram): Uint8Array {
  let bytes = datagram.isCompound ? emitCompound(datagram.parts) : datagram.parts[0]!;
  if (datagram.isCompressed) bytes = compression.compress(bytes);
  return datagram.hasChecksum ? withChecksum(bytes) : bytes;
}

/** As memberlist sends: a compound if there are several parts, compressed if that is shorter, with a checksum if the receiver is known. */
export function wrap(parts: readonly Uint8Array[], hasChecksum: boolean): Uint8Array {
  const bytes = parts.length === 1 ? parts[0]! : emitCompound(parts);
  const compressed = compression.compress(bytes);
  const shorter = compressed.length < bytes.length ? compressed : bytes;
  return hasChecksum ? withChecksum(shorter) : shorter;
}

/** At most 255 parts, each of less than 64 KiB. */
export function emitCompound(parts: readonly Uint8Array[]): Uint8Array {
  const count = parts.length;
  assert(count <= MOST_PARTS, "a compound of more than 255 parts");
  let length = COMPOUND_HEADER_BYTES + COMPOUND_PART_BYTES * count;
  for (let index = 0; index < count; index++) length += parts[index]!.length;
  const bytes = new Uint8Array(length);
  bytes[0] = COMPOUND;
  bytes[1] = count;
  let at = COMPOUND_HEADER_BYTES + COMPOUND_PART_BYTES * count;
  for (let index = 0; index < count; index++) {
    const part = parts[index]!;
    putU16(bytes, COMPOUND_HEADER_BYTES + COMPOUND_PART_BYTES * index, part.length);
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Parts that the bytes end before are lost, those before them are not: so memberlist does with a truncated compound. */
function parseCompound(bytes: Uint8Array): Uint8Array[] | Malformed {
  if (bytes.length < COMPOUND_HEADER_BYTES) return "gossip-truncated";
  const count = bytes[1]!;
  let at = COMPOUND_HEADER_BYTES + COMPOUND_PART_BYTES * count;
  if (at > bytes.length) return "gossip-compound";
  const parts: Uint8Array[] = [];
  for (let index = 0; index < count; index++) {
    const length = getU16(bytes, COMPOUND_HEADER_BYTES + COMPOUND_PART_BYTES * index);
    if (length > bytes.length - at) break;
    parts.push(bytes.subarray(at, at + length));
    at += length;
  }
  return parts;
}

function withChecksum(rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(CRC_BYTES + rest.length);
  bytes[0] = HAS_CRC;
  putU32(bytes, 1, crc32(rest));
  bytes.set(rest, CRC_BYTES);
  return bytes;
}
