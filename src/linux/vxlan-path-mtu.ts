/**
 * A tunnel between bridge ports has no router to say "fragmentation needed", so the tunnel itself does, in the name of the destination
 * (net/ipv4/ip_tunnel_core.c, iptunnel_pmtud_check_icmp): the message comes back out of the device as if the other side had
 * sent it, and TCP behind the bridge recovers.
 */
import { IPV4_BROADCAST, isLoopbackIpv4, isMulticastIpv4 } from "../wire/address.ts";
import { putU16, putU32 } from "../wire/bytes.ts";
import { finish, sum } from "../wire/checksum.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import { type FrameId, type FrameStore, NO_FRAME } from "./frame-store.ts";

const ICMP_HEADER_BYTES = 8;
/** The whole message is at most 576 bytes (RFC 1812 §4.3.2.3); below that MTU nothing is said. */
const MAXIMUM_PACKET_BYTES = 576;
const DESTINATION_UNREACHABLE = 3;
const FRAGMENTATION_NEEDED = 4;

/** The ICMP message for an Ethernet frame whose packet exceeds `mtu`, as a frame of its own; `NO_FRAME` when none is due. */
export function fragmentationNeeded(frames: FrameStore, frame: FrameId, mtu: number): FrameId {
  const start = frames.start(frame);
  const at = start + ethernet.HEADER_BYTES;
  if (mtu < MAXIMUM_PACKET_BYTES || !mayBeAnswered(frames.bytes, start, frames.end(frame))) return NO_FRAME;
  const packetBytes = frames.length(frame) - ethernet.HEADER_BYTES;
  const quoteBytes = Math.min(packetBytes, MAXIMUM_PACKET_BYTES - ipv4.HEADER_BYTES - ICMP_HEADER_BYTES);
  const ipBytes = ipv4.HEADER_BYTES + ICMP_HEADER_BYTES + quoteBytes;
  const answer = frames.make(ethernet.HEADER_BYTES + ipBytes);
  const bytes = frames.bytes;
  const to = frames.start(answer);
  ethernet.write(bytes, to, ethernet.source(bytes, start), ethernet.destination(bytes, start), ethernet.ETHERTYPE_IPV4);
  ipv4.write(
    bytes,
    to + ethernet.HEADER_BYTES,
    ipBytes,
    0,
    ipv4.DONT_FRAGMENT,
    ipv4.timeToLive(bytes, at), // the refused packet's own: it travels back no further than that one came
    ipv4.PROTOCOL_ICMP,
    ipv4.destination(bytes, at),
    ipv4.source(bytes, at),
    0,
  );
  const icmp = to + ethernet.HEADER_BYTES + ipv4.HEADER_BYTES;
  putU32(bytes, icmp, (DESTINATION_UNREACHABLE << 24) | (FRAGMENTATION_NEEDED << 16));
  putU32(bytes, icmp + 4, mtu);
  bytes.copyWithin(icmp + ICMP_HEADER_BYTES, at, at + quoteBytes);
  putU16(bytes, icmp + 2, finish(sum(frames, icmp, icmp + ICMP_HEADER_BYTES + quoteBytes)));
  frames.checksumKnown[answer] = 1;
  frames.causedBy(answer, frame);
  return answer;
}

/** A whole IPv4 packet with DF set, between single hosts, and no ICMP error itself. */
function mayBeAnswered(bytes: Uint8Array, start: number, end: number): boolean {
  const at = start + ethernet.HEADER_BYTES;
  if (ethernet.etherType(bytes, start) !== ethernet.ETHERTYPE_IPV4) return false;
  if (ipv4.checkHeader(bytes, at, end) !== undefined) return false;
  if (ipv4.flagsAndOffset(bytes, at) !== ipv4.DONT_FRAGMENT) return false;
  const source = ipv4.source(bytes, at);
  const destination = ipv4.destination(bytes, at);
  if (destination === IPV4_BROADCAST || isMulticastIpv4(destination)) return false;
  if (source >>> 24 === 0 || isLoopbackIpv4(source) || source === IPV4_BROADCAST || isMulticastIpv4(source))
    return false;
  if (ipv4.protocol(bytes, at) !== ipv4.PROTOCOL_ICMP) return true;
  const type = bytes[at + ipv4.headerBytes(bytes, at)];
  // icmp_is_err: unreachable, source quench, redirect, time exceeded, parameter problem.
  return type !== 3 && type !== 4 && type !== 5 && type !== 11 && type !== 12;
}
