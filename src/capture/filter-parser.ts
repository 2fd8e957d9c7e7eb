/**
 * The grammar of pcap-filter(7), by recursive descent: `and` and `or` bind equally and from the left, `not` binds tighter, and a bare value takes
 * the qualifiers of the primitive in front of it (`port 80 or 443`). Predicates are made while parsing, since `vlan`, `vxlan` and `geneve` change
 * where all that follows them looks.
 */
import { MAC_BROADCAST } from "../wire/address.ts";
import { isOperator, isRelation } from "./filter-arithmetic.ts";
import type { FilterCursor } from "./filter-cursor.ts";
import { parseRelation, startsRelation } from "./filter-expressions.ts";
import { ETHER_TYPES, isQualifier, isReserved, TRANSPORT_PROTOCOLS } from "./filter-names.ts";
import type { Direction, Predicate } from "./filter-predicates.ts";
import * as predicates from "./filter-predicates.ts";
import type { Layer } from "./filter-probe.ts";
import type { Token } from "./filter-tokens.ts";
import { type HostLookup, parseValue, type Qualifiers } from "./filter-values.ts";

const MAXIMUM_LEVELS = 8;

export class FilterParser {
  readonly #cursor: FilterCursor;
  readonly #lookup: HostLookup;
  #layer: Layer = { level: 0, tagBytes: 0 };
  /** Of the last primitive, for a bare value behind it; undefined when it had none. */
  #qualifiers: Qualifiers | undefined = undefined;

  constructor(cursor: FilterCursor, lookup: HostLookup) {
    this.#cursor = cursor;
    this.#lookup = lookup;
  }

  /** How many Ethernet headers inside one another the expression speaks of. */
  get levels(): number {
    return this.#layer.level + 1;
  }

  /** The whole expression, or undefined when the cursor has met a problem. */
  parse(): Predicate | undefined {
    const cursor = this.#cursor;
    if (cursor.peek().kind === "end") return () => true;
    const whole = this.#expression();
    if (whole === undefined || cursor.peek().kind === "end") return whole;
    return cursor.fail("and, or, or the end of the expression");
  }

  #expression(): Predicate | undefined {
    return this.#chain(
      () => this.#term(false),
      () => this.#term(true),
    );
  }

  /** Operands with `and` and `or` between, from the left. */
  #chain(first: () => Predicate | undefined, further: () => Predicate | undefined): Predicate | undefined {
    const cursor = this.#cursor;
    let left = first();
    while (left !== undefined) {
      const and = cursor.take("and", "&&");
      if (!and && !cursor.take("or", "||")) return left;
      const right = further();
      if (right === undefined) return undefined;
      left = and ? predicates.both(left, right) : predicates.either(left, right);
    }
    return undefined;
  }

  /** `bare`: a value alone may stand here. */
  #term(bare: boolean): Predicate | undefined {
    const cursor = this.#cursor;
    const token = cursor.peek();
    if (cursor.take("not", "!")) return this.#negated(() => this.#term(bare));
    if (bare && this.#qualifiers !== undefined && this.#startsValue(token)) return this.#value(this.#qualifiers);
    if (startsRelation(cursor)) {
      this.#qualifiers = undefined;
      return parseRelation(cursor, this.#layer);
    }
    if (cursor.take("(")) return this.#closed(() => this.#expression());
    if (token.kind !== "word") return cursor.fail("a primitive such as host, port, tcp or ip[0]");
    return this.#primitive(token.text);
  }

  #negated(parse: () => Predicate | undefined): Predicate | undefined {
    const operand = this.#cursor.nested(parse);
    return operand === undefined ? undefined : predicates.not(operand);
  }

  /** What stands between a parenthesis that was taken and its partner. */
  #closed(parse: () => Predicate | undefined): Predicate | undefined {
    const inner = this.#cursor.nested(parse);
    return inner === undefined || !this.#cursor.expect(")") ? undefined : inner;
  }

  /** A value that cannot be read as the start of a relation. */
  #startsValue(token: Token): boolean {
    if (token.kind === "address" || token.kind === "mac") return true;
    if (token.kind === "word") return !isReserved(token.text);
    if (token.kind !== "number") return false;
    const after = this.#cursor.textAhead(1);
    return !isRelation(after) && (!isOperator(after) || (after === "/" && this.#qualifiers?.type === "net"));
  }

  #primitive(word: string): Predicate | undefined {
    const cursor = this.#cursor;
    switch (word) {
      case "less":
      case "greater":
        return this.#lengthLimit(word);
      case "stp":
        cursor.step();
        return this.#plain(predicates.etherType(this.#layer, 0x42)); // the access point of IEEE 802.1D
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
        return cursor.fail("a test of the frame's bytes: its direction is not among them");
    }
    const link = word === "ether" || word === "link";
    const protocol = link || ETHER_TYPES.has(word) || TRANSPORT_PROTOCOLS.has(word);
    if (protocol) cursor.step();
    const after = cursor.peek().text;
    if (protocol && (after === "broadcast" || after === "multicast")) return this.#group(word);
    if (isQualifier(after)) return this.#qualified(protocol ? word : undefined);
    if (link) return cursor.fail("host, src, dst, proto, broadcast or multicast");
    if (protocol) return this.#plain(predicates.protocol(this.#layer, word));
    return cursor.fail("a primitive such as host, net, port, ether, ip, arp, tcp, udp, icmp, vlan or vxlan");
  }

  /** A primitive from which a bare value takes nothing. */
  #plain(predicate: Predicate): Predicate {
    this.#qualifiers = undefined;
    return predicate;
  }

  #lengthLimit(word: "less" | "greater"): Predicate | undefined {
    this.#cursor.step();
    const limit = this.#cursor.number(0xffff_ffff, "a length in bytes");
    if (limit === undefined) return undefined;
    return this.#plain(word === "less" ? (probe) => probe.length <= limit : (probe) => probe.length >= limit);
  }

  #group(protocol: string | undefined): Predicate | undefined {
    const cursor = this.#cursor;
    const broadcast = cursor.peek().text === "broadcast";
    const link = protocol === undefined || protocol === "ether" || protocol === "link";
    if (!link && protocol !== "ip") return cursor.fail("ether or ip in front");
    if (!link && broadcast) return cursor.fail("ether broadcast: a capture does not tell the netmask");
    cursor.step();
    if (!link) return this.#plain(predicates.ipMulticast(this.#layer));
    if (!broadcast) return this.#plain(predicates.etherMulticast(this.#layer));
    return this.#plain(predicates.etherHost(this.#layer, "dst", MAC_BROADCAST));
  }

  #vlan(): Predicate | undefined {
    const cursor = this.#cursor;
    cursor.step();
    const given = cursor.peek().kind === "number";
    const id = given ? cursor.number(0xfff, "a VLAN id from 0 to 4095") : undefined;
    if (given && id === undefined) return undefined;
    const layer = this.#layer;
    this.#layer = { level: layer.level, tagBytes: layer.tagBytes + 4 };
    return this.#plain(predicates.vlan(layer, id));
  }

  #tunnel(word: "vxlan" | "geneve"): Predicate | undefined {
    const cursor = this.#cursor;
    const layer = this.#layer;
    if (layer.level + 1 >= MAXIMUM_LEVELS) return cursor.fail(`at most ${MAXIMUM_LEVELS - 1} tunnels`);
    cursor.step();
    const given = cursor.peek().kind === "number";
    const vni = given ? cursor.number(0xff_ffff, "a VNI from 0 to 16777215") : undefined;
    if (given && vni === undefined) return undefined;
    const inner: Layer = { level: layer.level + 1, tagBytes: 0 };
    this.#layer = inner;
    return this.#plain(word === "vxlan" ? predicates.vxlan(layer, inner, vni) : predicates.geneve(layer, inner, vni));
  }

  #qualified(protocol: string | undefined): Predicate | undefined {
    const direction = this.#direction();
    const word = this.#cursor.peek().text;
    let type: Qualifiers["type"] = "host";
    if (word === "host" || word === "net" || word === "port" || word === "portrange") type = word;
    else if (word === "proto" && direction === undefined) type = word;
    if (type === word) this.#cursor.step();
    const qualifiers: Qualifiers = { protocol, direction: direction ?? "src or dst", type };
    this.#qualifiers = qualifiers;
    return this.#values(qualifiers);
  }

  /** `src`, `dst`, or both with `or` or `and` between; undefined when there is none. */
  #direction(): Direction | undefined {
    const cursor = this.#cursor;
    const first = cursor.peek().text;
    if (first !== "src" && first !== "dst") return undefined;
    const between = cursor.textAhead(1);
    const and = between === "and" || between === "&&";
    const or = between === "or" || between === "||";
    if ((and || or) && cursor.textAhead(2) === (first === "src" ? "dst" : "src")) {
      cursor.step(3);
      return and ? "src and dst" : "src or dst";
    }
    cursor.step();
    return first;
  }

  /** One value, or several in parentheses: `port (80 or 443)`. */
  #values(qualifiers: Qualifiers): Predicate | undefined {
    if (!this.#cursor.take("(")) return this.#value(qualifiers);
    const each = () => this.#valueOrNot(qualifiers);
    return this.#closed(() => this.#chain(each, each));
  }

  #valueOrNot(qualifiers: Qualifiers): Predicate | undefined {
    if (!this.#cursor.take("not", "!")) return this.#values(qualifiers);
    return this.#negated(() => this.#values(qualifiers));
  }

  #value(qualifiers: Qualifiers): Predicate | undefined {
    return parseValue(this.#cursor, this.#layer, qualifiers, this.#lookup);
  }
}
