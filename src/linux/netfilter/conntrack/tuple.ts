/**
 * Who talks to whom, in one direction: source, destination, two 16-bit words that the protocol chooses (ports, or an ICMP id with type and
 * code), and the protocol. What a connection is found by (net/netfilter/nf_conntrack_core.c).
 */
import { getU16, getU32 } from "../../../wire/bytes.ts";
import * as icmp from "../../../wire/icmp.ts";
import * as ipv4 from "../../../wire/ipv4.ts";

export const PROTOCOL_DCCP = 33;
export const PROTOCOL_SCTP = 132;
export const PROTOCOL_UDPLITE = 136;

/** A tuple as four words; written over, never made a packet. */
export interface Tuple {
  source: number;
  destination: number;
  /** Source port (or ICMP id) in the high half, destination port (or ICMP type and code) in the low one; signed. */
  ports: number;
  protocol: number;
}

export function makeTuple(): Tuple {
  return { source: 0, destination: 0, ports: 0, protocol: 0 };
}

export function hasPorts(protocol: number): boolean {
  return (
    protocol === ipv4.PROTOCOL_TCP ||
    protocol === ipv4.PROTOCOL_UDP ||
    protocol === PROTOCOL_SCTP ||
    protocol === PROTOCOL_DCCP ||
    protocol === PROTOCOL_UDPLITE
  );
}

/**
 * Reads the tuple of the packet whose IPv4 header stands at `at` (checked) and whose bytes end at `end`. False: too short, or a later fragment.
 */
export function readTuple(bytes: Uint8Array, at: number, end: number, tuple: Tuple): boolean {
  const protocol = ipv4.protocol(bytes, at);
  const transportAt = at + ipv4.headerBytes(bytes, at);
  tuple.source = getU32(bytes, at + 12);
  tuple.destination = getU32(bytes, at + 16);
  tuple.protocol = protocol;
  if (ipv4.fragmentOffsetBytes(bytes, at) !== 0) return false;
  if (hasPorts(protocol)) {
    if (end - transportAt < 8) return false; // as much as an ICMP error quotes
    tuple.ports = (getU16(bytes, transportAt) << 16) | getU16(bytes, transportAt + 2);
  } else if (protocol === ipv4.PROTOCOL_ICMP) {
    if (end - transportAt < icmp.HEADER_BYTES) return false;
    tuple.ports =
      (icmp.identifier(bytes, transportAt) << 16) |
      (icmp.type(bytes, transportAt) << 8) |
      icmp.code(bytes, transportAt);
  } else {
    tuple.ports = 0;
  }
  return true;
}

/** Turns the tuple into that of the answer. False: an ICMP message that has none. */
export function invertTuple(tuple: Tuple): boolean {
  const { source, ports } = tuple;
  if (tuple.protocol === ipv4.PROTOCOL_ICMP) {
    const answer = answerType((ports >>> 8) & 0xff);
    if (answer < 0) return false;
    tuple.ports = (ports & ~0xff00) | (answer << 8);
  } else {
    tuple.ports = (ports << 16) | (ports >>> 16);
  }
  tuple.source = tuple.destination;
  tuple.destination = source;
  return true;
}

/** Request and reply of echo, timestamp, information and address mask (RFC 792, RFC 950). */
function answerType(type: number): number {
  switch (type) {
    case 0:
      return 8;
    case 8:
      return 0;
    case 13:
    case 15:
    case 17:
      return type + 1;
    case 14:
    case 16:
    case 18:
      return type - 1;
    default:
      return -1;
  }
}

/** May an ICMP message of this type begin a connection? */
export function isRequestType(type: number): boolean {
  return type === 8 || type === 13 || type === 15 || type === 17;
}
