/** Splits a filter expression into words, numbers, addresses and symbols, as the grammar of pcap-filter(7) sees them. */

export type TokenKind = "word" | "number" | "address" | "mac" | "symbol" | "end" | "unknown";

export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Offset of the first character in the expression. */
  readonly at: number;
  /** Of an opening parenthesis: index of the token behind its partner, or of the last token when it has none. */
  behindPartner: number;
}

const PATTERNS: readonly (readonly [TokenKind, RegExp])[] = [
  ["mac", /[0-9a-fA-F]{1,2}(?:[:][0-9a-fA-F]{1,2}){5}(?![0-9a-zA-Z:])/y],
  ["word", /\\?[A-Za-z0-9_](?:[-_.A-Za-z0-9]*[.A-Za-z0-9])?/y],
  ["symbol", /&&|\|\||<<|>>|<=|>=|!=|==|[=<>!()[\]:+\-*/%&|^]/y],
];
const SPACE = /\s+/y;

export function tokenize(text: string): Token[] {
  const tokens: Token[] = [];
  const open: number[] = [];
  let at = 0;
  while (at < text.length) {
    SPACE.lastIndex = at;
    if (SPACE.test(text)) {
      at = SPACE.lastIndex;
      continue;
    }
    const token = tokenAt(text, at);
    if (token.text === "(") open.push(tokens.length);
    tokens.push(token);
    if (token.text === ")") {
      const partner = open.pop();
      if (partner !== undefined) tokens[partner]!.behindPartner = tokens.length;
    }
    at += token.text.length;
  }
  for (const index of open) tokens[index]!.behindPartner = tokens.length;
  tokens.push({ kind: "end", text: "", at: text.length, behindPartner: 0 });
  return tokens;
}

function tokenAt(text: string, at: number): Token {
  for (const [kind, pattern] of PATTERNS) {
    pattern.lastIndex = at;
    const found = pattern.exec(text)?.[0];
    if (found === undefined) continue;
    return { kind: kind === "word" ? kindOfWord(found) : kind, text: found, at, behindPartner: 0 };
  }
  return { kind: "unknown", text: String.fromCodePoint(text.codePointAt(at) ?? 0), at, behindPartner: 0 };
}

function kindOfWord(text: string): TokenKind {
  if (/^(?:\d+|0[xX][0-9a-fA-F]+)$/.test(text)) return "number";
  if (/^\d+(?:\.\d+){1,3}$/.test(text)) return "address";
  return "word";
}

/** Decimal, `0x` hexadecimal or, after a leading 0, octal; undefined beyond 32 bits. */
export function numberOf(token: Token): number | undefined {
  if (token.kind !== "number") return undefined;
  const octal = /^0\d/.test(token.text);
  if (octal && /[89]/.test(token.text)) return undefined;
  const value = octal ? Number.parseInt(token.text, 8) : Number(token.text);
  return value <= 0xffff_ffff ? value : undefined;
}
