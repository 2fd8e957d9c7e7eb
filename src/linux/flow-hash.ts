/**
 * The hash of a frame's flow (net/core/flow_dissector.c, skb_get_hash): what spreads tunnelled flows over outer source ports. It covers the
 * EtherType, VLANs, IP protocol, addresses and ports; not TOS, TTL, ICMP id or the tunnel's number. Fragments, the first one too, are hashed
 * without ports; ARP without addresses. Addresses and ports are sorted first, so that both directions of a flow have one hash.
 * The kernel keys it at random, once a boot; so does the caller, once a host.
 */
import { getU16, getU32 } from "../wire/bytes.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";

const ETHERTYPE_PROVIDER_VLAN = 0x88a8;
const VLAN_TAG_BYTES = 4;
const IPV6_HEADER_BYTES = 40;

/** Protocols whose header begins with two ports, or with 32 bits that the kernel takes for them (ESP's SPI). */
function hasPorts(protocol: number): boolean {
  switch (protocol) {
    case 6: // TCP
    case 17: // UDP
    case 33: // DCCP
    case 50: // ESP
    case 132: // SCTP
    case 136: // UDP-Lite
      return true;
    default:
      return false;
  }
}

/** The hash of the frame whose Ethernet header stands at `at`: 1 to 2^32 - 1, a signed integer. */
export function flowHash(bytes: Uint8Array, at: number, end: number, key: number): number {
  let offset = at + ethernet.HEADER_BYTES;
  let etherType = ethernet.etherType(bytes, at);
  let hash = key;
  while (
    (etherType === ethernet.ETHERTYPE_VLAN || etherType === ETHERTYPE_PROVIDER_VLAN) &&
    end - offset >= VLAN_TAG_BYTES
  ) {
    hash = mix(hash, getU16(bytes, offset) & 0xfff);
    etherType = getU16(bytes, offset + 2);
    offset += VLAN_TAG_BYTES;
  }
  hash = mix(hash, etherType);
  if (etherType === ethernet.ETHERTYPE_IPV4) hash = mixIpv4(hash, bytes, offset, end);
  else if (etherType === ethernet.ETHERTYPE_IPV6) hash = mixIpv6(hash, bytes, offset, end);
  return finish(hash) || 1;
}

/** A UDP source port for a tunnel, from `low` to `high` - 1 (udp_flow_src_port). */
export function sourcePortOf(hash: number, low: number, high: number): number {
  const spread = (hash ^ (hash << 16)) >>> 0;
  return low + Math.floor((spread * (high - low)) / 0x1_0000_0000);
}

function mixIpv4(start: number, bytes: Uint8Array, at: number, end: number): number {
  if (ipv4.checkHeader(bytes, at, end) !== undefined) return start;
  const source = ipv4.source(bytes, at) | 0;
  const destination = ipv4.destination(bytes, at) | 0;
  const protocol = ipv4.protocol(bytes, at);
  let hash = mix(start, protocol);
  hash = source < destination ? mix(mix(hash, source), destination) : mix(mix(hash, destination), source);
  if (ipv4.isFragment(bytes, at)) return hash;
  return mixPorts(hash, protocol, bytes, at + ipv4.headerBytes(bytes, at), end);
}

/** Addresses, next header and ports; a flow label stands for the ports. Extension headers end the search. */
function mixIpv6(start: number, bytes: Uint8Array, at: number, end: number): number {
  if (end - at < IPV6_HEADER_BYTES) return start;
  let source = 0;
  let destination = 0;
  for (let word = 0; word < 16; word += 4) {
    source = mix(source, getU32(bytes, at + 8 + word));
    destination = mix(destination, getU32(bytes, at + 24 + word));
  }
  const protocol = bytes[at + 6]!;
  const hash = mix(mix(start, protocol), source ^ destination);
  const flowLabel = getU32(bytes, at) & 0xf_ffff;
  if (flowLabel !== 0) return mix(hash, flowLabel);
  return mixPorts(hash, protocol, bytes, at + IPV6_HEADER_BYTES, end);
}

function mixPorts(hash: number, protocol: number, bytes: Uint8Array, at: number, end: number): number {
  if (!hasPorts(protocol) || end - at < 4) return hash;
  const one = getU16(bytes, at);
  const other = getU16(bytes, at + 2);
  return mix(hash, one < other ? (one << 16) | other : (other << 16) | one);
}

function mix(hash: number, word: number): number {
  const mixed = Math.imul(hash ^ Math.imul(word, 0xcc9e_2d51), 0x9e37_79b1);
  return mixed ^ (mixed >>> 15);
}

function finish(hash: number): number {
  let mixed = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  mixed = Math.imul(mixed ^ (mixed >>> 13), 0xc2b2_ae35);
  return mixed ^ (mixed >>> 16);
}
