/** From a file's text, or an object of the same form, to a scenario that can be built: syntax, shape, then what must fit together. */
import { type Document, LineCounter, type Node, parseAllDocuments, Document as YamlDocument } from "yaml";
import { DROP_REASONS } from "../linux/drop-reason.ts";
import { contains, formatIpv4, formatPrefix, type Ipv4Address, type MacAddress, type Prefix } from "../wire/address.ts";
import { type ScenarioSpec, scenarioShape } from "./format.ts";
import { nearest, type Problem, ScenarioError } from "./problem.ts";
import { nodeAt, note, type Reading } from "./shape.ts";

/** A scenario that has passed every check that needs no run. */
export interface Scenario extends ScenarioSpec {
  /** Where it came from, for messages. */
  readonly file: string;
}

/** Larger files are refused unread. */
const MOST_CHARACTERS = 1_048_576;
/** More values than this, aliases followed, are refused: a "billion laughs" file costs nothing. */
const MOST_VALUES = 200_000;
const MOST_PROBLEMS = 50;

/** Reads a scenario file's text. `file` is its name for messages. Throws `ScenarioError` with all problems found. */
export function loadScenario(text: string, file = "scenario"): Scenario {
  const refuse = (problem: Omit<Problem, "length" | "path">): never => {
    throw new ScenarioError(file, text, [{ length: 1, path: "", ...problem }]);
  };
  if (text.length > MOST_CHARACTERS)
    refuse({ line: 1, column: 1, found: `${text.length} characters`, expected: `at most ${MOST_CHARACTERS}` });
  const control = firstControlCharacter(text);
  if (control >= 0) {
    const before = text.slice(0, control).split("\n");
    const code = text.charCodeAt(control).toString(16).padStart(4, "0").toUpperCase();
    refuse({
      line: before.length,
      column: before.at(-1)!.length + 1,
      found: `the control character U+${code}`,
      expected: "a YAML text",
    });
  }
  const lines = new LineCounter();
  const documents = parseWithin(text, lines);
  if (documents === undefined)
    return refuse({ line: 1, column: 1, found: "brackets or blocks nested thousands deep", expected: "a scenario" });
  if (documents.length === 0) return refuse({ line: 1, column: 1, found: "an empty file", expected: "a scenario" });
  const [document, second] = documents;
  if (document!.errors.length > 0) {
    const problems = document!.errors.slice(0, MOST_PROBLEMS).map((error): Problem => {
      const { line, col } = lines.linePos(error.pos[0]);
      return {
        line,
        column: col,
        length: Math.max(1, error.pos[1] - error.pos[0]),
        path: "",
        found: error.message,
        expected: "YAML 1.2",
      };
    });
    throw new ScenarioError(file, text, problems);
  }
  if (second !== undefined) {
    const { line, col } = lines.linePos(second.range?.[0] ?? 0);
    refuse({ line, column: col, found: "a second document", expected: "one document a file" });
  }
  return read({ document: document!, lines, problems: [], budget: { left: MOST_VALUES } }, file, text);
}

/** Reads an object of a scenario file's form, as `JSON.parse` would give it. Throws `ScenarioError`. */
export function scenarioFrom(value: unknown, file = "scenario"): Scenario {
  return read(
    { document: new YamlDocument(value), lines: undefined, problems: [], budget: { left: MOST_VALUES } },
    file,
    "",
  );
}

/** Undefined when the text is nested deeper than the parser's recursion goes. */
function parseWithin(text: string, lines: LineCounter): readonly Document[] | undefined {
  try {
    const documents = parseAllDocuments(text, { lineCounter: lines, version: "1.2", merge: true, prettyErrors: false });
    return Array.isArray(documents) ? documents : [];
  } catch (problem) {
    if (problem instanceof RangeError) return undefined;
    throw problem;
  }
}

/** The offset of a character that YAML 1.2 §5.1 does not allow; -1 when there is none. */
function firstControlCharacter(text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    if (code < 0x20 && code !== 0x09 && code !== 0x0a && code !== 0x0d) return index;
  }
  return -1;
}

function read(reading: Reading, file: string, text: string): Scenario {
  const root = (reading.document.contents as Node | null) ?? undefined;
  const spec = scenarioShape.read(root, reading, "");
  if (spec !== undefined && reading.problems.length === 0) checkReferences(spec, reading);
  if (reading.problems.length > 0)
    throw new ScenarioError(file, text, inOrder(reading.problems).slice(0, MOST_PROBLEMS));
  return { ...spec!, file };
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** What fits the shape may still not fit together: names that nothing has, addresses outside their subnet, a name used twice. */
function checkReferences(spec: ScenarioSpec, reading: Reading): void {
  const nodes = [...(spec.nodes?.keys() ?? [])];
  const networks = [...(spec.networks?.keys() ?? [])];
  const containers = [...(spec.containers?.keys() ?? [])];
  const hasOwnSetup = spec.setup !== undefined;
  const wrong = (path: string, found: string, expected: string, hint?: string): void =>
    void note(reading, nodeAt(reading, path), path, found, expected, hint);
  const unknown = (path: string, what: string, name: string, known: readonly string[]): void => {
    const near = nearest(name, known);
    const choices = known.length === 0 ? `a ${what}, but there is none` : `one of ${known.join(", ")}`;
    wrong(path, `the unknown ${what} "${name}"`, choices, near === undefined ? undefined : `did you mean "${near}"?`);
  };
  const host = (path: string, name: string): void => {
    // Namespaces that `setup:` makes are known only when it has run.
    if (!hasOwnSetup && !nodes.includes(name) && !containers.includes(name))
      unknown(path, "machine or container", name, [...containers, ...nodes]);
  };

  for (const name of containers)
    if (nodes.includes(name)) wrong(`containers.${name}`, `"${name}", which is a machine too`, "a name of its own");
  checkUnderlay(spec, wrong);
  checkAttachments(spec, nodes, networks, wrong, unknown);

  const results = new Set<string>();
  for (const [index, step] of (spec.steps ?? []).entries()) {
    const path = `steps[${index}]`;
    if ((step.run === undefined) === (step.fault === undefined))
      wrong(
        path,
        step.run === undefined ? "a step without run or fault" : "a step with run and fault",
        'either "run" or "fault"',
      );
    if (step.in !== undefined && step.on !== undefined) wrong(`${path}.on`, '"in" and "on" in one step', "one of them");
    if (step.run !== undefined && step.in === undefined && step.on === undefined && !hasOwnSetup)
      wrong(path, "a command without a place", '"in": a container, or "on": a machine');
    if (step.in !== undefined) host(`${path}.in`, step.in);
    if (step.on !== undefined && !hasOwnSetup && !nodes.includes(step.on))
      unknown(`${path}.on`, "machine", step.on, nodes);
    if (step.as !== undefined) {
      if (step.run === undefined) wrong(`${path}.as`, '"as" on a fault', '"as" on a command');
      else if (results.has(step.as))
        wrong(`${path}.as`, `the result name "${step.as}" a second time`, "a name of its own");
      results.add(step.as);
    }
    const fault = step.fault;
    if (fault === undefined) continue;
    const targets = [fault.link, fault.down, fault.partition].filter((target) => target !== undefined);
    if (targets.length !== 1)
      wrong(`${path}.fault`, `${targets.length} targets`, "exactly one of link, down, partition");
    if (fault.link !== undefined) {
      host(`${path}.fault.link`, hostOf(fault.link));
      if (Object.keys(fault).every((key) => key === "link" || key === "direction"))
        wrong(
          `${path}.fault`,
          "a link fault without a setting",
          "delay, jitter, rate, queue, loss, burst, duplicate, reorder or corrupt",
        );
    }
    if (fault.down !== undefined) host(`${path}.fault.down`, hostOf(fault.down));
    for (const [group, members] of (fault.partition ?? []).entries())
      for (const [place, member] of members.entries())
        if (!nodes.includes(member)) unknown(`${path}.fault.partition[${group}][${place}]`, "machine", member, nodes);
  }

  for (const [index, expectation] of (spec.expect ?? []).entries()) {
    const path = `expect[${index}]`;
    switch (expectation.kind) {
      case "result":
        if (!results.has(expectation.of)) unknown(`${path}.${expectation.of}`, "result", expectation.of, [...results]);
        break;
      case "drops":
        if (!Object.hasOwn(DROP_REASONS, expectation.drops))
          wrong(
            `${path}.drops`,
            `the unknown drop reason "${expectation.drops}"`,
            "a reason of docs/DROPS.md",
            hintFor(expectation.drops, Object.keys(DROP_REASONS)),
          );
        break;
      case "eventually":
        for (const end of expectation.eventually.reach.split(" -> ")) host(`${path}.eventually.reach`, end);
        break;
      case "capture":
        host(`${path}.capture`, hostOf(expectation.capture));
        break;
    }
  }
}

function hintFor(word: string, known: readonly string[]): string | undefined {
  const near = nearest(word, known);
  return near === undefined ? undefined : `did you mean "${near}"?`;
}

type Wrong = (path: string, found: string, expected: string, hint?: string) => void;

function checkUnderlay(spec: ScenarioSpec, wrong: Wrong): void {
  const subnet = underlaySubnet(spec);
  const taken = new Map<number, string>();
  for (const [name, node] of spec.nodes ?? []) {
    if (node.address === undefined) continue;
    const path = `nodes.${name}.address`;
    if (!contains(subnet, node.address)) wrong(path, formatIpv4(node.address), `an address in ${formatPrefix(subnet)}`);
    const other = taken.get(node.address);
    if (other !== undefined) wrong(path, `${formatIpv4(node.address)}, which ${other} has`, "an address of its own");
    taken.set(node.address, name);
  }
}

function checkAttachments(
  spec: ScenarioSpec,
  nodes: readonly string[],
  networks: readonly string[],
  wrong: Wrong,
  unknown: (path: string, what: string, name: string, known: readonly string[]) => void,
): void {
  const taken = new Map<string, string>();
  for (const [name, container] of spec.containers ?? []) {
    const path = `containers.${name}`;
    if (!nodes.includes(container.node)) unknown(`${path}.node`, "machine", container.node, nodes);
    for (const [index, network] of attachmentsOf(container.networks).entries()) {
      const at = Array.isArray(container.networks) ? `${path}.networks[${index}]` : `${path}.networks.${network.name}`;
      const target = spec.networks?.get(network.name);
      if (target === undefined) {
        unknown(at, "network", network.name, networks);
        continue;
      }
      if (network.address === undefined) continue;
      if (target.subnet !== undefined && !contains(target.subnet, network.address))
        wrong(`${at}.address`, formatIpv4(network.address), `an address in ${formatPrefix(target.subnet)}`);
      const key = `${network.name} ${network.address}`;
      const other = taken.get(key);
      if (other !== undefined)
        wrong(`${at}.address`, `${formatIpv4(network.address)}, which ${other} has`, "an address of its own");
      taken.set(key, name);
    }
  }
}

export interface Attachment {
  readonly name: string;
  readonly address?: Ipv4Address;
  readonly mac?: MacAddress;
}

/** A container's networks, from either way of writing them, in order. */
export function attachmentsOf(
  networks: readonly string[] | ReadonlyMap<string, Omit<Attachment, "name">> | undefined,
): readonly Attachment[] {
  if (networks === undefined) return [];
  if (Array.isArray(networks)) return networks.map((name: string) => ({ name }));
  return [...(networks as ReadonlyMap<string, Omit<Attachment, "name">>)].map(([name, attachment]) => ({
    name,
    ...attachment,
  }));
}

/** The name before the slash of `node2/eth0`. */
export function hostOf(place: string): string {
  const slash = place.indexOf("/");
  return slash < 0 ? place : place.slice(0, slash);
}

export function underlaySubnet(spec: ScenarioSpec): Prefix {
  return spec.underlay?.subnet ?? DEFAULT_UNDERLAY;
}
const DEFAULT_UNDERLAY = { address: 0xc0a8_3200 as Prefix["address"], length: 24 };
