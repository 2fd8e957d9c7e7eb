/** `-p icmp`: type and code (xt_icmp). */
import { invertible, type MatchExtension, parseInteger, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

interface IcmpName {
  readonly name: string;
  readonly type: number;
  readonly code?: number;
}

/** As iptables knows them; the first of several names is the one printed. */
const NAMES: readonly IcmpName[] = [
  { name: "any", type: 255 },
  { name: "echo-reply", type: 0 },
  { name: "pong", type: 0 },
  { name: "destination-unreachable", type: 3 },
  { name: "network-unreachable", type: 3, code: 0 },
  { name: "host-unreachable", type: 3, code: 1 },
  { name: "protocol-unreachable", type: 3, code: 2 },
  { name: "port-unreachable", type: 3, code: 3 },
  { name: "fragmentation-needed", type: 3, code: 4 },
  { name: "source-route-failed", type: 3, code: 5 },
  { name: "network-unknown", type: 3, code: 6 },
  { name: "host-unknown", type: 3, code: 7 },
  { name: "network-prohibited", type: 3, code: 9 },
  { name: "host-prohibited", type: 3, code: 10 },
  { name: "TOS-network-unreachable", type: 3, code: 11 },
  { name: "TOS-host-unreachable", type: 3, code: 12 },
  { name: "communication-prohibited", type: 3, code: 13 },
  { name: "host-precedence-violation", type: 3, code: 14 },
  { name: "precedence-cutoff", type: 3, code: 15 },
  { name: "source-quench", type: 4 },
  { name: "redirect", type: 5 },
  { name: "network-redirect", type: 5, code: 0 },
  { name: "host-redirect", type: 5, code: 1 },
  { name: "TOS-network-redirect", type: 5, code: 2 },
  { name: "TOS-host-redirect", type: 5, code: 3 },
  { name: "echo-request", type: 8 },
  { name: "ping", type: 8 },
  { name: "router-advertisement", type: 9 },
  { name: "router-solicitation", type: 10 },
  { name: "time-exceeded", type: 11 },
  { name: "ttl-exceeded", type: 11 },
  { name: "ttl-zero-during-transit", type: 11, code: 0 },
  { name: "ttl-zero-during-reassembly", type: 11, code: 1 },
  { name: "parameter-problem", type: 12 },
  { name: "ip-header-bad", type: 12, code: 0 },
  { name: "required-option-missing", type: 12, code: 1 },
  { name: "timestamp-request", type: 13 },
  { name: "timestamp-reply", type: 14 },
  { name: "address-mask-request", type: 17 },
  { name: "address-mask-reply", type: 18 },
];
const ANY_TYPE = 255;

class IcmpMatch implements Match {
  readonly name = "icmp";
  readonly #type: number;
  readonly #code: number | undefined;
  readonly #inverted: boolean;

  constructor(type: number, code: number | undefined, inverted: boolean) {
    this.#type = type;
    this.#code = code;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    if (!packet.hasTransport(4)) return false;
    const fits =
      this.#type === ANY_TYPE ||
      (packet.bytes[packet.transportAt] === this.#type &&
        (this.#code === undefined || packet.bytes[packet.transportAt + 1] === this.#code));
    return fits !== this.#inverted;
  }

  save(): string {
    const not = this.#inverted ? "! " : "";
    if (this.#type === ANY_TYPE) return `${not}--icmp-type any`;
    return `${not}--icmp-type ${this.#type}${this.#code === undefined ? "" : `/${this.#code}`}`;
  }

  list(numeric: boolean): string {
    const not = this.#inverted ? "!" : "";
    const known = NAMES.find(({ type, code }) => type === this.#type && code === this.#code);
    if (!numeric && known !== undefined) return `icmp ${not}${known.name}`;
    return `icmp${this.#inverted ? " !" : ""}type ${this.#type}${this.#code === undefined ? "" : ` code ${this.#code}`}`;
  }
}

export const ICMP_MATCH: MatchExtension = {
  name: "icmp",
  options: [invertible("icmp-type")],
  build(uses, context) {
    if (context.protocol !== 1 || context.protocolInverted) throw new RuleError("icmp match requires '-p icmp'");
    const text = uses.required("icmp-type");
    const inverted = uses.inverted("icmp-type");
    const named = NAMES.filter(({ name }) => name.startsWith(text.toLowerCase()));
    const exact = named.find(({ name }) => name === text.toLowerCase()) ?? (named.length === 1 ? named[0] : undefined);
    if (exact !== undefined) return new IcmpMatch(exact.type, exact.code, inverted);
    const [typeText, codeText] = text.split("/");
    const type = parseInteger(typeText ?? "");
    const code = codeText === undefined ? undefined : parseInteger(codeText);
    if (type === undefined || type > 255 || (codeText !== undefined && (code === undefined || code > 255)))
      throw new RuleError(`Invalid ICMP type \`${text}'`);
    return new IcmpMatch(type, code, inverted);
  },
};
