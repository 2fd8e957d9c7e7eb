/**
 * Holds a tree against a schema and picks, of all that is wrong, the complaint that the Docker client prints: the deepest, the first
 * among equals, a wrong type before the others. Of alternatives the one counts that came nearest (gojsonschema's scores).
 */
import { isDuration } from "./duration.ts";
import { isPortSpec } from "./port-spec.ts";
import type { Schema, SchemaType } from "./schema-language.ts";
import type { ListNode, MapNode, StackNode } from "./stack-node.ts";

export interface Complaint {
  /** As the client prints it. */
  readonly message: string;
  readonly path: readonly string[];
}

interface Finding {
  readonly kind: "type" | "alternatives" | "other";
  readonly path: readonly string[];
  readonly description: string;
  /** The client words a wrong type itself only where it is the finding, not the reason behind one. */
  readonly asReason?: string;
}

export function validate(root: StackNode, schema: Schema): Complaint | undefined {
  const result = new Result();
  check(root, schema, [], result);
  const { findings } = result;
  let chosen = 0;
  for (let at = 1; at < findings.length; at++) {
    const depth = depthOf(findings[at]!);
    const best = depthOf(findings[chosen]!);
    const wins = findings[at]!.kind === "type" && findings[chosen]!.kind !== "type";
    if (depth > best || (depth === best && wins)) chosen = at;
  }
  const finding = findings[chosen];
  if (finding === undefined) return undefined;
  // What the nearest alternative did not like stands right behind.
  const reason = finding.kind === "alternatives" ? findings[chosen + 1] : undefined;
  const path = reason === undefined ? finding.path : deeper(finding.path, reason.path);
  const description = reason === undefined ? finding.description : (reason.asReason ?? reason.description);
  return { message: `${fieldOf(finding.path)} ${description}`, path };
}

function deeper(a: readonly string[], b: readonly string[]): readonly string[] {
  return b.length >= a.length ? b : a;
}

function fieldOf(path: readonly string[]): string {
  return path.length === 0 ? "(root)" : path.join(".");
}

/** A dot in a name counts as a step, as it does for the client. */
function depthOf(finding: Finding): number {
  return fieldOf(finding.path).split(".").length;
}

class Result {
  readonly findings: Finding[] = [];
  score = 0;

  add(kind: Finding["kind"], path: readonly string[], description: string, asReason = description): void {
    this.findings.push({ kind, path, description, asReason });
    this.score -= 2;
  }

  merge(other: Result): void {
    for (const finding of other.findings) this.findings.push(finding);
    this.score += other.score;
  }
}

function within(node: StackNode, schema: Schema, path: readonly string[]): Result {
  const result = new Result();
  check(node, schema, path, result);
  return result;
}

function check(node: StackNode, schema: Schema, path: readonly string[], result: Result): void {
  const given = typeOf(node);
  if (schema.types !== undefined && !fits(given, schema.types)) {
    const expected = schema.types.length === 1 ? schema.types[0]! : `[${schema.types.join(",")}]`;
    const asReason = `Invalid type. Expected: ${expected}, given: ${given}`;
    result.add("type", path, `must be a ${typesInWords(schema.types)}`, asReason);
    return;
  }
  if (schema.oneOf !== undefined) checkAlternatives(node, schema.oneOf, path, result);
  result.score++;
  if (node.kind === "list") checkList(node, schema, path, result);
  else if (node.kind === "map") checkMap(node, schema, path, result);
  else checkScalar(node, schema, path, result);
  result.score++;
}

function checkAlternatives(
  node: StackNode,
  alternatives: readonly Schema[],
  path: readonly string[],
  result: Result,
): void {
  let fitting = 0;
  let nearest: Result | undefined;
  for (const alternative of alternatives) {
    const outcome = within(node, alternative, path);
    if (outcome.findings.length === 0) fitting++;
    else if (fitting === 0 && (nearest === undefined || outcome.score > nearest.score)) nearest = outcome;
  }
  if (fitting === 1) return;
  result.add("alternatives", path, "Must validate one and only one schema (oneOf)");
  if (fitting === 0 && nearest !== undefined) result.merge(nearest);
}

function checkList(node: ListNode, schema: Schema, path: readonly string[], result: Result): void {
  const { items } = schema;
  if (items !== undefined)
    node.items.forEach((item, index) => {
      result.merge(within(item, items, [...path, `${index}`]));
    });
  if (schema.unique === true) {
    const seen = new Map<string, number>();
    node.items.forEach((item, index) => {
      const name = asJson(item);
      const first = seen.get(name);
      if (first !== undefined) result.add("other", path, `array items[${first},${index}] must be unique`);
      seen.set(name, index);
    });
  }
  result.score += 2;
}

function checkMap(node: MapNode, schema: Schema, path: readonly string[], result: Result): void {
  for (const key of schema.required ?? []) if (!node.entries.has(key)) result.add("other", path, `${key} is required`);
  for (const [key, { node: below }] of node.entries) {
    let matched = false;
    for (const [pattern, patternSchema] of schema.patterns ?? [])
      if (pattern.test(key)) {
        matched = true;
        result.merge(within(below, patternSchema, [...path, key]));
      }
    if (matched) result.score++;
    if (schema.closed === true && !matched && schema.properties?.has(key) !== true)
      result.add("other", path, `Additional property ${key} is not allowed`);
  }
  result.score += 2;
  for (const [key, propertySchema] of schema.properties ?? []) {
    const entry = node.entries.get(key);
    if (entry !== undefined) result.merge(within(entry.node, propertySchema, [...path, key]));
  }
}

function checkScalar(node: StackNode, schema: Schema, path: readonly string[], result: Result): void {
  if (node.kind === "list" || node.kind === "map") return;
  if (schema.choices !== undefined && !schema.choices.includes(node.text)) {
    const choices = schema.choices.map((choice) => `"${choice}"`).join(", ");
    result.add("other", path, `${fieldOf(path)} must be one of the following: ${choices}`);
  }
  if (schema.minimum !== undefined && isNumber(node) && (node.value as number) < schema.minimum)
    result.add("other", path, `Must be greater than or equal to ${schema.minimum}`);
  if (schema.format !== undefined && !hasFormat(node, schema.format))
    result.add("other", path, `Does not match format '${schema.format}'`);
  result.score += 2;
}

function hasFormat(node: StackNode, format: NonNullable<Schema["format"]>): boolean {
  if (node.kind === "list" || node.kind === "map") return true;
  if (format === "duration") return isDuration(node.text);
  // A number with a fraction passes here; the conversion refuses it.
  if (format === "ports") return node.kind === "float" || isPortSpec(node.text);
  return true;
}

function isNumber(node: StackNode): boolean {
  return node.kind === "integer" || node.kind === "float";
}

/** JSON has one kind of number: 2.0 is an integer. A date is a text. */
function typeOf(node: StackNode): SchemaType {
  switch (node.kind) {
    case "list":
      return "array";
    case "map":
      return "object";
    case "float":
      return Number.isInteger(node.value) ? "integer" : "number";
    case "time":
      return "string";
    default:
      return node.kind;
  }
}

function fits(given: SchemaType, wanted: readonly SchemaType[]): boolean {
  return wanted.includes(given) || (given === "integer" && wanted.includes("number"));
}

function typesInWords(types: readonly SchemaType[]): string {
  const words = types.map((type) => (type === "object" ? "mapping" : type === "array" ? "list" : type));
  return words.length === 1 ? words[0]! : `${words.slice(0, -1).join(", ")} or ${words.at(-1)}`;
}

/** One text for equal values: keys sorted, numbers as JSON has them. */
function asJson(node: StackNode): string {
  switch (node.kind) {
    case "list":
      return `[${node.items.map(asJson).join(",")}]`;
    case "map": {
      const keys = [...node.entries.keys()].sort();
      return `{${keys.map((key) => `${JSON.stringify(key)}:${asJson(node.entries.get(key)!.node)}`).join(",")}}`;
    }
    case "integer":
      return node.text;
    case "null":
      return "null";
    default:
      return JSON.stringify(node.value);
  }
}
