/** How the kinds of values of a stack file become their long form. A reader gives undefined for what the client leaves out: the zero value. */
import { durationText, parseDuration } from "./duration.ts";
import { float32Text, floatText } from "./go-number.ts";
import { quoted } from "./go-quote.ts";
import { parseMemorySize } from "./memory-size.ts";
import { parseMountSpec } from "./mount-spec.ts";
import { compareKeys } from "./natural-order.ts";
import { parsePortSpec } from "./port-spec.ts";
import { shellWords } from "./shell-words.ts";
import type { MapNode, StackNode } from "./stack-node.ts";
import type { Structure, Value } from "./value.ts";

/** Collects what cannot be converted, as mapstructure does: all of a service, in the order of the fields. */
export interface Conversion {
  readonly environment: ReadonlyMap<string, string>;
  complain(at: number, message: string): void;
  warn(at: number, message: string): void;
}
export type Reader = (node: StackNode, name: string, conversion: Conversion) => Value | undefined;

export interface Field {
  readonly key: string;
  /** As Go names it in messages: the field's, or its tag where it has one. */
  readonly goName: string;
  readonly read: Reader;
}

const GO_NAMES: ReadonlyMap<string, string> = new Map([
  ["dns", "DNS"],
  ["healthcheck", "HealthCheck"],
  ["uid", "UID"],
  ["gid", "GID"],
  ...["cpus", "memory", "pids", "nocopy", "domainname"].map((tag): [string, string] => [tag, tag]),
]);

export function field(key: string, read: Reader): Field {
  const plain = key.includes("_") || key.includes("-") ? key : key[0]!.toUpperCase() + key.slice(1);
  return { key, goName: GO_NAMES.get(key) ?? plain, read };
}

export function join(name: string, part: string): string {
  return name === "" || part.startsWith("[") ? name + part : `${name}.${part}`;
}

/** Also an empty one is kept. */
export function pointerTo(fields: readonly Field[]): Reader {
  return (node, name, conversion) => {
    if (node.kind === "null") return undefined;
    if (node.kind !== "map") {
      conversion.complain(node.at, `'${name}' expected a map, got '${goType(node)}'`);
      return undefined;
    }
    return readFields(node, fields, name, conversion);
  };
}

/** An empty one is left out. */
export function structure(fields: readonly Field[]): Reader {
  const read = pointerTo(fields);
  return (node, name, conversion) => {
    const value = read(node, name, conversion);
    return value === undefined || Object.keys(value as Structure).length === 0 ? undefined : value;
  };
}

export function readFields(node: MapNode, fields: readonly Field[], name: string, conversion: Conversion): Structure {
  const result: Record<string, Value> = {};
  for (const { key, goName, read } of fields) {
    const entry = node.entries.get(key);
    const value = entry === undefined ? undefined : read(entry.node, join(name, goName), conversion);
    if (value !== undefined) result[key] = value;
  }
  return result;
}

export const text: Reader = (node, name, conversion) => {
  if (node.kind === "string" || node.kind === "time") return node.value === "" ? undefined : (node.value as string);
  if (node.kind !== "null") refuseType(node, name, "string", conversion);
  return undefined;
};

export const flag: Reader = (node) => (node.kind === "boolean" && node.value === true ? true : undefined);

/** Also false is kept. */
export const flagPointer: Reader = (node) => (node.kind === "boolean" ? (node.value as boolean) : undefined);

/** An unsigned number of `bits`, kept also when it is 0. */
export function unsignedPointer(bits: 32 | 64): Reader {
  return (node, name, conversion) => {
    if (node.kind !== "integer" && node.kind !== "float") return undefined;
    const whole = node.kind === "integer" ? BigInt(node.text) : BigInt(Math.trunc(node.value as number));
    if (whole < 0n) {
      const shown = node.kind === "float" ? (node.value as number).toFixed(6) : node.text;
      conversion.complain(node.at, `cannot parse '${name}', ${shown} overflows uint`);
      return undefined;
    }
    // Go cuts the upper bits off without a word.
    return asNumber(BigInt.asUintN(bits, whole));
  };
}

export function unsigned(bits: 32 | 64): Reader {
  const read = unsignedPointer(bits);
  return (node, name, conversion) => read(node, name, conversion) || undefined;
}

export const integerOrZero: Reader = (node) => {
  if (node.kind === "integer") return asNumber(BigInt(node.text));
  return node.kind === "float" ? Math.trunc(node.value as number) : 0;
};

export const integer: Reader = (node, name, conversion) => integerOrZero(node, name, conversion) || undefined;

export function asNumber(value: bigint): number | bigint {
  const small = Number(value);
  return Number.isSafeInteger(small) ? small : value;
}

export const float32: Reader = (node) => {
  if ((node.kind !== "integer" && node.kind !== "float") || node.value === 0) return undefined;
  return { float: node.value as number, text: float32Text(node.value as number) };
};

/** Also `0s` is kept. */
export const durationPointer: Reader = (node, name, conversion) => {
  if (node.kind !== "string") return undefined;
  const durationNs = parseDuration(node.text);
  if (durationNs === undefined) {
    conversion.complain(node.at, `error decoding '${name}': time: invalid duration ${quoted(node.text)}`);
    return undefined;
  }
  return durationText(durationNs);
};

export const duration: Reader = (node, name, conversion) => {
  const value = durationPointer(node, name, conversion);
  return value === "0s" ? undefined : value;
};

export const memory: Reader = (node, name, conversion) => {
  if (node.kind === "null") return undefined;
  const size = parseMemorySize(scalarText(node));
  if (typeof size === "string") conversion.complain(node.at, `error decoding '${name}': ${size}`);
  return typeof size === "string" || size === 0 ? undefined : BigInt(size).toString();
};

export const strings: Reader = (node, name, conversion) => {
  if (node.kind !== "list" || node.items.length === 0) return undefined;
  return node.items.map((item, index) => text(item, `${name}[${index}]`, conversion) ?? "");
};

export const stringOrStrings: Reader = (node, name, conversion) =>
  node.kind === "string" ? [node.text] : strings(node, name, conversion);

/** Numbers among the texts become texts. */
export const looseStrings: Reader = (node) =>
  node.kind === "list" && node.items.length > 0 ? node.items.map(scalarText) : undefined;

export const command: Reader = (node, name, conversion) => {
  if (node.kind !== "string") return strings(node, name, conversion);
  const words = shellWords(node.text);
  if (typeof words === "string") {
    conversion.complain(node.at, `error decoding '${name}': ${words}`);
    return undefined;
  }
  return words.length === 0 ? undefined : words;
};

export const healthTest: Reader = (node, name, conversion) =>
  node.kind === "string" ? ["CMD-SHELL", node.text] : strings(node, name, conversion);

/** `[k=v]` or `{k: v}`; a missing value is "", or null where that means "from the environment". */
function mapping(missing: "" | null): Reader {
  return (node) => {
    const result = new Map<string, Value>();
    if (node.kind === "map")
      for (const [key, { node: value }] of node.entries)
        result.set(key, value.kind === "null" ? missing : scalarText(value));
    else if (node.kind === "list")
      for (const item of node.items) {
        const entry = scalarText(item);
        const at = entry.indexOf("=");
        if (at < 0) result.set(entry, missing);
        else result.set(entry.slice(0, at), entry.slice(at + 1));
      }
    return sorted(result);
  };
}
export const labels = mapping("");
/** A variable without a value, or with an empty one, takes it from the environment of the command. */
export const environment: Reader = (node, name, conversion) => {
  const result = mapping(null)(node, name, conversion);
  return result instanceof Map ? fromEnvironment(result, conversion.environment) : undefined;
};

export function fromEnvironment(
  variables: ReadonlyMap<string, Value>,
  outside: ReadonlyMap<string, string>,
): ReadonlyMap<string, Value> {
  const result = new Map<string, Value>();
  for (const [key, value] of variables)
    result.set(key, value === null || value === "" ? (outside.get(key) ?? value) : value);
  return result;
}

/** `host:address` lines, in their order; from a mapping, sorted. */
export const hosts: Reader = (node, name, conversion) => {
  if (node.kind !== "map") return strings(node, name, conversion);
  const lines = [...node.entries].flatMap(([key, { node: value }]) =>
    value.kind === "null" ? [] : [`${key}:${scalarText(value)}`],
  );
  return lines.length === 0 ? undefined : lines.sort(codeUnitOrder);
};

export const ports: Reader = (node, name, conversion) => {
  if (node.kind !== "list") return undefined;
  const result: Value[] = [];
  node.items.forEach((item) => {
    if (item.kind === "map") {
      result.push(readFields(item, PORT_FIELDS, `${name}[${result.length}]`, conversion));
      return;
    }
    if (item.kind === "float") {
      conversion.complain(item.at, `error decoding '${name}': invalid type float64 for port`);
      return;
    }
    for (const mapping of parsePortSpec(scalarText(item)) ?? []) {
      if (mapping.ignoredAddress !== undefined)
        conversion.warn(item.at, `ignoring IP-address (${mapping.ignoredAddress}) service will listen on '0.0.0.0'`);
      const { target, published, protocol } = mapping;
      result.push({
        mode: "ingress",
        ...(target === 0 ? {} : { target }),
        ...(published === 0 ? {} : { published }),
        protocol,
      });
    }
  });
  return result.length === 0 ? undefined : result;
};

export const mounts: Reader = (node, name, conversion) => {
  if (node.kind !== "list" || node.items.length === 0) return undefined;
  return node.items.map((item, index) => {
    if (item.kind === "map") return readFields(item, MOUNT_FIELDS, `${name}[${index}]`, conversion);
    const mount = parseMountSpec(scalarText(item));
    if (typeof mount !== "string") return mount;
    conversion.complain(item.at, `error decoding '${name}[${index}]': ${mount}`);
    return {};
  });
};

/** Secrets and configs of a service: `name`, or the long form. */
export const references: Reader = (node, name, conversion) => {
  if (node.kind !== "list" || node.items.length === 0) return undefined;
  return node.items.map((item, index) =>
    item.kind === "map"
      ? readFields(item, REFERENCE_FIELDS, `${name}[${index}]`, conversion)
      : { source: scalarText(item) },
  );
};

export const ulimits: Reader = (node) => {
  if (node.kind !== "map") return undefined;
  const result = new Map<string, Value>();
  for (const [key, { node: value }] of node.entries) {
    if (value.kind !== "map") {
      const single = Number(scalarText(value));
      result.set(key, single === 0 ? {} : single);
      continue;
    }
    const soft = Number(scalarText(value.entries.get("soft")?.node));
    const hard = Number(scalarText(value.entries.get("hard")?.node));
    result.set(key, { ...(soft === 0 ? {} : { soft }), ...(hard === 0 ? {} : { hard }) });
  }
  return sorted(result);
};

/** Networks of a service: a list of names, or a mapping to aliases and addresses. */
export const attachments: Reader = (node, name, conversion) => {
  const result = new Map<string, Value>();
  if (node.kind === "list") for (const item of node.items) result.set(scalarText(item), null);
  if (node.kind === "map")
    for (const [key, { node: value }] of node.entries) {
      const attachment = pointerTo(ATTACHMENT_FIELDS)(value, `${name}[${key}]`, conversion);
      result.set(key, attachment ?? null);
    }
  return sorted(result);
};

export const build: Reader = (node, name, conversion) => {
  if (node.kind === "string") return node.text === "" ? undefined : { context: node.text };
  return structure(BUILD_FIELDS)(node, name, conversion);
};

export function listOf(fields: readonly Field[]): Reader {
  return (node, name, conversion) => {
    if (node.kind !== "list" || node.items.length === 0) return undefined;
    return node.items.map((item, index) =>
      item.kind === "map" ? readFields(item, fields, `${name}[${index}]`, conversion) : {},
    );
  };
}

/** What an `x-` key says, as it stands: texts, numbers, lists and mappings. */
export function asWritten(node: StackNode): Value {
  switch (node.kind) {
    case "list":
      return node.items.map(asWritten);
    case "map":
      return (
        sorted(new Map([...node.entries].map(([key, { node: below }]): [string, Value] => [key, asWritten(below)]))) ??
        new Map()
      );
    case "integer":
      return asNumber(BigInt(node.text));
    case "float":
      return { float: node.value as number, text: floatText(node.value as number) };
    case "time":
      return { float: 0, text: node.value as string };
    default:
      return node.value;
  }
}

export function extras(node: MapNode): Structure {
  const keys = [...node.entries.keys()].filter((key) => key.startsWith("x-")).sort(compareKeys);
  return Object.fromEntries(keys.map((key) => [key, asWritten(node.entries.get(key)!.node)]));
}

/** In the order in which Go prints it; undefined when empty. */
export function sorted(entries: ReadonlyMap<string, Value>): ReadonlyMap<string, Value> | undefined {
  if (entries.size === 0) return undefined;
  return new Map([...entries].sort(([a], [b]) => compareKeys(a, b)));
}

export function codeUnitOrder(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function scalarText(node: StackNode | undefined): string {
  return node === undefined || node.kind === "list" || node.kind === "map" ? "" : node.text;
}

function goType(node: StackNode): string {
  const types = { string: "string", integer: "int", float: "float64", boolean: "bool", list: "[]interface {}" };
  return types[node.kind as keyof typeof types] ?? "map[string]interface {}";
}

function refuseType(node: StackNode, name: string, expected: string, conversion: Conversion): void {
  const shown = node.kind === "list" || node.kind === "map" ? node.kind : node.text;
  conversion.complain(
    node.at,
    `'${name}' expected type '${expected}', got unconvertible type '${goType(node)}', value: '${shown}'`,
  );
}

const PORT_FIELDS = [
  field("mode", text),
  field("target", unsigned(32)),
  field("published", unsigned(32)),
  field("protocol", text),
];
const MOUNT_FIELDS = [
  field("type", text),
  field("source", text),
  field("target", text),
  field("read_only", flag),
  field("consistency", text),
  field("bind", pointerTo([field("propagation", text)])),
  field("volume", pointerTo([field("nocopy", flag)])),
  field("tmpfs", pointerTo([field("size", integer)])),
];
const REFERENCE_FIELDS = [
  field("source", text),
  field("target", text),
  field("uid", text),
  field("gid", text),
  field("mode", unsignedPointer(32)),
];
const ATTACHMENT_FIELDS = [
  field("aliases", strings),
  field("driver_opts", labels),
  field("ipv4_address", text),
  field("ipv6_address", text),
];
const BUILD_FIELDS = [
  field("context", text),
  field("dockerfile", text),
  field("args", environmentless()),
  field("labels", labels),
  field("cache_from", stringOrStrings),
  field("extra_hosts", hosts),
  field("network", text),
  field("target", text),
];

/** Build arguments keep null: nothing is looked up for a build that never happens. */
function environmentless(): Reader {
  return mapping(null);
}
