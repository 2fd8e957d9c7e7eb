/** `-j TOS`, `DSCP`, `TTL`: fields of the IPv4 header (xt_DSCP, ipt_TTL). They stand in the mangle table. */
import { getU16, putU16 } from "../../../wire/bytes.ts";
import { adjust } from "../../../wire/checksum.ts";
import * as ipv4 from "../../../wire/ipv4.ts";
import { DSCP_CLASSES, twoDigits } from "../dscp.ts";
import { option, parseInteger, parseMasked, RuleError, type TargetExtension } from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Target } from "../rule-parts.ts";
import { CONTINUE, type Verdict } from "../verdict.ts";

class TypeOfServiceTarget implements Target {
  readonly name: "TOS" | "DSCP";
  readonly table = "mangle";
  readonly #value: number;
  readonly #mask: number;

  constructor(name: "TOS" | "DSCP", value: number, mask: number) {
    this.name = name;
    this.#value = value;
    this.#mask = mask;
  }

  run(packet: Packet): Verdict {
    const old = ipv4.typeOfService(packet.bytes, packet.at);
    const next = ((old & ~this.#mask) ^ this.#value) & 0xff;
    if (next !== old) {
      packet.own();
      ipv4.setTypeOfService(packet.bytes, packet.at, next);
    }
    return CONTINUE;
  }
  save(): string {
    if (this.name === "DSCP") return `--set-dscp ${twoDigits(this.#value >>> 2)}`;
    return `--set-tos ${twoDigits(this.#value)}/${twoDigits(this.#mask)}`;
  }
  list(): string {
    if (this.name === "DSCP") return `DSCP set ${twoDigits(this.#value >>> 2)}`;
    return `TOS set ${twoDigits(this.#value)}/${twoDigits(this.#mask)}`;
  }
}

export const TOS_TARGET: TargetExtension = {
  name: "TOS",
  options: [option("set-tos")],
  build(uses) {
    const text = uses.required("set-tos");
    const parsed = parseMasked(text);
    const mask = text.includes("/") ? parsed?.mask : 0xff;
    if (parsed === undefined || mask === undefined || parsed.value > 0xff || mask > 0xff)
      throw new RuleError(`TOS: Bad value for "--set-tos" option: "${text}"`);
    return new TypeOfServiceTarget("TOS", parsed.value, mask);
  },
};

export const DSCP_TARGET: TargetExtension = {
  name: "DSCP",
  options: [option("set-dscp"), option("set-dscp-class")],
  build(uses) {
    const className = uses.value("set-dscp-class");
    const value =
      className === undefined ? parseInteger(uses.required("set-dscp")) : DSCP_CLASSES.get(className.toUpperCase());
    if (value === undefined || value > 0x3f)
      throw new RuleError(`Invalid DSCP value \`${className ?? uses.value("set-dscp")}'`);
    return new TypeOfServiceTarget("DSCP", value << 2, 0xfc);
  },
};

type TtlMode = "set" | "dec" | "inc";

class TtlTarget implements Target {
  readonly name = "TTL";
  readonly table = "mangle";
  readonly #mode: TtlMode;
  readonly #value: number;

  constructor(mode: TtlMode, value: number) {
    this.#mode = mode;
    this.#value = value;
  }

  run(packet: Packet): Verdict {
    const old = ipv4.timeToLive(packet.bytes, packet.at);
    let next = this.#value;
    if (this.#mode === "inc") next = Math.min(old + this.#value, 255);
    else if (this.#mode === "dec") next = Math.max(old - this.#value, 0);
    if (next !== old) {
      packet.own();
      const { bytes, at } = packet;
      const before = getU16(bytes, at + 8);
      const after = (next << 8) | (before & 0xff);
      putU16(bytes, at + 8, after);
      putU16(bytes, at + 10, adjust(ipv4.checksum(bytes, at), before, after));
    }
    return CONTINUE;
  }
  save(): string {
    return `--ttl-${this.#mode} ${this.#value}`;
  }
  list(): string {
    const words = { set: "set to", dec: "decrement by", inc: "increment by" };
    return `TTL ${words[this.#mode]} ${this.#value}`;
  }
}

export const TTL_TARGET: TargetExtension = {
  name: "TTL",
  options: [option("ttl-set"), option("ttl-dec"), option("ttl-inc")],
  build(uses) {
    for (const mode of ["set", "dec", "inc"] as const) {
      if (uses.has(`ttl-${mode}`)) return new TtlTarget(mode, uses.number(`ttl-${mode}`, mode === "set" ? 0 : 1, 255));
    }
    throw new RuleError("TTL: You must specify an action");
  },
};
