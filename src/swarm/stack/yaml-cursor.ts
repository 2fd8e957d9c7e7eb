/** A place in a text that moves forward and knows its line and column. */
import type { Mark } from "./yaml-refusal.ts";

export class TextCursor {
  readonly text: string;
  offset = 0;
  line = 0;
  column = 0;

  constructor(text: string) {
    this.text = text;
  }

  /** What stands here; "" at the end. */
  get sign(): string {
    return this.text[this.offset] ?? "";
  }

  after(count: number): string {
    return this.text[this.offset + count] ?? "";
  }

  ahead(length: number): string {
    return this.text.slice(this.offset, this.offset + length);
  }

  /** Within a line. */
  advance(count: number): void {
    this.offset += count;
    this.column += count;
  }

  take(): string {
    const sign = this.sign;
    this.advance(1);
    return sign;
  }

  /** Goes over a line break; "\n" for all breaks but U+2028 and U+2029 (YAML 1.1 §5.4). */
  breakLine(): string {
    const sign = this.sign;
    this.offset += sign === "\r" && this.after(1) === "\n" ? 2 : 1;
    this.line++;
    this.column = 0;
    return sign === "\u2028" || sign === "\u2029" ? sign : "\n";
  }

  mark(): Mark {
    return { offset: this.offset, line: this.line, column: this.column };
  }
}

export function isBlank(sign: string): boolean {
  return sign === " " || sign === "\t";
}

export function isBreakOrEnd(sign: string): boolean {
  return sign === "" || sign === "\n" || sign === "\r" || sign === "\u0085" || sign === "\u2028" || sign === "\u2029";
}

export function isBlankOrEnd(sign: string): boolean {
  return isBlank(sign) || isBreakOrEnd(sign);
}
