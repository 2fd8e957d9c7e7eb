/** What a stack file says, as a tree whose nodes know their place. Aliases share their node: the tree is a graph without cycles. */
import type { Place } from "./stack-error.ts";

export type Scalar = "string" | "integer" | "float" | "boolean" | "null" | "time";

export interface ScalarNode {
  readonly kind: Scalar;
  readonly at: number;
  readonly value: string | number | boolean | null;
  /** The value as Go's fmt prints it: exact also for integers above 2^53. */
  readonly text: string;
}
export interface ListNode {
  readonly kind: "list";
  readonly at: number;
  readonly items: readonly StackNode[];
}
export interface MapNode {
  readonly kind: "map";
  readonly at: number;
  readonly entries: ReadonlyMap<string, MapEntry>;
  /** Where a key stands that is no string. Go then has a map of another type, which neither JSON nor the client takes. */
  readonly foreignKeyAt?: number;
}
export interface MapEntry {
  readonly keyAt: number;
  readonly node: StackNode;
}
export type StackNode = ScalarNode | ListNode | MapNode;

/** One file, read. Offsets of its nodes count UTF-16 units of its text. */
export interface StackDocument {
  readonly file: string;
  readonly root: MapNode;
  placeAt(offset: number): Place;
}

export function stringNode(value: string, at: number): ScalarNode {
  return { kind: "string", at, value, text: value };
}

/** The node under `path`, or the deepest one on the way there. A key's place is the key's, a list item's its value's. */
export function offsetOf(root: StackNode, path: readonly string[]): number {
  let node = root;
  let at = root.at;
  for (const step of path) {
    if (node.kind === "map") {
      const entry = node.entries.get(step);
      if (entry === undefined) break;
      at = entry.keyAt;
      node = entry.node;
    } else if (node.kind === "list") {
      const item = node.items[Number(step)];
      if (item === undefined) break;
      at = item.at;
      node = item;
    } else break;
  }
  return at;
}

/** How many steps of `path` there are. */
export function depthOf(root: StackNode, path: readonly string[]): number {
  let node: StackNode | undefined = root;
  for (const [depth, step] of path.entries()) {
    node = node.kind === "list" ? node.items[Number(step)] : child(node, step);
    if (node === undefined) return depth;
  }
  return path.length;
}

export function child(node: StackNode | undefined, key: string): StackNode | undefined {
  return node?.kind === "map" ? node.entries.get(key)?.node : undefined;
}
