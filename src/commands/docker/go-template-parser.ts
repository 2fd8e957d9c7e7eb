/** Reads Go templates (text/template/parse): texts and actions, nested where an action opens a block. */
export type Operand =
  | { readonly kind: "field"; readonly fields: readonly string[]; readonly place: OperandPlace }
  | {
      readonly kind: "variable";
      readonly name: string;
      readonly fields: readonly string[];
      readonly place: OperandPlace;
    }
  | { readonly kind: "constant"; readonly value: string | number | boolean | null }
  | { readonly kind: "function"; readonly name: string }
  | { readonly kind: "group"; readonly action: Action; readonly fields: readonly string[] };

/** Where an operand stands, for complaints: its column, from 0, and its text. */
export interface OperandPlace {
  readonly column: number;
  readonly source: string;
}

/** Commands whose results go from one to the next. */
export interface Action {
  readonly pipeline: readonly (readonly Operand[])[];
  /** `$x := …`: nothing is written. */
  readonly variable: string | undefined;
}

export type TemplateNode =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "action"; readonly action: Action }
  | { readonly kind: "if" | "with"; readonly action: Action; readonly body: TemplateNode[]; otherwise: TemplateNode[] }
  | {
      readonly kind: "range";
      readonly action: Action;
      readonly keyVariable: string | undefined;
      readonly valueVariable: string | undefined;
      readonly body: TemplateNode[];
      otherwise: TemplateNode[];
    };

type Block = Extract<TemplateNode, { kind: "if" | "with" | "range" }>;

const TOKEN =
  /\s+|"(?:[^"\\]|\\.)*"|`[^`]*`|'(?:[^'\\]|\\.)*'|-?\d+(?:\.\d+)?|\$[\w]*(?:\.\w+)*|(?:\.\w+)+|\.|[A-Za-z_]\w*|:=|[|(),]|=/y;
const MAXIMUM_CHARACTERS = 100_000;

export function parseTemplate(text: string): { nodes: TemplateNode[] } | { problem: string } {
  if (text.length > MAXIMUM_CHARACTERS) return { problem: "template too long" };
  const nodes: TemplateNode[] = [];
  /** Blocks that are open, and where their text goes; `chained`: opened by `else if`, closed with the block around it. */
  const open: { block: Block; into: TemplateNode[]; chained: boolean }[] = [];
  const into = () => open[open.length - 1]?.into ?? nodes;
  let at = 0;
  for (;;) {
    const start = text.indexOf("{{", at);
    let plain = text.slice(at, start < 0 ? text.length : start);
    const trimsBefore = start >= 0 && /^\{\{- /.test(text.slice(start, start + 4));
    if (trimsBefore) plain = plain.trimEnd();
    if (plain !== "") into().push({ kind: "text", text: plain });
    if (start < 0) break;
    const end = text.indexOf("}}", start);
    if (end < 0) return { problem: "unclosed action" };
    let inside = text.slice(start + 2, end);
    at = end + 2;
    let offset = start + 2;
    if (trimsBefore) {
      inside = inside.slice(1);
      offset++;
    }
    if (/ -$/.test(inside)) {
      inside = inside.slice(0, -1);
      while (at < text.length && /\s/.test(text[at]!)) at++;
    }
    offset += inside.length - inside.trimStart().length;
    inside = inside.trim();
    if (inside.startsWith("/*")) continue;
    const problem = takeAction(inside, offset);
    if (problem !== undefined) return { problem };
  }
  return open.length > 0 ? { problem: "unexpected EOF" } : { nodes };

  function takeAction(inside: string, offset: number): string | undefined {
    const word = /^\w+/.exec(inside)?.[0] ?? "";
    const rest = inside.slice(word.length);
    switch (word) {
      case "if":
      case "with":
      case "range":
        return begin(word, rest, offset + word.length, false);
      case "else": {
        const current = open[open.length - 1];
        if (current === undefined || current.into === current.block.otherwise) return "unexpected {{else}}";
        current.into = current.block.otherwise;
        const chain = /^\s+(if|with)(\s.*)$/s.exec(rest);
        if (chain === null) return undefined;
        return begin(chain[1] as "if" | "with", chain[2]!, offset + inside.length - chain[2]!.length, true);
      }
      case "end": {
        let closed = open.pop();
        if (closed === undefined) return "unexpected {{end}}";
        while (closed?.chained === true) closed = open.pop();
        return undefined;
      }
      default: {
        const action = parseAction(inside, offset);
        if (typeof action === "string") return action;
        into().push({ kind: "action", action });
        return undefined;
      }
    }
  }

  function begin(kind: Block["kind"], rest: string, offset: number, chained: boolean): string | undefined {
    const declared = kind === "range" ? /^\s*(?:(\$\w+)\s*,\s*)?(\$\w+)\s*:=/.exec(rest) : null;
    const skipped = declared?.[0].length ?? 0;
    if (rest.slice(skipped).trim() === "") return `missing value for ${kind}`;
    const action = parseAction(rest.slice(skipped), offset + skipped);
    if (typeof action === "string") return action;
    const lists = { action, body: [], otherwise: [] };
    const block: Block =
      kind === "range"
        ? { kind, ...lists, keyVariable: declared?.[1], valueVariable: declared?.[2] }
        : { kind, ...lists };
    into().push(block);
    open.push({ block, into: block.body, chained });
    return undefined;
  }
}

/** The action between the braces, or what is wrong with it. */
function parseAction(source: string, offset: number): Action | string {
  const tokens: string[] = [];
  const columns: number[] = [];
  TOKEN.lastIndex = 0;
  while (TOKEN.lastIndex < source.length) {
    const from = TOKEN.lastIndex;
    const match = TOKEN.exec(source);
    if (match === null) return `unexpected ${JSON.stringify(source[from])} in command`;
    if (match[0].trim() === "") continue;
    tokens.push(match[0]);
    columns.push(offset + from);
  }
  let variable: string | undefined;
  if (tokens[1] === ":=" || tokens[1] === "=") {
    variable = tokens[0];
    tokens.splice(0, 2);
    columns.splice(0, 2);
  }
  const cursor = { tokens, columns, at: 0 };
  const pipeline = parsePipeline(cursor);
  if (typeof pipeline === "string") return pipeline;
  if (cursor.at < tokens.length) return `unexpected "${tokens[cursor.at]}" in command`;
  return { pipeline, variable };
}

interface Cursor {
  readonly tokens: readonly string[];
  readonly columns: readonly number[];
  at: number;
}

function parsePipeline(cursor: Cursor): Operand[][] | string {
  const pipeline: Operand[][] = [[]];
  for (; cursor.at < cursor.tokens.length; cursor.at++) {
    const token = cursor.tokens[cursor.at]!;
    const command = pipeline[pipeline.length - 1]!;
    if (token === ")") break;
    if (token === "|") {
      if (command.length === 0) return "missing value for command";
      pipeline.push([]);
    } else if (token === "(") {
      cursor.at++;
      const inner = parsePipeline(cursor);
      if (typeof inner === "string") return inner;
      if (cursor.tokens[cursor.at] !== ")") return "unclosed left paren";
      const next = cursor.tokens[cursor.at + 1];
      const fields = next !== undefined && /^(\.\w+)+$/.test(next) ? next.slice(1).split(".") : [];
      if (fields.length > 0) cursor.at++;
      command.push({ kind: "group", action: { pipeline: inner, variable: undefined }, fields });
    } else {
      const operand = parseOperand(token, cursor.columns[cursor.at]!);
      if (operand === undefined) return `unexpected "${token}" in operand`;
      command.push(operand);
    }
  }
  return pipeline[pipeline.length - 1]!.length === 0 ? "missing value for command" : pipeline;
}

function parseOperand(token: string, start: number): Operand | undefined {
  if (token === ".") return { kind: "field", fields: [], place: { column: start, source: token } };
  if (token.startsWith(".")) {
    const fields = token.slice(1).split(".");
    // A chain of fields stands where its second one does.
    const column = fields.length > 1 ? start + 1 + fields[0]!.length : start;
    return { kind: "field", fields, place: { column, source: token } };
  }
  if (token.startsWith("$")) {
    const [name = "$", ...fields] = token.split(".");
    return { kind: "variable", name, fields, place: { column: start, source: token } };
  }
  if (token.startsWith('"')) return { kind: "constant", value: unquote(token.slice(1, -1)) };
  if (token.startsWith("`")) return { kind: "constant", value: token.slice(1, -1) };
  if (/^-?\d/.test(token)) return { kind: "constant", value: Number(token) };
  if (token === "true" || token === "false") return { kind: "constant", value: token === "true" };
  if (token === "nil") return { kind: "constant", value: null };
  return /^[A-Za-z_]/.test(token) ? { kind: "function", name: token } : undefined;
}

const ESCAPES: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };

function unquote(text: string): string {
  return text.replace(/\\(.)/g, (_all, letter: string) => ESCAPES[letter] ?? letter);
}
