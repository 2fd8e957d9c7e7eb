/**
 * What a tunnel's outer header takes from the inner packet, and congestion marks on their way back in: RFC 6040 as Linux applies it
 * (include/net/inet_ecn.h). Frames that carry neither IPv4 nor IPv6 count as TOS 0 and take no mark.
 */
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";

const ECN_MASK = 3;
const NOT_ECT = 0;
const ECT_1 = 1;
const ECT_0 = 2;
const CONGESTION_EXPERIENCED = 3;
const IPV6_HEADER_BYTES = 40;

/** DSCP and ECN of the packet in the Ethernet frame at `at`. */
export function innerTypeOfService(bytes: Uint8Array, at: number, end: number): number {
  const inner = at + ethernet.HEADER_BYTES;
  if (isIpv4(bytes, at, end)) return ipv4.typeOfService(bytes, inner);
  if (isIpv6(bytes, at, end)) return ((bytes[inner]! & 15) << 4) | (bytes[inner + 1]! >>> 4);
  return 0;
}

/** The inner time to live or hop limit; 0 when there is none. */
export function innerTimeToLive(bytes: Uint8Array, at: number, end: number): number {
  const inner = at + ethernet.HEADER_BYTES;
  if (isIpv4(bytes, at, end)) return ipv4.timeToLive(bytes, inner);
  if (isIpv6(bytes, at, end)) return bytes[inner + 7]!;
  return 0;
}

/** May the inner packet not be fragmented? IPv6 never may. */
export function innerDontFragment(bytes: Uint8Array, at: number, end: number): boolean {
  if (isIpv4(bytes, at, end)) return ipv4.dontFragment(bytes, at + ethernet.HEADER_BYTES);
  return isIpv6(bytes, at, end);
}

/** The outer TOS: its own DSCP, the inner ECN; congestion experienced goes out as ECT(0) (RFC 6040 §4.1). */
export function encapsulatedTypeOfService(outer: number, inner: number): number {
  const ecn = inner & ECN_MASK;
  return (outer & ~ECN_MASK) | (ecn === CONGESTION_EXPERIENCED ? ECT_0 : ecn);
}

/**
 * What the outer ECN does to the inner packet (RFC 6040 §4.2): the inner TOS to set, the same when nothing changes, or undefined when
 * the packet must be dropped: congestion experienced outside, no ECN inside.
 */
export function decapsulatedTypeOfService(outer: number, inner: number): number | undefined {
  const outerEcn = outer & ECN_MASK;
  const innerEcn = inner & ECN_MASK;
  if (innerEcn === NOT_ECT) return outerEcn === CONGESTION_EXPERIENCED ? undefined : inner;
  if (outerEcn === CONGESTION_EXPERIENCED) return inner | CONGESTION_EXPERIENCED;
  if (outerEcn === ECT_1 && innerEcn === ECT_0) return (inner & ~ECN_MASK) | ECT_1;
  return inner;
}

/** Does the frame carry a packet that has a TOS at all? */
export function carriesIp(bytes: Uint8Array, at: number, end: number): boolean {
  return isIpv4(bytes, at, end) || isIpv6(bytes, at, end);
}

/** Writes the inner TOS, and mends IPv4's header checksum. The frame has passed `carriesIp`. */
export function setInnerTypeOfService(bytes: Uint8Array, at: number, value: number): void {
  const inner = at + ethernet.HEADER_BYTES;
  if (ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_IPV4) {
    ipv4.setTypeOfService(bytes, inner, value);
    return;
  }
  bytes[inner] = (bytes[inner]! & 0xf0) | (value >>> 4);
  bytes[inner + 1] = (bytes[inner + 1]! & 0x0f) | ((value & 15) << 4);
}

function isIpv4(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    end - at >= ethernet.HEADER_BYTES + ipv4.HEADER_BYTES && ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_IPV4
  );
}

function isIpv6(bytes: Uint8Array, at: number, end: number): boolean {
  return (
    end - at >= ethernet.HEADER_BYTES + IPV6_HEADER_BYTES && ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_IPV6
  );
}
