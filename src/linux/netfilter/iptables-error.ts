/** How iptables ends when it does not do what it was asked: words and status as iptables 1.8.9 (nf_tables) has them. */
import { type Errno, errorText } from "../errno.ts";

export const VERSION = "v1.8.9 (nf_tables)";

export class IptablesError extends Error {
  override readonly name = "IptablesError";
  /** 1 kernel's refusal in iptables' words, 2 wrong usage, 3 no such table, 4 the kernel's refusal as nf_tables says it. */
  readonly status: number;

  /** `text` is all that goes to standard error. */
  constructor(status: number, text: string) {
    super(text);
    this.status = status;
  }
}

/** "No chain/target/match by that name." and its like, for an errno. */
const REFUSALS = {
  chain: "No chain/target/match by that name.",
  rule: "Bad rule (does a matching rule exist in that chain?).",
  insertion: "Index of insertion too big.",
  deletion: "Index of deletion too big.",
  replacement: "Index of replacement too big.",
  exists: "Chain already exists.",
  file: "File exists.",
  builtin: "Bad built-in chain name.",
  policy: "Bad policy name. Run `dmesg' for more information.",
} as const;

export function refusal(program: string, kind: keyof typeof REFUSALS): IptablesError {
  return new IptablesError(1, `${program}: ${REFUSALS[kind]}\n`);
}

export function usage(program: string, message: string): IptablesError {
  return new IptablesError(2, `${program} ${VERSION}: ${message}\n${hint(program)}`);
}

export function badArgument(program: string, word: string): IptablesError {
  return new IptablesError(2, `Bad argument \`${word}'\n${hint(program)}`);
}

/** `RULE_APPEND failed (Invalid argument): rule in chain INPUT`. */
export function kernelRefusal(program: string, action: string, errno: Errno, object: string): IptablesError {
  return new IptablesError(4, `${program} ${VERSION}:  ${action} failed (${errorText(errno)}): ${object}\n`);
}

export function hint(program: string): string {
  return `Try \`${program} -h' or '${program} --help' for more information.\n`;
}
