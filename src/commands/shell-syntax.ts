/**
 * The shell's grammar, POSIX.1-2017 XCU §2, as far as one types it on one line: quotes, escapes, `;` `&` `&&` `||` `|` `!`, subshells,
 * assignments, variables, redirections to /dev/null and between descriptors, here-strings, comments.
 */

/** A stretch of a word; unquoted variables are split into fields at white space. */
export type WordPart =
  | { readonly kind: "text"; readonly text: string; readonly quoted: boolean }
  | { readonly kind: "variable"; readonly name: string; readonly quoted: boolean }
  | { readonly kind: "substitution"; readonly list: CommandList; readonly quoted: boolean };

export type ShellWord = readonly WordPart[];

export interface Redirection {
  readonly descriptor: 0 | 1 | 2;
  /** `file` names a file; `copy` another descriptor; `text` is a here-string. */
  readonly kind: "file" | "copy" | "text";
  readonly target: ShellWord;
}

export interface SimpleCommand {
  readonly kind: "simple";
  readonly assignments: readonly { readonly name: string; readonly value: ShellWord }[];
  readonly words: readonly ShellWord[];
  readonly redirections: readonly Redirection[];
}

export interface Subshell {
  readonly kind: "subshell";
  readonly list: CommandList;
  readonly redirections: readonly Redirection[];
}

export interface Pipeline {
  readonly negated: boolean;
  readonly commands: readonly (SimpleCommand | Subshell)[];
}

/** What joins a pipeline to the one before it. */
export type Connector = ";" | "&&" | "||";

export interface ListItem {
  readonly connector: Connector;
  readonly pipeline: Pipeline;
  readonly background: boolean;
}

export type CommandList = readonly ListItem[];

/** What bash would complain of: `near unexpected token `;'`. */
export interface SyntaxProblem {
  readonly problem: string;
}

/** The commands of `text`, or why it is none. */
export function parseShell(text: string): CommandList | SyntaxProblem {
  const parser = new Parser(text);
  const list = parser.list(false);
  return parser.problem === undefined ? list : { problem: parser.problem };
}

const OPERATORS = ["&&", "||", "&>", ">&", "<<<", ">>", ";", "&", "|", "(", ")", ">", "<", "\n"] as const;

class Parser {
  readonly #text: string;
  #at = 0;
  problem: string | undefined = undefined;

  constructor(text: string) {
    this.#text = text;
  }

  /** Commands until the end, or until `)` when `nested`. */
  list(nested: boolean): CommandList {
    const items: ListItem[] = [];
    let connector: Connector = ";";
    for (;;) {
      this.#skipBlank(true);
      if (this.#atEnd() || (nested && this.#peek() === ")")) break;
      const pipeline = this.#pipeline();
      if (this.problem !== undefined) return [];
      this.#skipBlank(false);
      const operator = this.#operator();
      const background = operator === "&";
      items.push({ connector, pipeline, background });
      if (operator === "&&" || operator === "||") {
        connector = operator;
        this.#skipBlank(true);
        if (this.#atEnd()) return this.#fail("bash: -c: line 2: syntax error: unexpected end of file");
        continue;
      }
      connector = ";";
      if (operator === undefined) break;
      if (operator === ")" && nested) {
        this.#at--;
        break;
      }
      if (operator !== ";" && operator !== "&" && operator !== "\n") return this.#unexpected(operator);
    }
    return items;
  }

  #pipeline(): Pipeline {
    let negated = false;
    if (/^!\s/.test(this.#text.slice(this.#at, this.#at + 2))) {
      negated = true;
      this.#at++;
      this.#skipBlank(false);
    }
    const commands: (SimpleCommand | Subshell)[] = [];
    for (;;) {
      commands.push(this.#command());
      if (this.problem !== undefined) break;
      this.#skipBlank(false);
      if (this.#peek() !== "|" || this.#text[this.#at + 1] === "|") break;
      this.#at++;
      this.#skipBlank(true);
    }
    return { negated, commands };
  }

  #command(): SimpleCommand | Subshell {
    this.#skipBlank(false);
    if (this.#peek() === "(") {
      this.#at++;
      const list = this.list(true);
      if (this.problem === undefined && this.#peek() !== ")")
        this.problem = "bash: -c: line 2: syntax error: unexpected end of file";
      this.#at++;
      const redirections: Redirection[] = [];
      for (;;) {
        this.#skipBlank(false);
        const redirection = this.#redirection();
        if (redirection === undefined) break;
        redirections.push(...redirection);
      }
      return { kind: "subshell", list, redirections };
    }
    const assignments: { name: string; value: ShellWord }[] = [];
    const words: ShellWord[] = [];
    const redirections: Redirection[] = [];
    for (;;) {
      this.#skipBlank(false);
      if (this.#atEnd() || this.problem !== undefined) break;
      const redirection = this.#redirection();
      if (redirection !== undefined) {
        redirections.push(...redirection);
        continue;
      }
      if (this.#isOperator()) break;
      const assignment = words.length === 0 ? /^[A-Za-z_]\w*=/.exec(this.#text.slice(this.#at)) : null;
      if (assignment !== null) {
        this.#at += assignment[0].length;
        assignments.push({ name: assignment[0].slice(0, -1), value: this.#word() });
      } else {
        words.push(this.#word());
      }
    }
    if (this.problem === undefined && words.length === 0 && assignments.length === 0 && redirections.length === 0)
      this.#unexpected(this.#operator() ?? "newline");
    return { kind: "simple", assignments, words, redirections };
  }

  #redirection(): Redirection[] | undefined {
    const match = /^(?:(\d?)(<<<|>&|<&|>>|>\||>|<)|&>)/.exec(this.#text.slice(this.#at));
    if (match === null) return undefined;
    this.#at += match[0].length;
    this.#skipBlank(false);
    if (this.#atEnd() || this.#isOperator()) {
      this.#unexpected(this.#operator() ?? "newline");
      return undefined;
    }
    const target = this.#word();
    if (match[0] === "&>")
      return [
        { descriptor: 1, kind: "file", target },
        { descriptor: 2, kind: "copy", target: [{ kind: "text", text: "1", quoted: false }] },
      ];
    const operator = match[2]!;
    const kind = operator === "<<<" ? "text" : operator.endsWith("&") ? "copy" : "file";
    const standard = operator.startsWith("<") ? "0" : "1";
    const descriptor = Number(match[1] || standard);
    if (descriptor > 2) return [];
    return [{ descriptor: descriptor as 0 | 1 | 2, kind, target }];
  }

  #word(): ShellWord {
    const parts: WordPart[] = [];
    while (!this.#atEnd() && this.problem === undefined) {
      const character = this.#text[this.#at]!;
      if (/\s/.test(character) || this.#isOperator()) break;
      this.#at++;
      if (character === "'") parts.push({ kind: "text", text: this.#until("'"), quoted: true });
      else if (character === '"') parts.push({ kind: "text", text: "", quoted: true }, ...this.#doubleQuoted());
      else if (character === "\\") parts.push({ kind: "text", text: this.#text[this.#at++] ?? "", quoted: true });
      else if (character === "$") parts.push(this.#dollar(false));
      else parts.push({ kind: "text", text: character, quoted: false });
    }
    return parts;
  }

  #doubleQuoted(): WordPart[] {
    const parts: WordPart[] = [];
    for (;;) {
      if (this.#atEnd()) {
        this.problem ??= "bash: -c: line 1: unexpected EOF while looking for matching `\"'";
        return parts;
      }
      const character = this.#text[this.#at++]!;
      if (character === '"') return parts;
      if (character === "$") parts.push(this.#dollar(true));
      else if (character === "\\" && /["\\$`]/.test(this.#text[this.#at] ?? ""))
        parts.push({ kind: "text", text: this.#text[this.#at++]!, quoted: true });
      else parts.push({ kind: "text", text: character, quoted: true });
    }
  }

  #dollar(quoted: boolean): WordPart {
    const rest = this.#text.slice(this.#at);
    if (rest.startsWith("(")) {
      this.#at++;
      const list = this.list(true);
      if (this.problem === undefined && this.#peek() !== ")")
        this.problem = "bash: -c: line 1: unexpected EOF while looking for matching `)'";
      this.#at++;
      return { kind: "substitution", list, quoted };
    }
    const match = /^(?:\{(\w+|\?)\}|([A-Za-z_]\w*|[?$#]|\d))/.exec(rest);
    if (match === null) return { kind: "text", text: "$", quoted: true };
    this.#at += match[0].length;
    return { kind: "variable", name: match[1] ?? match[2]!, quoted };
  }

  #until(quote: string): string {
    const end = this.#text.indexOf(quote, this.#at);
    if (end < 0) {
      this.problem ??= `bash: -c: line 1: unexpected EOF while looking for matching \`${quote}'`;
      this.#at = this.#text.length;
      return "";
    }
    const text = this.#text.slice(this.#at, end);
    this.#at = end + 1;
    return text;
  }

  #skipBlank(newlines: boolean): void {
    for (;;) {
      const character = this.#text[this.#at];
      if (character === "\\" && this.#text[this.#at + 1] === "\n") this.#at += 2;
      else if (character === " " || character === "\t" || character === "\r") this.#at++;
      else if (character === "\n" && newlines) this.#at++;
      else if (character === "#") while (!this.#atEnd() && this.#peek() !== "\n") this.#at++;
      else return;
    }
  }

  #atEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #isOperator(): boolean {
    return OPERATORS.some((operator) => this.#text.startsWith(operator, this.#at));
  }

  /** Takes the operator that stands here. */
  #operator(): string | undefined {
    const operator = OPERATORS.find((candidate) => this.#text.startsWith(candidate, this.#at));
    if (operator !== undefined) this.#at += operator.length;
    return operator;
  }

  #unexpected(token: string): CommandList {
    return this.#fail(
      `bash: -c: line 1: syntax error near unexpected token \`${token === "\n" ? "newline" : token}'\n` +
        `bash: -c: line 1: \`${this.#text}'`,
    );
  }

  #fail(problem: string): CommandList {
    this.problem ??= problem;
    return [];
  }
}
