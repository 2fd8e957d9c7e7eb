/**
 * Go's text/template as far as `--format` needs it: fields, variables, pipelines, `if`, `range`, `with`, `else`, comparison, and the functions that the
 * docker client adds (templates.go): json, join, lower, upper, title, split, pad, truncate.
 */

import { quoted } from "../../swarm/stack/go-quote.ts";
import {
  type Action,
  type Operand,
  type OperandPlace,
  parseTemplate,
  type TemplateNode,
} from "./go-template-parser.ts";
import { fieldsOf, goJson, isList, isMap, type Shown } from "./go-text.ts";

/** What is wrong with a template, or with what it was given. */
export class TemplateError extends Error {
  override readonly name = "TemplateError";
  readonly stage: TemplateStage;

  constructor(stage: TemplateStage, message: string) {
    super(`template parsing error: template: :1${message}`);
    this.stage = stage;
  }
}

type Scope = ReadonlyMap<string, Shown>;

/** Whether the template cannot be read, or cannot be followed with the data at hand. */
export type TemplateStage = "parsing" | "executing";

export class Template {
  readonly #nodes: readonly TemplateNode[];
  readonly #missing: (field: string) => string;

  /** `missing`: what is said of a field that is not there. Throws a TemplateError. */
  constructor(text: string, missing: (field: string) => string) {
    const parsed = parseTemplate(text);
    if ("problem" in parsed) throw unreadable(parsed.problem);
    const unknown = firstUnknownFunction(parsed.nodes);
    if (unknown !== undefined) throw unreadable(`function "${unknown}" not defined`);
    this.#nodes = parsed.nodes;
    this.#missing = missing;
  }

  /** Throws a TemplateError. */
  run(data: Shown): string {
    return this.#write(this.#nodes, data, new Map([["$", data]]));
  }

  #write(nodes: readonly TemplateNode[], dot: Shown, outer: Scope): string {
    let text = "";
    let scope = outer;
    for (const node of nodes) {
      if (node.kind === "text") text += node.text;
      else if (node.kind === "action") {
        const value = this.#evaluate(node.action, dot, scope);
        if (node.action.variable === undefined) text += printed(value);
        else scope = new Map(scope).set(node.action.variable, value);
      } else if (node.kind === "range") text += this.#range(node, dot, scope);
      else if (node.kind === "if") {
        const value = this.#evaluate(node.action, dot, scope);
        text += this.#write(isTrue(value) ? node.body : node.otherwise, dot, scope);
      } else {
        const value = this.#evaluate(node.action, dot, scope);
        text += isTrue(value) ? this.#write(node.body, value, scope) : this.#write(node.otherwise, dot, scope);
      }
    }
    return text;
  }

  #range(node: Extract<TemplateNode, { kind: "range" }>, dot: Shown, scope: Scope): string {
    const value = this.#evaluate(node.action, dot, scope);
    if (typeof value === "string" || typeof value === "boolean") {
      const operand = node.action.pipeline[0]?.[0];
      const place = operand !== undefined && "place" in operand ? operand.place : NOWHERE;
      throw impossible(place, `range can't iterate over ${printed(value)}`);
    }
    const entries: [Shown, Shown][] = isList(value)
      ? value.map((each, index) => [index, each])
      : typeof value === "object" && value !== null
        ? fieldsOf(value)
        : [];
    if (entries.length === 0) return this.#write(node.otherwise, dot, scope);
    let text = "";
    for (const [key, each] of entries) {
      const inner = new Map(scope);
      if (node.keyVariable !== undefined) inner.set(node.keyVariable, key);
      if (node.valueVariable !== undefined) inner.set(node.valueVariable, each);
      text += this.#write(node.body, each, inner);
    }
    return text;
  }

  #evaluate(action: Action, dot: Shown, scope: Scope): Shown {
    let piped: Shown[] = [];
    for (const command of action.pipeline) {
      const [first, ...rest] = command;
      if (first === undefined) continue;
      if (first.kind === "function") {
        const operands = [...rest.map((each) => this.#operand(each, dot, scope)), ...piped];
        piped = [this.#call(first.name, operands)];
      } else piped = [this.#operand(first, dot, scope)];
    }
    return piped[0];
  }

  #operand(operand: Operand, dot: Shown, scope: Scope): Shown {
    switch (operand.kind) {
      case "constant":
        return operand.value;
      case "function":
        return this.#call(operand.name, []);
      case "group":
        return this.#fields(this.#evaluate(operand.action, dot, scope), operand.fields, NOWHERE);
      case "variable": {
        if (!scope.has(operand.name)) throw unreadable(`undefined variable "${operand.name}"`);
        return this.#fields(scope.get(operand.name), operand.fields, operand.place);
      }
      case "field":
        return this.#fields(dot, operand.fields, operand.place);
    }
  }

  #fields(start: Shown, fields: readonly string[], place: OperandPlace): Shown {
    let value = start;
    for (const field of fields) {
      if (isMap(value)) value = value.get(field);
      else if (isRecord(value)) {
        if (!(field in value)) throw impossible(place, this.#missing(field));
        value = value[field];
      } else if (value === undefined || value === null)
        throw impossible(place, `nil pointer evaluating interface {}.${field}`);
      else throw impossible(place, `can't evaluate field ${field} in type ${typeName(value)}`);
    }
    return value;
  }

  #call(name: string, operands: readonly Shown[]): Shown {
    const answer = FUNCTIONS.get(name)!(operands);
    if (answer instanceof Failure) throw impossible(NOWHERE, `error calling ${name}: ${answer.reason}`);
    return answer;
  }
}

const NOWHERE: OperandPlace = { column: 0, source: "." };

function unreadable(problem: string): TemplateError {
  return new TemplateError("parsing", `: ${problem}`);
}

function impossible({ column, source }: OperandPlace, problem: string): TemplateError {
  return new TemplateError("executing", `:${column}: executing "" at <${source}>: ${problem}`);
}

function typeName(value: Shown): string {
  if (typeof value === "string") return "string";
  if (typeof value === "number") return "int";
  return typeof value === "boolean" ? "bool" : "[]interface {}";
}

function isRecord(value: Shown): value is { readonly [field: string]: Shown } {
  return typeof value === "object" && value !== null && !isList(value) && !isMap(value);
}

/** Functions are looked for when the template is read. */
function firstUnknownFunction(nodes: readonly TemplateNode[]): string | undefined {
  const inAction = ({ pipeline }: Action): string | undefined => {
    for (const operand of pipeline.flat()) {
      if (operand.kind === "function" && !FUNCTIONS.has(operand.name)) return operand.name;
      const inner = operand.kind === "group" ? inAction(operand.action) : undefined;
      if (inner !== undefined) return inner;
    }
    return undefined;
  };
  for (const node of nodes) {
    if (node.kind === "text") continue;
    const found =
      inAction(node.action) ??
      (node.kind === "action" ? undefined : firstUnknownFunction([...node.body, ...node.otherwise]));
    if (found !== undefined) return found;
  }
  return undefined;
}

class Failure {
  readonly reason: string;

  constructor(reason: string) {
    this.reason = reason;
  }
}

const text = (value: Shown) => printed(value);
const FUNCTIONS: ReadonlyMap<string, (operands: readonly Shown[]) => Shown | Failure> = new Map([
  ["json", ([value]: readonly Shown[]) => goJson(value)],
  ["join", ([list, glue]) => (isList(list) ? list.map(text).join(text(glue)) : new Failure("wrong type"))],
  ["split", ([value, by]) => text(value).split(text(by))],
  ["lower", ([value]) => text(value).toLowerCase()],
  ["upper", ([value]) => text(value).toUpperCase()],
  [
    "title",
    ([value]) => text(value).replace(/(^|[\s])(\p{L})/gu, (_all, before, letter) => before + letter.toUpperCase()),
  ],
  [
    "pad",
    ([value, before, after]) =>
      value === "" ? "" : " ".repeat(Number(before)) + text(value) + " ".repeat(Number(after)),
  ],
  ["truncate", ([value, length]) => text(value).slice(0, Number(length))],
  ["println", (operands) => `${operands.map(text).join(" ")}\n`],
  ["print", (operands) => operands.map(text).join("")],
  ["printf", ([format, ...rest]) => printf(text(format), rest)],
  ["len", ([value]) => lengthOf(value)],
  ["index", ([value, ...keys]) => index(value, keys)],
  [
    "slice",
    ([value, from, to]) =>
      isList(value)
        ? value.slice(Number(from ?? 0), to === undefined ? undefined : Number(to))
        : text(value).slice(Number(from ?? 0), to === undefined ? undefined : Number(to)),
  ],
  ["eq", ([first, ...rest]) => rest.some((each) => each === first)],
  ["ne", ([first, second]) => first !== second],
  ["lt", ([first, second]) => compare(first, second) < 0],
  ["le", ([first, second]) => compare(first, second) <= 0],
  ["gt", ([first, second]) => compare(first, second) > 0],
  ["ge", ([first, second]) => compare(first, second) >= 0],
  ["and", (operands) => operands.find((each) => !isTrue(each)) ?? operands[operands.length - 1]],
  ["or", (operands) => operands.find(isTrue) ?? operands[operands.length - 1]],
  ["not", ([value]) => !isTrue(value)],
]);

/** What `{{.}}` writes: fmt.Print. */
export function printed(value: Shown): string {
  if (value === undefined || value === null) return "<no value>";
  if (typeof value !== "object") return String(value);
  if (isList(value)) return `[${value.map(printed).join(" ")}]`;
  if (isMap(value))
    return `map[${fieldsOf(value)
      .map(([name, each]) => `${name}:${printed(each)}`)
      .join(" ")}]`;
  return `{${fieldsOf(value)
    .map(([, each]) => printed(each))
    .join(" ")}}`;
}

function isTrue(value: Shown): boolean {
  if (typeof value === "object" && value !== null) return isList(value) || isMap(value) ? lengthOf(value) !== 0 : true;
  return value !== undefined && value !== null && value !== false && value !== 0 && value !== "";
}

function lengthOf(value: Shown): number {
  if (typeof value === "string") return new TextEncoder().encode(value).length;
  if (isList(value)) return value.length;
  return isMap(value) ? value.size : 0;
}

function index(value: Shown, keys: readonly Shown[]): Shown | Failure {
  let found = value;
  for (const key of keys) {
    if (isList(found)) {
      const at = Number(key);
      if (!(at >= 0 && at < found.length)) return new Failure(`error calling index: index out of range: ${at}`);
      found = found[at];
    } else if (isMap(found)) found = found.get(printed(key)) ?? "";
    else if (typeof found === "object" && found !== null)
      found = (found as { readonly [name: string]: Shown })[printed(key)];
    else return new Failure(`error calling index: can't index item of type ${typeof found}`);
  }
  return found;
}

function compare(first: Shown, second: Shown): number {
  if (typeof first === "number" && typeof second === "number") return first - second;
  const [a, b] = [printed(first), printed(second)];
  return a < b ? -1 : a > b ? 1 : 0;
}

function printf(format: string, values: readonly Shown[]): string {
  let next = 0;
  return format.replace(/%(-?\d*)(?:\.(\d+))?([a-zA-Z%])/g, (_all, width: string, _precision, verb: string) => {
    if (verb === "%") return "%";
    const value = values[next++];
    const body = verb === "q" ? quoted(printed(value)) : printed(value);
    const size = Math.min(Math.abs(Number(width)), 10_000);
    return width.startsWith("-") ? body.padEnd(size) : body.padStart(size);
  });
}
