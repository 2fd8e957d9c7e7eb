/**
 * Fills the variables of a whole file in and, where a key wants a number or a boolean, casts the text that comes out of it. A text
 * without variables is left as it is: `replicas: "2"` stays a text, `replicas: "${N}"` becomes a number.
 */

import { floatText } from "./go-number.ts";
import { quoted } from "./go-quote.ts";
import { StackError } from "./stack-error.ts";
import {
  type MapEntry,
  type MapNode,
  type ScalarNode,
  type StackDocument,
  type StackNode,
  stringNode,
} from "./stack-node.ts";
import { type Environment, substitute } from "./template.ts";

type Cast = "integer" | "float" | "boolean";

/** `*` is any key, `[]` any item. */
const CASTS: ReadonlyMap<string, Cast> = new Map<string, Cast>([
  ["services.*.configs.[].mode", "integer"],
  ["services.*.secrets.[].mode", "integer"],
  ["services.*.healthcheck.retries", "integer"],
  ["services.*.healthcheck.disable", "boolean"],
  ["services.*.deploy.replicas", "integer"],
  ["services.*.deploy.update_config.parallelism", "integer"],
  ["services.*.deploy.update_config.max_failure_ratio", "float"],
  ["services.*.deploy.rollback_config.parallelism", "integer"],
  ["services.*.deploy.rollback_config.max_failure_ratio", "float"],
  ["services.*.deploy.restart_policy.max_attempts", "integer"],
  ["services.*.deploy.placement.max_replicas_per_node", "integer"],
  ["services.*.ports.[].target", "integer"],
  ["services.*.ports.[].published", "integer"],
  ["services.*.ulimits.*", "integer"],
  ["services.*.ulimits.*.hard", "integer"],
  ["services.*.ulimits.*.soft", "integer"],
  ["services.*.privileged", "boolean"],
  ["services.*.read_only", "boolean"],
  ["services.*.stdin_open", "boolean"],
  ["services.*.tty", "boolean"],
  ["services.*.volumes.[].read_only", "boolean"],
  ["services.*.volumes.[].volume.nocopy", "boolean"],
  ["networks.*.external", "boolean"],
  ["networks.*.internal", "boolean"],
  ["networks.*.attachable", "boolean"],
  ["volumes.*.external", "boolean"],
  ["secrets.*.external", "boolean"],
  ["configs.*.external", "boolean"],
]);

export function interpolate(document: StackDocument, environment: Environment): MapNode {
  const refuse = (path: readonly string[], at: number, message: string, casting: boolean): never => {
    const where = path.join(".");
    const text = casting
      ? `error while interpolating ${where}: failed to cast to expected type: ${message}`
      : `invalid interpolation format for ${where}: ${quoted(message)}; you may need to escape any $ with another $`;
    throw new StackError(text, document.placeAt(at));
  };
  // Nodes that aliases share are walked once for each path: the reader has bounded how many that makes.
  const walk = (node: StackNode, path: readonly string[]): StackNode => {
    switch (node.kind) {
      case "list":
        return { ...node, items: node.items.map((item) => walk(item, [...path, "[]"])) };
      case "map":
        return walkMap(node, path);
      case "string": {
        const before = node.text;
        const after = substitute(before, environment);
        if (typeof after !== "string") return refuse(path, node.at, after.template, false);
        if (after === before) return node;
        const cast = castFor(path);
        if (cast === undefined) return stringNode(after, node.at);
        const value = castText(after, cast, node.at);
        return typeof value === "string" ? refuse(path, node.at, value, true) : value;
      }
      default:
        return node;
    }
  };
  const walkMap = (node: MapNode, path: readonly string[]): MapNode => {
    if (node.foreignKeyAt !== undefined) return node;
    const entries = new Map<string, MapEntry>();
    for (const [key, { keyAt, node: below }] of node.entries)
      entries.set(key, { keyAt, node: walk(below, [...path, key]) });
    return { ...node, entries };
  };
  return walkMap(document.root, []);
}

function castFor(path: readonly string[]): Cast | undefined {
  if (path.length < 3) return undefined;
  // A key with a dot in it makes a longer path, as it does for the client.
  const parts = path.join(".").split(".");
  const general = [parts[0]!, "*", ...parts.slice(2)];
  const exact = CASTS.get(general.join("."));
  if (exact !== undefined) return exact;
  if (general[2] !== "ulimits" || general.length < 4) return undefined;
  general[3] = "*";
  return CASTS.get(general.join("."));
}

/** The cast node, or what Go's strconv says of the text. */
function castText(text: string, cast: Cast, at: number): ScalarNode | string {
  if (cast === "boolean") {
    const word = text.toLowerCase();
    if (["y", "yes", "true", "on"].includes(word)) return { kind: "boolean", at, value: true, text: "true" };
    if (["n", "no", "false", "off"].includes(word)) return { kind: "boolean", at, value: false, text: "false" };
    return `invalid boolean: ${text}`;
  }
  if (cast === "integer") {
    if (!/^[-+]?[0-9]+$/.test(text)) return `strconv.Atoi: parsing ${quoted(text)}: invalid syntax`;
    const digits = text.replace(/^([-+]?)0+(?=[0-9])/, "$1").replace(/^\+/, "");
    const value = Number(digits);
    if (digits.length > 20 || BigInt(digits) >= 2n ** 63n || BigInt(digits) < -(2n ** 63n))
      return `strconv.Atoi: parsing ${quoted(text)}: value out of range`;
    return { kind: "integer", at, value, text: BigInt(digits).toString() };
  }
  if (!/^[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?$/.test(text))
    return `strconv.ParseFloat: parsing ${quoted(text)}: invalid syntax`;
  const value = Number(text);
  return { kind: "float", at, value, text: floatText(value) };
}
