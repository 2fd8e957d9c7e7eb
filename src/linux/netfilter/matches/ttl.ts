/** `-m ttl`: the time to live (ipt_ttl). */
import * as ipv4 from "../../../wire/ipv4.ts";
import { invertible, type MatchExtension, option, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

type Mode = "eq" | "lt" | "gt";

class TtlMatch implements Match {
  readonly name = "ttl";
  readonly #mode: Mode;
  readonly #value: number;
  readonly #inverted: boolean;

  constructor(mode: Mode, value: number, inverted: boolean) {
    this.#mode = mode;
    this.#value = value;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    const ttl = ipv4.timeToLive(packet.bytes, packet.at);
    if (this.#mode === "lt") return ttl < this.#value;
    if (this.#mode === "gt") return ttl > this.#value;
    return (ttl === this.#value) !== this.#inverted;
  }
  save(): string {
    return `${this.#inverted ? "! " : ""}--ttl-${this.#mode} ${this.#value}`;
  }
  list(): string {
    const sign = this.#mode === "lt" ? "<" : this.#mode === "gt" ? ">" : this.#inverted ? "!=" : "==";
    return `TTL match TTL ${sign} ${this.#value}`;
  }
}

export const TTL_MATCH: MatchExtension = {
  name: "ttl",
  options: [option("ttl-lt"), option("ttl-gt"), invertible("ttl-eq", "ttl")],
  build(uses) {
    for (const mode of ["eq", "lt", "gt"] as const) {
      const name = `ttl-${mode}`;
      if (uses.has(name)) return new TtlMatch(mode, uses.number(name, 0, 255), uses.inverted(name));
    }
    throw new RuleError("ttl: You must specify an option");
  },
};
