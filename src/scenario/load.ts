/** From a file's text, or an object of the same form, to a scenario that can be built: syntax, shape, then what must fit together. */
import { LineCounter, type Node, Document as YamlDocument } from "yaml";
import { compileFilter } from "../capture/filter.ts";
import { DROP_REASONS } from "../linux/drop-reason.ts";
import { type AddressPlan, type PlanProblem, planAddresses, planMachines } from "./address-plan.ts";
import { attachmentsOf } from "./attachment.ts";
import { checkEngines, checkNoEngines, PREDEFINED_NETWORKS, type Unknown, type Wrong } from "./check-engines.ts";
import { hasEngines, hasSwarm } from "./engine-needs.ts";
import { type Condition, type EventuallyExpectation, type ScenarioSpec, scenarioShape } from "./format.ts";
import type { ServingHint } from "./image-programs.ts";
import { unknownWord } from "./known-words.ts";
import { nearest, type Problem, ScenarioError } from "./problem.ts";
import { type ReadFile, ScenarioFiles } from "./scenario-files.ts";
import { beginReading, hasKey, isFull, keyAt, namesUnder, nodeAt, note, type Reading, readAgain } from "./shape.ts";
import { syntaxProblems } from "./yaml-problem.ts";
import { parseYaml } from "./yaml-text.ts";

/** A scenario that has passed every check that needs no run. */
export interface Scenario extends ScenarioSpec {
  /** Where it came from, for messages. */
  readonly file: string;
  readonly source: Source;
  /** Files that it names, by their names as written. */
  readonly texts: ReadonlyMap<string, string>;
  /** By the names of services: what a stack file says that they serve. */
  readonly serving?: ReadonlyMap<string, ServingHint>;
}

/** The text behind a scenario, and where a key of it stands. */
export interface Source {
  readonly text: string;
  locate(path: string): Pick<Problem, "line" | "column" | "length"> | undefined;
}

/** A problem that shows only when the scenario is built. */
export function scenarioProblem(
  scenario: Scenario,
  path: string,
  found: string,
  expected: string,
  hint?: string,
): ScenarioError {
  const place = scenario.source.locate(path) ?? { line: 0, column: 0, length: 0 };
  return new ScenarioError(scenario.file, scenario.source.text, [{ ...place, path, found, expected, hint }]);
}

/** What a fault may be aimed at. */
const FAULT_TARGETS = ["link", "down", "partition", "kill", "stop-engine", "block"] as const;

/** Larger files are refused unread. */
const MOST_CHARACTERS = 1_048_576;
/** More values than this, aliases followed, are refused: a "billion laughs" file costs nothing. */
const MOST_VALUES = 200_000;
const MOST_PROBLEMS = 50;

/**
 * Reads a scenario file's text. `file` is its name for messages; `readFile` gives other files that it names. Throws `ScenarioError` with all problems
 * found.
 */
export function loadScenario(text: string, file = "scenario", readFile?: ReadFile): Scenario {
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
  const documents = parseYaml(text, lines);
  if ("offset" in documents) {
    const { line, col } = lines.linePos(documents.offset);
    return refuse({ line, column: col, found: documents.found, expected: documents.expected });
  }
  if (documents.length === 0) return refuse({ line: 1, column: 1, found: "an empty file", expected: "a scenario" });
  const [document, second] = documents;
  const syntax = syntaxProblems(document!, text);
  if (syntax.length > 0) throw new ScenarioError(file, text, syntax.slice(0, MOST_PROBLEMS));
  if (second !== undefined) {
    const { line, col } = lines.linePos(second.range?.[0] ?? 0);
    refuse({ line, column: col, found: "a second document", expected: "one document a file" });
  }
  return read(beginReading(document!, lines, MOST_VALUES), file, text, readFile);
}

/** Reads an object of a scenario file's form, as `JSON.parse` would give it. Throws `ScenarioError`. */
export function scenarioFrom(value: unknown, file = "scenario", readFile?: ReadFile): Scenario {
  return read(beginReading(new YamlDocument(value), undefined, MOST_VALUES), file, "", readFile);
}

/** The offset of a character that YAML 1.2 §5.1 does not allow; -1 when there is none. */
function firstControlCharacter(text: string): number {
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index);
    const allowed =
      code >= 0x20 ? code < 0x7f || code > 0x9f || code === 0x85 : code === 0x09 || code === 0x0a || code === 0x0d;
    if (!allowed) return index;
  }
  return -1;
}

function read(reading: Reading, file: string, text: string, readFile: ReadFile = noFiles): Scenario {
  const root = (reading.document.contents as Node | null) ?? undefined;
  const spec = scenarioShape.read(root, reading, "");
  const again = readAgain(reading, MOST_VALUES);
  const files = new ScenarioFiles(readFile);
  if (spec !== undefined) checkReferences(spec, again, files);
  if (spec !== undefined && reading.problems.length === 0) checkAddresses(spec, again);
  if (reading.problems.length > 0)
    throw new ScenarioError(file, text, withoutRepetition(inOrder(reading.problems)).slice(0, MOST_PROBLEMS));
  const locate = (path: string): Pick<Problem, "line" | "column" | "length"> | undefined => {
    const scratch = readAgain(reading, MOST_VALUES, []);
    note(scratch, nodeAt(scratch, path), path, "", "");
    return scratch.problems[0];
  };
  return { ...spec!, file, source: { text, locate }, texts: files.texts };
}

function noFiles(name: string): { readonly problem: string } {
  return { problem: `open ${name}: a scenario that is no file names no others` };
}

function inOrder(problems: readonly Problem[]): Problem[] {
  return [...problems].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Aliases bring a problem as often as they are used; it is said once. */
function withoutRepetition(problems: readonly Problem[]): Problem[] {
  const said = new Set<string>();
  return problems.filter(({ line, column, path, found, expected }) => {
    const key = JSON.stringify([line, column, line === 0 ? path : "", found, expected]);
    return !said.has(key) && said.add(key);
  });
}

/** What fits the shape may still not fit together: names that nothing has, addresses outside their subnet, a name used twice. */
function checkReferences(spec: ScenarioSpec, reading: Reading, files: ScenarioFiles): void {
  // Names as written, also of those whose settings have problems of their own.
  const nodes = namesUnder(reading, "nodes");
  const networks = namesUnder(reading, "networks");
  const containers = namesUnder(reading, "containers");
  const hasOwnSetup = spec.setup !== undefined;
  const isEmulated = hasEngines(spec);
  const wrong: Wrong = (path, found, expected, hint) =>
    isFull(reading) || note(reading, nodeAt(reading, path), path, found, expected, hint);
  const wrongName: Wrong = (path, found, expected, hint) =>
    isFull(reading) || note(reading, keyAt(reading, path), path, found, expected, hint);
  const unknown: Unknown = (path, what, name, known, say = wrong) =>
    isFull(reading) || say(path, `the unknown ${what} "${name}"`, choicesText(what, known), hintFor(name, known));
  const engineNames = isEmulated ? checkEngines(spec, reading, { wrong, wrongName, unknown }, files) : undefined;
  if (!isEmulated) checkNoEngines(spec, wrongName);
  const tasks = [...(engineNames?.services ?? [])].map((service) => `${service}.1`);
  const host = (path: string, name: string): void => {
    // Namespaces that `setup:` makes are known only when it has run.
    if (!hasOwnSetup && !nodes.has(name) && !containers.has(name) && engineNames?.isKnown(name) !== true)
      unknown(path, "machine or container", name, new Set([...containers, ...nodes, ...tasks]));
  };

  for (const name of containers)
    if (nodes.has(name)) wrongName(`containers.${name}`, `"${name}", which is a machine too`, "a name of its own");
  checkCommands(spec, wrong);
  checkNetworks(spec, wrong);
  checkAttachments(spec, nodes, isEmulated ? new Set([...networks, ...PREDEFINED_NETWORKS]) : networks, wrong, unknown);

  const checkCluster = ({ tasks, running, nodes: states, leader }: Omit<Condition, "reach">, path: string): void => {
    if (engineNames === undefined || !hasSwarm(spec))
      wrong(path, "an expectation of a swarm, but there is none", '"swarm": options, which may be left out');
    if (tasks !== undefined && engineNames?.isService(tasks) === false)
      unknown(`${path}.tasks`, "service", tasks, engineNames.services);
    if (running !== undefined && tasks === undefined) wrong(`${path}.running`, '"running" without "tasks"', "both");
    for (const name of states?.keys() ?? [])
      if (!nodes.has(name)) unknown(`${path}.nodes.${name}`, "machine", name, nodes, wrongName);
    if (leader !== undefined && !nodes.has(leader)) unknown(`${path}.leader`, "machine", leader, nodes);
  };
  const checkCondition = ({ eventually }: EventuallyExpectation, path: string): void => {
    const { reach, ...cluster } = eventually;
    const at = `${path}.eventually`;
    const others = Object.keys(cluster).length;
    const isWritten = ["reach", "tasks", "running", "nodes", "leader"].some((key) => hasKey(reading, at, key));
    if (!isWritten) wrong(at, "nothing that comes true", "reach, tasks, nodes or leader");
    else if (reach !== undefined && others > 0) wrong(`${at}.reach`, '"reach" beside others', '"reach" alone');
    else if (reach === undefined) {
      if (others > 0) checkCluster(cluster, at);
    } else {
      const [from = "", to = ""] = reach.split(" -> ");
      const [, name = to, port] = /^(.*):(\d+)$/.exec(to) ?? [];
      host(`${at}.reach`, from);
      if (!isEmulated && port !== undefined)
        wrong(`${at}.reach`, `"${to}", with a port`, "a name alone; a port needs engines (swarm: or engine:)");
      else if (engineNames?.mayResolve(name) !== true) host(`${at}.reach`, name);
    }
  };

  const results = new Set<string>();
  for (const [index, step] of (spec.steps ?? []).entries()) {
    if (step === undefined) continue; // a hole: its problem is known
    const path = `steps[${index}]`;
    const has = (key: "run" | "fault"): boolean => step[key] !== undefined || hasKey(reading, path, key);
    if (has("run") === has("fault"))
      wrong(path, has("run") ? "a step with run and fault" : "a step without run or fault", 'either "run" or "fault"');
    if (step.in !== undefined && step.on !== undefined) wrong(`${path}.on`, '"in" and "on" in one step', "one of them");
    if (step.run !== undefined && step.in === undefined && step.on === undefined && !hasOwnSetup)
      wrong(path, "a command without a place", '"in": a container, or "on": a machine');
    if (step.in !== undefined) host(`${path}.in`, step.in);
    if (step.on !== undefined && !hasOwnSetup && !nodes.has(step.on)) unknown(`${path}.on`, "machine", step.on, nodes);
    if (step.as !== undefined) {
      if (!has("run")) wrong(`${path}.as`, '"as" on a fault', '"as" on a command');
      else if (results.has(step.as))
        wrong(`${path}.as`, `the result name "${step.as}" a second time`, "a name of its own");
      results.add(step.as);
    }
    const fault = step.fault;
    if (fault === undefined) continue;
    const targets = FAULT_TARGETS.filter((key) => hasKey(reading, `${path}.fault`, key));
    if (targets.length !== 1)
      wrong(
        `${path}.fault`,
        targets.length === 0 ? "a fault without a target" : `a fault with ${targets.join(" and ")}`,
        `exactly one of ${FAULT_TARGETS.join(", ")}`,
      );
    else if (targets[0] !== "link")
      for (const key of Object.keys(fault))
        if (key !== targets[0])
          wrongName(`${path}.fault.${key}`, `"${key}" beside ${targets[0]}`, `"${key}" beside link`);
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
    for (const key of ["kill", "stop-engine"] as const) {
      const node = fault[key];
      if (node === undefined) continue;
      const at = `${path}.fault.${key}`;
      if (!nodes.has(node)) unknown(at, "machine", node, nodes);
      else if (!isEmulated || spec.nodes?.get(node)?.role === "host")
        wrong(at, `"${node}", which runs no engine`, "a machine with one (swarm: or engine:)");
    }
    if (fault.block?.node !== undefined && !nodes.has(fault.block.node))
      unknown(`${path}.fault.block.node`, "machine", fault.block.node, nodes);
    const grouped = new Set<string>();
    for (const [group, members] of (fault.partition ?? []).entries())
      for (const [place, member] of (members ?? []).entries()) {
        const at = `${path}.fault.partition[${group}][${place}]`;
        if (member === undefined) continue;
        if (!nodes.has(member)) unknown(at, "machine", member, nodes);
        if (grouped.has(member)) wrong(at, `"${member}" a second time`, "each machine once");
        grouped.add(member);
      }
  }

  for (const [index, expectation] of (spec.expect ?? []).entries()) {
    if (expectation === undefined) continue;
    const path = `expect[${index}]`;
    switch (expectation.kind) {
      case "result":
        for (const pattern of patternsOf(expectation.result.output))
          if (!isPattern(pattern)) wrong(`${path}.${expectation.of}.output`, `/${pattern}/`, "a regular expression");
        if (!results.has(expectation.of) && !spec.steps?.some((step) => step === undefined))
          unknown(`${path}.${expectation.of}`, "result", expectation.of, results, wrongName);
        break;
      case "drops":
        checkRange(expectation, path, wrong);
        if (!Object.hasOwn(DROP_REASONS, expectation.drops))
          wrong(
            `${path}.drops`,
            `the unknown drop reason "${expectation.drops}"`,
            "a reason of docs/DROPS.md",
            hintFor(expectation.drops, Object.keys(DROP_REASONS)),
          );
        break;
      case "eventually":
        checkCondition(expectation, path);
        break;
      case "cluster":
        checkCluster(expectation, path);
        break;
      case "capture": {
        checkRange(expectation, path, wrong);
        host(`${path}.capture`, hostOf(expectation.capture));
        const filter = expectation.filter === undefined ? undefined : compileFilter(expectation.filter);
        if (filter !== undefined && typeof filter !== "function")
          wrong(`${path}.filter`, filter.found, `${filter.expected} (at character ${filter.at + 1} of the filter)`);
        break;
      }
    }
  }
}

/** The regular expressions among the texts that an output is to contain: those between slashes. */
function patternsOf(output: string | readonly string[] | undefined): string[] {
  const texts = typeof output === "string" ? [output] : (output ?? []);
  return texts.flatMap((text) => /^\/(.*)\/$/s.exec(text)?.[1] ?? []);
}

function isPattern(source: string): boolean {
  try {
    new RegExp(source, "m");
    return true;
  } catch {
    return false;
  }
}

/** `exactly 3` with `at-least 5` can never hold. */
function checkRange(
  wanted: { readonly exactly?: number; readonly "at-least"?: number; readonly "at-most"?: number },
  path: string,
  wrong: Wrong,
): void {
  const least = wanted["at-least"];
  const most = wanted["at-most"];
  if (wanted.exactly !== undefined && (least !== undefined || most !== undefined))
    wrong(`${path}.exactly`, '"exactly" beside "at-least" or "at-most"', "one of them");
  else if (least !== undefined && most !== undefined && least > most)
    wrong(`${path}.at-least`, `at least ${least} and at most ${most}`, "a number that can be");
}

/** Of the names in a message. */
const MOST_CHOICES = 12;

function choicesText(what: string, known: ReadonlySet<string>): string {
  if (known.size === 0) return `a ${what}, but there is none`;
  const shown = [...known].slice(0, MOST_CHOICES);
  const choices = shown.map((name) => (/^[\w.-]+$/.test(name) ? name : JSON.stringify(name))).join(", ");
  if (known.size === 1) return choices;
  return `one of ${choices}${known.size > MOST_CHOICES ? `, … (${known.size} in all)` : ""}`;
}

function hintFor(word: string, known: Iterable<string>): string | undefined {
  const near = nearest(word, known);
  return near === undefined ? undefined : `did you mean "${near}"?`;
}

/** Only the first word of a line is looked at: the rest is the shell's to read. */
function checkCommands(spec: ScenarioSpec, wrong: Wrong): void {
  const check = (path: string, line: string | undefined): void => {
    const unknown = line === undefined ? undefined : unknownWord(line);
    if (unknown !== undefined) wrong(path, unknown.found, unknown.expected, unknown.hint);
  };
  for (const [index, line] of (spec.setup ?? []).entries()) check(`setup[${index}]`, line);
  for (const [kind, specs] of [
    ["nodes", spec.nodes],
    ["containers", spec.containers],
  ] as const)
    for (const [name, { setup }] of specs ?? [])
      for (const [index, line] of (setup ?? []).entries()) check(`${kind}.${name}.setup[${index}]`, line);
  for (const [index, step] of (spec.steps ?? []).entries()) check(`steps[${index}].run`, step?.run);
}

/** A node has one VXLAN device for a VNI, as Linux does. */
function checkNetworks(spec: ScenarioSpec, wrong: Wrong): void {
  const taken = new Map<number, string>();
  for (const [name, { driver, vni }] of spec.networks ?? []) {
    if (vni === undefined) continue;
    const other = taken.get(vni);
    if (driver === "bridge") wrong(`networks.${name}.vni`, "a VNI on a bridge network", "a VNI on an overlay network");
    else if (other !== undefined) wrong(`networks.${name}.vni`, `${vni}, which ${other} has`, "a VNI of its own");
    taken.set(vni, name);
  }
}

function checkAttachments(
  spec: ScenarioSpec,
  nodes: ReadonlySet<string>,
  networks: ReadonlySet<string>,
  wrong: Wrong,
  unknown: Unknown,
): void {
  for (const [name, container] of spec.containers ?? []) {
    const path = `containers.${name}`;
    if (!nodes.has(container.node)) unknown(`${path}.node`, "machine", container.node, nodes);
    const joined = new Set<string>();
    for (const [index, network] of attachmentsOf(container.networks).entries()) {
      if (network.name === undefined) continue; // a hole: its problem is known
      const at = Array.isArray(container.networks) ? `${path}.networks[${index}]` : `${path}.networks.${network.name}`;
      if (!networks.has(network.name)) unknown(at, "network", network.name, networks);
      else if (joined.has(network.name)) wrong(at, `the network "${network.name}" a second time`, "each network once");
      joined.add(network.name);
    }
  }
}

/** Plans the addresses as a run would: whether all fit is known without building anything. */
function checkAddresses(spec: ScenarioSpec, reading: Reading): void {
  const plan: AddressPlan | readonly PlanProblem[] = hasEngines(spec)
    ? planMachines(spec).problems
    : planAddresses(spec);
  if ("endpoints" in plan) return;
  for (const { path, found, expected } of plan.slice(0, MOST_PROBLEMS))
    note(reading, nodeAt(reading, path), path, found, expected);
}

/** The name before the slash of `node2/eth0`. */
export function hostOf(place: string): string {
  const slash = place.indexOf("/");
  return slash < 0 ? place : place.slice(0, slash);
}
