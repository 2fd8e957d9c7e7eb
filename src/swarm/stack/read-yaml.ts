/**
 * From a text to its first YAML document, with the limits and refusals of Go's yaml.v3: what parses is built as a graph in which
 * aliases share their anchor's node, and weighed before anything walks it.
 */
import { resolvePlain } from "./plain-scalar.ts";
import type { ScalarNode } from "./stack-node.ts";
import { type Mark, parserRefusal, YamlRefusal } from "./yaml-refusal.ts";
import { type TagToken, type Token, YamlScanner } from "./yaml-scanner.ts";

/** As written: keys in their order, also twice, merge keys among them. */
export type RawNode =
  | (ScalarNode & { readonly line: number; readonly isKeyText: boolean })
  | { readonly kind: "list"; readonly at: number; readonly line: number; readonly items: RawNode[] }
  | { readonly kind: "map"; readonly at: number; readonly line: number; readonly pairs: [RawNode, RawNode][] };

/** Nodes of a text, aliases counted once. A file of a hundred services has a few thousand. */
const MOST_NODES = 200_000;

export function readYaml(text: string): RawNode | undefined {
  const scanner = new YamlScanner(text);
  const root = new YamlReader(scanner).document();
  // What follows the document is cut into tokens, but not read.
  scanner.peek();
  return root;
}

class YamlReader {
  readonly #scanner: YamlScanner;
  readonly #anchors = new Map<string, RawNode>();
  /** Anchored nodes that are still being read. */
  readonly #open = new Set<string>();
  #nodes = 0;

  constructor(scanner: YamlScanner) {
    this.#scanner = scanner;
  }

  document(): RawNode | undefined {
    const scanner = this.#scanner;
    let directives: Mark | undefined;
    while (scanner.peek().type === "document-end") scanner.take();
    while (scanner.peek().type === "directive") directives = scanner.take().start;
    const token = scanner.peek();
    if (token.type === "document-start") {
      scanner.take();
      return this.#atEndOfNode() ? undefined : this.#node(true, false);
    }
    if (directives !== undefined) throw parserRefusal("did not find expected <document start>", token.start);
    return token.type === "stream-end" ? undefined : this.#node(true, false);
  }

  #atEndOfNode(): boolean {
    const { type } = this.#scanner.peek();
    return type === "stream-end" || type === "document-start" || type === "document-end" || type === "directive";
  }

  #node(block: boolean, indentless: boolean): RawNode {
    const scanner = this.#scanner;
    if (++this.#nodes > MOST_NODES) throw parserRefusal("document contains too many nodes", scanner.peek().start);
    let token = scanner.peek();
    if (token.type === "alias") {
      scanner.take();
      return this.#aliased(token.name, token.start);
    }
    const start = token.start;
    let anchor: string | undefined;
    let tag: string | undefined;
    while ((token.type === "anchor" && anchor === undefined) || (token.type === "tag" && tag === undefined)) {
      if (token.type === "anchor") anchor = token.name;
      else if (token.type === "tag") tag = fullTag(token);
      scanner.take();
      token = scanner.peek();
    }
    if (anchor !== undefined) this.#open.add(anchor);
    const node = this.#content(token, block, indentless, start, tag, anchor !== undefined || tag !== undefined);
    if (anchor !== undefined) {
      this.#open.delete(anchor);
      this.#anchors.set(anchor, node);
    }
    return node;
  }

  #content(
    token: Token,
    block: boolean,
    indentless: boolean,
    start: Mark,
    tag: string | undefined,
    mayBeEmpty: boolean,
  ): RawNode {
    const scanner = this.#scanner;
    switch (token.type) {
      case "scalar":
        scanner.take();
        return scalar(token.value, token.plain, tag, start);
      case "[":
        return this.#flowSequence(start);
      case "{":
        return this.#flowMapping(start);
      case "block-sequence-start":
        if (block) return this.#blockSequence(start, false);
        break;
      case "-":
        if (indentless) return this.#blockSequence(start, true);
        break;
      case "block-mapping-start":
        if (block) return this.#blockMapping(start);
        break;
    }
    if (mayBeEmpty) return scalar("", true, tag, start);
    throw parserRefusal("did not find expected node content", token.start, start);
  }

  #aliased(name: string, at: Mark): RawNode {
    if (this.#open.has(name)) throw new YamlRefusal(`anchor '${name}' value contains itself`, at.offset);
    const node = this.#anchors.get(name);
    if (node === undefined) throw new YamlRefusal(`unknown anchor '${name}' referenced`, at.offset);
    return node;
  }

  #blockSequence(start: Mark, indentless: boolean): RawNode {
    const scanner = this.#scanner;
    const items: RawNode[] = [];
    const began = scanner.peek().start;
    if (!indentless) scanner.take();
    while (scanner.peek().type === "-") {
      const dash = scanner.take();
      const next = scanner.peek().type;
      const empty = next === "-" || next === "block-end" || (indentless && (next === "?" || next === ":"));
      items.push(empty ? scalar("", true, undefined, dash.start) : this.#node(true, false));
    }
    if (!indentless) {
      const token = scanner.peek();
      if (token.type !== "block-end") throw parserRefusal("did not find expected '-' indicator", token.start, began);
      scanner.take();
    }
    return { kind: "list", at: start.offset, line: start.line, items };
  }

  #blockMapping(start: Mark): RawNode {
    const scanner = this.#scanner;
    const pairs: [RawNode, RawNode][] = [];
    const began = scanner.take().start;
    for (;;) {
      const token = scanner.peek();
      if (token.type === "block-end") break;
      if (token.type !== "?") throw parserRefusal("did not find expected key", token.start, began);
      scanner.take();
      const key = this.#blockPart(token.start);
      const colon = scanner.peek();
      if (colon.type === ":") {
        scanner.take();
        pairs.push([key, this.#blockPart(colon.start)]);
      } else pairs.push([key, scalar("", true, undefined, token.start)]);
    }
    scanner.take();
    return { kind: "map", at: start.offset, line: start.line, pairs };
  }

  /** A key or a value of a block mapping: maybe nothing. */
  #blockPart(before: Mark): RawNode {
    const { type } = this.#scanner.peek();
    if (type === "?" || type === ":" || type === "block-end") return scalar("", true, undefined, before);
    return this.#node(true, true);
  }

  #flowSequence(start: Mark): RawNode {
    const scanner = this.#scanner;
    const items: RawNode[] = [];
    const began = scanner.take().start;
    while (scanner.peek().type !== "]") {
      if (items.length > 0) {
        const token = scanner.peek();
        if (token.type !== ",") throw parserRefusal("did not find expected ',' or ']'", token.start, began);
        scanner.take();
        if (scanner.peek().type === "]") break;
      }
      const token = scanner.peek();
      if (token.type !== "?") items.push(this.#node(false, false));
      else {
        // One pair in a list: [a: b].
        scanner.take();
        const key = this.#flowPart(token.start, ":", "]");
        items.push({
          kind: "map",
          at: token.start.offset,
          line: token.start.line,
          pairs: [[key, this.#flowValue("]", token.start)]],
        });
      }
    }
    scanner.take();
    return { kind: "list", at: start.offset, line: start.line, items };
  }

  #flowMapping(start: Mark): RawNode {
    const scanner = this.#scanner;
    const pairs: [RawNode, RawNode][] = [];
    const began = scanner.take().start;
    while (scanner.peek().type !== "}") {
      if (pairs.length > 0) {
        const token = scanner.peek();
        if (token.type !== ",") throw parserRefusal("did not find expected ',' or '}'", token.start, began);
        scanner.take();
        if (scanner.peek().type === "}") break;
      }
      const token = scanner.peek();
      if (token.type === "?") {
        scanner.take();
        const key = this.#flowPart(token.start, ":", "}");
        pairs.push([key, this.#flowValue("}", token.start)]);
      } else pairs.push([this.#node(false, false), scalar("", true, undefined, token.start)]);
    }
    scanner.take();
    return { kind: "map", at: start.offset, line: start.line, pairs };
  }

  #flowValue(end: "]" | "}", before: Mark): RawNode {
    if (this.#scanner.peek().type !== ":") return scalar("", true, undefined, before);
    return this.#flowPart(this.#scanner.take().start, end);
  }

  #flowPart(before: Mark, ...ends: readonly string[]): RawNode {
    const { type } = this.#scanner.peek();
    return type === "," || ends.includes(type) ? scalar("", true, undefined, before) : this.#node(false, false);
  }
}

const STANDARD = "tag:yaml.org,2002:";

function fullTag(token: TagToken): string {
  if (token.handle === "!!") return `!!${token.suffix}`;
  if (token.handle === "" && token.suffix.startsWith(STANDARD)) return `!!${token.suffix.slice(STANDARD.length)}`;
  if (token.handle !== "!" && token.handle !== "") throw parserRefusal("found undefined tag handle", token.start);
  return `${token.handle}${token.suffix}`;
}

function scalar(value: string, plain: boolean, tag: string | undefined, start: Mark): RawNode {
  const place = { at: start.offset, line: start.line };
  const text = { kind: "string", value, text: value } as const;
  if (tag === undefined) {
    if (!plain) return { ...text, ...place, isKeyText: true };
    const meaning = resolvePlain(value);
    return { ...meaning, ...place, isKeyText: meaning.kind === "string" };
  }
  // A key with a tag of one's own is no text to Go.
  if (!tag.startsWith("!!") || tag === "!!str") return { ...text, ...place, isKeyText: tag === "!!str" };
  const meaning = resolvePlain(value);
  const wanted = {
    "!!int": "integer",
    "!!float": "float",
    "!!bool": "boolean",
    "!!null": "null",
    "!!timestamp": "time",
  }[tag];
  if (wanted === undefined || wanted === meaning.kind) return { ...meaning, ...place, isKeyText: false };
  if (wanted === "float" && meaning.kind === "integer")
    return { ...meaning, ...place, kind: "float", isKeyText: false };
  throw new YamlRefusal(`cannot decode !!${SHORT_TAGS[meaning.kind]} \`${value}\` as a ${tag}`, start.offset);
}

const SHORT_TAGS: Readonly<Record<ScalarNode["kind"], string>> = {
  string: "str",
  integer: "int",
  float: "float",
  boolean: "bool",
  null: "null",
  time: "timestamp",
};
