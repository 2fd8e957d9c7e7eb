/**
 * One line a frame, close to the words of tcpdump, through VXLAN to the innermost packet:
 *
 *     IP 192.168.0.1.49152 > 192.168.0.2.4789: VXLAN vni 4097: ARP who-has 10.0.1.3 tell 10.0.1.2
 *
 * Whatever the bytes are, there is a line; what is wrong with them stands in brackets.
 */
import { formatIpv4, formatMac } from "./address.ts";
import * as arp from "./arp.ts";
import { finish, sumBytes } from "./checksum.ts";
import { describeDns } from "./describe-dns.ts";
import { describeIcmp } from "./describe-icmp.ts";
import { describeTcp } from "./describe-tcp.ts";
import * as dns from "./dns.ts";
import * as esp from "./esp.ts";
import * as ethernet from "./ethernet.ts";
import * as igmp from "./igmp.ts";
import * as ipv4 from "./ipv4.ts";
import * as stp from "./stp.ts";
import * as tcp from "./tcp.ts";
import * as udp from "./udp.ts";
import * as vlan from "./vlan.ts";
import * as vxlan from "./vxlan.ts";

/** Frames within frames that are unfolded; deeper ones are named only. */
const MAXIMUM_DEPTH = 4;

/** The Ethernet frame from `at` to `end`. UDP to `vxlanPort` is read as VXLAN. */
export function describe(bytes: Uint8Array, at: number, end: number, vxlanPort: number = vxlan.UDP_PORT): string {
  return describeFrame(bytes, at, end, vxlanPort, 0);
}

/** The IPv4 packet from `at` to `end`, where there is no Ethernet header (raw sockets, quotes). */
export function describePacket(bytes: Uint8Array, at: number, end: number, vxlanPort: number = vxlan.UDP_PORT): string {
  return describeIpv4(bytes, at, end, vxlanPort, 0);
}

function describeFrame(bytes: Uint8Array, at: number, end: number, vxlanPort: number, depth: number): string {
  const reason = ethernet.check(bytes, at, end);
  if (reason !== undefined) return `[${reason}] length ${end - at}`;
  const payload = at + ethernet.HEADER_BYTES;
  const length = ethernet.llcLength(bytes, at);
  if (length !== undefined) return describeLlc(bytes, payload, Math.min(end, payload + length));
  return describePayload(ethernet.etherType(bytes, at), bytes, payload, end, vxlanPort, depth);
}

function describePayload(
  etherType: number,
  bytes: Uint8Array,
  at: number,
  end: number,
  vxlanPort: number,
  depth: number,
): string {
  switch (etherType) {
    case ethernet.ETHERTYPE_IPV4:
      return describeIpv4(bytes, at, end, vxlanPort, depth);
    case ethernet.ETHERTYPE_ARP:
      return describeArp(bytes, at, end);
    case ethernet.ETHERTYPE_IPV6:
      return `IP6, length ${end - at}`;
    case ethernet.ETHERTYPE_VLAN: {
      const tag = vlan.parse(bytes, at, end);
      if (typeof tag === "string") return `vlan [${tag}]`;
      const inner = at + vlan.HEADER_BYTES;
      const prefix = `vlan ${tag.vid}, p ${tag.priority}${tag.dropEligible ? ", DEI" : ""}: `;
      // Stacked tags are as deep as the frame is long: each counts as a frame.
      return depth >= MAXIMUM_DEPTH
        ? `${prefix}length ${end - inner}`
        : prefix + describePayload(tag.etherType, bytes, inner, end, vxlanPort, depth + 1);
    }
    default:
      return `ethertype 0x${etherType.toString(16).padStart(4, "0")}, length ${end - at}`;
  }
}

function describeArp(bytes: Uint8Array, at: number, end: number): string {
  const packet = arp.parse(bytes, at, end);
  if (typeof packet === "string") return `ARP [${packet}]`;
  const sender = formatIpv4(packet.senderProtocolAddress);
  const target = formatIpv4(packet.targetProtocolAddress);
  switch (packet.operation) {
    case arp.OPERATION_REQUEST: {
      const asked = packet.targetHardwareAddress === 0 ? "" : ` (${formatMac(packet.targetHardwareAddress)})`;
      return `ARP who-has ${target}${asked} tell ${sender}`;
    }
    case arp.OPERATION_REPLY:
      return `ARP reply ${sender} is-at ${formatMac(packet.senderHardwareAddress)}`;
    default:
      return `ARP operation ${packet.operation} from ${sender} to ${target}`;
  }
}

function describeLlc(bytes: Uint8Array, at: number, end: number): string {
  if (end - at < 3 || !stp.isLlc(bytes, at)) return `LLC, length ${end - at}`;
  const message = stp.parse(bytes, at, end);
  if (typeof message === "string") return `STP [${message}]`;
  if (message.kind === "topology-change-notification") return "STP 802.1d, Topology Change";
  const flags: string[] = [];
  if (message.topologyChange) flags.push("Topology change");
  if (message.topologyChangeAcknowledgement) flags.push("Topology change ACK");
  const port = message.portIdentifier.toString(16).padStart(4, "0");
  return (
    `STP 802.1d, Config, Flags [${flags.join(", ") || "none"}], bridge-id ${bridgeName(message.bridge)}.${port}, ` +
    `root ${bridgeName(message.root)}, pathcost ${message.rootPathCost}`
  );
}

function bridgeName(identifier: stp.BridgeIdentifier): string {
  return `${identifier.priority.toString(16).padStart(4, "0")}.${formatMac(identifier.address)}`;
}

function describeIpv4(bytes: Uint8Array, at: number, end: number, vxlanPort: number, depth: number): string {
  const headerReason = ipv4.checkHeader(bytes, at, end);
  if (headerReason !== undefined) return `IP [${headerReason}]`;
  const source = formatIpv4(ipv4.source(bytes, at));
  const destination = formatIpv4(ipv4.destination(bytes, at));
  const reason = ipv4.check(bytes, at, end);
  if (reason !== undefined) return `IP ${source} > ${destination}: [${reason}]`;
  if (finish(sumBytes(bytes, at, at + ipv4.headerBytes(bytes, at))) !== 0)
    return `IP ${source} > ${destination}: [ipv4-bad-checksum]`;
  const payload = at + ipv4.headerBytes(bytes, at);
  const packetEnd = at + ipv4.totalLength(bytes, at);
  const protocol = ipv4.protocol(bytes, at);
  const offset = ipv4.fragmentOffsetBytes(bytes, at);
  if (offset > 0) {
    const more = ipv4.moreFragments(bytes, at) ? "+" : "";
    const fragment = `frag ${ipv4.identification(bytes, at)}:${packetEnd - payload}@${offset}${more}`;
    return `IP ${source} > ${destination}: ip-proto-${protocol} (${fragment})`;
  }
  const first = ipv4.moreFragments(bytes, at)
    ? ` (frag ${ipv4.identification(bytes, at)}:${packetEnd - payload}@0+)`
    : "";
  switch (protocol) {
    case ipv4.PROTOCOL_UDP:
      if (packetEnd - payload >= udp.HEADER_BYTES) {
        const ports = `${source}.${udp.sourcePort(bytes, payload)} > ${destination}.${udp.destinationPort(bytes, payload)}`;
        return `IP ${ports}: ${describeUdp(bytes, payload, packetEnd, vxlanPort, depth, first !== "")}${first}`;
      }
      return `IP ${source} > ${destination}: udp [udp-truncated]${first}`;
    case ipv4.PROTOCOL_TCP:
      if (packetEnd - payload >= tcp.HEADER_BYTES) {
        const ports = `${source}.${tcp.sourcePort(bytes, payload)} > ${destination}.${tcp.destinationPort(bytes, payload)}`;
        return `IP ${ports}: ${describeTcp(bytes, payload, packetEnd)}${first}`;
      }
      return `IP ${source} > ${destination}: tcp [tcp-truncated]${first}`;
    case ipv4.PROTOCOL_ICMP:
      return `IP ${source} > ${destination}: ${describeIcmp(bytes, payload, packetEnd)}${first}`;
    case ipv4.PROTOCOL_IGMP:
      return `IP ${source} > ${destination}: ${describeIgmp(bytes, payload, packetEnd)}${first}`;
    case ipv4.PROTOCOL_ESP:
      return `IP ${source} > ${destination}: ${describeEsp(bytes, payload, packetEnd)}${first}`;
    default:
      return `IP ${source} > ${destination}: ip-proto-${protocol} ${packetEnd - payload}${first}`;
  }
}

function describeUdp(
  bytes: Uint8Array,
  at: number,
  end: number,
  vxlanPort: number,
  depth: number,
  fragment: boolean,
): string {
  // A first fragment holds less than the datagram's length says.
  if (fragment) return `UDP, length ${udp.length(bytes, at) - udp.HEADER_BYTES}`;
  const reason = udp.check(bytes, at, end);
  if (reason !== undefined) return `UDP [${reason}]`;
  const payload = at + udp.HEADER_BYTES;
  const datagramEnd = at + udp.length(bytes, at);
  if (udp.destinationPort(bytes, at) === vxlanPort) return describeVxlan(bytes, payload, datagramEnd, vxlanPort, depth);
  if (udp.destinationPort(bytes, at) === dns.UDP_PORT || udp.sourcePort(bytes, at) === dns.UDP_PORT)
    return describeDns(bytes, payload, datagramEnd);
  return `UDP, length ${datagramEnd - payload}`;
}

function describeVxlan(bytes: Uint8Array, at: number, end: number, vxlanPort: number, depth: number): string {
  const reason = vxlan.check(bytes, at, end);
  if (reason !== undefined) return `VXLAN [${reason}]`;
  const inner = at + vxlan.HEADER_BYTES;
  const reserved = vxlan.reservedBitsSet(bytes, at) ? " [reserved bits set]" : "";
  const prefix = `VXLAN vni ${vxlan.vni(bytes, at)}${reserved}: `;
  if (depth >= MAXIMUM_DEPTH) return `${prefix}length ${end - inner}`;
  return prefix + describeFrame(bytes, inner, end, vxlanPort, depth + 1);
}

function describeEsp(bytes: Uint8Array, at: number, end: number): string {
  const header = esp.parse(bytes, at, end);
  if (typeof header === "string") return `ESP [${header}]`;
  const spi = header.spi.toString(16).padStart(8, "0");
  return `ESP(spi=0x${spi},seq=0x${header.sequence.toString(16)}), length ${end - at}`;
}

const RECORD_TYPES = ["#0", "is_in", "is_ex", "to_in", "to_ex", "allow", "block"] as const;

function describeIgmp(bytes: Uint8Array, at: number, end: number): string {
  const message = igmp.parse(bytes, at, end);
  if (typeof message === "string") return `igmp [${message}]`;
  switch (message.kind) {
    case "query": {
      const version = message.responseCode === 0 ? "v1" : "v2";
      return `igmp query ${version}${message.group === 0 ? "" : ` [gaddr ${formatIpv4(message.group)}]`}`;
    }
    case "query-v3": {
      const sources = message.sources.length === 0 ? "" : ` {${message.sources.map(formatIpv4).join(" ")}}`;
      return `igmp query v3${message.group === 0 ? "" : ` [gaddr ${formatIpv4(message.group)}${sources}]`}`;
    }
    case "report-v1":
      return `igmp v1 report ${formatIpv4(message.group)}`;
    case "report-v2":
      return `igmp v2 report ${formatIpv4(message.group)}`;
    case "leave":
      return `igmp leave ${formatIpv4(message.group)}`;
    case "report-v3": {
      const records = message.records.map((record) => {
        const type = RECORD_TYPES[record.type] ?? `#${record.type}`;
        return ` [gaddr ${formatIpv4(record.group)} ${type}, ${record.sources.length} source(s)]`;
      });
      return `igmp v3 report, ${message.records.length} group record(s)${records.join("")}`;
    }
  }
}
