/** `-p udp` and `-p sctp`: ports (xt_tcpudp, xt_sctp). */
import { invertible, type MatchExtension, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";
import { listPort, type PortTest, portFits, portTest, savePort } from "./ports.ts";

class PortMatch implements Match {
  readonly name: string;
  readonly #source: PortTest | undefined;
  readonly #destination: PortTest | undefined;

  constructor(name: string, source: PortTest | undefined, destination: PortTest | undefined) {
    this.name = name;
    this.#source = source;
    this.#destination = destination;
  }

  matches(packet: Packet): boolean {
    return (
      packet.hasTransport(8) &&
      portFits(this.#source, packet.sourcePort) &&
      portFits(this.#destination, packet.destinationPort)
    );
  }

  save(): string {
    return [...savePort("sport", this.#source), ...savePort("dport", this.#destination)].join(" ");
  }

  list(numeric: boolean): string {
    const source = listPort("spt", this.#source, numeric);
    return [this.name, ...source, ...listPort("dpt", this.#destination, numeric)].join(" ");
  }
}

function portMatch(name: string, protocol: number): MatchExtension {
  return {
    name,
    options: [invertible("sport", "source-port"), invertible("dport", "destination-port")],
    build(uses, context) {
      if (context.protocol !== protocol || context.protocolInverted)
        throw new RuleError(`${name.toUpperCase()} match requires '-p ${name}'`);
      return new PortMatch(name, portTest(uses, "sport"), portTest(uses, "dport"));
    },
  };
}

export const UDP_MATCH = portMatch("udp", 17);
export const SCTP_MATCH = portMatch("sctp", 132);
