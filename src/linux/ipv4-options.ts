/**
 * IPv4 options, RFC 791 §3.1, as Linux checks and fills them (net/ipv4/ip_options.c). Source routes are refused, as `accept_source_route` 0 on `all`,
 * Linux's default, asks; record route and timestamp get an entry at every host that they are stamped by.
 */
import { assert } from "../sim/assert.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { getU32, putU32 } from "../wire/bytes.ts";
import * as ipv4 from "../wire/ipv4.ts";

const END = 0;
const NOOP = 1;
const RECORD_ROUTE = 7;
const TIMESTAMP = 68;
const LOOSE_SOURCE_ROUTE = 131;
const STRICT_SOURCE_ROUTE = 137;
const ROUTER_ALERT = 148;

/** Kinds of timestamp option: times alone, addresses and times, times of the addresses that are named. */
const TIMES_ONLY = 0;
const WITH_ADDRESSES = 1;
const PRESPECIFIED = 3;
const FULL_OVERFLOW = 15;

/** The offset in the header of what is wrong, for ICMP's parameter problem; `"source-route"`: refused without a word. */
export function checkOptions(bytes: Uint8Array, at: number): number | "source-route" | undefined {
  const end = ipv4.headerBytes(bytes, at);
  let offset = ipv4.HEADER_BYTES;
  let sourceRoute = false;
  while (offset < end) {
    const type = bytes[at + offset]!;
    if (type === END) break;
    if (type === NOOP) {
      offset++;
      continue;
    }
    if (end - offset < 2) return offset;
    const length = bytes[at + offset + 1]!;
    if (length < 2 || length > end - offset) return offset;
    if (type === LOOSE_SOURCE_ROUTE || type === STRICT_SOURCE_ROUTE) sourceRoute = true;
    const wrong = checkOne(type, bytes, at + offset, length);
    if (wrong !== undefined) return offset + wrong;
    offset += length;
  }
  return sourceRoute ? "source-route" : undefined;
}

/** The offset within the option of what is wrong. */
function checkOne(type: number, bytes: Uint8Array, at: number, length: number): number | undefined {
  const pointer = length > 2 ? bytes[at + 2]! : 0;
  switch (type) {
    case LOOSE_SOURCE_ROUTE:
    case STRICT_SOURCE_ROUTE:
      return length < 3 ? 1 : pointer < 4 ? 2 : undefined;
    case RECORD_ROUTE:
      if (length < 3) return 1;
      return pointer < 4 || (pointer <= length && pointer + 3 > length) ? 2 : undefined;
    case TIMESTAMP: {
      if (length < 4) return 1;
      if (pointer < 5) return 2;
      const flags = bytes[at + 3]!;
      const room = (flags & 15) === TIMES_ONLY ? 3 : 7;
      if (pointer <= length && pointer + room > length) return 2;
      return pointer > length && flags >>> 4 === FULL_OVERFLOW && (flags & 15) !== PRESPECIFIED ? 3 : undefined;
    }
    case ROUTER_ALERT:
      return length < 4 ? 1 : undefined;
    default:
      return undefined;
  }
}

/**
 * Adds this host's entry to record route and timestamp options that have passed `checkOptions`, and renews the header checksum. `address` is the one
 * that the packet was sent to, or leaves by; `timeMs` since midnight UT.
 */
export function stampOptions(
  bytes: Uint8Array,
  at: number,
  address: Ipv4Address,
  host: { isLocal(address: Ipv4Address): boolean },
  timeMs: number,
): void {
  const end = at + ipv4.headerBytes(bytes, at);
  let option = at + ipv4.HEADER_BYTES;
  while (option < end && bytes[option] !== END) {
    if (bytes[option] === NOOP) {
      option++;
      continue;
    }
    if (bytes[option] === RECORD_ROUTE) recordRoute(bytes, option, address);
    else if (bytes[option] === TIMESTAMP) stamp(bytes, option, address, host, timeMs);
    assert(bytes[option + 1]! >= 2, "IPv4 options that nobody has checked");
    option += bytes[option + 1]!;
  }
  ipv4.writeChecksum(bytes, at);
}

function recordRoute(bytes: Uint8Array, option: number, address: Ipv4Address): void {
  const pointer = bytes[option + 2]!;
  if (pointer + 3 > bytes[option + 1]!) return;
  putU32(bytes, option + pointer - 1, address);
  bytes[option + 2] = pointer + 4;
}

function stamp(
  bytes: Uint8Array,
  option: number,
  address: Ipv4Address,
  host: { isLocal(address: Ipv4Address): boolean },
  timeMs: number,
): void {
  const pointer = bytes[option + 2]!;
  const kind = bytes[option + 3]! & 15;
  if (pointer > bytes[option + 1]!) {
    if (kind !== PRESPECIFIED) bytes[option + 3] = bytes[option + 3]! + 0x10; // one more that found no room
    return;
  }
  const entry = option + pointer - 1;
  if (kind === TIMES_ONLY) {
    putU32(bytes, entry, timeMs);
    bytes[option + 2] = pointer + 4;
    return;
  }
  if (kind === PRESPECIFIED && !host.isLocal(getU32(bytes, entry) as Ipv4Address)) return;
  if (kind === WITH_ADDRESSES) putU32(bytes, entry, address);
  putU32(bytes, entry + 4, timeMs);
  bytes[option + 2] = pointer + 8;
}
