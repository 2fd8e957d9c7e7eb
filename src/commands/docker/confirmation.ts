/** The question before something is removed, answered from standard input or spared by `--force`. */
import type { Process } from "../../linux/process.ts";
import type { CommandContext } from "../word.ts";
import type { Flags } from "./flags.ts";

/** False: the answer was no, or there was none; that has been said. */
export function confirmed(process: Process, { stdin }: CommandContext, flags: Flags, warning: string): boolean {
  if (flags.bool("force")) return true;
  process.stdout.write(`${warning}\nAre you sure you want to continue? [y/N] `);
  if (/^y/i.test(stdin)) return true;
  process.stderr.write(`${stdin.includes("\n") ? "" : "\n"}operation was cancelled\n`.replace(/^\n/, ""));
  return false;
}
