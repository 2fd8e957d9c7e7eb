/**
 * The arguments of iproute2's words, read one by one, and the errors that its utilities print (lib/utils.c): text and status are those of
 * iproute2 6.1.
 */
import { type Errno, errorText } from "../../linux/errno.ts";
import {
  type Ipv4Address,
  type MacAddress,
  type Prefix,
  parseIpv4,
  parseMac,
  parsePrefix,
} from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";

/** exit(-1) */
export const USAGE_STATUS = 255;
/** A request that the kernel refused. */
export const KERNEL_STATUS = 2;

export class Arguments {
  readonly #words: readonly string[];
  #at = 0;

  constructor(words: readonly string[]) {
    this.#words = words;
  }

  get done(): boolean {
    return this.#at >= this.#words.length;
  }

  /** The word at hand, undefined at the end. */
  peek(): string | undefined {
    return this.#words[this.#at];
  }

  /** Takes the word at hand, which is there: the caller has asked. */
  take(): string {
    return this.#words[this.#at++]!;
  }

  /** NEXT_ARG: the value that has to follow. */
  value(): string {
    if (this.done) throw new CommandError(USAGE_STATUS, 'Command line is not complete. Try option "help"');
    return this.take();
  }

  /** All that is left. */
  rest(): readonly string[] {
    const rest = this.#words.slice(this.#at);
    this.#at = this.#words.length;
    return rest;
  }

  /** An unsigned number, decimal, hexadecimal or octal; `wrong` is what the error says of it. */
  number(wrong: string, maximum = 0xffff_ffff): number {
    const text = this.value();
    const number = parseNumber(text);
    if (number === undefined || number > maximum) throw invalid(text, wrong);
    return number;
  }

  /** parse_on_off(): `status` is the utility's, which passes on what it returned or exits with 1. */
  onOff(name: string, status = 1): boolean {
    const text = this.value();
    if (text === "on") return true;
    if (text === "off") return false;
    throw new CommandError(status, `Error: argument of "${name}" must be one of "off", "on", not "${text}"`);
  }

  /** The older check of `ip link set`. */
  plainOnOff(name: string): boolean {
    const text = this.value();
    if (text === "on") return true;
    if (text === "off") return false;
    throw new CommandError(1, `Error: argument of "${name}" must be "on" or "off", not "${text}"`);
  }

  address(): Ipv4Address {
    const text = this.value();
    const address = parseIpv4(text);
    if (address === undefined) throw new CommandError(1, `Error: inet address is expected rather than "${text}".`);
    return address;
  }

  prefix(): Prefix {
    return prefixOf(this.value());
  }
}

/** `text` abbreviates `word`, as iproute2's matches() has it. */
export function matches(text: string, word: string): boolean {
  return text !== "" && word.startsWith(text);
}

export function parseNumber(text: string): number | undefined {
  if (/^0[xX][0-9a-fA-F]+$/.test(text)) return Number.parseInt(text.slice(2), 16);
  if (/^0[0-7]+$/.test(text)) return Number.parseInt(text, 8);
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** `default`, `any` and `all` are 0.0.0.0/0; missing octets are zero (10/8). */
export function prefixOf(text: string): Prefix {
  if (text === "default" || text === "any" || text === "all") return { address: 0 as Ipv4Address, length: 0 };
  const [head = "", tail] = text.split("/");
  const octets = head.split(".");
  const whole = tail !== undefined && octets.length < 4 ? [...octets, "0", "0", "0"].slice(0, 4).join(".") : head;
  const prefix = parsePrefix(tail === undefined ? whole : `${whole}/${tail}`);
  if (prefix === undefined) throw new CommandError(1, `Error: any valid prefix is expected rather than "${text}".`);
  return prefix;
}

export function macOf(text: string): MacAddress {
  const mac = parseMac(text);
  if (mac === undefined) throw new CommandError(1, `"${text}" is invalid lladdr.`);
  return mac;
}

/** invarg(); some of iproute2's texts end with a newline of their own. */
export function invalid(text: string, wrong: string): CommandError {
  return new CommandError(USAGE_STATUS, `Error: argument "${text}" is wrong: ${wrong}`);
}

/** duparg() */
export function duplicate(name: string, text: string): CommandError {
  return new CommandError(USAGE_STATUS, `Error: duplicate "${name}": "${text}" is the second value.`);
}

/** duparg2() */
export function garbage(name: string, text: string): CommandError {
  return new CommandError(USAGE_STATUS, `Error: either "${name}" is duplicate, or "${text}" is a garbage.`);
}

export function noDevice(name: string): CommandError {
  return new CommandError(1, `Cannot find device "${name}"`);
}

export function missing(argument: string, status = 1): CommandError {
  return new CommandError(status, `Not enough information: "${argument}" argument is required.`);
}

/** What the kernel answered: its own words when it gave some, else the error number's. */
export function refused(errno: Errno, message?: string | undefined, status = KERNEL_STATUS): CommandError {
  return new CommandError(
    status,
    message === undefined ? `RTNETLINK answers: ${errorText(errno)}` : `Error: ${message.replace(/\.$/, "")}.`,
  );
}

/** dev_valid_name(): the kernel's own check. */
export function checkInterfaceName(name: string): string {
  if (name.length > 15) throw refused("EINVAL", "Attribute failed policy validation");
  if (name === "" || name === "." || name === ".." || /[/:\s]/.test(name)) throw refused("EINVAL");
  return name;
}
