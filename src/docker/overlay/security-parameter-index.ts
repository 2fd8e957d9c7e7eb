/**
 * The SPI of an association (libnetwork, drivers/overlay/encryption.go): both ends compute it, FNV-1a in 32 bits over the source's address, the key's tag and the
 * destination's address. Addresses count as 16 bytes, IPv4 as ::ffff:a.b.c.d.
 */

import type { Ipv4Address } from "../../wire/address.ts";
import { putU16, putU32 } from "../../wire/bytes.ts";

const ADDRESS_BYTES = 16;
const TAG_BYTES = 4;
const FNV_OFFSET_BASIS = 0x811c_9dc5;
const FNV_PRIME = 0x0100_0193;

export function securityParameterIndex(source: Ipv4Address, destination: Ipv4Address, tag: number): number {
  const bytes = new Uint8Array(ADDRESS_BYTES + TAG_BYTES + ADDRESS_BYTES);
  putMapped(bytes, 0, source);
  putU32(bytes, ADDRESS_BYTES, tag);
  putMapped(bytes, ADDRESS_BYTES + TAG_BYTES, destination);
  let hash = FNV_OFFSET_BASIS;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, FNV_PRIME);
  return hash >>> 0;
}

function putMapped(bytes: Uint8Array, at: number, address: Ipv4Address): void {
  putU16(bytes, at + 10, 0xffff);
  putU32(bytes, at + 12, address);
}
