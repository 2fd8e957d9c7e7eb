/**
 * The grammar of pcap-filter(7), by recursive descent: `and` and `or` bind equally and from the left, `not` binds tighter, and a bare value takes
 * the qualifiers of the primitive in front of it (`port 80 or 443`). Predicates are made while parsing, since `vlan`, `vxlan` and `geneve` change
 * where all that follows them looks.
 */
import { type Ipv4Address, maskOf, parseMac } from "../wire/address.ts";
import {
  type Arithmetic,
  combine,
  compare,
  constant,
  field,
  hasFields,
  isOperator,
  isRelation,
  LENGTH,
  negate,
  precedence,
} from "./filter-arithmetic.ts";
import { ETHER_TYPES, FIELD_CONSTANTS, NAMED_PORTS, TRANSPORT_PROTOCOLS } from "./filter-names.ts";
import type { Direction, Predicate } from "./filter-predicates.ts";
import * as predicates from "./filter-predicates.ts";
import type { Layer } from "./filter-probe.ts";
import { numberOf, type Token, tokenize } from "./filter-tokens.ts";

export interface FilterProblem {
  /** Offset in the expression of the first character that does not fit. */
  readonly at: number;
  readonly found: string;
  readonly expected: string;
}

/** Finds the address of a host by its name; undefined when there is none. */
export type HostLookup = (name: string) => Ipv4Address | undefined;

interface Qualifiers {
  readonly protocol: string | undefined;
  readonly direction: Direction;
  readonly type: "host" | "net" | "port" | "portrange" | "proto";
}

const MAXIMUM_DEPTH = 200;
const MAXIMUM_LEVELS = 8;
const PORT_PROTOCOLS = [6, 17, 132];

export class FilterParser {
  readonly #tokens: readonly Token[];
  readonly #lookup: HostLookup;
  #next = 0;
  #depth = 0;
  #layer: Layer = { level: 0, tagBytes: 0 };
  /** Of the last primitive, for a bare value behind it; undefined when it had none. */
  #qualifiers: Qualifiers | undefined = undefined;
  problem: FilterProblem | undefined = undefined;

  constructor(text: string, lookup: HostLookup) {
    this.#tokens = tokenize(text);
    this.#lookup = lookup;
  }

  /** How many Ethernet headers inside one another the expression speaks of. */
  get levels(): number {
    return this.#layer.level + 1;
  }

  /** The whole expression, or undefined and a problem. */
  parse(): Predicate | undefined {
    if (this.#peek().kind === "end") return () => true;
    const whole = this.#expression();
    if (whole === undefined) return undefined;
    return this.#peek().kind === "end" ? whole : this.#fail("and, or, or the end of the expression");
  }

  #expression(): Predicate | undefined {
    let left = this.#term(false);
    while (left !== undefined) {
      const and = this.#take("and", "&&");
      if (!and && !this.#take("or", "||")) return left;
      const right = this.#term(true);
      if (right === undefined) return undefined;
      left = and ? predicates.both(left, right) : predicates.either(left, right);
    }
    return undefined;
  }

  /** `bare`: a value alone may stand here. */
  #term(bare: boolean): Predicate | undefined {
    if (++this.#depth > MAXIMUM_DEPTH) return this.#fail(`at most ${MAXIMUM_DEPTH} levels of parentheses and not`);
    const term = this.#shallowTerm(bare);
    this.#depth--;
    return term;
  }

  #shallowTerm(bare: boolean): Predicate | undefined {
    if (this.#take("not", "!")) {
      const operand = this.#term(bare);
      return operand === undefined ? undefined : predicates.not(operand);
    }
    const token = this.#peek();
    if (bare && this.#qualifiers !== undefined && this.#startsValue(token)) return this.#value(this.#qualifiers);
    if (this.#startsRelation(token)) return this.#relation();
    if (this.#take("(")) {
      const inner = this.#expression();
      return inner === undefined || !this.#expect(")") ? undefined : inner;
    }
    if (token.kind !== "word") return this.#fail("a primitive such as host, port, tcp or ip[0]");
    return this.#primitive(token.text);
  }

  /** A value that cannot be read as the start of a relation. */
  #startsValue(token: Token): boolean {
    if (token.kind === "address" || token.kind === "mac") return true;
    if (token.kind === "word") return !isReserved(token.text);
    if (token.kind !== "number") return false;
    const after = this.#tokens[this.#next + 1]!.text;
    return !isRelation(after) && (!isOperator(after) || (after === "/" && this.#qualifiers?.type === "net"));
  }

  #startsRelation(token: Token): boolean {
    if (token.kind === "number" || token.text === "-" || token.text === "len") return true;
    if (token.text === "(") {
      const behind = this.#tokens[token.behindPartner]!;
      return behind.kind === "symbol" && (isRelation(behind.text) || isOperator(behind.text));
    }
    if (FIELD_CONSTANTS.has(token.text)) return true;
    return hasFields(token.text) && this.#tokens[this.#next + 1]!.text === "[";
  }

  #relation(): Predicate | undefined {
    const left = this.#arithmetic(0);
    if (left === undefined) return undefined;
    const relation = this.#peek().text;
    if (!isRelation(relation)) return this.#fail("one of = == != < > <= >=");
    this.#next++;
    const right = this.#arithmetic(0);
    if (right === undefined) return undefined;
    this.#qualifiers = undefined;
    return compare(relation, left, right);
  }

  /** Operators that bind tighter than `least`. */
  #arithmetic(least: number): Arithmetic | undefined {
    if (++this.#depth > MAXIMUM_DEPTH) return this.#fail(`at most ${MAXIMUM_DEPTH} levels of parentheses and signs`);
    let left = this.#operand();
    for (;;) {
      const operator = this.#peek();
      if (left === undefined || !isOperator(operator.text)) break;
      const binds = precedence(operator.text);
      if (binds !== 0 && binds <= least) break;
      this.#next++;
      const right = this.#arithmetic(binds);
      if (right === undefined) return undefined;
      if ((operator.text === "<<" || operator.text === ">>") && (right.constant ?? 0) > 31) {
        return this.#failAt(operator, "a shift by at most 31 bits");
      }
      left = combine(operator.text, left, right) ?? this.#failAt(operator, "no division by zero");
    }
    this.#depth--;
    return left;
  }

  #operand(): Arithmetic | undefined {
    const token = this.#peek();
    if (this.#take("-")) {
      const operand = this.#arithmetic(5);
      return operand === undefined ? undefined : negate(operand);
    }
    if (this.#take("(")) {
      const inner = this.#arithmetic(0);
      return inner === undefined || !this.#expect(")") ? undefined : inner;
    }
    const number = numberOf(token) ?? FIELD_CONSTANTS.get(token.text);
    if (number !== undefined) {
      this.#next++;
      return constant(number);
    }
    if (this.#take("len")) return LENGTH;
    if (!hasFields(token.text)) return this.#fail("a number, len, or a field such as tcp[13]");
    this.#next++;
    return this.#field(token.text);
  }

  #field(name: string): Arithmetic | undefined {
    if (!this.#expect("[")) return undefined;
    const offset = this.#arithmetic(0);
    if (offset === undefined) return undefined;
    let size = 1;
    if (this.#take(":")) {
      const given = numberOf(this.#peek());
      if (given !== 1 && given !== 2 && given !== 4) return this.#fail("a size of 1, 2 or 4 bytes");
      size = given;
      this.#next++;
    }
    return this.#expect("]") ? field(this.#layer, name, offset, size) : undefined;
  }

  #primitive(word: string): Predicate | undefined {
    const layer = this.#layer;
    switch (word) {
      case "less":
      case "greater": {
        this.#next++;
        const limit = this.#number(0xffff_ffff, "a length in bytes");
        if (limit === undefined) return undefined;
        return this.#plain(word === "less" ? (probe) => probe.length <= limit : (probe) => probe.length >= limit);
      }
      case "stp":
        this.#next++;
        return this.#plain(predicates.etherType(layer, 0x42));
      case "broadcast":
      case "multicast":
        return this.#group(undefined);
      case "vlan":
        return this.#vlan();
      case "vxlan":
      case "geneve":
        return this.#tunnel(word);
      case "inbound":
      case "outbound":
        return this.#fail("a test of the frame's bytes: its direction is not among them");
    }
    const protocol = word === "ether" || word === "link" || ETHER_TYPES.has(word) || TRANSPORT_PROTOCOLS.has(word);
    if (protocol) this.#next++;
    const after = this.#peek().text;
    if (protocol && (after === "broadcast" || after === "multicast")) return this.#group(word);
    if (isQualifier(after)) return this.#qualified(protocol ? word : undefined);
    if (!protocol)
      return this.#fail("a primitive such as host, net, port, ether, ip, arp, tcp, udp, icmp, vlan or vxlan");
    if (word === "ether" || word === "link") return this.#fail("host, src, dst, proto, broadcast or multicast");
    return this.#plain(protocolPredicate(layer, word));
  }

  /** A primitive from which a bare value takes nothing. */
  #plain(predicate: Predicate): Predicate {
    this.#qualifiers = undefined;
    return predicate;
  }

  #group(protocol: string | undefined): Predicate | undefined {
    const layer = this.#layer;
    const broadcast = this.#peek().text === "broadcast";
    if (protocol === undefined || protocol === "ether" || protocol === "link") {
      this.#next++;
      if (!broadcast) return this.#plain(predicates.etherMulticast(layer));
      return this.#plain(predicates.etherHost(layer, "dst", parseMac("ff:ff:ff:ff:ff:ff")!));
    }
    if (protocol === "ip" && !broadcast) {
      this.#next++;
      return this.#plain(predicates.ipMulticast(layer));
    }
    return this.#fail(
      protocol === "ip" ? "ether broadcast: a capture does not tell the netmask" : "ether or ip in front",
    );
  }

  #vlan(): Predicate | undefined {
    this.#next++;
    const id = this.#optionalNumber(0xfff, "a VLAN id from 0 to 4095");
    if (id === "problem") return undefined;
    const layer = this.#layer;
    this.#layer = { level: layer.level, tagBytes: layer.tagBytes + 4 };
    return this.#plain(predicates.vlan(layer, id));
  }

  #tunnel(word: "vxlan" | "geneve"): Predicate | undefined {
    const token = this.#peek();
    this.#next++;
    const vni = this.#optionalNumber(0xff_ffff, "a VNI from 0 to 16777215");
    if (vni === "problem") return undefined;
    const layer = this.#layer;
    if (layer.level + 1 >= MAXIMUM_LEVELS) return this.#failAt(token, `at most ${MAXIMUM_LEVELS - 1} tunnels`);
    const inner = { level: layer.level + 1, tagBytes: 0 };
    this.#layer = inner;
    return this.#plain(word === "vxlan" ? predicates.vxlan(layer, inner, vni) : predicates.geneve(layer, inner, vni));
  }

  #qualified(protocol: string | undefined): Predicate | undefined {
    const direction = this.#direction();
    if (direction === "problem") return undefined;
    const word = this.#peek().text;
    let type: Qualifiers["type"] = "host";
    if (word === "host" || word === "net" || word === "port" || word === "portrange") {
      type = word;
      this.#next++;
    } else if (word === "proto" && direction === undefined) {
      type = word;
      this.#next++;
    }
    const qualifiers: Qualifiers = { protocol, direction: direction ?? "src or dst", type };
    this.#qualifiers = qualifiers;
    return this.#values(qualifiers);
  }

  /** `src`, `dst`, or both with `or` or `and` between; undefined when there is none. */
  #direction(): Direction | "problem" | undefined {
    const first = this.#peek().text;
    if (first !== "src" && first !== "dst") return undefined;
    const other = first === "src" ? "dst" : "src";
    const between = this.#tokens[this.#next + 1]!.text;
    const and = between === "and" || between === "&&";
    if ((and || between === "or" || between === "||") && this.#tokens[this.#next + 2]?.text === other) {
      // `src 10.0.0.1 or dst port 80` does not come here: a value stands between.
      this.#next += 3;
      return and ? "src and dst" : "src or dst";
    }
    this.#next++;
    return first;
  }

  /** One value, or several in parentheses: `port (80 or 443)`. */
  #values(qualifiers: Qualifiers): Predicate | undefined {
    if (++this.#depth > MAXIMUM_DEPTH) return this.#fail(`at most ${MAXIMUM_DEPTH} levels of parentheses and not`);
    const values = this.#shallowValues(qualifiers);
    this.#depth--;
    return values;
  }

  #shallowValues(qualifiers: Qualifiers): Predicate | undefined {
    if (!this.#take("(")) return this.#value(qualifiers);
    let left = this.#valueOrNot(qualifiers);
    while (left !== undefined && !this.#take(")")) {
      const and = this.#take("and", "&&");
      if (!and && !this.#take("or", "||")) return this.#fail("and, or, or )");
      const right = this.#valueOrNot(qualifiers);
      if (right === undefined) return undefined;
      left = and ? predicates.both(left, right) : predicates.either(left, right);
    }
    return left;
  }

  #valueOrNot(qualifiers: Qualifiers): Predicate | undefined {
    if (!this.#take("not", "!")) return this.#values(qualifiers);
    const operand = this.#values(qualifiers);
    return operand === undefined ? undefined : predicates.not(operand);
  }

  #value(qualifiers: Qualifiers): Predicate | undefined {
    switch (qualifiers.type) {
      case "host":
      case "net":
        return this.#address(qualifiers);
      case "port":
      case "portrange":
        return this.#ports(qualifiers);
      case "proto":
        return this.#proto(qualifiers.protocol);
    }
  }

  #address(qualifiers: Qualifiers): Predicate | undefined {
    const { protocol, direction, type } = qualifiers;
    const token = this.#peek();
    if (protocol === "ether" || protocol === "link") {
      const address = token.kind === "mac" ? parseMac(token.text) : undefined;
      if (type !== "host" || address === undefined) return this.#fail("a host's MAC address such as 02:42:0a:00:00:02");
      this.#next++;
      return predicates.etherHost(this.#layer, direction, address);
    }
    if (protocol !== undefined && protocol !== "ip" && protocol !== "arp" && protocol !== "rarp") {
      return this.#fail(
        `port or portrange: ${protocol} ${protocol === "ip6" ? "addresses are not supported" : "has no addresses"}`,
      );
    }
    if (token.kind === "mac") return this.#fail("ether in front of a MAC address");
    let address: number;
    let length = 32;
    if (token.kind === "word" && type === "host") {
      const found = this.#lookup(token.text.replace(/^\\/, ""));
      if (found === undefined) return this.#fail("an IPv4 address or a known host's name");
      address = found;
      this.#next++;
    } else {
      const parsed = octets(token);
      if (parsed === undefined || (type === "host" && token.kind === "number")) return this.#fail("an IPv4 address");
      address = parsed.address;
      length = parsed.length;
      this.#next++;
    }
    let mask = maskOf(length);
    if (type === "net" && this.#take("/")) {
      const given = this.#number(32, "a prefix length from 0 to 32");
      if (given === undefined) return undefined;
      mask = maskOf(given);
    } else if (type === "net" && this.#take("mask")) {
      const given = octets(this.#peek());
      if (given === undefined) return this.#fail("a netmask such as 255.255.255.0");
      this.#next++;
      mask = given.address;
    }
    if ((address & ~mask) !== 0) return this.#failAt(token, "a network's address: zeros behind its mask");
    return predicates.network(this.#layer, protocol, direction, address, mask);
  }

  #ports(qualifiers: Qualifiers): Predicate | undefined {
    const { protocol, direction, type } = qualifiers;
    if (protocol !== undefined && protocol !== "tcp" && protocol !== "udp" && protocol !== "sctp") {
      return this.#fail(`host or net: ${protocol} has no ports`);
    }
    const token = this.#peek();
    const numbers = protocol === undefined ? PORT_PROTOCOLS : [TRANSPORT_PROTOCOLS.get(protocol)!.number];
    const parts = type === "portrange" ? token.text.split("-") : [token.text];
    const range = parts.map((part) => numberOf({ kind: "number", text: part, at: 0, behindPartner: 0 }));
    const [first, second = first] = range;
    if (/^\d/.test(token.text) && range.length <= 2) {
      if (first === undefined || second === undefined || !(first <= 0xffff && second <= 0xffff)) {
        return this.#fail(type === "port" ? "a port from 0 to 65535" : "ports from 0 to 65535, such as 6000-6008");
      }
      this.#next++;
      return predicates.ports(this.#layer, numbers, direction, Math.min(first, second), Math.max(first, second));
    }
    const named = NAMED_PORTS.get(token.text.replace(/^\\/, ""));
    if (
      named === undefined ||
      type === "portrange" ||
      (named.protocol !== undefined && (protocol ?? named.protocol) !== named.protocol)
    ) {
      return this.#fail(type === "port" ? "a port's number or name" : "ports such as 6000-6008");
    }
    this.#next++;
    const only = named.protocol === undefined ? numbers : [TRANSPORT_PROTOCOLS.get(named.protocol)!.number];
    return predicates.ports(this.#layer, only, direction, named.port, named.port);
  }

  #proto(protocol: string | undefined): Predicate | undefined {
    const token = this.#peek();
    const name = token.text.replace(/^\\/, "");
    const ether = protocol === "ether" || protocol === "link";
    const limit = ether ? 0xffff : 0xff;
    const number = numberOf(token) ?? (ether ? ETHER_TYPES.get(name) : TRANSPORT_PROTOCOLS.get(name)?.number);
    if (number === undefined || number > limit) return this.#fail(`a protocol's name or number up to ${limit}`);
    if (protocol !== undefined && !ether && protocol !== "ip" && protocol !== "ip6") {
      return this.#fail(`nothing behind ${protocol}: it carries no protocols that have numbers`);
    }
    this.#next++;
    if (ether) return predicates.etherType(this.#layer, number);
    if (protocol === "ip") return predicates.ipProtocol(this.#layer, number);
    if (protocol === "ip6") return predicates.ip6Protocol(this.#layer, number);
    return predicates.either(predicates.ipProtocol(this.#layer, number), predicates.ip6Protocol(this.#layer, number));
  }

  #number(limit: number, expected: string): number | undefined {
    const number = numberOf(this.#peek());
    if (number === undefined || number > limit) return this.#fail(expected);
    this.#next++;
    return number;
  }

  #optionalNumber(limit: number, expected: string): number | undefined | "problem" {
    if (this.#peek().kind !== "number") return undefined;
    return this.#number(limit, expected) ?? "problem";
  }

  #peek(): Token {
    return this.#tokens[this.#next]!;
  }

  /** Steps over the next token when it is one of `texts`. */
  #take(...texts: readonly string[]): boolean {
    if (!texts.includes(this.#peek().text)) return false;
    if (this.#peek().kind !== "end") this.#next++;
    return true;
  }

  #expect(text: string): boolean {
    if (this.#take(text)) return true;
    this.#fail(text);
    return false;
  }

  #fail(expected: string): undefined {
    return this.#failAt(this.#peek(), expected);
  }

  #failAt(token: Token, expected: string): undefined {
    this.problem ??= { at: token.at, found: token.kind === "end" ? "the end of the expression" : token.text, expected };
    return undefined;
  }
}

const QUALIFIERS: readonly string[] = ["src", "dst", "host", "net", "port", "portrange", "proto"];
const OTHER_WORDS: readonly string[] = [
  ...["and", "or", "not", "ether", "link", "mask", "len", "less", "greater", "broadcast", "multicast", "stp"],
  ...["vlan", "vxlan", "geneve", "inbound", "outbound"],
];

function isQualifier(text: string): boolean {
  return QUALIFIERS.includes(text);
}

/** Words of the language, which a host's or port's name may be only behind a backslash. */
function isReserved(text: string): boolean {
  return (
    isQualifier(text) ||
    OTHER_WORDS.includes(text) ||
    ETHER_TYPES.has(text) ||
    TRANSPORT_PROTOCOLS.has(text) ||
    FIELD_CONSTANTS.has(text)
  );
}

function protocolPredicate(layer: Layer, word: string): Predicate {
  const type = ETHER_TYPES.get(word);
  if (type !== undefined) return predicates.etherType(layer, type);
  const { number, over } = TRANSPORT_PROTOCOLS.get(word)!;
  if (over === "ip") return predicates.ipProtocol(layer, number);
  if (over === "ip6") return predicates.ip6Protocol(layer, number);
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
