/** `-j MARK` and `-j CONNMARK`: marks of packets and of connections (xt_mark, xt_connmark). */
import * as info from "../conntrack/connection-info.ts";
import {
  flag,
  hex,
  option,
  parseInteger,
  parseMasked,
  RuleError,
  type TargetExtension,
  type Uses,
} from "../extension.ts";
import type { Packet } from "../packet.ts";
import type { Target } from "../rule-parts.ts";
import { CONTINUE, type Verdict } from "../verdict.ts";

/** The bits of `mask` go, then those of `value` are turned round (set-xmark). */
interface Change {
  readonly value: number;
  readonly mask: number;
}

class MarkTarget implements Target {
  readonly name = "MARK";
  readonly #change: Change;

  constructor(change: Change) {
    this.#change = change;
  }

  run(packet: Packet): Verdict {
    packet.setMark((packet.mark & ~this.#change.mask) ^ this.#change.value);
    return CONTINUE;
  }
  save(): string {
    return `--set-xmark ${hex(this.#change.value)}/${hex(this.#change.mask)}`;
  }
  list(): string {
    return `MARK ${describe(this.#change)}`;
  }
}

/** As a person would have asked for it. */
function describe({ value, mask }: Change): string {
  if (mask === 0) return `xor ${hex(value)}`;
  if (value === 0 && mask !== 0xffff_ffff) return `and ${hex(~mask)}`;
  if (value === mask) return `or ${hex(value)}`;
  if (mask === 0xffff_ffff) return `set ${hex(value)}`;
  return `xset ${hex(value)}/${hex(mask)}`;
}

const SET_OPTIONS = [
  option("set-xmark"),
  option("set-mark"),
  option("and-mark"),
  option("or-mark"),
  option("xor-mark"),
];

function changeOf(uses: Uses): Change | undefined {
  for (const use of uses.all) {
    const text = use.values[0] ?? "";
    const bad = () => new RuleError(`${uses.extension}: Bad value for "--${use.name}" option: "${text}"`);
    if (use.name === "set-xmark" || use.name === "set-mark") {
      const parsed = parseMasked(text);
      if (parsed === undefined) throw bad();
      // set-mark replaces the bits that the value has, too.
      const mask = use.name === "set-mark" ? (parsed.mask | parsed.value) >>> 0 : parsed.mask;
      return { value: parsed.value, mask };
    }
    if (use.name === "and-mark" || use.name === "or-mark" || use.name === "xor-mark") {
      const bits = parseInteger(text);
      if (bits === undefined || bits > 0xffff_ffff) throw bad();
      if (use.name === "and-mark") return { value: 0, mask: ~bits >>> 0 };
      return { value: bits, mask: use.name === "or-mark" ? bits : 0 };
    }
  }
  return undefined;
}

export const MARK_TARGET: TargetExtension = {
  name: "MARK",
  options: SET_OPTIONS,
  build(uses) {
    const change = changeOf(uses);
    if (change === undefined)
      throw new RuleError("MARK: One of the --set-xmark, --{and,or,xor,set}-mark options is required");
    return new MarkTarget(change);
  },
};

class ConnectionMarkTarget implements Target {
  readonly name = "CONNMARK";
  readonly needsConntrack = true;
  readonly #mode: "set" | "save" | "restore";
  readonly #change: Change;
  readonly #packetMask: number;
  readonly #connectionMask: number;

  constructor(mode: "set" | "save" | "restore", change: Change, packetMask: number, connectionMask: number) {
    this.#mode = mode;
    this.#change = change;
    this.#packetMask = packetMask;
    this.#connectionMask = connectionMask;
  }

  run(packet: Packet): Verdict {
    const row = info.connectionOf(packet.connection);
    if (row === 0) return CONTINUE;
    const marks = packet.connections.mark;
    if (this.#mode === "set") marks[row] = (marks[row]! & ~this.#change.mask) ^ this.#change.value;
    else if (this.#mode === "save")
      marks[row] = (marks[row]! & ~this.#connectionMask) ^ (packet.mark & this.#packetMask);
    else packet.setMark((packet.mark & ~this.#packetMask) ^ (marks[row]! & this.#connectionMask));
    return CONTINUE;
  }
  save(): string {
    if (this.#mode === "set") return `--set-xmark ${hex(this.#change.value)}/${hex(this.#change.mask)}`;
    return `--${this.#mode}-mark --nfmask ${hex(this.#packetMask)} --ctmask ${hex(this.#connectionMask)}`;
  }
  list(): string {
    if (this.#mode === "set") return `CONNMARK ${describe(this.#change)}`;
    if (this.#packetMask === this.#connectionMask) {
      const mask = this.#packetMask >>> 0 === 0xffff_ffff ? "" : ` mask ${hex(this.#packetMask)}`;
      return `CONNMARK ${this.#mode}${mask}`;
    }
    return `CONNMARK ${this.#mode} nfmask ${hex(this.#packetMask)} ctmask ${hex(this.#connectionMask)}`;
  }
}

export const CONNMARK_TARGET: TargetExtension = {
  name: "CONNMARK",
  options: [
    ...SET_OPTIONS,
    flag("save-mark"),
    flag("restore-mark"),
    option("mask"),
    option("nfmask"),
    option("ctmask"),
  ],
  build(uses) {
    const change = changeOf(uses);
    if (change !== undefined) return new ConnectionMarkTarget("set", change, 0xffff_ffff, 0xffff_ffff);
    const mode = uses.has("save-mark") ? "save" : uses.has("restore-mark") ? "restore" : undefined;
    if (mode === undefined) throw new RuleError("CONNMARK target: No operation specified");
    const mask = (name: string) => (uses.has(name) ? uses.number(name, 0, 0xffff_ffff) : undefined);
    const both = mask("mask") ?? 0xffff_ffff;
    return new ConnectionMarkTarget(mode, { value: 0, mask: 0 }, mask("nfmask") ?? both, mask("ctmask") ?? both);
  },
};
