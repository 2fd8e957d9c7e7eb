/** Layers put around a frame: VLAN tags, VXLAN (as deep as one likes), an ICMP error that quotes it. */
import type { Random } from "../../sim/random.ts";
import { getU16, getU32, putU16, putU32 } from "../../wire/bytes.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as udp from "../../wire/udp.ts";
import * as vlan from "../../wire/vlan.ts";
import * as vxlan from "../../wire/vxlan.ts";
import type { Draft } from "./draft.ts";
import { networkLayer } from "./repair.ts";

const VIDS = [0, 1, 10, 11, 4_094, 4_095];
const VNIS = [256, 9, 10, 0, 0xff_ffff];
const OUTER_BYTES = ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + udp.HEADER_BYTES + vxlan.HEADER_BYTES;
const ERRORS = [
  icmp.TYPE_UNREACHABLE,
  icmp.TYPE_SOURCE_QUENCH,
  icmp.TYPE_REDIRECT,
  icmp.TYPE_TIME_EXCEEDED,
  icmp.TYPE_PARAMETER_PROBLEM,
];

export function wrapInVlan(draft: Draft, random: Random): void {
  if (!draft.open(12, vlan.HEADER_BYTES)) return;
  putU16(draft.bytes, 12, ethernet.ETHERTYPE_VLAN);
  putU16(draft.bytes, 14, VIDS[random.below(VIDS.length)]! | (random.below(16) << 12));
}

/** From a real VTEP to another; inner frames may be VXLAN themselves. */
export function wrapInVxlan(draft: Draft, random: Random, other: Uint8Array): void {
  if (!draft.open(0, OUTER_BYTES)) return;
  const { bytes } = draft;
  bytes.set(other.subarray(0, 12));
  if (other.length < 12) bytes.fill(0xff, other.length, 12);
  putU16(bytes, 12, ethernet.ETHERTYPE_IPV4);
  const packet = ethernet.HEADER_BYTES;
  const from = random.between(1, 4);
  bytes.fill(0, packet, OUTER_BYTES);
  bytes[packet] = 0x45;
  bytes[packet + 1] = random.below(8) === 0 ? random.below(256) : 0;
  putU16(bytes, packet + 2, draft.length - packet);
  bytes[packet + 8] = 64;
  bytes[packet + 9] = ipv4.PROTOCOL_UDP;
  putU32(bytes, packet + 12, 0x0a09_0000 + from);
  putU32(bytes, packet + 16, 0x0a09_0000 + random.between(1, 3));
  const datagram = packet + ipv4.HEADER_BYTES;
  putU16(bytes, datagram, random.between(32_768, 60_999));
  putU16(bytes, datagram + 2, vxlan.UDP_PORT);
  putU16(bytes, datagram + 4, draft.length - datagram);
  const header = datagram + udp.HEADER_BYTES;
  bytes[header] = random.below(10) === 0 ? random.below(256) : 0x08;
  putU32(bytes, header + 4, VNIS[random.below(VNIS.length)]! * 0x100);
}

/** The packet's receiver, or somebody else, complains to its sender. */
export function wrapInIcmpError(draft: Draft, random: Random): void {
  const { bytes } = draft;
  const { type, at } = networkLayer(bytes, 0, draft.length);
  if (type !== ethernet.ETHERTYPE_IPV4 || at + ipv4.HEADER_BYTES > draft.length) return;
  const quoted = Math.min(draft.length - at, random.below(2) === 0 ? 28 : 548);
  draft.length = at + quoted;
  const source = getU32(bytes, at + 12);
  const destination = getU32(bytes, at + 16);
  if (!draft.open(at, ipv4.HEADER_BYTES + icmp.HEADER_BYTES)) return;
  const message = at + ipv4.HEADER_BYTES;
  bytes.fill(0, at, message + icmp.HEADER_BYTES);
  bytes[at] = 0x45;
  putU16(bytes, at + 2, draft.length - at);
  bytes[at + 8] = 64;
  bytes[at + 9] = ipv4.PROTOCOL_ICMP;
  const asSent = random.below(2) === 0;
  putU32(bytes, at + 12, asSent ? source : destination);
  putU32(bytes, at + 16, asSent ? destination : source);
  bytes[message] = ERRORS[random.below(ERRORS.length)]!;
  bytes[message + 1] = random.below(16);
  // A next-hop MTU, a gateway, or nonsense.
  putU32(bytes, message + 4, random.below(2) === 0 ? random.below(2_000) : 0x0a09_0000 + random.below(6));
  if (getU16(bytes, message + 4) === 0 && random.below(8) === 0) bytes[message + 4] = random.below(64);
}
