/** `-m iprange`: addresses from one to another (xt_iprange). */
import { formatIpv4, type Ipv4Address, parseIpv4 } from "../../../wire/address.ts";
import { invertible, type MatchExtension, RuleError, type Uses } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

interface Range {
  readonly first: Ipv4Address;
  readonly last: Ipv4Address;
  readonly inverted: boolean;
}

class RangeMatch implements Match {
  readonly name = "iprange";
  readonly #source: Range | undefined;
  readonly #destination: Range | undefined;

  constructor(source: Range | undefined, destination: Range | undefined) {
    this.#source = source;
    this.#destination = destination;
  }

  matches(packet: Packet): boolean {
    return lies(packet.source, this.#source) && lies(packet.destination, this.#destination);
  }
  save(): string {
    const parts: string[] = [];
    if (this.#source !== undefined) parts.push(saved("src", this.#source));
    if (this.#destination !== undefined) parts.push(saved("dst", this.#destination));
    return parts.join(" ");
  }
  list(): string {
    const parts: string[] = [];
    if (this.#source !== undefined) parts.push(listed("source", this.#source));
    if (this.#destination !== undefined) parts.push(listed("destination", this.#destination));
    return parts.join(" ");
  }
}

function lies(address: Ipv4Address, range: Range | undefined): boolean {
  return range === undefined || (address >= range.first && address <= range.last) !== range.inverted;
}

function saved(side: string, range: Range): string {
  return `${range.inverted ? "! " : ""}--${side}-range ${formatIpv4(range.first)}-${formatIpv4(range.last)}`;
}

function listed(side: string, range: Range): string {
  return `${side} IP range ${range.inverted ? "!" : ""}${formatIpv4(range.first)}-${formatIpv4(range.last)}`;
}

function rangeOf(uses: Uses, name: string): Range | undefined {
  const text = uses.value(name);
  if (text === undefined) return undefined;
  const [low, high] = text.split("-");
  const first = parseIpv4(low ?? "");
  const last = high === undefined ? first : parseIpv4(high);
  if (first === undefined || last === undefined)
    throw new RuleError(`iprange match: Bad IP address "${first === undefined ? low : high}"`);
  return { first, last, inverted: uses.inverted(name) };
}

export const IPRANGE_MATCH: MatchExtension = {
  name: "iprange",
  options: [invertible("src-range"), invertible("dst-range")],
  build(uses) {
    const source = rangeOf(uses, "src-range");
    const destination = rangeOf(uses, "dst-range");
    if (source === undefined && destination === undefined)
      throw new RuleError("iprange match: You must specify `--src-range' or `--dst-range'");
    return new RangeMatch(source, destination);
  },
};
