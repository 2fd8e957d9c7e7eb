/**
 * Flags as spf13/pflag reads them, with its complaints: long ones with `=` or a word of their own, letters that may be joined, a list of kinds by which values
 * are checked. The last value of a flag holds; a list keeps all.
 */
import { parseDuration } from "../../swarm/stack/duration.ts";
import { quoted } from "../../swarm/stack/go-quote.ts";

/** What stands behind the flag in the help, and how its values are checked. */
export type FlagKind =
  | "bool"
  | "string"
  | "int"
  | "uint"
  | "duration"
  | "bytes"
  | "decimal"
  /** May be given several times. */
  | "list"
  /** The same, and a value may hold several, parted by commas. */
  | "strings"
  /** `key=value`, several times. */
  | "map"
  | "filter"
  | "mount"
  | "network"
  | "ulimit"
  | "pref"
  | "gpu-request"
  | "uint16"
  | "uint32"
  | "float"
  | "port"
  | "config"
  | "secret"
  | "command"
  | "node-addr"
  | "pem-file"
  | "external-ca"
  | "credential-spec"
  /** Subnets, several times or parted by commas. */
  | "ipNetSlice";

export interface FlagDefinition {
  readonly name: string;
  readonly letter?: string;
  readonly kind: FlagKind;
  readonly usage: string;
  /** As the help shows it. */
  readonly byDefault?: string;
  /** What a value without one stands for: `--pull` alone. */
  readonly bare?: string;
  /** Not in the help. */
  readonly hidden?: boolean;
  /** Why a value will not do. */
  readonly check?: (value: string) => string | undefined;
}

/** A flag error: the command's usage follows it. */
export class FlagError extends Error {
  override readonly name = "FlagError";
}

const NO_VALUES: readonly string[] = [];
const TRUE: ReadonlySet<string> = new Set(["1", "t", "T", "TRUE", "true", "True"]);
const FALSE: ReadonlySet<string> = new Set(["0", "f", "F", "FALSE", "false", "False"]);

/** What was given. */
export class Flags {
  readonly #values: ReadonlyMap<string, readonly string[]>;

  constructor(values: ReadonlyMap<string, readonly string[]>) {
    this.#values = values;
  }

  /** Was it given at all? */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  bool(name: string, otherwise = false): boolean {
    const text = this.string(name);
    return text === undefined ? otherwise : TRUE.has(text);
  }

  /** The last value. */
  string(name: string): string | undefined {
    const values = this.#values.get(name);
    return values?.[values.length - 1];
  }

  int(name: string): number | undefined {
    const text = this.string(name);
    return text === undefined ? undefined : Number(text);
  }

  /** Undefined also when it is zero, which stands for the default. */
  durationNs(name: string): number | undefined {
    const text = this.string(name);
    const durationNs = text === undefined ? undefined : parseDuration(text);
    return durationNs === undefined || durationNs === 0n ? undefined : Number(durationNs);
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? NO_VALUES;
  }

  /** `key=value` pairs; a key without a value has "". */
  map(name: string): Map<string, string> {
    return new Map(this.list(name).map(splitPair));
  }
}

export function splitPair(text: string): [string, string] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** `interspersed` false: the first word that is no flag ends the flags (`docker run IMAGE COMMAND`). */
export function parseFlags(
  definitions: readonly FlagDefinition[],
  argv: readonly string[],
  interspersed: boolean,
): { flags: Flags; operands: string[] } {
  const values = new Map<string, string[]>();
  const operands: string[] = [];
  const set = (definition: FlagDefinition, value: string) => {
    const problem = problemOf(definition, value);
    if (problem !== undefined) {
      const name = definition.letter === undefined ? "" : `-${definition.letter}, `;
      throw new FlagError(`invalid argument ${quoted(value)} for "${name}--${definition.name}" flag: ${problem}`);
    }
    const given = definition.kind === "strings" || definition.kind === "ipNetSlice" ? value.split(",") : [value];
    const before = values.get(definition.name);
    if (before === undefined) values.set(definition.name, given);
    else before.push(...given);
  };
  let at = 0;
  /** A long flag, without its dashes. */
  const long = (word: string) => {
    if (word === "" || word.startsWith("-") || word.startsWith("=")) throw new FlagError(`bad flag syntax: --${word}`);
    const [name, attached] = word.includes("=") ? splitPair(word) : [word, undefined];
    const definition = definitions.find((each) => each.name === name);
    if (definition === undefined) throw new FlagError(`unknown flag: --${name}`);
    const bare = definition.kind === "bool" ? "true" : definition.bare;
    const value = attached ?? bare ?? argv[++at];
    if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
    set(definition, value);
  };
  /** Letters, without their dash. */
  const short = (word: string) => {
    for (let rest = word; rest !== ""; rest = rest.slice(1)) {
      const letter = rest[0]!;
      const definition = definitions.find((each) => each.letter === letter);
      if (definition === undefined) throw new FlagError(`unknown shorthand flag: '${letter}' in -${rest}`);
      if (rest[1] === "=") {
        set(definition, rest.slice(2));
        return;
      }
      if (definition.kind === "bool") {
        set(definition, "true");
        continue;
      }
      const value = rest.length > 1 ? rest.slice(1) : argv[++at];
      if (value === undefined) throw new FlagError(`flag needs an argument: '${letter}' in -${rest}`);
      set(definition, value);
      return;
    }
  };
  for (; at < argv.length; at++) {
    const word = argv[at]!;
    if (word === "--") {
      operands.push(...argv.slice(at + 1));
      break;
    }
    if (word.startsWith("--")) long(word.slice(2));
    else if (word.startsWith("-") && word !== "-") short(word.slice(1));
    else if (interspersed) operands.push(word);
    else {
      operands.push(...argv.slice(at));
      break;
    }
  }
  return { flags: new Flags(values), operands };
}

function problemOf({ kind, check }: FlagDefinition, value: string): string | undefined {
  switch (kind) {
    case "bool":
      if (!TRUE.has(value) && !FALSE.has(value)) return `strconv.ParseBool: parsing ${quoted(value)}: invalid syntax`;
      break;
    case "int":
      if (!/^[-+]?\d+$/.test(value)) return `strconv.ParseInt: parsing ${quoted(value)}: invalid syntax`;
      if (Math.abs(Number(value)) >= 2 ** 63) return `strconv.ParseInt: parsing ${quoted(value)}: value out of range`;
      break;
    case "uint":
    case "uint16":
    case "uint32":
      if (!/^\d+$/.test(value)) return `strconv.ParseUint: parsing ${quoted(value)}: invalid syntax`;
      break;
    case "float":
      if (!/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(value))
        return `strconv.ParseFloat: parsing ${quoted(value)}: invalid syntax`;
      break;
    case "duration":
      if (parseDuration(value) === undefined) return durationProblem(value);
      break;
    case "bytes":
      if (value !== "-1" && !/^\d+(\.\d+)?\s*([kmgtp]i?b?|b)?$/i.test(value)) return `invalid size: '${value}'`;
      break;
    case "decimal":
      if (!/^\d*\.?\d+$/.test(value)) return `failed to parse ${value} as a rational number`;
      break;
    case "filter":
      if (value !== "" && !value.includes("=")) return "bad format of filter (expected name=value)";
      break;
    case "map":
      break;
    default:
      break;
  }
  return check?.(value);
}

function durationProblem(value: string): string {
  if (/^[-+]?(\d+\.?\d*|\.\d+)$/.test(value)) return `time: missing unit in duration ${quoted(value)}`;
  const unit = /^[-+]?(?:\d+\.?\d*|\.\d+)([^\d.]+)$/.exec(value)?.[1];
  if (unit !== undefined) return `time: unknown unit ${quoted(unit)} in duration ${quoted(value)}`;
  return `time: invalid duration ${quoted(value)}`;
}
