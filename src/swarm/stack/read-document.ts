/** One stack file as a tree of named values: merge keys put in, doubled keys and alias bombs refused as Go's yaml.v3 refuses them. */
import { quoted } from "./go-quote.ts";
import { type RawNode, readYaml } from "./read-yaml.ts";
import { type Place, StackError } from "./stack-error.ts";
import type { MapEntry, MapNode, StackDocument, StackNode } from "./stack-node.ts";
import { YamlRefusal } from "./yaml-refusal.ts";

/** In UTF-16 units: the largest file that is looked at. Real stack files have a few thousand. */
const MOST_CHARACTERS = 8 * 1024 * 1024;
/** Nodes with every alias written out. */
const MOST_EXPANDED = 1_000_000;

export function readDocument(file: string, text: string): StackDocument {
  const lines = lineStarts(text);
  const placeAt = (offset: number): Place => placeOf(file, lines, offset);
  if (text.length > MOST_CHARACTERS)
    throw new StackError(`file is larger than ${MOST_CHARACTERS} characters`, { file, line: 0, column: 0 });
  try {
    const raw = readYaml(text);
    if (raw !== undefined) weigh(raw);
    const repeated: { readonly line: string; readonly at: number }[] = [];
    const root = raw === undefined ? undefined : decode(raw, repeated, new Map());
    if (repeated.length > 0)
      throw new YamlRefusal(
        `unmarshal errors:\n${repeated.map(({ line }) => `  ${line}`).join("\n")}`,
        repeated[0]!.at,
      );
    if (root?.kind !== "map" || root.foreignKeyAt !== undefined)
      throw new StackError("top-level object must be a mapping", placeAt(rootTroubleAt(root)));
    return { file, root, placeAt };
  } catch (error) {
    if (error instanceof YamlRefusal) throw new StackError(error.message, placeAt(error.offset));
    throw error;
  }
}

function rootTroubleAt(root: StackNode | undefined): number {
  if (root === undefined) return 0;
  return root.kind === "map" ? (root.foreignKeyAt ?? root.at) : root.at;
}

/** Counts the nodes as if every alias were written out; the graph has no cycles, so each node is counted once and remembered. */
function weigh(root: RawNode): void {
  const weights = new Map<RawNode, number>();
  const weight = (node: RawNode): number => {
    const known = weights.get(node);
    if (known !== undefined) return known;
    let total = 1;
    if (node.kind === "list") for (const item of node.items) total += weight(item);
    else if (node.kind === "map") for (const [key, value] of node.pairs) total += weight(key) + weight(value);
    weights.set(node, total);
    if (total > MOST_EXPANDED) throw new YamlRefusal("document contains excessive aliasing", node.at);
    return total;
  };
  weight(root);
}

type Repeated = { readonly line: string; readonly at: number };

function decode(node: RawNode, repeated: Repeated[], done: Map<RawNode, StackNode>): StackNode {
  const known = done.get(node);
  if (known !== undefined) return known;
  let result: StackNode;
  if (node.kind === "list")
    result = { kind: "list", at: node.at, items: node.items.map((item) => decode(item, repeated, done)) };
  else if (node.kind === "map") result = decodeMap(node, repeated, done);
  else result = { kind: node.kind, at: node.at, value: node.value, text: node.text };
  done.set(node, result);
  return result;
}

type RawMap = RawNode & { readonly kind: "map" };

function decodeMap(node: RawMap, repeated: Repeated[], done: Map<RawNode, StackNode>): MapNode {
  noteRepeatedKeys(node, repeated);
  const entries = new Map<string, MapEntry>();
  const merges: RawNode[] = [];
  let foreignKeyAt: number | undefined;
  for (const [key, value] of node.pairs) {
    if (isMergeKey(key)) merges.push(value);
    else if (key.kind === "string" && key.isKeyText)
      entries.set(key.text, { keyAt: key.at, node: decode(value, repeated, done) });
    else {
      if (key.kind === "list" || key.kind === "map")
        throw new YamlRefusal(
          `invalid map key: ${key.kind === "list" ? "[]interface {}" : "map[string]interface {}"}{}`,
          key.at,
        );
      foreignKeyAt ??= key.at;
      decode(value, repeated, done);
    }
  }
  for (const merge of merges) {
    const sources = merge.kind === "list" ? merge.items : [merge];
    for (const source of sources) {
      if (source.kind !== "map")
        throw new YamlRefusal("map merge requires map or sequence of maps as the value", source.at);
      const decoded = decode(source, repeated, done) as MapNode;
      foreignKeyAt ??= decoded.foreignKeyAt;
      for (const [key, entry] of decoded.entries) if (!entries.has(key)) entries.set(key, entry);
    }
  }
  return { kind: "map", at: node.at, entries, ...(foreignKeyAt === undefined ? {} : { foreignKeyAt }) };
}

function isMergeKey(key: RawNode): boolean {
  return key.kind === "string" && key.text === "<<";
}

/** yaml.v3 compares keys as written, by kind and text. */
function noteRepeatedKeys(node: RawMap, repeated: Repeated[]): void {
  const seen = new Map<string, number>();
  for (const [key] of node.pairs) {
    if (key.kind === "list" || key.kind === "map") continue;
    const name = `${key.kind} ${key.text}`;
    const first = seen.get(name);
    if (first === undefined) seen.set(name, key.line);
    else
      repeated.push({
        line: `line ${key.line + 1}: mapping key ${quoted(key.text)} already defined at line ${first + 1}`,
        at: key.at,
      });
  }
}

function lineStarts(text: string): readonly number[] {
  const starts = [0];
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) starts.push(at + 1);
  return starts;
}

function placeOf(file: string, starts: readonly number[], offset: number): Place {
  let low = 0;
  let high = starts.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (starts[middle]! <= offset) low = middle;
    else high = middle - 1;
  }
  return { file, line: low + 1, column: offset - starts[low]! + 1 };
}
