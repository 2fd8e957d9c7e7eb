/**
 * Makes a damaged frame's checksums right again as far as its headers can be read, so that the damage gets past the first check: IPv4, ICMP, IGMP,
 * UDP, TCP, through VLAN tags and VXLAN.
 */
import { getU16, putU16 } from "../../wire/bytes.ts";
import { finish, type Memory, sum } from "../../wire/checksum.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import * as udp from "../../wire/udp.ts";
import * as vlan from "../../wire/vlan.ts";
import * as vxlan from "../../wire/vxlan.ts";

const IGMP_CHECKSUM = 2; // byte offset

/** Where the network layer begins in the frame from `at` to `end`, and its EtherType; behind `end` if it is cut short. */
export function networkLayer(
  bytes: Uint8Array,
  at: number,
  end: number,
): { readonly type: number; readonly at: number } {
  let next = at + ethernet.HEADER_BYTES;
  if (next > end) return { type: 0, at: next };
  let type = ethernet.etherType(bytes, at);
  while (type === ethernet.ETHERTYPE_VLAN && next + vlan.HEADER_BYTES <= end) {
    type = vlan.etherType(bytes, next);
    next += vlan.HEADER_BYTES;
  }
  return { type, at: next };
}

/** The frame lies from the even offset `at` to `end`. */
export function repairChecksums(memory: Memory, at: number, end: number): void {
  const { bytes } = memory;
  const network = networkLayer(bytes, at, end);
  if (network.type !== ethernet.ETHERTYPE_IPV4 || network.at + ipv4.HEADER_BYTES > end) return;
  const packet = network.at;
  const transport = packet + Math.max(ipv4.HEADER_BYTES, ipv4.headerBytes(bytes, packet));
  if (transport > end) return;
  const packetEnd = Math.min(end, packet + Math.max(ipv4.totalLength(bytes, packet), transport - packet));
  if (!ipv4.isFragment(bytes, packet)) repairTransport(memory, packet, transport, packetEnd);
  ipv4.writeChecksum(bytes, packet);
}

function repairTransport(memory: Memory, packet: number, transport: number, end: number): void {
  const { bytes } = memory;
  const source = ipv4.source(bytes, packet);
  const destination = ipv4.destination(bytes, packet);
  const room = end - transport;
  switch (ipv4.protocol(bytes, packet)) {
    case ipv4.PROTOCOL_ICMP:
      if (room >= icmp.HEADER_BYTES) icmp.finishChecksum(memory, transport, end);
      break;
    case ipv4.PROTOCOL_IGMP:
      if (room < icmp.HEADER_BYTES) break;
      putU16(bytes, transport + IGMP_CHECKSUM, 0);
      putU16(bytes, transport + IGMP_CHECKSUM, finish(sum(memory, transport, end)));
      break;
    case ipv4.PROTOCOL_TCP:
      if (room >= tcp.HEADER_BYTES) tcp.finishChecksum(memory, transport, end, source, destination);
      break;
    case ipv4.PROTOCOL_UDP: {
      if (room < udp.HEADER_BYTES) break;
      const inner = transport + udp.HEADER_BYTES + vxlan.HEADER_BYTES;
      if (udp.destinationPort(bytes, transport) === vxlan.UDP_PORT) repairChecksums(memory, inner, end);
      if (udp.checksum(bytes, transport) !== 0 && getU16(bytes, transport + 4) <= room)
        udp.finishChecksum(memory, transport, source, destination);
      break;
    }
  }
}
