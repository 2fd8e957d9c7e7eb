/**
 * What a classic BPF program can load beside the packet's bytes: Linux answers loads from offsets far behind every packet out of what it knows of the packet
 * itself (linux/filter.h, SKF_AD_OFF). Of these extensions the two that a packet alone answers.
 */
import { ETHERTYPE_IPV4 } from "../../../wire/ethernet.ts";
import * as ipv4 from "../../../wire/ipv4.ts";

/** SKF_AD_OFF. */
const FIRST_OFFSET = 0xffff_f000;
const PROTOCOL = FIRST_OFFSET;
/** Where the payload begins, behind the transport's header: SKF_AD_PAY_OFFSET. */
const PAYLOAD_OFFSET = FIRST_OFFSET + 52;

const UDP_HEADER_BYTES = 8;
const ICMP_HEADER_BYTES = 8;
const TCP_OFFSET_AT = 12;

export function isAncillary(offset: number): boolean {
  return offset >= FIRST_OFFSET;
}

export function isKnownAncillary(offset: number): boolean {
  return offset === PROTOCOL || offset === PAYLOAD_OFFSET;
}

/** The packet's IPv4 header stands at `at`. */
export function ancillary(bytes: Uint8Array, at: number, end: number, offset: number): number {
  return offset === PROTOCOL ? ETHERTYPE_IPV4 : payloadOffset(bytes, at, end);
}

/** __skb_get_poff: later fragments have no transport header; of other protocols the payload begins behind IPv4's. */
function payloadOffset(bytes: Uint8Array, at: number, end: number): number {
  const transport = ipv4.headerBytes(bytes, at);
  if (ipv4.fragmentOffsetBytes(bytes, at) !== 0) return transport;
  switch (ipv4.protocol(bytes, at)) {
    case ipv4.PROTOCOL_UDP:
      return transport + UDP_HEADER_BYTES;
    case ipv4.PROTOCOL_ICMP:
      return transport + ICMP_HEADER_BYTES;
    case ipv4.PROTOCOL_TCP: {
      const where = at + transport + TCP_OFFSET_AT;
      return where < end ? transport + (bytes[where]! >> 4) * 4 : transport;
    }
    default:
      return transport;
  }
}
