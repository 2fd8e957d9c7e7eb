/** `-m statistic`: every n-th packet, or a share of them by chance (xt_statistic). */
import { invertible, type MatchExtension, option, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

const RANDOM_UNITS = 0x8000_0000; // the kernel compares 31 bits

class NthMatch implements Match {
  readonly name = "statistic";
  readonly #every: number;
  readonly #packet: number;
  readonly #inverted: boolean;
  #count: number;

  constructor(every: number, packet: number, inverted: boolean) {
    this.#every = every;
    this.#packet = packet;
    this.#inverted = inverted;
    // The kernel's counter starts so that packet `packet` (from 0) is the first that fits.
    this.#count = every - 1 - packet;
  }

  matches(): boolean {
    const fits = this.#count === this.#every - 1;
    this.#count = fits ? 0 : this.#count + 1;
    return fits !== this.#inverted;
  }

  save(): string {
    return `--mode nth ${this.#inverted ? "! " : ""}--every ${this.#every} --packet ${this.#packet}`;
  }
  list(): string {
    const packet = this.#packet === 0 ? "" : ` packet ${this.#packet}`;
    return `statistic mode nth${this.#inverted ? " !" : ""} every ${this.#every}${packet}`;
  }
}

class RandomMatch implements Match {
  readonly name = "statistic";
  readonly #threshold: number;
  readonly #inverted: boolean;

  constructor(threshold: number, inverted: boolean) {
    this.#threshold = threshold;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    return packet.host.random.below(RANDOM_UNITS) < this.#threshold !== this.#inverted;
  }
  save(): string {
    return `--mode random${this.#inverted ? " !" : ""} --probability ${this.#text()}`;
  }
  list(): string {
    return `statistic mode random${this.#inverted ? " !" : ""} probability ${this.#text()}`;
  }
  #text(): string {
    return (this.#threshold / RANDOM_UNITS).toFixed(11);
  }
}

export const STATISTIC_MATCH: MatchExtension = {
  name: "statistic",
  options: [option("mode"), invertible("probability"), invertible("every"), option("packet")],
  build(uses) {
    const mode = uses.required("mode");
    if (mode === "random") {
      const text = uses.required("probability");
      const probability = Number(text);
      if (!/^\d*\.?\d+$/.test(text) || probability > 1)
        throw new RuleError(`statistic: Bad value for "--probability" option: "${text}"`);
      return new RandomMatch(Math.round(probability * RANDOM_UNITS), uses.inverted("probability"));
    }
    if (mode !== "nth") throw new RuleError(`Bad mode "${mode}"`);
    const every = uses.number("every", 1, 0xffff_ffff);
    const packet = uses.has("packet") ? uses.number("packet", 0, 0xffff_ffff) : 0;
    if (packet >= every) throw new RuleError("the --packet p must be 0 <= p <= n-1");
    return new NthMatch(every, packet, uses.inverted("every"));
  },
};
