/** `-m addrtype`: what an address is to this host's routing (xt_addrtype). */
import { flag, invertible, type MatchExtension, RuleError } from "../extension.ts";
import type { AddressType } from "../host.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

/** In the order in which they are printed (enum rtnetlink types). */
const TYPES: readonly AddressType[] = [
  "UNSPEC",
  "UNICAST",
  "LOCAL",
  "BROADCAST",
  "ANYCAST",
  "MULTICAST",
  "BLACKHOLE",
  "UNREACHABLE",
  "PROHIBIT",
  "THROW",
  "NAT",
  "XRESOLVE",
];

interface TypeTest {
  readonly types: readonly AddressType[];
  readonly inverted: boolean;
}

class AddressTypeMatch implements Match {
  readonly name = "addrtype";
  readonly #source: TypeTest | undefined;
  readonly #destination: TypeTest | undefined;
  readonly #limit: "in" | "out" | undefined;

  constructor(source: TypeTest | undefined, destination: TypeTest | undefined, limit: "in" | "out" | undefined) {
    this.#source = source;
    this.#destination = destination;
    this.#limit = limit;
  }

  matches(packet: Packet): boolean {
    const device = this.#limit === "in" ? packet.ingress : this.#limit === "out" ? packet.egress : undefined;
    const { host } = packet;
    const source = this.#source;
    if (source !== undefined && source.types.includes(host.addressType(packet.source, device)) === source.inverted)
      return false;
    const destination = this.#destination;
    return (
      destination === undefined ||
      destination.types.includes(host.addressType(packet.destination, device)) !== destination.inverted
    );
  }

  save(): string {
    const parts: string[] = [];
    const add = (option: string, test: TypeTest | undefined) => {
      if (test !== undefined) parts.push(`${test.inverted ? "! " : ""}--${option} ${test.types.join(",")}`);
    };
    add("src-type", this.#source);
    add("dst-type", this.#destination);
    if (this.#limit !== undefined) parts.push(`--limit-iface-${this.#limit}`);
    return parts.join(" ");
  }

  list(): string {
    const parts = ["ADDRTYPE match"];
    const add = (label: string, test: TypeTest | undefined) => {
      if (test !== undefined) parts.push(`${label} ${test.inverted ? "!" : ""}${test.types.join(",")}`);
    };
    add("src-type", this.#source);
    add("dst-type", this.#destination);
    if (this.#limit !== undefined) parts.push(`limit-${this.#limit}`);
    return parts.join(" ");
  }
}

function parseTypes(text: string): AddressType[] {
  const given = text.split(",").map((word) => {
    const type = TYPES.find((known) => known === word.toUpperCase());
    if (type === undefined) throw new RuleError(`addrtype: bad type \`${word}'`);
    return type;
  });
  return TYPES.filter((type) => given.includes(type));
}

export const ADDRTYPE_MATCH: MatchExtension = {
  name: "addrtype",
  options: [invertible("src-type"), invertible("dst-type"), flag("limit-iface-in"), flag("limit-iface-out")],
  build(uses) {
    const test = (name: string): TypeTest | undefined => {
      const value = uses.value(name);
      return value === undefined ? undefined : { types: parseTypes(value), inverted: uses.inverted(name) };
    };
    const source = test("src-type");
    const destination = test("dst-type");
    if (source === undefined && destination === undefined)
      throw new RuleError("addrtype: you must specify --src-type or --dst-type");
    const limit = uses.has("limit-iface-in") ? "in" : uses.has("limit-iface-out") ? "out" : undefined;
    if (uses.has("limit-iface-in") && limit === "in" && uses.has("limit-iface-out"))
      throw new RuleError("addrtype: can't specify both --limit-iface-in and --limit-iface-out");
    return new AddressTypeMatch(source, destination, limit);
  },
};
