/**
 * How iptables(8) knows a match or target extension: the options that it adds to the command line, and how a rule's use of them becomes
 * something that the kernel can run. One file of matches/ or targets/ holds both sides.
 */
import type { Match, Target } from "./rule-parts.ts";

export interface OptionSpec {
  /** Without dashes; the first is how errors call it. */
  readonly names: readonly string[];
  /** How many words follow it. */
  readonly arguments: 0 | 1 | 2;
  readonly invertible: boolean;
}

/** An option as it was given. */
export interface OptionUse {
  readonly name: string;
  readonly values: readonly string[];
  readonly inverted: boolean;
}

/** What the rest of the rule says. */
export interface RuleContext {
  /** 0: any. */
  readonly protocol: number;
  readonly protocolInverted: boolean;
}

export interface MatchExtension {
  readonly name: string;
  readonly options: readonly OptionSpec[];
  /** Throws `RuleError`. */
  build(uses: Uses, context: RuleContext): Match;
}

export interface TargetExtension {
  readonly name: string;
  readonly options: readonly OptionSpec[];
  build(uses: Uses, context: RuleContext): Target;
}

/** What is wrong with a rule, in iptables' words. */
export class RuleError extends Error {
  override readonly name = "RuleError";
}

/** An option with one argument. */
export function option(name: string, ...aliases: string[]): OptionSpec {
  return { names: [name, ...aliases], arguments: 1, invertible: false };
}

/** An option with one argument that `!` may precede. */
export function invertible(name: string, ...aliases: string[]): OptionSpec {
  return { names: [name, ...aliases], arguments: 1, invertible: true };
}

/** An option without argument. */
export function flag(name: string, ...aliases: string[]): OptionSpec {
  return { names: [name, ...aliases], arguments: 0, invertible: false };
}

export function invertibleFlag(name: string): OptionSpec {
  return { names: [name], arguments: 0, invertible: true };
}

/** The options that a rule gave to one extension, by canonical name. */
export class Uses {
  readonly extension: string;
  readonly #uses: readonly OptionUse[];

  constructor(extension: string, uses: readonly OptionUse[]) {
    this.extension = extension;
    this.#uses = uses;
  }

  get all(): readonly OptionUse[] {
    return this.#uses;
  }

  find(name: string): OptionUse | undefined {
    return this.#uses.find((use) => use.name === name);
  }

  has(name: string): boolean {
    return this.find(name) !== undefined;
  }

  value(name: string): string | undefined {
    return this.find(name)?.values[0];
  }

  inverted(name: string): boolean {
    return this.find(name)?.inverted === true;
  }

  required(name: string): string {
    const value = this.value(name);
    if (value === undefined) throw new RuleError(`${this.extension}: option "--${name}" must be specified\n`);
    return value;
  }

  /** An integer (decimal, hexadecimal or octal, as strtoul reads it) within bounds. */
  number(name: string, minimum: number, maximum: number): number {
    const text = this.required(name);
    const number = parseInteger(text);
    if (number === undefined || number < minimum || number > maximum)
      throw new RuleError(`${this.extension}: Bad value for "--${name}" option: "${text}"\n`);
    return number;
  }
}

/** undefined: no number, or beyond 2^53. */
export function parseInteger(text: string): number | undefined {
  if (!/^(0[xX][0-9a-fA-F]+|\d+)$/.test(text)) return undefined;
  const number = /^0\d/.test(text) ? Number.parseInt(text, 8) : Number(text);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** `value[/mask]`, both 32 bits. */
export function parseMasked(text: string): { value: number; mask: number } | undefined {
  const [value, mask, more] = text.split("/");
  const number = parseInteger(value ?? "");
  const bits = mask === undefined ? 0xffff_ffff : parseInteger(mask);
  if (more !== undefined || number === undefined || bits === undefined) return undefined;
  return number > 0xffff_ffff || bits > 0xffff_ffff ? undefined : { value: number, mask: bits };
}

export function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

/** `0x10`, or with a mask that is not all ones `0x10/0xff`. */
export function formatMasked(value: number, mask: number): string {
  return mask >>> 0 === 0xffff_ffff ? hex(value) : `${hex(value)}/${hex(mask)}`;
}
