/**
 * From a text to YAML documents (YAML 1.2.2), with limits: a file of nothing but brackets, or one that nests without end, is refused while it
 * is cut into lexemes, before anything recurses over it.
 */
import { Composer, type CST, type Document, Lexer, type LineCounter, Parser } from "yaml";

/** Deeper nesting than any scenario has; the composer's recursion stands much more. */
const MOST_NESTING = 64;
/** Of the lexer's: signs, words, spaces, line ends. A file of 25 000 containers has half as many. */
const MOST_LEXEMES = 1_000_000;

export interface TextProblem {
  readonly offset: number;
  readonly found: string;
  readonly expected: string;
}

/** The text's documents, each with its own errors; or why it is not looked at. Keys may repeat: the shapes say where. */
export function parseYaml(text: string, lines: LineCounter): readonly Document[] | TextProblem {
  const tokens = tokensOf(text, lines);
  if (!Array.isArray(tokens)) return tokens as TextProblem;
  for (const token of tokens) {
    const deep = nestedTooDeep(token);
    if (deep !== undefined) return tooDeep(deep);
  }
  // The composer compares keys in time that grows with the square of their number.
  return [...new Composer({ version: "1.2", uniqueKeys: false }).compose(tokens)];
}

function tokensOf(text: string, lines: LineCounter): CST.Token[] | TextProblem {
  lines.addNewLine(0);
  const parser = new Parser(lines.addNewLine);
  const tokens: CST.Token[] = [];
  let offset = 0;
  let lexemes = 0;
  let brackets = 0;
  let indicators = 0; // of nested blocks, on this line: "- - - a"
  for (const lexeme of new Lexer().lex(text)) {
    if (lexeme === "{" || lexeme === "[") brackets++;
    else if (lexeme === "}" || lexeme === "]") brackets--;
    else if (lexeme === "\n" || lexeme === "\r\n") indicators = 0;
    else if (brackets <= 0 && (lexeme === "-" || lexeme === "?" || lexeme === ":")) indicators++;
    if (brackets > MOST_NESTING || indicators > MOST_NESTING) return tooDeep(offset);
    if (++lexemes > MOST_LEXEMES)
      return { offset, found: "more signs and words than any scenario has", expected: `at most ${MOST_LEXEMES}` };
    if (!MARKS.has(lexeme)) offset += lexeme.length;
    for (const token of parser.next(lexeme)) tokens.push(token);
  }
  for (const token of parser.end()) tokens.push(token);
  return tokens;
}

/** Lexemes that stand for no text: document start, scalar, flow error. */
const MARKS: ReadonlySet<string> = new Set(["\u0002", "\u001f", "\u0018"]);

function tooDeep(offset: number): TextProblem {
  return { offset, found: "brackets or blocks nested too deep", expected: `at most ${MOST_NESTING} deep` };
}

/** The offset of the first collection nested too deep; found without recursion. */
function nestedTooDeep(root: CST.Token): number | undefined {
  const open: { readonly token: CST.Token; readonly depth: number }[] = [{ token: root, depth: 0 }];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const { token, depth } = next;
    if (depth > MOST_NESTING) return token.offset;
    if (token.type === "document" && token.value !== undefined) open.push({ token: token.value, depth });
    if (!("items" in token)) continue;
    for (const item of token.items)
      for (const below of [item.key, item.value])
        if (below !== undefined && below !== null) open.push({ token: below, depth: depth + 1 });
  }
  return undefined;
}
