/** Scalars of YAML (1.1 chapter 9): plain, quoted, literal and folded, with libyaml's line folding and its refusals. */
import { isBlank, isBlankOrEnd, isBreakOrEnd, type TextCursor } from "./yaml-cursor.ts";
import { scannerRefusal } from "./yaml-refusal.ts";

export interface ScalarToken {
  readonly type: "scalar";
  readonly start: { readonly offset: number; readonly line: number; readonly column: number };
  readonly value: string;
  readonly plain: boolean;
}

/** Blanks within a line are kept; one line break is a space, more are one fewer. */
class Folding {
  blanks = "";
  first = "";
  rest = "";
  inBreaks = false;

  /** Takes the blanks and breaks at the cursor. `onTab` sees each tab that begins a line. */
  read(cursor: TextCursor, onTab?: () => void): void {
    while (isBlank(cursor.sign) || (cursor.sign !== "" && isBreakOrEnd(cursor.sign))) {
      if (isBlank(cursor.sign)) {
        if (this.inBreaks && cursor.sign === "\t") onTab?.();
        if (this.inBreaks) cursor.advance(1);
        else this.blanks += cursor.take();
      } else if (!this.inBreaks) {
        this.blanks = "";
        this.first = cursor.breakLine();
        this.inBreaks = true;
      } else this.rest += cursor.breakLine();
    }
  }

  /** What stands for them before further text. */
  text(): string {
    let result = this.blanks;
    if (this.inBreaks) result = this.first !== "\n" ? this.first + this.rest : this.rest === "" ? " " : this.rest;
    this.blanks = this.first = this.rest = "";
    this.inBreaks = false;
    return result;
  }
}

function atDocumentMark(cursor: TextCursor): boolean {
  if (cursor.column !== 0) return false;
  const word = cursor.ahead(3);
  return (word === "---" || word === "...") && isBlankOrEnd(cursor.after(3));
}

export function scanPlain(
  cursor: TextCursor,
  blockIndent: number,
  flowLevel: number,
): { readonly token: ScalarToken; readonly brokeLine: boolean } {
  const start = cursor.mark();
  const indent = blockIndent + 1;
  const folding = new Folding();
  let value = "";
  for (;;) {
    if (atDocumentMark(cursor) || cursor.sign === "#") break;
    const from = cursor.offset;
    while (!isBlankOrEnd(cursor.sign) && !endsPlain(cursor, flowLevel)) cursor.advance(1);
    if (cursor.offset > from) value += folding.text() + cursor.text.slice(from, cursor.offset);
    if (!isBlank(cursor.sign) && (cursor.sign === "" || !isBreakOrEnd(cursor.sign))) break;
    folding.read(cursor, () => {
      if (cursor.column < indent)
        throw scannerRefusal("found a tab character that violates indentation", cursor.mark(), start);
    });
    if (flowLevel === 0 && cursor.column < indent) break;
  }
  return { token: { type: "scalar", start, value, plain: true }, brokeLine: folding.inBreaks };
}

function endsPlain(cursor: TextCursor, flowLevel: number): boolean {
  const sign = cursor.sign;
  const next = cursor.after(1);
  if (sign === ":" && isBlankOrEnd(next)) return true;
  if (flowLevel === 0) return false;
  if (sign === ":" || sign === "?") return isBlankOrEnd(next) || (sign === ":" && ",[]{}".includes(next));
  return sign === "," || sign === "[" || sign === "]" || sign === "{" || sign === "}";
}

const ESCAPES: ReadonlyMap<string, string> = new Map([
  ["0", "\0"],
  ["a", "\u0007"],
  ["b", "\b"],
  ["t", "\t"],
  ["\t", "\t"],
  ["n", "\n"],
  ["v", "\v"],
  ["f", "\f"],
  ["r", "\r"],
  ["e", "\u001b"],
  [" ", " "],
  ['"', '"'],
  ["/", "/"],
  ["\\", "\\"],
  ["N", "\u0085"],
  ["_", "\u00a0"],
  ["L", "\u2028"],
  ["P", "\u2029"],
]);
const CODE_LENGTHS: ReadonlyMap<string, number> = new Map([
  ["x", 2],
  ["u", 4],
  ["U", 8],
]);

export function scanQuoted(cursor: TextCursor, single: boolean): ScalarToken {
  const start = cursor.mark();
  const quote = single ? "'" : '"';
  const folding = new Folding();
  let value = "";
  cursor.advance(1);
  for (;;) {
    if (atDocumentMark(cursor)) throw scannerRefusal("found unexpected document indicator", cursor.mark(), start);
    if (cursor.sign === "") throw scannerRefusal("found unexpected end of stream", cursor.mark(), start);
    let escapedBreak = false;
    while (!isBlankOrEnd(cursor.sign)) {
      if (single && cursor.sign === "'" && cursor.after(1) === "'") {
        value += "'";
        cursor.advance(2);
      } else if (cursor.sign === quote) break;
      else if (!single && cursor.sign === "\\" && cursor.after(1) !== "" && isBreakOrEnd(cursor.after(1))) {
        cursor.advance(1);
        cursor.breakLine();
        escapedBreak = true;
        break;
      } else if (!single && cursor.sign === "\\") value += escaped(cursor, start);
      else value += cursor.take();
    }
    if (cursor.sign === quote && !escapedBreak) break;
    if (escapedBreak) {
      // The break is gone, and with it the blanks that begin the next line.
      while (isBlank(cursor.sign)) cursor.advance(1);
      if (cursor.sign !== "" && isBreakOrEnd(cursor.sign)) {
        folding.inBreaks = true;
        folding.first = "\u2028";
        folding.read(cursor);
        value += folding.rest;
        folding.text();
      }
      continue;
    }
    folding.read(cursor);
    value += folding.text();
  }
  cursor.advance(1);
  return { type: "scalar", start, value, plain: false };
}

function escaped(cursor: TextCursor, start: ScalarToken["start"]): string {
  const sign = cursor.after(1);
  const known = ESCAPES.get(sign);
  if (known !== undefined) {
    cursor.advance(2);
    return known;
  }
  const length = CODE_LENGTHS.get(sign);
  if (length === undefined) throw scannerRefusal("found unknown escape character", cursor.mark(), start);
  cursor.advance(2);
  const digits = cursor.ahead(length);
  if (digits.length < length || !/^[0-9a-fA-F]+$/.test(digits))
    throw scannerRefusal("did not find expected hexdecimal number", cursor.mark(), start);
  const code = Number.parseInt(digits, 16);
  if ((code >= 0xd800 && code <= 0xdfff) || code > 0x10ffff)
    throw scannerRefusal("found invalid Unicode character escape code", cursor.mark(), start);
  cursor.advance(length);
  return String.fromCodePoint(code);
}

export function scanBlockScalar(cursor: TextCursor, literal: boolean, parentIndent: number): ScalarToken {
  const start = cursor.mark();
  cursor.advance(1);
  const { chomping, increment } = blockHeader(cursor, start);
  let indent = increment === 0 ? 0 : Math.max(parentIndent, 0) + increment;
  let { breaks, indent: found } = blockBreaks(cursor, indent, parentIndent, start);
  indent = found;
  let value = "";
  let leadingBreak = "";
  let leadingBlank = false;
  while (cursor.column === indent && cursor.sign !== "") {
    // A line that begins with a blank is never folded, nor is the one after it.
    const blank = isBlank(cursor.sign);
    if (!literal && leadingBreak === "\n" && !leadingBlank && !blank) value += breaks === "" ? " " : "";
    else value += leadingBreak;
    value += breaks;
    leadingBlank = blank;
    const from = cursor.offset;
    while (!isBreakOrEnd(cursor.sign)) cursor.advance(1);
    value += cursor.text.slice(from, cursor.offset);
    leadingBreak = cursor.sign === "" ? "" : cursor.breakLine();
    ({ breaks, indent: found } = blockBreaks(cursor, indent, parentIndent, start));
  }
  if (chomping !== "-") value += leadingBreak;
  if (chomping === "+") value += breaks;
  return { type: "scalar", start, value, plain: false };
}

/** `|`, `>2-`, `>+1` … and the end of their line. */
function blockHeader(cursor: TextCursor, start: ScalarToken["start"]): { chomping: string; increment: number } {
  let chomping = "";
  let increment = 0;
  for (let turn = 0; turn < 2; turn++) {
    if (chomping === "" && (cursor.sign === "+" || cursor.sign === "-")) chomping = cursor.take();
    else if (increment === 0 && /^[0-9]$/.test(cursor.sign)) {
      if (cursor.sign === "0") throw scannerRefusal("found an indentation indicator equal to 0", cursor.mark(), start);
      increment = Number(cursor.take());
    }
  }
  while (isBlank(cursor.sign)) cursor.advance(1);
  if (cursor.sign === "#") while (!isBreakOrEnd(cursor.sign)) cursor.advance(1);
  if (!isBreakOrEnd(cursor.sign))
    throw scannerRefusal("did not find expected comment or line break", cursor.mark(), start);
  if (cursor.sign !== "") cursor.breakLine();
  return { chomping, increment };
}

/** Empty lines and indentation; finds the indentation itself when `indent` is 0. */
function blockBreaks(
  cursor: TextCursor,
  indent: number,
  parentIndent: number,
  start: ScalarToken["start"],
): { breaks: string; indent: number } {
  let breaks = "";
  let widest = 0;
  for (;;) {
    while ((indent === 0 || cursor.column < indent) && cursor.sign === " ") cursor.advance(1);
    widest = Math.max(widest, cursor.column);
    if ((indent === 0 || cursor.column < indent) && cursor.sign === "\t")
      throw scannerRefusal("found a tab character where an indentation space is expected", cursor.mark(), start);
    if (cursor.sign === "" || !isBreakOrEnd(cursor.sign)) break;
    breaks += cursor.breakLine();
  }
  return { breaks, indent: indent === 0 ? Math.max(widest, parentIndent + 1, 1) : indent };
}
