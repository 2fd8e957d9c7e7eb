/** `-m length`: the length of the IPv4 packet (xt_length). */
import { invertible, type MatchExtension, parseInteger, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

class LengthMatch implements Match {
  readonly name = "length";
  readonly #minimum: number;
  readonly #maximum: number;
  readonly #inverted: boolean;

  constructor(minimum: number, maximum: number, inverted: boolean) {
    this.#minimum = minimum;
    this.#maximum = maximum;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    const length = packet.lengthBytes;
    return (length >= this.#minimum && length <= this.#maximum) !== this.#inverted;
  }
  save(): string {
    return `${this.#inverted ? "! " : ""}--length ${this.#format()}`;
  }
  list(): string {
    return `length ${this.#inverted ? "!" : ""}${this.#format()}`;
  }
  #format(): string {
    return this.#minimum === this.#maximum ? `${this.#minimum}` : `${this.#minimum}:${this.#maximum}`;
  }
}

export const LENGTH_MATCH: MatchExtension = {
  name: "length",
  options: [invertible("length")],
  build(uses) {
    const text = uses.required("length");
    const [low, high, more] = text.split(":");
    const minimum = low === "" ? 0 : parseInteger(low ?? "");
    const maximum = high === undefined ? minimum : high === "" ? 0xffff : parseInteger(high);
    if (minimum === undefined || maximum === undefined || maximum > 0xffff || minimum > maximum || more !== undefined)
      throw new RuleError(`length: Bad value for "--length" option: "${text}"`);
    return new LengthMatch(minimum, maximum, uses.inverted("length"));
  },
};
