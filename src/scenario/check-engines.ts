/** What must fit together in a scenario with engines, and what a scenario without them cannot have. */
import { loadStack } from "../swarm/stack/load-stack.ts";
import { placeText, StackError } from "../swarm/stack/stack-error.ts";
import { attachmentsOf } from "./attachment.ts";
import { driverOf, hasSwarm } from "./engine-needs.ts";
import type { ScenarioSpec } from "./format.ts";
import { engineContainerFields, engineNetworkFields } from "./format-engine.ts";
import type { ScenarioFiles } from "./scenario-files.ts";
import { namesUnder, type Reading } from "./shape.ts";

export type Wrong = (path: string, found: string, expected: string, hint?: string) => unknown;
export type Unknown = (path: string, what: string, name: string, known: ReadonlySet<string>, say?: Wrong) => unknown;

interface Say {
  readonly wrong: Wrong;
  /** About a key. */
  readonly wrongName: Wrong;
  readonly unknown: Unknown;
}

/** Networks that every engine has. */
export const PREDEFINED_NETWORKS = ["bridge", "host", "none"];

const NEEDS_ENGINES = '"engine:" or "swarm:" at the top of the scenario';
/** A step that makes what the scenario does not have: what is named then is known only when it runs. */
const MAKES = /\bdocker\b.*\b(create|run|deploy|update|scale)\b/;

/** Names that steps and expectations may speak of. */
export interface EngineNames {
  readonly services: ReadonlySet<string>;
  /** A task, or a namespace of a node. */
  isKnown(name: string): boolean;
  isService(name: string): boolean;
  /** Only a resolver in the run can tell. */
  mayResolve(name: string): boolean;
}

export function checkEngines(spec: ScenarioSpec, reading: Reading, say: Say, files: ScenarioFiles): EngineNames {
  checkMachines(spec, say);
  checkNetworks(spec, say);
  checkFiles(spec, say, files);
  const stackServices = checkStack(spec, say, files);
  const services = new Set([...namesUnder(reading, "services"), ...(stackServices ?? [])]);
  checkServices(spec, reading, say);
  const nodes = namesUnder(reading, "nodes");
  const networks = namesUnder(reading, "networks");
  // What a stack that cannot be read would have made is not known either.
  const makesMore =
    stackServices === undefined || (spec.steps ?? []).some((step) => step?.run !== undefined && MAKES.test(step.run));
  return {
    services,
    isKnown(name) {
      if (makesMore) return true;
      const slash = name.indexOf("/");
      if (slash >= 0) return nodes.has(name.slice(0, slash));
      const dot = name.lastIndexOf(".");
      const place = name.slice(dot + 1);
      return dot > 0 && services.has(name.slice(0, dot)) && (place === "*" || /^\d+$/.test(place) || nodes.has(place));
    },
    isService: (name) => makesMore || services.has(name),
    mayResolve: (name) => makesMore || services.has(name) || aliasesOf(spec).has(name) || networks.has(name),
  };
}

/** Keys that nothing would heed. */
export function checkNoEngines(spec: ScenarioSpec, wrongName: Wrong): void {
  const check = (path: string, value: object, keys: readonly string[]): void => {
    for (const key of keys)
      if (key in value) wrongName(path === "" ? key : `${path}.${key}`, `"${key}" without an engine`, NEEDS_ENGINES);
  };
  check("", spec, ["secrets", "configs", "capture-from"]);
  for (const [name, network] of spec.networks ?? [])
    check(`networks.${name}`, network, Object.keys(engineNetworkFields));
  for (const [name, container] of spec.containers ?? []) {
    check(`containers.${name}`, container, Object.keys(engineContainerFields));
    for (const attachment of attachmentsOf(container.networks))
      check(`containers.${name}.networks.${attachment.name}`, attachment, ["aliases"]);
  }
}

function checkMachines(spec: ScenarioSpec, { wrong }: Say): void {
  const roles = [...(spec.nodes ?? [])].map(([, { role = "worker" }]) => role);
  if (hasSwarm(spec)) {
    const cause = spec.swarm !== undefined ? "swarm" : spec.services !== undefined ? "services" : "stack";
    if (!roles.includes("manager")) wrong(cause, "a swarm without a manager", 'a node with "role: manager"');
  } else if (!roles.some((role) => role !== "host")) wrong("engine", "no machine for an engine", "a node");
  for (const [name, { node }] of spec.containers ?? [])
    if (spec.nodes?.get(node)?.role === "host")
      wrong(`containers.${name}.node`, `"${node}", a plain host without an engine`, "a manager or a worker");
}

function checkNetworks(spec: ScenarioSpec, { wrong, wrongName }: Say): void {
  for (const [name, network] of spec.networks ?? []) {
    const path = `networks.${name}`;
    const driver = driverOf(spec, network);
    if (PREDEFINED_NETWORKS.includes(name) || name === "ingress")
      wrongName(path, `"${name}", which every engine has`, "a name of its own");
    if (network.mode !== undefined)
      wrongName(`${path}.mode`, '"mode" beside engines', "a scenario without engines; they know Docker's way alone");
    if (driver === "overlay" && !hasSwarm(spec)) wrong(path, "an overlay network without a swarm", '"swarm:"');
    if (network.subnet !== undefined && network.ipam !== undefined)
      wrongName(`${path}.subnet`, '"subnet" beside "ipam"', "one of them");
  }
  for (const [name, { networks }] of spec.containers ?? [])
    for (const [index, attachment] of attachmentsOf(networks).entries()) {
      const network = spec.networks?.get(attachment.name ?? "");
      if (network === undefined || driverOf(spec, network) !== "overlay" || network.attachable === true) continue;
      const at = Array.isArray(networks) ? `[${index}]` : `.${attachment.name}`;
      wrong(
        `containers.${name}.networks${at}`,
        `"${attachment.name}", to which plain containers may not attach`,
        'a network with "attachable: true"',
      );
    }
}

function checkFiles(spec: ScenarioSpec, { wrong }: Say, files: ScenarioFiles): void {
  for (const kind of ["secrets", "configs"] as const)
    for (const [name, { content, file }] of spec[kind] ?? []) {
      const path = `${kind}.${name}`;
      if (!hasSwarm(spec)) wrong(path, `${kind} without a swarm`, '"swarm:"');
      if ((content === undefined) === (file === undefined))
        wrong(path, content === undefined ? "neither content nor file" : "content and file", '"content" or "file"');
      const found = file === undefined ? undefined : files.read(file);
      if (found !== undefined && "problem" in found)
        wrong(`${path}.file`, `a file without a text: ${found.problem}`, "a file that can be read");
    }
}

/** The names of the stack's services; undefined when they cannot be known. */
function checkStack(spec: ScenarioSpec, { wrong }: Say, files: ScenarioFiles): string[] | undefined {
  const { stack, name: scenarioName } = spec;
  if (stack === undefined) return [];
  const path = typeof stack === "string" ? "stack" : "stack.file";
  const file = typeof stack === "string" ? stack : stack.file;
  const name = typeof stack === "string" ? scenarioName : (stack.name ?? scenarioName);
  const found = files.read(file);
  if ("problem" in found) {
    wrong(path, `a file without a text: ${found.problem}`, "a file that can be read");
    return undefined;
  }
  try {
    const { stack: loaded } = loadStack({
      files: [{ name: file, text: found.text }],
      workingFolder: "/",
      environment: new Map(),
      readFile: (each) => files.read(each.replace(/^\//, "")),
    });
    return [...loaded.services.keys()].map((service) => `${name}_${service}`);
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    const said = error.message.replace(/\s*\n\s*/g, "; ");
    wrong(path, `a stack file that Docker refuses: ${said} (${placeText(error.place)})`, "one that it takes");
    return undefined;
  }
}

/** What a service names must be there. */
function checkServices(spec: ScenarioSpec, reading: Reading, { unknown }: Say): void {
  const known = {
    networks: new Set([...namesUnder(reading, "networks"), ...PREDEFINED_NETWORKS]),
    secrets: namesUnder(reading, "secrets"),
    configs: namesUnder(reading, "configs"),
  };
  for (const [name, { loaded }] of spec.services ?? []) {
    const path = `services.${name}`;
    const service = loaded.stack.services.get(name) ?? {};
    const { networks } = service;
    if (networks instanceof Map)
      for (const network of networks.keys())
        if (!known.networks.has(network)) unknown(`${path}.networks`, "network", network, known.networks);
    for (const kind of ["secrets", "configs"] as const) {
      const references = service[kind];
      for (const reference of Array.isArray(references) ? references : []) {
        const source = (reference as { readonly source?: unknown }).source;
        if (typeof source === "string" && !known[kind].has(source))
          unknown(`${path}.${kind}`, kind.slice(0, -1), source, known[kind]);
      }
    }
  }
}

/** Names that containers and services have in networks beside their own. */
function aliasesOf(spec: ScenarioSpec): ReadonlySet<string> {
  const aliases = new Set<string>();
  for (const { networks } of spec.containers?.values() ?? [])
    for (const attachment of attachmentsOf(networks)) for (const alias of attachment.aliases ?? []) aliases.add(alias);
  for (const { name, loaded } of spec.services?.values() ?? []) {
    const networks = loaded.stack.services.get(name)?.["networks"];
    for (const attachment of networks instanceof Map ? networks.values() : []) {
      const { aliases: given } = (attachment ?? {}) as { readonly aliases?: unknown };
      for (const alias of Array.isArray(given) ? given : []) aliases.add(String(alias));
    }
  }
  return aliases;
}
