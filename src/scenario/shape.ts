/**
 * Shapes: what a part of a scenario file may be. One description gives both the reader, which turns YAML nodes into values and
 * collects every problem with its place, and the JSON Schema that editors use.
 */
import { type Document, isAlias, isMap, isScalar, isSeq, type LineCounter, type Node, visit, YAMLMap } from "yaml";
import { nearest, type Problem } from "./problem.ts";

export type JsonSchema = Readonly<Record<string, unknown>>;

/** Where reading stands: the document, its lines, and the problems found so far. */
export interface Reading {
  readonly document: Document;
  /** Absent when the document was made from an object. */
  readonly lines: LineCounter | undefined;
  readonly problems: Problem[];
  /** How many more values may be read, aliases followed: an alias bomb ends here. */
  readonly budget: { left: number };
  /** What each alias stands for. */
  readonly targets: ReadonlyMap<Node, Node>;
  /** The entries of mappings that have been read. */
  readonly entries: Map<YAMLMap, ReadonlyMap<string, Entry>>;
}

/**
 * `read` gives `undefined` when it noted a problem with the value as a whole. Where only a part is wrong the rest is given, so that all of
 * a file's problems can be found at once: a bad item leaves a hole in its list, a bad value is left out of its mapping.
 */
export interface Shape<T> {
  /** In words, for "expected …". */
  readonly words: string;
  read(node: Node | undefined, reading: Reading, path: string): T | undefined;
  readonly schema: JsonSchema;
}

/** A key of an object shape: its shape, whether it must be there, and what it is for (the schema's description). */
export interface Field<T> {
  readonly shape: Shape<T>;
  readonly required: boolean;
  readonly about: string;
}

export function required<T>(shape: Shape<T>, about: string): Field<T> & { readonly required: true } {
  return { shape, required: true, about };
}
export function optional<T>(shape: Shape<T>, about: string): Field<T> & { readonly required: false } {
  return { shape, required: false, about };
}

/** Problems beyond these are not worth noting: a file of nothing but mistakes stays cheap. */
const MOST_NOTED = 200;

type Fields = Readonly<Record<string, Field<unknown>>>;
type Values<F extends Fields> = {
  readonly [K in keyof F as F[K]["required"] extends true ? K : never]: F[K] extends Field<infer T> ? T : never;
} & {
  readonly [K in keyof F as F[K]["required"] extends true ? never : K]?: F[K] extends Field<infer T> ? T : never;
};

/** Notes a problem at `node`. */
export function note(
  reading: Reading,
  node: Node | undefined,
  path: string,
  found: string,
  expected: string,
  hint?: string,
): undefined {
  if (isFull(reading)) return undefined;
  const range = node?.range;
  if (reading.lines === undefined || range === undefined || range === null) {
    reading.problems.push({ line: 0, column: 0, length: 0, path, found, expected, hint });
    return undefined;
  }
  const { line, col } = reading.lines.linePos(range[0]);
  reading.problems.push({ line, column: col, length: Math.max(1, range[1] - range[0]), path, found, expected, hint });
  return undefined;
}

/** What a node is, in words: `the number 5`, `a list`. */
export function describeNode(node: Node | undefined): string {
  if (node === undefined) return "nothing";
  if (isAlias(node)) return `the alias *${node.source}, which names no value before it`;
  if (isMap(node)) return "a mapping";
  if (isSeq(node)) return "a list";
  if (isScalar(node)) {
    const value = node.value;
    if (value === null) return "nothing";
    if (typeof value === "string") return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
    return `the ${typeof value} ${String(value)}`;
  }
  return "something else";
}

/** Begins the reading of a document. `mostValues` bounds the work, aliases followed. */
export function beginReading(document: Document, lines: LineCounter | undefined, mostValues: number): Reading {
  const targets = new Map<Node, Node>();
  const anchors = new Map<string, Node>();
  visit(document, {
    Node(_key, node) {
      if (isAlias(node)) {
        const target = anchors.get(node.source);
        if (target !== undefined) targets.set(node, target);
      } else if (node.anchor !== undefined) anchors.set(node.anchor, node);
    },
  });
  return { document, lines, problems: [], budget: { left: mostValues }, targets, entries: new Map() };
}

/** The same reading, with its problems but a budget of its own. */
export function readAgain(reading: Reading, mostValues: number, problems = reading.problems): Reading {
  return { ...reading, problems, budget: { left: mostValues } };
}

/** Are there so many problems that more are not worth finding? */
export function isFull(reading: Reading): boolean {
  return reading.budget.left < 0 || reading.problems.length >= MOST_NOTED;
}

/** The node that an alias stands for, any other node itself; undefined when there is none, or when the budget is spent. */
export function resolved(node: Node | undefined, reading: Reading): Node | undefined {
  if (!spend(reading, node)) return undefined;
  return isAlias(node) ? reading.targets.get(node) : node;
}

function spend(reading: Reading, node: Node | undefined): boolean {
  const budget = reading.budget;
  if (budget.left < 0) return false;
  if (budget.left === 0) note(reading, node, "", "more values than any scenario has (aliases followed)", "fewer");
  budget.left--;
  return budget.left >= 0;
}

/** The node that `path` (`steps[2].at`) names, or the nearest one above it: for problems that show only when the whole is read. */
export function nodeAt(reading: Reading, path: string): Node | undefined {
  return locate(reading, path).value;
}

/** The key that `path` ends in, where the problem is the name; the value where it has no key. */
export function keyAt(reading: Reading, path: string): Node | undefined {
  const { key, value } = locate(reading, path);
  return key ?? value;
}

function locate(reading: Reading, path: string): { key: Node | undefined; value: Node | undefined } {
  let value = resolved(rootOf(reading), reading);
  let key: Node | undefined;
  let rest = path;
  while (rest !== "") {
    let next: Node | undefined;
    let nextKey: Node | undefined;
    let length = 0;
    if (isMap(value)) {
      // Names may hold dots: the longest key that the path goes on with is meant.
      const entries = entriesOf(value, reading);
      for (let end = 1; end <= rest.length; end++) {
        const boundary = end === rest.length || rest[end] === "." || rest[end] === "[";
        const entry = boundary ? entries.get(rest.slice(0, end)) : undefined;
        if (entry === undefined) continue;
        length = end;
        next = entry.value;
        nextKey = entry.keyNode;
      }
    } else if (isSeq(value)) {
      const index = /^\[(\d+)\]/.exec(rest);
      length = index?.[0].length ?? 0;
      next = index === null ? undefined : (value.items[Number(index[1])] as Node | undefined);
    }
    if (next === undefined) return nextKey === undefined ? { key, value } : { key: nextKey, value: nextKey };
    key = nextKey;
    value = resolved(next, reading);
    rest = rest.slice(length).replace(/^\./, "");
  }
  return { key, value };
}

/** Does the mapping at `path` have the key, whatever its value? */
export function hasKey(reading: Reading, path: string, key: string): boolean {
  const at = nodeAt(reading, path);
  return isMap(at) && entriesOf(at, reading).has(key);
}

function rootOf(reading: Reading): Node | undefined {
  return (reading.document.contents as Node | null) ?? undefined;
}

export interface Entry {
  readonly key: string;
  readonly keyNode: Node;
  readonly value: Node | undefined;
}

/** A mapping's entries by name, `<<` merged in (YAML 1.1 merge keys: keys of the mapping itself win, then those merged first). */
export function entriesOf(map: YAMLMap, reading: Reading): ReadonlyMap<string, Entry> {
  let entries = reading.entries.get(map);
  if (entries === undefined) {
    entries = mergedEntries(map, reading, []);
    reading.entries.set(map, entries);
  }
  return entries;
}

function mergedEntries(map: YAMLMap, reading: Reading, inside: readonly YAMLMap[]): ReadonlyMap<string, Entry> {
  const entries = new Map<string, Entry>();
  const merges: (Node | undefined)[] = [];
  for (const pair of map.items) {
    const keyNode = pair.key as Node;
    const key = isScalar(keyNode) ? String(keyNode.value) : "";
    const value = (pair.value as Node | null) ?? undefined;
    if (key === "<<") merges.push(value);
    else if (!entries.has(key)) entries.set(key, { key, keyNode, value });
  }
  for (const merge of merges) {
    const target = resolved(merge, reading);
    for (const source of isSeq(target) ? target.items : [target]) {
      const mapping = resolved(source as Node | undefined, reading);
      // A mapping merged into itself brings nothing.
      if (!isMap(mapping) || mapping === map || inside.includes(mapping) || inside.length >= MOST_MERGES) continue;
      for (const entry of mergedEntries(mapping, reading, [...inside, map]).values()) {
        if (!spend(reading, merge)) return entries;
        if (!entries.has(entry.key)) entries.set(entry.key, entry);
      }
    }
  }
  return entries;
}

/** Of mappings merged into mappings that are merged into others. */
const MOST_MERGES = 20;

/** Notes keys that a mapping has twice. */
function noteRepeatedKeys(map: YAMLMap, reading: Reading, path: string): void {
  const seen = new Set<string>();
  for (const { key } of map.items) {
    if (!isScalar(key)) continue;
    const name = String(key.value);
    if (seen.has(name) && name !== "<<")
      note(
        reading,
        key,
        path === "" ? name : `${path}.${name}`,
        `the key ${JSON.stringify(name)} a second time`,
        "each key once",
      );
    seen.add(name);
  }
}

/** Text that `pattern` allows. */
export function text(words = "a text", pattern?: RegExp): Shape<string> {
  return {
    words,
    schema: { title: words, type: "string", ...(pattern !== undefined && { pattern: pattern.source }) },
    read(node, reading, path) {
      const at = resolved(node, reading);
      if (isScalar(at) && typeof at.value === "string" && (pattern === undefined || pattern.test(at.value)))
        return at.value;
      return note(reading, at ?? node, path, describeNode(at ?? node), words);
    },
  };
}

/** Text or number that `parse` turns into a value; `undefined` from `parse` refuses it. */
export function parsed<T>(words: string, parse: (text: string) => T | undefined, schema: JsonSchema): Shape<T> {
  return {
    words,
    schema: { title: words, ...schema },
    read(node, reading, path) {
      const at = resolved(node, reading);
      if (isScalar(at) && (typeof at.value === "string" || typeof at.value === "number")) {
        // The source says what was typed: 1.10 is no number to us before `parse` has seen it.
        const value = parse(at.source ?? String(at.value));
        if (value !== undefined) return value;
      }
      return note(reading, at ?? node, path, describeNode(at ?? node), words);
    },
  };
}

export function integer(low: number, high: number): Shape<number> {
  const words = `an integer from ${low} to ${high}`;
  return {
    words,
    schema: { type: "integer", minimum: low, maximum: high },
    read(node, reading, path) {
      const at = resolved(node, reading);
      if (
        isScalar(at) &&
        typeof at.value === "number" &&
        Number.isInteger(at.value) &&
        at.value >= low &&
        at.value <= high
      )
        return at.value;
      return note(reading, at ?? node, path, describeNode(at ?? node), words);
    },
  };
}

export const boolean: Shape<boolean> = {
  words: "true or false",
  schema: { type: "boolean" },
  read(node, reading, path) {
    const at = resolved(node, reading);
    if (isScalar(at) && typeof at.value === "boolean") return at.value;
    return note(reading, at ?? node, path, describeNode(at ?? node), "true or false");
  },
};

/** One of some words. */
export function oneOf<const T extends string>(...choices: readonly T[]): Shape<T> {
  const words = choices.length === 1 ? `"${choices[0]}"` : `one of ${choices.join(", ")}`;
  return {
    words,
    schema: { enum: choices },
    read(node, reading, path) {
      const at = resolved(node, reading);
      const value = isScalar(at) ? at.value : undefined;
      const choice = choices.find((one) => one === value);
      if (choice !== undefined) return choice;
      const near = typeof value === "string" ? nearest(value, choices) : undefined;
      return note(reading, at ?? node, path, describeNode(at ?? node), words, near && `did you mean "${near}"?`);
    },
  };
}

export function list<T>(item: Shape<T>, words = `a list, each ${item.words}`, atLeast = 0): Shape<readonly T[]> {
  return {
    words,
    schema: { type: "array", items: item.schema, ...(atLeast > 0 ? { minItems: atLeast } : {}) },
    read(node, reading, path) {
      const at = resolved(node, reading);
      if (!isSeq(at)) return note(reading, at ?? node, path, describeNode(at ?? node), words);
      if (at.items.length < atLeast) return note(reading, at, path, `${at.items.length} items`, `at least ${atLeast}`);
      const values = at.items.map((one, index) => item.read(one as Node, reading, `${path}[${index}]`));
      return values as T[];
    },
  };
}

/** A mapping from names of the user's choice. A value that is left out (`c1:`) is read as an empty mapping. */
export function mapOf<T>(value: Shape<T>, keyWords: string, keyPattern: RegExp): Shape<ReadonlyMap<string, T>> {
  const words = `a mapping from ${keyWords} to ${value.words}`;
  return {
    words,
    schema: {
      type: "object",
      propertyNames: { pattern: keyPattern.source },
      additionalProperties: { anyOf: [value.schema, { type: "null" }] },
    },
    read(node, reading, path) {
      const at = resolved(node, reading);
      if (!isMap(at)) return note(reading, at ?? node, path, describeNode(at ?? node), words);
      noteRepeatedKeys(at, reading, path);
      const values = new Map<string, T>();
      for (const entry of entriesOf(at, reading).values()) {
        if (entry.key.startsWith("x-")) continue;
        const below = path === "" ? entry.key : `${path}.${entry.key}`;
        if (!keyPattern.test(entry.key)) {
          note(reading, entry.keyNode, below, JSON.stringify(entry.key), keyWords);
          continue;
        }
        const empty = entry.value === undefined || (isScalar(entry.value) && entry.value.value === null);
        const read = value.read(empty ? emptyMapping(entry.keyNode) : entry.value, reading, below);
        if (read !== undefined) values.set(entry.key, read);
      }
      return values;
    },
  };
}

/** The keys of a mapping; none when it is no mapping. */
export function keysOf(node: Node | undefined, reading: Reading): readonly string[] {
  const at = resolved(node, reading);
  return isMap(at) ? [...entriesOf(at, reading).keys()] : [];
}

/** The names that the mapping at the document's key `key` has, as written; none when there is no such mapping. */
export function namesUnder(reading: Reading, key: string): ReadonlySet<string> {
  if (!hasKey(reading, "", key)) return new Set();
  return new Set(keysOf(nodeAt(reading, key), reading).filter((name) => !name.startsWith("x-")));
}

function emptyMapping(where: Node): YAMLMap {
  const map = new YAMLMap();
  map.range = where.range ?? null;
  return map;
}

/** A mapping with known keys; unknown ones are refused, but for those that begin with `x-`. */
export function object<F extends Fields>(words: string, fields: F): Shape<Values<F>> {
  const names = Object.keys(fields);
  const needed = names.filter((name) => fields[name]!.required);
  return {
    words,
    schema: {
      type: "object",
      properties: Object.fromEntries(
        names.map((name) => [name, { description: fields[name]!.about, ...fields[name]!.shape.schema }]),
      ),
      patternProperties: { "^x-": {} },
      additionalProperties: false,
      ...(needed.length > 0 ? { required: needed } : {}),
    },
    read(node, reading, path) {
      const at = resolved(node, reading);
      if (!isMap(at)) return note(reading, at ?? node, path, describeNode(at ?? node), words);
      noteRepeatedKeys(at, reading, path);
      const values: Record<string, unknown> = {};
      const found = new Set<string>();
      for (const entry of entriesOf(at, reading).values()) {
        if (entry.key.startsWith("x-")) continue;
        found.add(entry.key);
        const below = path === "" ? entry.key : `${path}.${entry.key}`;
        const field = Object.hasOwn(fields, entry.key) ? fields[entry.key] : undefined;
        if (field === undefined) {
          const near = nearest(entry.key, names);
          const hint = near === undefined ? undefined : `did you mean "${near}"?`;
          note(
            reading,
            entry.keyNode,
            below,
            isScalar(entry.keyNode)
              ? `the unknown key ${JSON.stringify(entry.key)}`
              : `${describeNode(entry.keyNode)} as a key`,
            `one of ${names.join(", ")}`,
            hint,
          );
          continue;
        }
        const value = field.shape.read(entry.value ?? entry.keyNode, reading, below);
        if (value !== undefined) values[entry.key] = value;
      }
      for (const name of needed) {
        if (found.has(name)) continue;
        note(reading, at, path, `${words} without "${name}"`, `"${name}": ${fields[name]!.shape.words}`);
      }
      return needed.every((name) => values[name] !== undefined) ? (values as Values<F>) : undefined;
    },
  };
}

/** `shape`, where a value that is left out (`swarm:`) stands for an empty mapping. */
export function orEmpty<T>(shape: Shape<T>): Shape<T> {
  return {
    words: shape.words,
    schema: { anyOf: [shape.schema, { type: "null" }] },
    read(node, reading, path) {
      const at = resolved(node, reading);
      return shape.read(isScalar(at) && at.value === null ? emptyMapping(at) : node, reading, path);
    },
  };
}

/** One shape for a mapping, another for a list, another for the rest: the node's kind chooses, so that messages stay exact. */
export function byKind<A = never, B = never, C = never>(kinds: {
  readonly map?: Shape<A>;
  readonly list?: Shape<B>;
  readonly scalar?: Shape<C>;
}): Shape<A | B | C> {
  const shapes = [kinds.scalar, kinds.list, kinds.map].filter((shape) => shape !== undefined);
  const words = shapes.map((shape) => shape.words).join(", or ");
  return {
    words,
    schema: { anyOf: shapes.map((shape) => shape.schema) },
    read(node, reading, path) {
      const at = resolved(node, reading);
      const chosen = isMap(at) ? kinds.map : isSeq(at) ? kinds.list : kinds.scalar;
      if (chosen === undefined) return note(reading, at ?? node, path, describeNode(at ?? node), words);
      return (chosen as Shape<A | B | C>).read(at, reading, path);
    },
  };
}

/** `shape`'s value, made into another. */
export function mapped<T, U>(shape: Shape<T>, make: (value: T) => U): Shape<U> {
  return {
    words: shape.words,
    schema: shape.schema,
    read(node, reading, path) {
      const value = shape.read(node, reading, path);
      return value === undefined ? undefined : make(value);
    },
  };
}
