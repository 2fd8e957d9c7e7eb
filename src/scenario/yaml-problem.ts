/** What the YAML parser found wrong (YAML 1.2.2), in this project's words: found and expected, where the parser gives a sentence. */
import type { Document, ErrorCode } from "yaml";
import type { Problem } from "./problem.ts";

interface Words {
  readonly found: string;
  readonly expected: string;
}

const WORDS: Readonly<Partial<Record<ErrorCode, Words>>> = {
  ALIAS_PROPS: { found: "an alias with an anchor or tag of its own", expected: "the alias alone" },
  BAD_ALIAS: { found: "an alias or anchor without a name", expected: "a name after * or &" },
  BAD_INDENT: {
    found: "a line that is indented otherwise than its neighbours",
    expected: "one column for all keys of a mapping",
  },
  BLOCK_AS_IMPLICIT_KEY: {
    found: "a mapping in a mapping's line",
    expected: "one key a line, or quotes around a text with a colon",
  },
  BLOCK_IN_FLOW: { found: "an indented block between brackets", expected: "brackets inside brackets" },
  DUPLICATE_KEY: { found: "a key a second time", expected: "each key once" },
  KEY_OVER_1024_CHARS: { found: "a key of more than 1024 characters", expected: "a shorter key" },
  MISSING_CHAR: { found: "the end of a value", expected: "its closing quote or bracket, or the sign before it" },
  MULTILINE_IMPLICIT_KEY: { found: "a key of several lines", expected: "a key on one line" },
  MULTIPLE_ANCHORS: { found: "two anchors on one value", expected: "one anchor" },
  MULTIPLE_TAGS: { found: "two tags on one value", expected: "one tag" },
  TAB_AS_INDENT: { found: "a tab before the line's text", expected: "spaces" },
  TAG_RESOLVE_FAILED: { found: "an unknown tag", expected: "a value without a tag" },
  UNEXPECTED_TOKEN: { found: "something that cannot stand here", expected: "a line break or a comma before it" },
};

/** Everything that the parser found wrong, the first of each line: what follows in a line mostly follows from it. */
export function syntaxProblems(document: Document, text: string): Problem[] {
  // What the parser only warns of, such as an unknown tag, is no scenario either.
  const errors = [...document.errors, ...document.warnings].sort((a, b) => a.pos[0] - b.pos[0]);
  const lineStarts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) lineStarts.push(at + 1);
  // The end of a file is shown where its last line ends, not on the empty line after it.
  const last = Math.max(0, text.trimEnd().length - 1);
  const problems: Problem[] = [];
  let row = 0;
  for (const { pos, code, message } of errors) {
    const from = Math.min(pos[0], last);
    while (row + 1 < lineStarts.length && lineStarts[row + 1]! <= from) row++;
    if (problems.at(-1)?.line === row + 1) continue;
    const column = from - lineStarts[row]! + 1;
    problems.push({ line: row + 1, column, length: Math.max(1, pos[1] - pos[0]), path: "", ...words(code, message) });
  }
  return problems;
}

/** Words for the parser's `code`; its own `message` where it is the clearer one. */
function words(code: ErrorCode, message: string): Words {
  const closing = /^Missing closing (["'])/.exec(message)?.[1];
  if (closing !== undefined) return { found: "a text without its closing quote", expected: closing };
  const bracket = /must (?:.* and )?end with a ([\]}])/.exec(message)?.[1];
  if (bracket !== undefined) return { found: `a ${bracket === "}" ? "{" : "["} that is not closed`, expected: bracket };
  const sign = /^Missing ([,:?]) /.exec(message)?.[1];
  if (sign !== undefined) return { found: "the next item", expected: `a ${sign} before it` };
  return WORDS[code] ?? { found: `no YAML 1.2 (${message})`, expected: "a YAML text" };
}
