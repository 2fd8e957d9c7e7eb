/**
 * `vxlab check [SCENARIO]`: holds the laws of the emulated world against random worlds, or against a scenario under random faults. What breaks a law is made
 * small and written as a scenario and its capture, with the line that finds it again; exit status 1.
 */
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { Worker } from "node:worker_threads";
import { Command, InvalidArgumentError } from "commander";
import { parse, stringify } from "yaml";
import { LAW_NAMES, parseToken } from "../check/campaign.ts";
import type { ScenarioObject } from "../check/faulted-scenario.ts";
import { Lab } from "../scenario/lab.ts";
import { loadScenario, scenarioFrom } from "../scenario/load.ts";
import { parseDuration } from "../scenario/units.ts";
import { formatSeconds, MILLISECOND } from "../sim/time.ts";
import { type Found, look, type Shard, type Told } from "./check-worker.ts";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { readInput } from "./input-file.ts";
import { OutputFolder } from "./output-folder.ts";
import { UsageError } from "./usage-error.ts";

interface CommandOptions {
  readonly laws: readonly string[];
  readonly runs: number;
  readonly time?: number;
  readonly jobs: number;
  readonly seed?: string;
  readonly replay?: string;
  readonly out?: string;
  readonly json?: true;
}

const DEFAULT_RUNS = 1_000;
const MOST_JOBS = 256;

export function checkCommand(): Command {
  return new Command("check")
    .description("hold the laws of the emulated world against random worlds, or a scenario under random faults")
    .argument("[scenario]", "a scenario file; without it, random worlds")
    .option(
      "--laws <names>",
      `laws to hold, separated by commas: ${LAW_NAMES.join(", ")}; all without it`,
      laws,
      LAW_NAMES,
    )
    .option("--runs <n>", "how many worlds, or runs of the scenario", count, DEFAULT_RUNS)
    .option("--time <t>", "begin no more after this time, such as 10m", duration)
    .option("-j, --jobs <n>", "threads", jobs, Math.min(MOST_JOBS, availableParallelism()))
    .option("--seed <seed>", "the root of all chance; the time of day without it")
    .option("--replay <token>", "run the one world that a finding names")
    .option("-o, --out <folder>", "where a finding goes; captures/check/ without it")
    .option("--json", "one JSON document on stdout (version 1)")
    .action(async (file: string | undefined, options: CommandOptions) => {
      process.exitCode = await check(file, options);
    });
}

async function check(file: string | undefined, options: CommandOptions): Promise<number> {
  const scenario = file === undefined ? undefined : readScenario(file);
  const replayed = options.replay === undefined ? undefined : parseToken(options.replay);
  if (options.replay !== undefined && replayed === undefined)
    throw new UsageError(
      `--replay ${options.replay}: a token such as 1:SEED:NUMBER, of this version of vxlab, was expected`,
    );
  const seed = replayed?.seed ?? options.seed ?? String(Date.now());
  const startMs = performance.now();
  let worlds = 1;
  let found: Found | undefined;
  const whole: Shard = {
    seed,
    laws: options.laws,
    first: 0,
    step: 1,
    end: options.runs,
    deadlineMs: options.time === undefined ? Number.POSITIVE_INFINITY : Date.now() + options.time,
    scenario,
  };
  if (replayed !== undefined) found = look(whole, replayed.number);
  else ({ worlds, found } = await campaign(whole, options.jobs));
  const seconds = ((performance.now() - startMs) / 1_000).toFixed(1);
  const files = found === undefined ? [] : write(found, file, options);
  if (options.json) {
    const { token, violations } = found ?? { token: null, violations: [] };
    const document = { version: 1, seed, worlds, holds: found === undefined, token, violations, files };
    process.stdout.write(`${JSON.stringify(document, null, 2)}\n`);
  } else if (found === undefined) {
    const what = scenario === undefined ? "random worlds" : "runs";
    process.stdout.write(`${worlds} ${what}, ${options.laws.length} laws, seed ${seed}: all hold (${seconds} s)\n`);
  } else process.stdout.write(`${findingText(found, file, files)}\n`);
  return found === undefined ? EXIT_HOLDS : EXIT_FAILED;
}

/** The finding with the lowest number among those that the shards come to before the first of them is told. */
async function campaign(whole: Shard, wanted: number): Promise<{ worlds: number; found: Found | undefined }> {
  const threads = Math.max(1, Math.min(wanted, whole.end));
  let worlds = 0;
  let found: Found | undefined;
  const workers: Worker[] = [];
  const show = process.stderr.isTTY === true;
  const tell = (told: Told): void => {
    if (told.kind === "done") worlds += told.worlds;
    else {
      worlds++;
      if (found === undefined || told.found.number < found.number) found = told.found;
      for (const worker of workers) void worker.terminate();
    }
    if (show) process.stderr.write(`\r${worlds} of ${whole.end} `);
  };
  try {
    await Promise.all(
      Array.from({ length: threads }, (_, first) => {
        const workerData: Shard = { ...whole, first, step: threads };
        const worker = new Worker(new URL("./check-worker.js", import.meta.url), { workerData });
        workers.push(worker);
        worker.on("message", tell);
        return new Promise<void>((resolve, reject) => {
          worker.on("error", reject);
          worker.on("exit", () => resolve());
        });
      }),
    );
  } finally {
    if (show) process.stderr.write("\r\u001b[K");
  }
  return { worlds, found };
}

function readScenario(file: string): ScenarioObject {
  const { name, text } = readInput(file);
  loadScenario(text, name); // says all that is wrong with it
  return parse(text) as ScenarioObject;
}

/** The scenario and its capture; the files' names. */
function write(found: Found, file: string | undefined, options: CommandOptions): string[] {
  const path = options.out ?? join("captures", "check");
  const folder = new OutputFolder(path);
  const name = `world-${found.token.replace(/[^\w.-]+/g, "-")}`;
  const again = replayLine(found, file);
  const lines = found.violations.map(({ law, words }) => `# breaks "${law}": ${words.split("\n")[0]}`);
  const text = [...new Set(lines), `# again: ${again}`, stringify({ ...found.scenario }, { lineWidth: 0 })].join("\n");
  folder.create(`${name}.yaml`).write(new TextEncoder().encode(text));
  const capture = captureOf(found);
  if (capture !== undefined) folder.create(`${name}.pcapng`).write(capture);
  folder.commit();
  return [join(path, `${name}.yaml`), ...(capture === undefined ? [] : [join(path, `${name}.pcapng`)])];
}

/** A world that ends in an exception has no capture. */
function captureOf({ scenario }: Found): Uint8Array | undefined {
  try {
    const lab = new Lab(scenarioFrom(scenario));
    const capture = lab.capture();
    lab.run();
    return capture.close();
  } catch {
    return undefined;
  }
}

function replayLine({ token }: Found, file: string | undefined): string {
  return `vxlab check ${file === undefined ? "" : `${file} `}--replay ${token}`;
}

function findingText(found: Found, file: string | undefined, files: readonly string[]): string {
  const broken = found.violations.slice(0, 5).map(({ law, words, place, timeNs, packetId }) => {
    const where = [
      place === undefined ? undefined : `at ${place}`,
      timeNs === undefined ? undefined : `${formatSeconds(timeNs, 6)} s`,
      packetId === undefined ? undefined : `packet ${packetId}`,
    ].filter((part) => part !== undefined);
    return `BROKEN  ${law}: ${words}${where.length === 0 ? "" : ` (${where.join(", ")})`}`;
  });
  const more = found.violations.length > 5 ? [`        and ${found.violations.length - 5} more`] : [];
  return [
    ...broken,
    ...more,
    `smallest world: ${found.size}`,
    ...files.map((name) => `wrote ${name}`),
    `again: ${replayLine(found, file)}`,
  ].join("\n");
}

function laws(text: string): readonly string[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names)
    if (!LAW_NAMES.includes(name))
      throw new InvalidArgumentError(`"${name}" is no law; there are ${LAW_NAMES.join(", ")}`);
  return names;
}

function count(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > 1e9) throw new InvalidArgumentError("an integer from 1 was expected");
  return value;
}

function jobs(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > MOST_JOBS)
    throw new InvalidArgumentError(`an integer from 1 to ${MOST_JOBS} was expected`);
  return value;
}

/** In milliseconds. */
function duration(text: string): number {
  const value = parseDuration(text);
  if (typeof value !== "number") throw new InvalidArgumentError("a time such as 30s or 10m was expected");
  return value / MILLISECOND;
}
