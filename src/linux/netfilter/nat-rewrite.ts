/**
 * Rewrites a packet to what address translation decided: addresses, ports or ICMP ids, and the checksums over them by difference (RFC 1624), so that
 * a wrong checksum stays wrong. In an ICMP error the quoted packet is rewritten too (RFC 5508 §4).
 */
import type { Ipv4Address } from "../../wire/address.ts";
import { getU16, getU32, putU16, putU32 } from "../../wire/bytes.ts";
import { adjust, adjust32, type Memory } from "../../wire/checksum.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import { hasPorts, PROTOCOL_DCCP, PROTOCOL_UDPLITE, type Tuple } from "./conntrack/tuple.ts";
import type { Manipulation } from "./nat-range.ts";

/** Gives the packet at `at` the source or destination of `target`: address, and port or ICMP id. */
export function rewriteHeader(
  memory: Memory,
  at: number,
  end: number,
  manipulation: Manipulation,
  target: Tuple,
): void {
  const bytes = memory.bytes;
  const isSource = manipulation === "source";
  const before = isSource ? ipv4.source(bytes, at) : ipv4.destination(bytes, at);
  const after = (isSource ? target.source : target.destination) as Ipv4Address;
  const transportAt = at + ipv4.headerBytes(bytes, at);
  const protocol = ipv4.protocol(bytes, at);
  if (ipv4.fragmentOffsetBytes(bytes, at) === 0) {
    const port = isSource ? target.ports >>> 16 : target.ports & 0xffff;
    if (protocol === ipv4.PROTOCOL_ICMP) rewriteIdentifier(bytes, transportAt, end, target.ports >>> 16);
    else if (hasPorts(protocol)) rewritePort(bytes, transportAt, end, protocol, isSource, before, after, port);
  }
  if (before === after) return;
  if (isSource) ipv4.setSource(bytes, at, after);
  else ipv4.setDestination(bytes, at, after);
}

/**
 * An ICMP error: `target` is the tuple of the direction that the quoted packet went. Its quote gets back the addresses its sender knows, and the error
 * itself goes to (or seems to come from) the right host. False: too short to be rewritten.
 */
export function rewriteError(
  memory: Memory,
  at: number,
  end: number,
  manipulation: Manipulation,
  target: Tuple,
): boolean {
  const bytes = memory.bytes;
  const message = at + ipv4.headerBytes(bytes, at);
  const quote = message + icmp.HEADER_BYTES;
  if (end - quote < ipv4.HEADER_BYTES) return false;
  rewriteHeader(memory, quote, end, manipulation === "source" ? "destination" : "source", target);
  icmp.finishChecksum(memory, message, end);
  // The error goes against the quoted packet: its destination is that one's source.
  if (manipulation === "source") ipv4.setSource(bytes, at, target.destination as Ipv4Address);
  else ipv4.setDestination(bytes, at, target.source as Ipv4Address);
  return true;
}

function rewritePort(
  bytes: Uint8Array,
  at: number,
  end: number,
  protocol: number,
  isSource: boolean,
  addressBefore: number,
  addressAfter: number,
  port: number,
): void {
  const portAt = isSource ? at : at + 2;
  if (end - at < 4) return;
  const portBefore = getU16(bytes, portAt);
  putU16(bytes, portAt, port);
  const checksumAt = at + checksumOffset(protocol);
  if (checksumAt === at || end - checksumAt < 2) return; // cut off in a quote, or none
  const old = getU16(bytes, checksumAt);
  const isUdp = protocol === ipv4.PROTOCOL_UDP;
  if (isUdp && old === 0) return; // the sender computed none
  let checksum = old;
  if (addressBefore !== addressAfter) checksum = adjust32(checksum, addressBefore, addressAfter);
  if (portBefore !== port) checksum = adjust(checksum, portBefore, port);
  putU16(bytes, checksumAt, isUdp && checksum === 0 ? 0xffff : checksum);
}

/** Only of queries: other messages have no id. */
function rewriteIdentifier(bytes: Uint8Array, at: number, end: number, identifier: number): void {
  if (end - at < icmp.HEADER_BYTES || icmp.isError(icmp.type(bytes, at))) return;
  const before = getU32(bytes, at + 4) >>> 16;
  if (before === identifier) return;
  putU32(bytes, at + 4, (identifier << 16) | (getU32(bytes, at + 4) & 0xffff));
  putU16(bytes, at + 2, adjust(icmp.checksum(bytes, at), before, identifier));
}

/** 0: no checksum that covers the addresses. */
function checksumOffset(protocol: number): number {
  switch (protocol) {
    case ipv4.PROTOCOL_TCP:
      return 16;
    case ipv4.PROTOCOL_UDP:
    case PROTOCOL_UDPLITE:
    case PROTOCOL_DCCP:
      return 6;
    default:
      return 0; // SCTP's covers no addresses; ports there are under a CRC32c that is left to the sender
  }
}
