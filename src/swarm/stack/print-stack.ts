/** The normalised document as `docker stack config` prints it: Go's yaml.v3 with an indent of two. */
import type { Stack } from "./load-stack.ts";
import { isPlainText } from "./plain-scalar.ts";
import { isFloat, type Value } from "./value.ts";

export function printStack(stack: Stack): string {
  const document = new Map<string, Value>([
    ["version", stack.version],
    ["services", stack.services],
  ]);
  for (const key of ["networks", "volumes", "secrets", "configs"] as const)
    if (stack[key].size > 0) document.set(key, stack[key]);
  for (const [key, value] of Object.entries(stack.extras)) document.set(key, value);
  const lines: string[] = [];
  printEntries(document, 0, "", lines);
  return `${lines.join("\n")}\n`;
}

/** `first` stands before the first line instead of its indentation: the dashes of lists. */
function printEntries(
  entries: Iterable<readonly [string, Value]>,
  indent: number,
  first: string,
  lines: string[],
): void {
  let lead = first;
  for (const [key, value] of entries) {
    if (lead === "") lead = " ".repeat(indent);
    printValue(`${lead}${keyText(key)}:`, value, indent, lines);
    lead = "";
  }
}

/** `lead` is what stands on the line already, up to a colon or a dash. */
function printValue(lead: string, value: Value, indent: number, lines: string[]): void {
  if (Array.isArray(value)) {
    if (value.length === 0) lines.push(`${lead} []`);
    else {
      lines.push(lead);
      printItems(value, indent + 2, "", lines);
    }
  } else if (isCollection(value)) {
    const entries = entriesOf(value);
    if (entries.length === 0) lines.push(`${lead} {}`);
    else {
      lines.push(lead);
      printEntries(entries, indent + 2, "", lines);
    }
  } else printScalar(`${lead} `, value as Scalar, indent, lines);
}

function printItems(items: readonly Value[], indent: number, first: string, lines: string[]): void {
  let lead = first;
  for (const item of items) {
    if (lead === "") lead = " ".repeat(indent);
    const dash = `${lead}- `;
    if (Array.isArray(item) && item.length > 0) printItems(item, indent + 2, dash, lines);
    else if (isCollection(item) && entriesOf(item).length > 0) printEntries(entriesOf(item), indent + 2, dash, lines);
    else printValue(`${lead}-`, item, indent, lines);
    lead = "";
  }
}

type Scalar = string | number | bigint | boolean | null | { readonly text: string };

function isCollection(value: Value): value is ReadonlyMap<string, Value> | { readonly [key: string]: Value } {
  return typeof value === "object" && value !== null && !Array.isArray(value) && !isFloat(value);
}

function entriesOf(value: Value): readonly (readonly [string, Value])[] {
  return value instanceof Map ? [...value] : Object.entries(value as { readonly [key: string]: Value });
}

function printScalar(lead: string, value: Scalar, indent: number, lines: string[]): void {
  if (typeof value !== "string") {
    lines.push(lead + (typeof value === "object" && value !== null ? value.text : String(value)));
  } else if (value.includes("\n") && isLiteral(value)) printLiteral(lead, value, indent + 2, lines);
  else lines.push(lead + scalarText(value));
}

function keyText(key: string): string {
  return key.includes("\n") ? doubleQuoted(key) : scalarText(key);
}

/** Without quotes where the text means itself, else in the quotes that yaml.v3 chooses. */
function scalarText(value: string): string {
  if (!isPrintable(value) || value.includes("\n") || !isPlainText(value)) return doubleQuoted(value);
  return needsQuotes(value) ? `'${value.replaceAll("'", "''")}'` : value;
}

function needsQuotes(value: string): boolean {
  if (value.startsWith("---") || value.startsWith("...")) return true;
  if (/^[ \t]|[ \t]$/.test(value)) return true;
  if (/^[#,[\]{}&*!|>'"%@`]/.test(value)) return true;
  if (/^[-?:](?:[ \t]|$)/.test(value)) return true;
  if (/:(?:[ \t]|$)|[ \t]#/.test(value)) return true;
  return /[\u2028\u2029\u0085]/.test(value);
}

/** Only what is no letter to libyaml's eye makes it escape: beyond U+FFFF too. */
function isPrintable(value: string): boolean {
  return !/[^\n\u0020-\u007e\u0085\u00a0-\ud7ff\ue000-\ufefe\uff00-\ufffd]/.test(value);
}

/** A literal block cannot end a line, or the text, with a blank before a break. */
function isLiteral(value: string): boolean {
  return isPrintable(value) && !/[ \t]\n/.test(value) && !/[ \t]$/.test(value);
}

function printLiteral(lead: string, value: string, indent: number, lines: string[]): void {
  const hint = /^[ \n]/.test(value) ? "2" : "";
  const chomping = !value.endsWith("\n") ? "-" : value === "\n" || value.endsWith("\n\n") ? "+" : "";
  lines.push(`${lead}|${hint}${chomping}`);
  const body = value.endsWith("\n") ? value.slice(0, -1) : value;
  if (value === "\n") return;
  for (const line of body.split("\n")) lines.push(line === "" ? "" : " ".repeat(indent) + line);
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["\0", "\\0"],
  ["\u0007", "\\a"],
  ["\b", "\\b"],
  ["\t", "\\t"],
  ["\n", "\\n"],
  ["\v", "\\v"],
  ["\f", "\\f"],
  ["\r", "\\r"],
  ["\u001b", "\\e"],
  ['"', '\\"'],
  ["\\", "\\\\"],
  ["\u0085", "\\N"],
  ["\u00a0", "\\_"],
  ["\u2028", "\\L"],
  ["\u2029", "\\P"],
]);

function doubleQuoted(value: string): string {
  let result = '"';
  for (const sign of value) {
    const known = ESCAPES.get(sign);
    const code = sign.codePointAt(0)!;
    if (known !== undefined) result += known;
    else if (isPrintable(sign)) result += sign;
    else if (code <= 0xff) result += `\\x${hex(code, 2)}`;
    else if (code <= 0xffff) result += `\\u${hex(code, 4)}`;
    else result += `\\U${hex(code, 8)}`;
  }
  return `${result}"`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).toUpperCase().padStart(digits, "0");
}
