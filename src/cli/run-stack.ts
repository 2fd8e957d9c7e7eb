/** `vxlab run docker-stack.yml`: a stack file without any scenario, on machines made for it. */
import { basename, dirname, extname, resolve } from "node:path";
import { type Command, InvalidArgumentError } from "commander";
import type { LabelledNode } from "../scenario/stack-run/auto-labels.ts";
import type { StackReport } from "../scenario/stack-run/stack-report.ts";
import { StackRun } from "../scenario/stack-run/stack-run.ts";
import type { StackRunSettings } from "../scenario/stack-run/stack-run-settings.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { type LoadedStack, loadStack } from "../swarm/stack/load-stack.ts";
import { readDocument } from "../swarm/stack/read-document.ts";
import { placeText, StackError } from "../swarm/stack/stack-error.ts";
import { type CaptureOptions, captureFiles } from "./capture-files.ts";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { Interruption } from "./interruption.ts";
import { Progress } from "./progress.ts";
import { readStackText, stackEnvironment } from "./stack-input.ts";
import { stackReportText } from "./stack-report-text.ts";
import { UsageError } from "./usage-error.ts";

const DEFAULT_NODES = 3;
const MOST_NODES = 200;
const MADE_UP = "made up by vxlab\n";
/** Events between two looks at the terminal and at Ctrl-C. */
const SLICE_EVENTS = 100_000;

/** What `vxlab run` takes besides, for a stack file. */
export interface StackOptions extends CaptureOptions {
  readonly nodes?: number;
  readonly managers?: number;
  readonly label?: readonly string[];
  readonly autoLabel?: true;
  readonly envFile?: readonly string[];
  readonly createExternal?: true;
  readonly composeFile?: readonly string[];
  readonly stackName?: string;
  readonly sealed?: true;
  readonly seed?: string;
  readonly until?: Nanoseconds;
  readonly json?: true;
  readonly quiet?: true;
}

/** Adds the options that only stack files have. */
export function withStackOptions(command: Command): Command {
  return command
    .option("-n, --nodes <count>", `stack file: on so many machines; ${DEFAULT_NODES} without it`, count)
    .option("--managers <count>", "stack file: so many of them are managers; 1 without it", count)
    .option("--label <node=key=value>", "stack file: a label of a node, such as node2=zone=east", append, [])
    .option("--auto-label", "stack file: give nodes the labels that constraints ask for")
    .option("--env-file <file>", "stack file: further variables, one NAME=value a line", append, [])
    .option("--create-external", "stack file: make up what it needs from outside: secrets, configs, networks, files")
    .option("-c, --compose-file <file>", "stack file: a further one, laid over the first", append, [])
    .option("--stack-name <name>", "stack file: what the stack is called; the file's name without it")
    .option("--sealed", "stack file: port 2377 and gossip as a real swarm has them, not in clear");
}

function append(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function count(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > MOST_NODES)
    throw new InvalidArgumentError(`an integer from 1 to ${MOST_NODES} is expected`);
  return value;
}

/** Is it a stack file, not a scenario? It has a version, or services without machines for them. */
export function isStackFile(file: string, options: StackOptions): boolean {
  if (options.nodes !== undefined || options.managers !== undefined) return true;
  if (file === "-" || !/\.(ya?ml|json)$/i.test(file)) return false;
  const found = readStackText(file);
  if ("problem" in found) return false;
  const keys = topLevelKeys(file, found.text);
  return !keys.has("nodes") && (keys.has("version") || keys.has("services"));
}

/** Of a file that cannot be read, those that look like it. */
function topLevelKeys(file: string, text: string): ReadonlySet<string> {
  try {
    return new Set(readDocument(file, text).root.entries.keys());
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    return new Set([...text.matchAll(/^["']?(version|services|nodes)["']?\s*:/gm)].map(([, key]) => key!));
  }
}

export async function runStackFile(file: string, options: StackOptions): Promise<void> {
  let report: StackReport;
  try {
    report = await run(settingsOf(file, options), options);
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    const { place, message } = error;
    throw new UsageError(place.file === "" ? message : `${placeText(place)}: ${message}`);
  }
  const talk = options.write === "-" ? process.stderr : process.stdout;
  if (options.json) talk.write(`${JSON.stringify(report, null, 2)}\n`);
  else if (!options.quiet || !report.holds) {
    const colour = talk.isTTY === true && !process.env["NO_COLOR"];
    talk.write(stackReportText(report, { colour, failedOnly: options.quiet === true }));
  }
  process.exitCode = report.holds ? EXIT_HOLDS : EXIT_FAILED;
}

async function run(settings: StackRunSettings, options: StackOptions): Promise<StackReport> {
  const interruption = new Interruption();
  const progress = new Progress(process.stderr, options.quiet !== true && options.json !== true);
  const stackRun = new StackRun(settings);
  const { lab } = stackRun;
  const files = captureFiles(lab, options.capture, lab.scenario, options);
  try {
    while (!stackRun.advance(SLICE_EVENTS)) {
      progress.show(lab.world.simulation.nowNs, lab.world.simulation.events);
      await interruption.check();
    }
    files.finish();
    return { ...stackRun.report(), files: files.names };
  } catch (error) {
    files.abandon();
    throw error;
  } finally {
    progress.clear();
    interruption.release();
  }
}

function settingsOf(file: string, options: StackOptions): StackRunSettings {
  const names = [file, ...(options.composeFile ?? [])];
  const environment = stackEnvironment(options.envFile ?? []);
  const files = names.map((name) => {
    const found = readStackText(name);
    if ("problem" in found) throw new UsageError(found.problem);
    return {
      name: name === "-" ? "<stdin>" : name,
      path: resolve(name === "-" ? "stack.yml" : name),
      text: found.text,
    };
  });
  const texts = new Map<string, string>();
  const createExternal = options.createExternal === true;
  const readFile = (path: string) => {
    const found = readStackText(path);
    if ("text" in found) texts.set(path, found.text);
    if ("text" in found || !createExternal) return found;
    texts.set(path, "");
    return { text: "" };
  };
  const loaded = loadStack({
    files,
    workingFolder: dirname(files[0]!.path),
    environment,
    readFile,
    forDeployment: true,
  });
  readFiles(loaded, texts, createExternal);
  return {
    name: options.stackName ?? stackNameOf(file),
    loaded,
    files,
    texts,
    environment: mentioned(environment, [...files.map(({ text }) => text), ...texts.values()]),
    nodes: nodesOf(options),
    autoLabel: options.autoLabel === true,
    createExternal,
    seed: options.seed ?? "1",
    capture: options.capture,
    until: options.until,
    isSealed: options.sealed === true,
  };
}

/** What secrets and configs hold. A file that is not there is `docker stack deploy`'s to complain about. */
function readFiles({ stack }: LoadedStack, texts: Map<string, string>, madeUp: boolean): void {
  for (const object of [...stack.secrets.values(), ...stack.configs.values()]) {
    if (object.external === true || typeof object.file !== "string") continue;
    const found = readStackText(object.file);
    if ("text" in found) texts.set(object.file, found.text);
    else if (madeUp) texts.set(object.file, MADE_UP);
  }
}

/** Only what the files speak of: the rest of the command's environment is nobody's business in there. */
function mentioned(environment: ReadonlyMap<string, string>, texts: readonly string[]): Map<string, string> {
  const words = new Set(texts.flatMap((text) => text.match(/[A-Za-z_][A-Za-z0-9_]*/g) ?? []));
  return new Map([...environment].filter(([name]) => words.has(name) && name !== "HOSTNAME"));
}

function nodesOf(options: StackOptions): LabelledNode[] {
  const total = options.nodes ?? Math.max(DEFAULT_NODES, options.managers ?? 1);
  const managers = options.managers ?? 1;
  if (managers > total) throw new UsageError(`--managers ${managers}: there are only ${total} nodes`);
  const nodes = Array.from(
    { length: total },
    (_, index): LabelledNode => ({
      name: `node${index + 1}`,
      role: index < managers ? "manager" : "worker",
      labels: new Map(),
    }),
  );
  for (const text of options.label ?? []) {
    const [, name, key, value] = /^([^=]+)=([^=]+)=(.*)$/.exec(text) ?? [];
    if (name === undefined || key === undefined) throw new UsageError(`--label ${text}: expected node=key=value`);
    const node = nodes.find((each) => each.name === name);
    if (node === undefined)
      throw new UsageError(`--label ${text}: there is no ${name}; there are node1 to node${total}`);
    node.labels.set(key, value ?? "");
  }
  return nodes;
}

/** `shop` of `stacks/shop.yml`; the folder's name where the file's says nothing. */
function stackNameOf(file: string): string {
  const stem = file === "-" ? "stack" : basename(file, extname(file));
  const plain = /^(docker-?)?(stack|compose)(\.prod|\.swarm)?$/i.test(stem) ? basename(dirname(resolve(file))) : stem;
  const name = plain
    .replace(/[^a-zA-Z0-9_-]+/g, "-")
    .replace(/^[^a-zA-Z0-9]+|[^a-zA-Z0-9]+$/g, "")
    .slice(0, 40);
  return name === "" ? "stack" : name;
}
