/**
 * From a text to YAML tokens, as libyaml cuts them (YAML 1.1 chapters 5 to 9): what a mapping's key is, is known only at its colon, so
 * tokens wait in a queue while something in it may still become a key.
 */

import { isBlank, isBlankOrEnd, isBreakOrEnd, TextCursor } from "./yaml-cursor.ts";
import { type Mark, scannerRefusal, YamlRefusal } from "./yaml-refusal.ts";
import { scanBlockScalar, scanPlain, scanQuoted } from "./yaml-scalars.ts";

export type Token =
  | { readonly type: Sign; readonly start: Mark }
  | { readonly type: "alias" | "anchor"; readonly start: Mark; readonly name: string }
  | TagToken
  | { readonly type: "scalar"; readonly start: Mark; readonly value: string; readonly plain: boolean };
export interface TagToken {
  readonly type: "tag";
  readonly start: Mark;
  readonly handle: string;
  readonly suffix: string;
}
export type Sign =
  | "stream-end"
  | "directive"
  | "document-start"
  | "document-end"
  | "block-sequence-start"
  | "block-mapping-start"
  | "block-end"
  | "["
  | "]"
  | "{"
  | "}"
  | ","
  | "-"
  | "?"
  | ":";

interface PossibleKey {
  readonly mark: Mark;
  readonly tokenNumber: number;
  /** At a block mapping's own column nothing but a key can stand. */
  readonly required: boolean;
}

/** A key stands on one line and within so many characters (YAML 1.1 §7.4.2). */
const LONGEST_KEY = 1024;
/** Far beyond any stack file; what follows recurses. */
const MOST_NESTING = 1000;

const LOOK_AHEAD = 2;

export class YamlScanner {
  readonly #cursor: TextCursor;
  readonly #queue: Token[] = [];
  #taken = 0;
  /** One for each flow level, the first for block context. */
  readonly #keys: (PossibleKey | undefined)[] = [undefined];
  readonly #keyTokens = new Map<number, PossibleKey>();
  readonly #indents: number[] = [];
  #indent = -1;
  #keyAllowed = true;
  #ended = false;

  constructor(text: string) {
    this.#cursor = new TextCursor(text);
    const control = CONTROL.exec(text);
    if (control !== null) throw new YamlRefusal("control characters are not allowed", control.index);
    if (text.startsWith("\ufeff")) this.#cursor.advance(1);
  }

  peek(): Token {
    this.#fill();
    return this.#queue[0]!;
  }

  take(): Token {
    this.#fill();
    this.#taken++;
    return this.#queue.shift()!;
  }

  get #flowLevel(): number {
    return this.#keys.length - 1;
  }

  #fill(): void {
    while (!this.#ended) {
      // yaml.v3 looks two tokens further than it needs, for comments: what is wrong there is said first.
      if (this.#queue.length > LOOK_AHEAD) {
        const key = this.#keyTokens.get(this.#taken);
        if (key === undefined || !this.#isAlive(key)) return;
      }
      this.#fetch();
    }
  }

  #fetch(): void {
    const cursor = this.#cursor;
    this.#skipToToken();
    this.#unroll(cursor.column);
    const sign = cursor.sign;
    const flow = this.#flowLevel > 0;
    const word = cursor.column === 0 && isBlankOrEnd(cursor.after(3)) ? cursor.ahead(3) : "";
    const standsAlone = isBlankOrEnd(cursor.after(1));
    if (sign === "") this.#endStream();
    else if (sign === "%" && cursor.column === 0) this.#directive();
    else if (word === "---") this.#documentMark("document-start");
    else if (word === "...") this.#documentMark("document-end");
    else if (sign === "[" || sign === "{") this.#open(sign);
    else if (sign === "]" || sign === "}") this.#close(sign);
    else if (sign === ",") this.#flowEntry();
    else if (sign === "-" && standsAlone) this.#blockEntry();
    else if (sign === "?" && (flow || standsAlone)) this.#key();
    else if (sign === ":" && (flow || standsAlone)) this.#value();
    else if (sign === "*" || sign === "&") this.#anchor(sign === "*" ? "alias" : "anchor");
    else if (sign === "!") this.#tag();
    else this.#scalar(sign, flow);
  }

  #scalar(sign: string, flow: boolean): void {
    const cursor = this.#cursor;
    if ((sign === "|" || sign === ">") && !flow) {
      this.#forgetKey();
      this.#keyAllowed = true;
      this.#queue.push(scanBlockScalar(cursor, sign === "|", this.#indent));
      return;
    }
    const isQuoted = sign === "'" || sign === '"';
    if (!isQuoted && !canStartPlain(sign, cursor.after(1), flow))
      throw scannerRefusal("found character that cannot start any token", cursor.mark());
    this.#rememberKey();
    this.#keyAllowed = false;
    if (isQuoted) {
      this.#queue.push(scanQuoted(cursor, sign === "'"));
      return;
    }
    const { token, brokeLine } = scanPlain(cursor, this.#indent, this.#flowLevel);
    if (brokeLine) this.#keyAllowed = true;
    this.#queue.push(token);
  }

  #skipToToken(): void {
    const cursor = this.#cursor;
    for (;;) {
      if (cursor.column === 0 && cursor.sign === "\ufeff") cursor.advance(1);
      // A tab is no indentation, so it cannot stand where a key may begin.
      while (cursor.sign === " " || (cursor.sign === "\t" && (this.#flowLevel > 0 || !this.#keyAllowed)))
        cursor.advance(1);
      if (cursor.sign === "#") while (!isBreakOrEnd(cursor.sign)) cursor.advance(1);
      if (cursor.sign === "" || !isBreakOrEnd(cursor.sign)) return;
      cursor.breakLine();
      if (this.#flowLevel === 0) this.#keyAllowed = true;
    }
  }

  // --- keys ---

  #isAlive(key: PossibleKey): boolean {
    const cursor = this.#cursor;
    if (key.mark.line === cursor.line && key.mark.offset + LONGEST_KEY >= cursor.offset) return true;
    if (key.required) throw scannerRefusal("could not find expected ':'", cursor.mark(), key.mark);
    this.#keyTokens.delete(key.tokenNumber);
    return false;
  }

  #rememberKey(): void {
    if (!this.#keyAllowed) return;
    const cursor = this.#cursor;
    const required = this.#flowLevel === 0 && this.#indent === cursor.column;
    this.#forgetKey();
    const key = { mark: cursor.mark(), tokenNumber: this.#taken + this.#queue.length, required };
    this.#keys[this.#keys.length - 1] = key;
    this.#keyTokens.set(key.tokenNumber, key);
  }

  #forgetKey(): void {
    const key = this.#keys.at(-1);
    if (key === undefined) return;
    if (key.required && this.#keyTokens.has(key.tokenNumber))
      throw scannerRefusal("could not find expected ':'", this.#cursor.mark(), key.mark);
    this.#keyTokens.delete(key.tokenNumber);
    this.#keys[this.#keys.length - 1] = undefined;
  }

  // --- indentation ---

  #roll(column: number, type: "block-sequence-start" | "block-mapping-start", start: Mark, tokenNumber?: number): void {
    if (this.#flowLevel > 0 || this.#indent >= column) return;
    this.#indents.push(this.#indent);
    this.#indent = column;
    if (this.#indents.length > MOST_NESTING) throw scannerRefusal("exceeded max depth of 10000", start);
    if (tokenNumber === undefined) this.#queue.push({ type, start });
    else this.#queue.splice(tokenNumber - this.#taken, 0, { type, start });
  }

  #unroll(column: number): void {
    if (this.#flowLevel > 0) return;
    while (this.#indent > column) {
      this.#queue.push({ type: "block-end", start: this.#cursor.mark() });
      this.#indent = this.#indents.pop()!;
    }
  }

  // --- tokens ---

  #push(type: Sign, length: number): void {
    this.#queue.push({ type, start: this.#cursor.mark() });
    this.#cursor.advance(length);
  }

  #endStream(): void {
    this.#unroll(-1);
    this.#forgetKey();
    this.#keyAllowed = false;
    this.#push("stream-end", 0);
    this.#ended = true;
  }

  #directive(): void {
    this.#unroll(-1);
    this.#forgetKey();
    this.#keyAllowed = false;
    const start = this.#cursor.mark();
    const name = this.#word();
    if (name !== "%YAML" && name !== "%TAG")
      throw scannerRefusal("found unknown directive name", this.#cursor.mark(), start);
    while (!isBreakOrEnd(this.#cursor.sign)) this.#cursor.advance(1);
    this.#queue.push({ type: "directive", start });
  }

  #documentMark(type: "document-start" | "document-end"): void {
    this.#unroll(-1);
    this.#forgetKey();
    this.#keyAllowed = false;
    this.#push(type, 3);
  }

  #open(sign: "[" | "{"): void {
    this.#rememberKey();
    this.#keys.push(undefined);
    if (this.#flowLevel > MOST_NESTING) throw scannerRefusal("exceeded max depth of 10000", this.#cursor.mark());
    this.#keyAllowed = true;
    this.#push(sign, 1);
  }

  #close(sign: "]" | "}"): void {
    this.#forgetKey();
    if (this.#flowLevel > 0) this.#keys.pop();
    this.#keyAllowed = false;
    this.#push(sign, 1);
  }

  #flowEntry(): void {
    this.#forgetKey();
    this.#keyAllowed = true;
    this.#push(",", 1);
  }

  #blockEntry(): void {
    const cursor = this.#cursor;
    if (this.#flowLevel === 0) {
      if (!this.#keyAllowed)
        throw scannerRefusal("block sequence entries are not allowed in this context", cursor.mark());
      this.#roll(cursor.column, "block-sequence-start", cursor.mark());
    }
    this.#forgetKey();
    this.#keyAllowed = true;
    this.#push("-", 1);
  }

  #key(): void {
    const cursor = this.#cursor;
    if (this.#flowLevel === 0) {
      if (!this.#keyAllowed) throw scannerRefusal("mapping keys are not allowed in this context", cursor.mark());
      this.#roll(cursor.column, "block-mapping-start", cursor.mark());
    }
    this.#forgetKey();
    this.#keyAllowed = this.#flowLevel === 0;
    this.#push("?", 1);
  }

  #value(): void {
    const cursor = this.#cursor;
    const key = this.#keys.at(-1);
    if (key !== undefined && this.#keyTokens.has(key.tokenNumber) && this.#isAlive(key)) {
      this.#queue.splice(key.tokenNumber - this.#taken, 0, { type: "?", start: key.mark });
      this.#roll(key.mark.column, "block-mapping-start", key.mark, key.tokenNumber);
      this.#keyTokens.delete(key.tokenNumber);
      this.#keys[this.#keys.length - 1] = undefined;
      this.#keyAllowed = false;
    } else {
      if (this.#flowLevel === 0) {
        if (!this.#keyAllowed) throw scannerRefusal("mapping values are not allowed in this context", cursor.mark());
        this.#roll(cursor.column, "block-mapping-start", cursor.mark());
      }
      this.#keyAllowed = this.#flowLevel === 0;
    }
    this.#push(":", 1);
  }

  #anchor(type: "alias" | "anchor"): void {
    this.#rememberKey();
    this.#keyAllowed = false;
    const cursor = this.#cursor;
    const start = cursor.mark();
    cursor.advance(1);
    let name = "";
    while (/^[0-9A-Za-z_-]$/.test(cursor.sign)) name += cursor.take();
    const ends = isBlankOrEnd(cursor.sign) || "?:,]}%@`".includes(cursor.sign);
    if (name === "" || !ends)
      throw scannerRefusal("did not find expected alphabetic or numeric character", cursor.mark(), start);
    this.#queue.push({ type, start, name });
  }

  #tag(): void {
    this.#rememberKey();
    this.#keyAllowed = false;
    const cursor = this.#cursor;
    const start = cursor.mark();
    if (cursor.after(1) === "<") {
      cursor.advance(2);
      let suffix = "";
      while (cursor.sign !== ">" && !isBlankOrEnd(cursor.sign)) suffix += cursor.take();
      if (cursor.sign !== ">") throw scannerRefusal("did not find the expected '>'", cursor.mark(), start);
      cursor.advance(1);
      this.#queue.push({ type: "tag", start, handle: "", suffix });
      return;
    }
    const word = this.#word(this.#flowLevel > 0);
    const second = word.indexOf("!", 1);
    const handle = word.slice(0, second < 0 ? 1 : second + 1);
    if (!isBlankOrEnd(cursor.sign) && !(this.#flowLevel > 0 && cursor.sign === ","))
      throw scannerRefusal("did not find expected whitespace or line break", cursor.mark(), start);
    this.#queue.push({ type: "tag", start, handle, suffix: word.slice(handle.length) });
  }

  /** Up to the next blank, in flow context also to the next bracket or comma. */
  #word(inFlow = false): string {
    let word = "";
    while (!isBlankOrEnd(this.#cursor.sign) && !(inFlow && ",[]{}".includes(this.#cursor.sign)))
      word += this.#cursor.take();
    return word;
  }
}

/** What YAML 1.1 §5.1 does not print. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for.
const CONTROL = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u0084\u0086-\u009f\ufffe\uffff]/;
const CANNOT_START_PLAIN: ReadonlySet<string> = new Set(["", ..." \t\r\n\u0085\u2028\u2029-?:,[]{}#&*!|>'\"%@`"]);

function canStartPlain(sign: string, next: string, flow: boolean): boolean {
  if (!CANNOT_START_PLAIN.has(sign)) return true;
  return (sign === "-" && !isBlank(next)) || (!flow && (sign === "?" || sign === ":") && !isBlankOrEnd(next));
}
