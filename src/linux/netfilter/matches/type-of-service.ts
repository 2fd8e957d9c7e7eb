/** `-m tos` and `-m dscp`: the second byte of the IPv4 header (xt_dscp). */
import * as ipv4 from "../../../wire/ipv4.ts";
import { DSCP_CLASSES, twoDigits } from "../dscp.ts";
import { invertible, type MatchExtension, parseInteger, parseMasked, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Match } from "../rule-parts.ts";

class TypeOfServiceMatch implements Match {
  readonly name: "tos" | "dscp";
  readonly #value: number;
  readonly #mask: number;
  readonly #inverted: boolean;

  constructor(name: "tos" | "dscp", value: number, mask: number, inverted: boolean) {
    this.name = name;
    this.#value = value;
    this.#mask = mask;
    this.#inverted = inverted;
  }

  matches(packet: Packet): boolean {
    const octet = ipv4.typeOfService(packet.bytes, packet.at);
    return ((octet & this.#mask) === this.#value) !== this.#inverted;
  }
  save(): string {
    const not = this.#inverted ? "! " : "";
    if (this.name === "dscp") return `${not}--dscp ${twoDigits(this.#value >>> 2)}`;
    return `${not}--tos ${twoDigits(this.#value)}/${twoDigits(this.#mask)}`;
  }
  list(): string {
    const not = this.#inverted ? "!" : "";
    if (this.name === "dscp") return `DSCP match ${not}${twoDigits(this.#value >>> 2)}`;
    return `tos match${not}${twoDigits(this.#value)}/${twoDigits(this.#mask)}`;
  }
}

export const TOS_MATCH: MatchExtension = {
  name: "tos",
  options: [invertible("tos")],
  build(uses) {
    const text = uses.required("tos");
    const parsed = parseMasked(text);
    const mask = text.includes("/") ? parsed?.mask : 0xff;
    if (parsed === undefined || mask === undefined || parsed.value > 0xff || mask > 0xff)
      throw new RuleError(`tos: Bad value for "--tos" option: "${text}"`);
    return new TypeOfServiceMatch("tos", parsed.value, mask, uses.inverted("tos"));
  },
};

export const DSCP_MATCH: MatchExtension = {
  name: "dscp",
  options: [invertible("dscp"), invertible("dscp-class")],
  build(uses) {
    const className = uses.value("dscp-class");
    const value =
      className === undefined ? parseInteger(uses.required("dscp")) : DSCP_CLASSES.get(className.toUpperCase());
    if (value === undefined || value > 0x3f)
      throw new RuleError(`Invalid DSCP value \`${className ?? uses.value("dscp")}'`);
    return new TypeOfServiceMatch("dscp", value << 2, 0xfc, uses.inverted("dscp") || uses.inverted("dscp-class"));
  },
};
