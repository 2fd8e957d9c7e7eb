/** `-p tcp`: ports, flags, options (xt_tcpudp). */
import * as tcp from "../../../wire/tcp.ts";
import * as tcpOptions from "../../../wire/tcp-options.ts";
import { invertible, type MatchExtension, parseInteger, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";
import { listPort, type PortTest, portFits, portTest, savePort } from "./ports.ts";

/** In the order in which they are printed. */
const FLAG_NAMES: readonly (readonly [string, number])[] = [
  ["FIN", tcp.FIN],
  ["SYN", tcp.SYN],
  ["RST", tcp.RST],
  ["PSH", tcp.PSH],
  ["ACK", tcp.ACK],
  ["URG", tcp.URG],
];
const ALL_FLAGS = 0x3f;

interface FlagTest {
  readonly mask: number;
  readonly set: number;
  readonly inverted: boolean;
}

class TcpMatch implements Match {
  readonly name = "tcp";
  readonly #source: PortTest | undefined;
  readonly #destination: PortTest | undefined;
  readonly #flags: FlagTest | undefined;
  readonly #option: { readonly kind: number; readonly inverted: boolean } | undefined;

  constructor(
    source: PortTest | undefined,
    destination: PortTest | undefined,
    flags: FlagTest | undefined,
    option: { readonly kind: number; readonly inverted: boolean } | undefined,
  ) {
    this.#source = source;
    this.#destination = destination;
    this.#flags = flags;
    this.#option = option;
  }

  matches(packet: Packet): boolean {
    if (!packet.hasTransport(tcp.HEADER_BYTES)) return false;
    const { bytes, transportAt } = packet;
    if (!portFits(this.#source, packet.sourcePort) || !portFits(this.#destination, packet.destinationPort))
      return false;
    const flags = this.#flags;
    if (flags !== undefined && ((tcp.flags(bytes, transportAt) & flags.mask) === flags.set) === flags.inverted)
      return false;
    const option = this.#option;
    if (option === undefined) return true;
    const optionsEnd = Math.min(transportAt + tcp.dataOffsetBytes(bytes, transportAt), packet.end);
    return tcpOptions.find(bytes, transportAt + tcp.HEADER_BYTES, optionsEnd, option.kind) >= 0 !== option.inverted;
  }

  save(): string {
    const parts = [...savePort("sport", this.#source), ...savePort("dport", this.#destination)];
    const option = this.#option;
    if (option !== undefined) parts.push(`${option.inverted ? "! " : ""}--tcp-option ${option.kind}`);
    const flags = this.#flags;
    if (flags !== undefined)
      parts.push(`${flags.inverted ? "! " : ""}--tcp-flags ${formatFlags(flags.mask)} ${formatFlags(flags.set)}`);
    return parts.join(" ");
  }

  list(numeric: boolean): string {
    const parts = ["tcp", ...listPort("spt", this.#source, numeric), ...listPort("dpt", this.#destination, numeric)];
    const option = this.#option;
    if (option !== undefined) parts.push(`option=${option.inverted ? "!" : ""}${option.kind}`);
    const flags = this.#flags;
    if (flags !== undefined) {
      const text = numeric
        ? `0x${flags.mask.toString(16).padStart(2, "0")}/0x${flags.set.toString(16).padStart(2, "0")}`
        : `${formatFlags(flags.mask)}/${formatFlags(flags.set)}`;
      parts.push(`flags:${flags.inverted ? "!" : ""}${text}`);
    }
    return parts.join(" ");
  }
}

function formatFlags(flags: number): string {
  const names = FLAG_NAMES.filter(([, bit]) => (flags & bit) !== 0).map(([name]) => name);
  return names.length === 0 ? "NONE" : names.join(",");
}

function parseFlags(text: string): number {
  let flags = 0;
  for (const word of text.split(",")) {
    const name = word.toUpperCase();
    const known = FLAG_NAMES.find(([other]) => other === name);
    if (name === "ALL") flags = ALL_FLAGS;
    else if (known !== undefined) flags |= known[1];
    else if (name !== "NONE") throw new RuleError(`Unknown TCP flag \`${word}'`);
  }
  return flags;
}

export const TCP_MATCH: MatchExtension = {
  name: "tcp",
  options: [
    invertible("sport", "source-port"),
    invertible("dport", "destination-port"),
    { names: ["tcp-flags"], arguments: 2, invertible: true },
    { names: ["syn"], arguments: 0, invertible: true },
    invertible("tcp-option"),
  ],
  build(uses, context) {
    if (context.protocol !== 6 || context.protocolInverted) throw new RuleError("TCP match requires '-p tcp'");
    let flags: FlagTest | undefined;
    const syn = uses.find("syn");
    if (syn !== undefined)
      flags = { mask: tcp.SYN | tcp.RST | tcp.ACK | tcp.FIN, set: tcp.SYN, inverted: syn.inverted };
    const given = uses.find("tcp-flags");
    if (given !== undefined) {
      if (flags !== undefined) throw new RuleError("Only one of `--syn' or `--tcp-flags'  allowed");
      flags = {
        mask: parseFlags(given.values[0] ?? ""),
        set: parseFlags(given.values[1] ?? ""),
        inverted: given.inverted,
      };
    }
    let option: { kind: number; inverted: boolean } | undefined;
    const optionText = uses.value("tcp-option");
    if (optionText !== undefined) {
      const kind = parseInteger(optionText);
      if (kind === undefined || kind < 1 || kind > 255) throw new RuleError(`Bad TCP option \`${optionText}'`);
      option = { kind, inverted: uses.inverted("tcp-option") };
    }
    return new TcpMatch(portTest(uses, "sport"), portTest(uses, "dport"), flags, option);
  },
};
