/** A place in the tokens of a filter expression, and the first problem met there. */
import { numberOf, type Token, tokenize } from "./filter-tokens.ts";

export interface FilterProblem {
  /** Offset in the expression of the first character that does not fit. */
  readonly at: number;
  readonly found: string;
  readonly expected: string;
}

/** A filter that a person wrote stays far below; the limit keeps the parser's stack small. */
const MAXIMUM_DEPTH = 200;

export class FilterCursor {
  readonly #tokens: readonly Token[];
  #next = 0;
  #depth = 0;
  #problem: FilterProblem | undefined = undefined;

  constructor(text: string) {
    this.#tokens = tokenize(text);
  }

  get problem(): FilterProblem | undefined {
    return this.#problem;
  }

  peek(): Token {
    return this.#tokens[this.#next]!;
  }

  /** The text `count` tokens on, empty behind the end. */
  textAhead(count: number): string {
    return this.#tokens[this.#next + count]?.text ?? "";
  }

  /** Of an opening parenthesis: the token behind its partner. */
  behindPartner(token: Token): Token {
    return this.#tokens[token.behindPartner]!;
  }

  /** Steps over the next token, or over `count` of them. */
  step(count = 1): void {
    this.#next = Math.min(this.#next + count, this.#tokens.length - 1);
  }

  /** Steps over the next token when it is one of `texts`. */
  take(...texts: readonly string[]): boolean {
    if (!texts.includes(this.peek().text)) return false;
    this.step();
    return true;
  }

  expect(text: string): boolean {
    if (this.take(text)) return true;
    this.fail(text);
    return false;
  }

  /** A number up to `limit`. */
  number(limit: number, expected: string): number | undefined {
    const number = numberOf(this.peek());
    if (number === undefined || number > limit) return this.fail(expected);
    this.step();
    return number;
  }

  /** Runs `parse` one level deeper. */
  nested<T>(parse: () => T | undefined): T | undefined {
    if (this.#depth >= MAXIMUM_DEPTH)
      return this.fail(`at most ${MAXIMUM_DEPTH} parentheses, signs and nots inside one another`);
    this.#depth++;
    const result = parse();
    this.#depth--;
    return result;
  }

  /** Notes that something else is expected in place of the next token; the first note stays. */
  fail(expected: string): undefined {
    return this.failAt(this.peek(), expected);
  }

  failAt(token: Token, expected: string): undefined {
    const found = token.kind === "end" ? "the end of the expression" : token.text;
    this.#problem ??= { at: token.at, found, expected };
    return undefined;
  }
}
