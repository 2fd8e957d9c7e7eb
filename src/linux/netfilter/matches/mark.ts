/** `-m mark` and `-m connmark`: the packet's mark, or its connection's (xt_mark, xt_connmark). */
import * as info from "../conntrack/connection-info.ts";
import { formatMasked, invertible, type MatchExtension, parseMasked, RuleError, type Uses } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

class MarkMatch implements Match {
  readonly name: "mark" | "connmark";
  readonly needsConntrack: boolean;
  readonly #value: number;
  readonly #mask: number;
  readonly #inverted: boolean;

  constructor(name: "mark" | "connmark", value: number, mask: number, inverted: boolean) {
    this.name = name;
    this.needsConntrack = name === "connmark";
    this.#value = value | 0;
    this.#mask = mask | 0;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    let mark = packet.frames.mark[packet.frame]!;
    if (this.needsConntrack) {
      const row = info.connectionOf(packet.connection);
      if (row === 0) return false;
      mark = packet.connections.mark[row]!;
    }
    return ((mark & this.#mask) === this.#value) !== this.#inverted;
  }

  save(): string {
    return `${this.#inverted ? "! " : ""}--mark ${formatMasked(this.#value, this.#mask)}`;
  }
  list(): string {
    const label = this.name === "mark" ? "mark match" : "connmark match ";
    return `${label}${this.#inverted ? " !" : ""} ${formatMasked(this.#value, this.#mask)}`;
  }
}

function build(name: "mark" | "connmark", uses: Uses): Match {
  const text = uses.required("mark");
  const parsed = parseMasked(text);
  if (parsed === undefined) throw new RuleError(`${name}: Bad value for "--mark" option: "${text}"`);
  return new MarkMatch(name, parsed.value, parsed.mask, uses.inverted("mark"));
}

export const MARK_MATCH: MatchExtension = {
  name: "mark",
  options: [invertible("mark")],
  build: (uses) => build("mark", uses),
};

export const CONNMARK_MATCH: MatchExtension = {
  name: "connmark",
  options: [invertible("mark")],
  build: (uses) => build("connmark", uses),
};
