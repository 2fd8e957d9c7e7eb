/** Reads the values behind qualifiers: addresses and names of hosts, networks, ports and their ranges, numbers of protocols. */
import { type Ipv4Address, maskOf, parseMac } from "../wire/address.ts";
import type { FilterCursor } from "./filter-cursor.ts";
import { ETHER_TYPES, NAMED_PORTS, TRANSPORT_PROTOCOLS } from "./filter-names.ts";
import type { Direction, Predicate } from "./filter-predicates.ts";
import * as predicates from "./filter-predicates.ts";
import type { Layer } from "./filter-probe.ts";
import { numberOf, type Token } from "./filter-tokens.ts";

/** Finds the address of a host by its name; undefined when there is none. */
export type HostLookup = (name: string) => Ipv4Address | undefined;

/** What stands in front of a value: `tcp src port`. */
export interface Qualifiers {
  readonly protocol: string | undefined;
  readonly direction: Direction;
  readonly type: "host" | "net" | "port" | "portrange" | "proto";
}

/** Protocols with ports: TCP, UDP, SCTP. */
const PORT_PROTOCOLS = [6, 17, 132];

export function parseValue(
  cursor: FilterCursor,
  layer: Layer,
  qualifiers: Qualifiers,
  lookup: HostLookup,
): Predicate | undefined {
  switch (qualifiers.type) {
    case "host":
    case "net":
      return addressValue(cursor, layer, qualifiers, lookup);
    case "port":
    case "portrange":
      return portsValue(cursor, layer, qualifiers);
    case "proto":
      return protocolValue(cursor, layer, qualifiers.protocol);
  }
}

function addressValue(
  cursor: FilterCursor,
  layer: Layer,
  qualifiers: Qualifiers,
  lookup: HostLookup,
): Predicate | undefined {
  const { protocol, direction, type } = qualifiers;
  const token = cursor.peek();
  if (protocol === "ether" || protocol === "link") {
    const address = token.kind === "mac" ? parseMac(token.text) : undefined;
    if (type !== "host" || address === undefined) return cursor.fail("a host's MAC address such as 02:42:0a:00:00:02");
    cursor.step();
    return predicates.etherHost(layer, direction, address);
  }
  if (protocol !== undefined && protocol !== "ip" && protocol !== "arp" && protocol !== "rarp") {
    return cursor.fail(
      `port or portrange: ${protocol} ${protocol === "ip6" ? "addresses are not supported" : "has no addresses"}`,
    );
  }
  if (token.kind === "mac") return cursor.fail("ether in front of a MAC address");
  let address: number;
  let length = 32;
  if (token.kind === "word" && type === "host") {
    const found = lookup(token.text.replace(/^\\/, ""));
    if (found === undefined) return cursor.fail("an IPv4 address or a known host's name");
    address = found;
    cursor.step();
  } else {
    const parsed = octets(token);
    if (parsed === undefined || (type === "host" && token.kind === "number")) return cursor.fail("an IPv4 address");
    address = parsed.address;
    length = parsed.length;
    cursor.step();
  }
  let mask = maskOf(length);
  if (type === "net" && cursor.take("/")) {
    const given = cursor.number(32, "a prefix length from 0 to 32");
    if (given === undefined) return undefined;
    mask = maskOf(given);
  } else if (type === "net" && cursor.take("mask")) {
    const given = octets(cursor.peek());
    if (given === undefined) return cursor.fail("a netmask such as 255.255.255.0");
    cursor.step();
    mask = given.address;
  }
  if ((address & ~mask) !== 0) return cursor.failAt(token, "a network's address: zeros behind its mask");
  return predicates.network(layer, protocol, direction, address, mask);
}

function portsValue(cursor: FilterCursor, layer: Layer, qualifiers: Qualifiers): Predicate | undefined {
  const { protocol, direction, type } = qualifiers;
  if (protocol !== undefined && protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
    return cursor.fail(`host or net: ${protocol} has no ports`);
  }
  const token = cursor.peek();
  const numbers = protocol === undefined ? PORT_PROTOCOLS : [TRANSPORT_PROTOCOLS.get(protocol)!.number];
  const parts = type === "portrange" ? token.text.split("-") : [token.text];
  const range = parts.map((part) => numberOf({ kind: "number", text: part, at: 0, behindPartner: 0 }));
  const [first, second = first] = range;
  if (/^\d/.test(token.text) && range.length <= 2) {
    if (first === undefined || second === undefined || !(first <= 0xffff && second <= 0xffff)) {
      return cursor.fail(type === "port" ? "a port from 0 to 65535" : "ports from 0 to 65535, such as 6000-6008");
    }
    cursor.step();
    return predicates.ports(layer, numbers, direction, Math.min(first, second), Math.max(first, second));
  }
  const named = NAMED_PORTS.get(token.text.replace(/^\\/, ""));
  if (
    named === undefined ||
    type === "portrange" ||
    (named.protocol !== undefined && (protocol ?? named.protocol) !== named.protocol)
  ) {
    return cursor.fail(type === "port" ? "a port's number or name" : "ports such as 6000-6008");
  }
  cursor.step();
  const only = named.protocol === undefined ? numbers : [TRANSPORT_PROTOCOLS.get(named.protocol)!.number];
  return predicates.ports(layer, only, direction, named.port, named.port);
}

function protocolValue(cursor: FilterCursor, layer: Layer, protocol: string | undefined): Predicate | undefined {
  const token = cursor.peek();
  const name = token.text.replace(/^\\/, "");
  const ether = protocol === "ether" || protocol === "link";
  const limit = ether ? 0xffff : 0xff;
  const number = numberOf(token) ?? (ether ? ETHER_TYPES.get(name) : TRANSPORT_PROTOCOLS.get(name)?.number);
  if (number === undefined || number > limit) return cursor.fail(`a protocol's name or number up to ${limit}`);
  if (protocol !== undefined && !ether && protocol !== "ip" && protocol !== "ip6") {
    return cursor.fail(`nothing behind ${protocol}: it carries no protocols that have numbers`);
  }
  cursor.step();
  if (ether) return predicates.etherType(layer, number);
  if (protocol === "ip") return predicates.ipProtocol(layer, number);
  if (protocol === "ip6") return predicates.ip6Protocol(layer, number);
  return predicates.either(predicates.ipProtocol(layer, number), predicates.ip6Protocol(layer, number));
}

/** One to four decimal octets; those left out are zero, and `length` counts the bits of those given. */
function octets(token: Token): { address: number; length: number } | undefined {
  if (token.kind !== "address" && token.kind !== "number") return undefined;
  const parts = token.text.split(".");
  let address = 0;
  for (const part of parts) {
    if (!/^\d{1,3}$/.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return { address: address * 256 ** (4 - parts.length), length: parts.length * 8 };
}
