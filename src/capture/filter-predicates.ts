/** The primitives of pcap-filter(7) as predicates over a probe. What each tests, and in which order, follows the code that libpcap 1.10 makes. */
import type { MacAddress } from "../wire/address.ts";
import { ETHER_TYPES, TRANSPORT_PROTOCOLS } from "./filter-names.ts";
import type { FilterProbe, Layer } from "./filter-probe.ts";

export type Predicate = (probe: FilterProbe) => boolean;
export type Direction = "src" | "dst" | "src or dst" | "src and dst";

const IP = 0x0800;
const IP6 = 0x86dd;
const ARP = 0x0806;
const RARP = 0x8035;
const IP6_HEADER_BYTES = 40;
const IP6_FRAGMENT_HEADER = 44;
const UDP = 17;
const VLAN_TYPES = [0x8100, 0x88a8, 0x9100]; // customer, service, and the one of old switches
const VXLAN_PORT = 4789; // RFC 7348
const GENEVE_PORT = 6081; // RFC 8926
const TRANSPARENT_ETHERNET = 0x6558;

export function both(left: Predicate, right: Predicate): Predicate {
  return (probe) => left(probe) && right(probe);
}

export function either(left: Predicate, right: Predicate): Predicate {
  return (probe) => left(probe) || right(probe);
}

export function not(operand: Predicate): Predicate {
  return (probe) => !operand(probe);
}

function directed(direction: Direction, source: Predicate, destination: Predicate): Predicate {
  switch (direction) {
    case "src":
      return source;
    case "dst":
      return destination;
    case "src or dst":
      return either(source, destination);
    case "src and dst":
      return both(source, destination);
  }
}

/** EtherType `type`; below 1 536 it is the destination service access point of an LLC frame (IEEE 802.2). */
export function etherType(layer: Layer, type: number): Predicate {
  if (type > 1_500) return (probe) => probe.etherType(layer) === type;
  return (probe) => {
    const found = probe.etherType(layer);
    return found >= 0 && found <= 1_500 && probe.load8(probe.typeOffset(layer) + 2) === type;
  };
}

/** `offset` is 0 for the destination, 6 for the source. */
function macAt(layer: Layer, offset: number, address: MacAddress): Predicate {
  const upper = Math.floor(address / 0x1_0000_0000);
  const lower = address % 0x1_0000_0000;
  return (probe) => {
    if (!probe.hasEthernet(layer)) return false;
    const link = probe.link(layer);
    return probe.load32(link + offset + 2) === lower && probe.load16(link + offset) === upper;
  };
}

export function etherHost(layer: Layer, direction: Direction, address: MacAddress): Predicate {
  return directed(direction, macAt(layer, 6, address), macAt(layer, 0, address));
}

/** The group bit of the destination. */
export function etherMulticast(layer: Layer): Predicate {
  return (probe) => {
    return probe.hasEthernet(layer) && (probe.load8(probe.link(layer)) & 1) === 1;
  };
}

/** Destination 224.0.0.0 or above, as libpcap has it: 255.255.255.255 too. */
export function ipMulticast(layer: Layer): Predicate {
  return (probe) => probe.etherType(layer) === IP && probe.load8(probe.payload(layer) + 16) >= 0xe0;
}

function wordAt(layer: Layer, type: number, offset: number, value: number, mask: number): Predicate {
  return (probe) =>
    probe.etherType(layer) === type && (probe.load32(probe.payload(layer) + offset) & mask) >>> 0 === value;
}

/** Addresses of the IP header, or the protocol addresses of ARP and RARP; `protocol` undefined means any of the three. */
export function network(
  layer: Layer,
  protocol: "ip" | "arp" | "rarp" | undefined,
  direction: Direction,
  address: number,
  mask: number,
): Predicate {
  const value = (address & mask) >>> 0;
  const over = (type: number, source: number, destination: number) =>
    directed(direction, wordAt(layer, type, source, value, mask), wordAt(layer, type, destination, value, mask));
  if (protocol === "ip") return over(IP, 12, 16);
  if (protocol === "arp") return over(ARP, 14, 24);
  if (protocol === "rarp") return over(RARP, 14, 24);
  return either(over(IP, 12, 16), either(over(ARP, 14, 24), over(RARP, 14, 24)));
}

export function ipProtocol(layer: Layer, protocol: number): Predicate {
  return (probe) => probe.etherType(layer) === IP && probe.load8(probe.payload(layer) + 9) === protocol;
}

/** The next header, of a first fragment too. */
export function ip6Protocol(layer: Layer, protocol: number): Predicate {
  return (probe) => {
    if (probe.etherType(layer) !== IP6) return false;
    const payload = probe.payload(layer);
    const next = probe.load8(payload + 6);
    return next === protocol || (next === IP6_FRAGMENT_HEADER && probe.load8(payload + IP6_HEADER_BYTES) === protocol);
  };
}

/** The bare word of a protocol: `ip`, `arp`, `tcp`. */
export function protocol(layer: Layer, word: string): Predicate {
  const type = ETHER_TYPES.get(word);
  if (type !== undefined) return etherType(layer, type);
  const { number, over } = TRANSPORT_PROTOCOLS.get(word)!;
  if (over === "ip") return ipProtocol(layer, number);
  if (over === "ip6") return ip6Protocol(layer, number);
  return either(ipProtocol(layer, number), ip6Protocol(layer, number));
}

/** The packet is the first fragment or whole: the transport header is there. */
function headsTransport(probe: FilterProbe, payload: number): boolean {
  return (probe.load16(payload + 6) & 0x1fff) === 0;
}

function ipHeaderBytes(probe: FilterProbe, payload: number): number {
  return (probe.load8(payload) & 0x0f) * 4;
}

/** Ports from `low` to `high` of the transport protocols given by number. */
export function ports(
  layer: Layer,
  protocols: readonly number[],
  direction: Direction,
  low: number,
  high: number,
): Predicate {
  const within = (probe: FilterProbe, offset: number): boolean => {
    const port = probe.load16(offset);
    return port >= low && port <= high;
  };
  const pair = (start: (probe: FilterProbe) => number): Predicate =>
    directed(
      direction,
      (probe) => within(probe, start(probe)),
      (probe) => within(probe, start(probe) + 2),
    );
  const overIp6 = pair((probe) => probe.payload(layer) + IP6_HEADER_BYTES);
  const overIp = pair((probe) => probe.payload(layer) + ipHeaderBytes(probe, probe.payload(layer)));
  return (probe) => {
    const type = probe.etherType(layer);
    const payload = probe.payload(layer);
    if (type === IP6) return protocols.includes(probe.load8(payload + 6)) && overIp6(probe);
    if (type !== IP) return false;
    return protocols.includes(probe.load8(payload + 9)) && headsTransport(probe, payload) && overIp(probe);
  };
}

/** A VLAN tag, with this id if one is given. What follows in the expression looks behind the tag. */
export function vlan(layer: Layer, id: number | undefined): Predicate {
  return (probe) => {
    if (!VLAN_TYPES.includes(probe.etherType(layer))) return false;
    return id === undefined || (probe.load16(probe.payload(layer)) & 0x0fff) === id;
  };
}

/** Offset behind the UDP header of a datagram to `port`, or ABSENT. */
function udpPayload(probe: FilterProbe, layer: Layer, port: number): number {
  const type = probe.etherType(layer);
  const payload = probe.payload(layer);
  let segment = payload;
  if (type === IP) {
    if (probe.load8(payload + 9) !== UDP || !headsTransport(probe, payload)) return -1;
    segment += ipHeaderBytes(probe, payload);
  } else if (type === IP6) {
    if (probe.load8(payload + 6) !== UDP) return -1;
    segment += IP6_HEADER_BYTES;
  } else return -1;
  return probe.load16(segment + 2) === port ? segment + 8 : -1;
}

/** VXLAN, with this VNI if one is given; enters `inner` when it matches. Flags other than I alone are none that a Linux VTEP accepts. */
export function vxlan(layer: Layer, inner: Layer, vni: number | undefined): Predicate {
  return (probe) => {
    probe.leave(inner.level);
    const header = udpPayload(probe, layer, VXLAN_PORT);
    if (header < 0 || probe.load8(header) !== 0x08) return false;
    if (vni !== undefined && probe.load32(header + 4) >>> 8 !== vni) return false;
    probe.enter(inner.level, header + 8);
    return true;
  };
}

/** Geneve version 0 (RFC 8926 §3.4), with this VNI if one is given; enters `inner` when it matches. */
export function geneve(layer: Layer, inner: Layer, vni: number | undefined): Predicate {
  return (probe) => {
    probe.leave(inner.level);
    const header = udpPayload(probe, layer, GENEVE_PORT);
    if (header < 0 || (probe.load8(header) & 0xc0) !== 0) return false;
    if (vni !== undefined && probe.load32(header + 4) >>> 8 !== vni) return false;
    const payload = header + 8 + (probe.load8(header) & 0x3f) * 4;
    if (probe.load16(header + 2) === TRANSPARENT_ETHERNET) probe.enter(inner.level, payload);
    else probe.enterBare(inner.level, header + 2, payload);
    return true;
  };
}

export { headsTransport, IP, IP6, IP6_HEADER_BYTES, ipHeaderBytes };
