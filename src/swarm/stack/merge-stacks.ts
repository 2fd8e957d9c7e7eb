/** Several stack files as one: what a later file says of a service is laid over what the earlier ones said; other objects it replaces whole. */
import { type Field, sorted } from "./convert.ts";
import type { Stack } from "./load-stack.ts";
import { SERVICE, STRUCTURES } from "./stack-fields.ts";
import { isFloat, isStructure, type Structure, type Value } from "./value.ts";

export function mergeStacks(base: Stack, over: Stack): Stack {
  const services = new Map(base.services);
  for (const [name, service] of over.services) {
    const before = services.get(name);
    services.set(name, before === undefined ? service : mergeStructures(before, service, SERVICE_RULES, SERVICE));
  }
  return {
    ...base,
    services: inOrder(services),
    networks: inOrder(new Map([...base.networks, ...over.networks])),
    volumes: inOrder(new Map([...base.volumes, ...over.volumes])),
    secrets: inOrder(new Map([...base.secrets, ...over.secrets])),
    configs: inOrder(new Map([...base.configs, ...over.configs])),
  };
}

function inOrder(entries: ReadonlyMap<string, Structure>): ReadonlyMap<string, Structure> {
  return (sorted(entries) ?? new Map()) as ReadonlyMap<string, Structure>;
}

type Rule = (before: Value, over: Value) => Value;

/** What is not said here: lists grow, mappings and structures merge, single values are replaced unless the new one is empty. */
const SERVICE_RULES: ReadonlyMap<string, Rule> = new Map<string, Rule>([
  ["command", (_, over) => over],
  ["entrypoint", (_, over) => over],
  [
    "ports",
    keyed(
      (port) => JSON.stringify(port),
      (port) => Number(port.published ?? 0),
    ),
  ],
  [
    "secrets",
    keyed(
      ({ source }) => String(source ?? ""),
      ({ source }) => String(source ?? ""),
    ),
  ],
  [
    "configs",
    keyed(
      ({ source }) => String(source ?? ""),
      ({ source }) => String(source ?? ""),
    ),
  ],
  [
    "volumes",
    keyed(
      ({ target }) => String(target ?? ""),
      ({ target }) => String(target ?? ""),
    ),
  ],
  ["logging", mergeLogging],
  ["ulimits", (before, over) => mergeMaps(before, over, (_, limit) => limit)],
  ["networks", (before, over) => mergeMaps(before, over, mergeAttachment)],
]);
/** Pointers to numbers: also 0 counts. */
const ZERO_COUNTS: ReadonlySet<string> = new Set(["replicas", "parallelism", "max_attempts", "retries"]);

/** In the order of `fields`; what is none of them (`x-` keys) stands at the end, as the first file has it. */
function mergeStructures(
  before: Structure,
  over: Structure,
  rules: ReadonlyMap<string, Rule>,
  fields: readonly Field[],
): Structure {
  const result: Record<string, Value> = {};
  const known = fields.map(({ key }) => key);
  for (const key of [...known, ...Object.keys(before), ...Object.keys(over)]) {
    const old = before[key];
    const value = over[key];
    if (key in result) continue;
    if (value === undefined && old !== undefined) result[key] = old;
    else if (value !== undefined && old === undefined) result[key] = value;
    else if (value !== undefined && old !== undefined)
      result[key] = rules.get(key)?.(old, value) ?? merge(key, old, value);
  }
  return result;
}

const NO_RULES: ReadonlyMap<string, Rule> = new Map();

function merge(key: string, before: Value, over: Value): Value {
  if (Array.isArray(before) && Array.isArray(over)) return [...before, ...over];
  if (before instanceof Map && over instanceof Map)
    return mergeMaps(before, over, (old, value) => (value === "" && key === "environment" ? old : value));
  if (isStructure(before) && isStructure(over))
    return mergeStructures(before, over, NO_RULES, STRUCTURES.get(key) ?? []);
  const empty = over === false || over === "" || over === "0s" || (over === 0 && !ZERO_COUNTS.has(key));
  return empty ? before : over;
}

function mergeMaps(before: Value, over: Value, each: Rule): Value {
  if (!(before instanceof Map) || !(over instanceof Map)) return over;
  const result = new Map<string, Value>(before);
  for (const [key, value] of over) {
    const old = result.get(key);
    result.set(key, old === undefined ? value : each(old, value));
  }
  return sorted(result) ?? result;
}

/** Lists whose items are known by a key: a later one takes an earlier one's place; then all are sorted. */
function keyed(keyOf: (item: Structure) => string, orderOf: (item: Structure) => string | number): Rule {
  return (before, over) => {
    const items = new Map<string, Structure>();
    for (const list of [before, over])
      for (const item of list as readonly Structure[]) {
        // Put at the end anew: what is the same in order stays as written.
        items.set(keyOf(item), item);
      }
    return [...items.values()].sort((a, b) => {
      const x = orderOf(a);
      const y = orderOf(b);
      return x < y ? -1 : x > y ? 1 : 0;
    });
  };
}

/** Options of one driver mean nothing to another. */
function mergeLogging(before: Value, over: Value): Value {
  if (!isStructure(before) || !isStructure(over) || isFloat(before) || isFloat(over)) return over;
  const same = before.driver === over.driver || before.driver === undefined || over.driver === undefined;
  if (!same) return over;
  const driver = before.driver ?? over.driver;
  const options = mergeMaps(before.options ?? new Map(), over.options ?? new Map(), (_, value) => value);
  return {
    ...(driver === undefined ? {} : { driver }),
    ...(options instanceof Map && options.size > 0 ? { options } : {}),
  };
}

function mergeAttachment(before: Value, over: Value): Value {
  if (!isStructure(before) || !isStructure(over)) return over ?? before;
  const { aliases: _, ...others } = before;
  const result: Record<string, Value> = {};
  if (over.aliases !== undefined) result.aliases = over.aliases;
  if (others.driver_opts !== undefined) result.driver_opts = others.driver_opts;
  for (const key of ["ipv4_address", "ipv6_address"]) {
    const address = over[key] ?? others[key];
    if (address !== undefined) result[key] = address;
  }
  return result;
}
