/** The list of a command's flags in its help, as pflag lays it out for a terminal of 80 columns. */
import type { FlagDefinition } from "./flags.ts";

/** The client leaves the last column free. */
const WIDTH = 79;
/** A last line that is longer by no more than this stays whole. */
const SLOP = 5;
const LEAST_WRAP = 24;

export function flagUsages(definitions: readonly FlagDefinition[]): string {
  const shown = definitions
    .filter(({ hidden }) => hidden !== true)
    .sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
  const heads = shown.map(({ name, letter, kind }) => {
    const start = letter === undefined ? `      --${name}` : `  -${letter}, --${name}`;
    return kind === "bool" ? start : `${start} ${TYPE_NAMES[kind] ?? kind}`;
  });
  const column = Math.max(0, ...heads.map((head) => head.length)) + 3;
  return shown
    .map(({ usage, byDefault }, index) => {
      const text = byDefault === undefined ? usage : `${usage} (default ${byDefault})`;
      return `${heads[index]!.padEnd(column)}${wrap(text, column)}\n`;
    })
    .join("");
}

const TYPE_NAMES: Readonly<Record<string, string>> = { uint: "uint" };

/** Breaks at white space before the right margin; lines after the first begin at `column`. */
function wrap(text: string, column: number): string {
  const indent = `\n${" ".repeat(column)}`;
  const width = WIDTH - column;
  if (width < LEAST_WRAP) return text.replaceAll("\n", indent);
  const lines: string[] = [];
  let rest = text;
  while (rest !== "") {
    const [line, after] = firstLine(rest, width - SLOP);
    lines.push(line);
    rest = after;
  }
  return lines.join(indent);
}

function firstLine(text: string, width: number): [string, string] {
  if (width + SLOP > text.length) {
    const newline = text.indexOf("\n");
    return newline < 0 ? [text, ""] : [text.slice(0, newline), text.slice(newline + 1)];
  }
  const head = text.slice(0, width);
  const space = Math.max(head.lastIndexOf(" "), head.lastIndexOf("\t"), head.lastIndexOf("\n"));
  if (space <= 0) return [text, ""];
  const newline = head.lastIndexOf("\n");
  const at = newline > 0 && newline < space ? newline : space;
  return [text.slice(0, at), text.slice(at + 1)];
}
