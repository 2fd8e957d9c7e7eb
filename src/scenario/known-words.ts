/** Slips of the keyboard in command lines, seen before anything runs: the first word that no emulated host knows. */
import { WORDS } from "../commands/words.ts";
import { nearest } from "./problem.ts";

/** What the shell itself does, and words that begin its compound commands. */
const SHELL = new Set(
  ". : [ break builtin case cd command continue eval exec exit export for if local read return set shift test trap unset until wait while".split(
    " ",
  ),
);

export interface UnknownWord {
  readonly found: string;
  readonly expected: string;
  readonly hint: string | undefined;
}

/** The word that a command line runs: `ping` for `ip netns exec NAME ping …`; undefined when it does not begin with a plain word. */
export function wordOf(line: string): string | undefined {
  const inside = /^\s*ip\s+(?:-\S+\s+)*netns\s+exec\s+\S+\s+(.*)$/s.exec(line)?.[1];
  if (inside !== undefined) return wordOf(inside);
  return /^\s*([a-z][\w.-]*)(?=\s|;|$)/i.exec(line)?.[1];
}

/** Why the command line's word cannot run; undefined when it can, or when only the shell can tell. */
export function unknownWord(line: string): UnknownWord | undefined {
  const word = wordOf(line);
  if (word === undefined || WORDS.has(word) || SHELL.has(word)) return undefined;
  const near = nearest(word, WORDS.keys());
  return {
    found: `the unknown command "${word}"`,
    expected: "a command that emulated hosts have, such as ip, bridge or ping",
    hint: near === undefined ? undefined : `did you mean "${near}"?`,
  };
}
