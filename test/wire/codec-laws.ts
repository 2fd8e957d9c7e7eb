/** Laws that every codec keeps, and arbitraries for addresses; shared by the tests of the codecs. */
import * as fc from "fast-check";
import { expect } from "vitest";
import type { Ipv4Address, MacAddress, Vni } from "../../src/wire/address.ts";
import { fromHex } from "../../src/wire/bytes.ts";
import { type Memory, makeMemory } from "../../src/wire/checksum.ts";

export const anyMac = () => fc.nat(0xffff_ffff_ffff).map((value) => value as MacAddress);
export const anyIpv4 = () => fc.nat(0xffff_ffff).map((value) => value as Ipv4Address);
export const anyVni = () => fc.nat(0xff_ffff).map((value) => value as Vni);
export const anyU16 = () => fc.nat(0xffff);
export const anyU32 = () => fc.nat(0xffff_ffff);
export const anyOctet = () => fc.nat(0xff);

/** The bytes that hexadecimal text spells, blanks ignored. */
export function hex(text: string): Uint8Array {
  const bytes = fromHex(text.replace(/\s/g, ""));
  if (bytes === undefined) throw new Error(`no hexadecimal text: ${text}`);
  return bytes;
}

/** A memory that holds these bytes from its start. */
export function memoryOf(bytes: Uint8Array): Memory {
  const memory = makeMemory(bytes.length);
  memory.bytes.set(bytes);
  return memory;
}

export interface Codec<T> {
  readonly any: fc.Arbitrary<T>;
  /** Bytes that the emitted header takes. */
  readonly size: (value: T) => number;
  /** Bytes that must follow the header for it to be whole (IP's and UDP's lengths speak of them). */
  readonly payload?: (value: T) => number;
  readonly emit: (value: T, bytes: Uint8Array, at: number) => void;
  readonly parse: (bytes: Uint8Array, at: number, end: number) => T | string;
}

/** parse(emit(x)) is x at any offset, whatever the buffer held, and no byte outside the header is touched. */
export function comesBack<T>(codec: Codec<T>): void {
  fc.assert(
    fc.property(codec.any, anyOctet(), fc.nat(64), (value, dirt, at) => {
      const size = codec.size(value);
      const end = at + size + (codec.payload?.(value) ?? 0);
      const bytes = new Uint8Array(end + 8).fill(dirt);
      codec.emit(value, bytes, at);
      expect(codec.parse(bytes, at, end)).toEqual(value);
      expect(bytes.every((octet, index) => (index >= at && index < at + size) || octet === dirt)).toBe(true);
    }),
  );
}

/** No proper prefix of a whole header is read as a header. */
export function refusesEveryTruncation<T>(codec: Codec<T>): void {
  fc.assert(
    fc.property(codec.any, (value) => {
      const end = codec.size(value) + (codec.payload?.(value) ?? 0);
      const bytes = new Uint8Array(end);
      codec.emit(value, bytes, 0);
      // All short ends, and a spread of the long ones.
      for (let cut = 0; cut < end; cut += cut < 80 ? 1 : 97) expect(typeof codec.parse(bytes, 0, cut)).toBe("string");
    }),
  );
}

/** Random bytes give a value or a reason, never an exception. */
export function neverThrows(parse: (bytes: Uint8Array, at: number, end: number) => unknown): void {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 120 }), fc.nat(16), (bytes, skip) => {
      parse(bytes, Math.min(skip, bytes.length), bytes.length);
    }),
    { numRuns: 1_000 },
  );
}

/** RFC 1071 word by word in arbitrary precision, independent of the tuned sum. */
export function slowChecksum(...parts: readonly Uint8Array[]): number {
  let total = 0n;
  for (const part of parts)
    for (let index = 0; index < part.length; index += 2)
      total += BigInt((part[index] ?? 0) * 256 + (part[index + 1] ?? 0));
  while (total > 0xffffn) total = (total & 0xffffn) + (total >> 16n);
  return Number(0xffffn - total);
}

/** The pseudo-header of UDP and TCP as bytes. */
export function pseudoHeader(source: number, destination: number, protocol: number, length: number): Uint8Array {
  const bytes = new Uint8Array(12);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, source);
  view.setUint32(4, destination);
  view.setUint8(9, protocol);
  view.setUint16(10, length);
  return bytes;
}
