/**
 * `npm run conformance -- [--cases DIR | --swarm [DIR]] [--out DIR] [--verbose] [NN ...]`: runs the cases recorded from the real kernel and says, interface by
 * interface, whether ours captured the same. Status 0 when every case passes or is listed as a known difference, 1 when
 * one fails that is not, 2 on bad usage.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { Command } from "commander";
import { type CaseResult, tryCase } from "../check/conformance/run-case.ts";
import { WORDS } from "../commands/words.ts";
import { listCases, readCase, readKnownDifferences, readRecorded, writeCaptures } from "./case-folder.ts";
import { runSwarmCases } from "./conformance-swarm.ts";

interface Options {
  readonly cases?: string;
  readonly out?: string;
  readonly verbose?: boolean;
  readonly swarm?: boolean | string;
  readonly page?: string;
  readonly seed?: string;
}

function main(): void {
  const program = new Command("conformance")
    .description("Compares emulated networks with captures of the real kernel, case by case.")
    .argument("[case...]", "numbers (06) or names of cases; all when none is given")
    .option("--cases <dir>", "folder of cases (test/conformance/linux)")
    .option("--swarm [dir]", "the cases of a real Swarm (test/conformance/swarm)")
    .option("--page <file>", "with --swarm: write what was found there, as a table")
    .option("--seed <seed>", "with --swarm: what is left to chance")
    .option("--out <dir>", "write our captures there, one folder a case")
    .option("-v, --verbose", "show the differing frames and what commands printed")
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2));
  program.parse();
  const options = program.opts<Options>();
  const given = typeof options.swarm === "string" ? options.swarm : options.cases;
  const folder = given ?? join("test", "conformance", options.swarm === undefined ? "linux" : "swarm");
  if (!existsSync(folder)) {
    console.error(`error: no folder of cases: ${folder}`);
    process.exit(2);
  }
  if (options.swarm !== undefined) {
    const { out, page, seed, verbose } = options;
    process.exit(runSwarmCases(folder, { only: program.args, out, page, seed, verbose: verbose === true }));
  }
  const cases = listCases(folder, program.args);
  if (cases.length === 0) {
    console.error(`error: no case ${program.args.join(" ") || "at all"} in ${folder}`);
    process.exit(2);
  }
  process.exit(runAll(folder, cases, options));
}

function runAll(folder: string, cases: ReturnType<typeof listCases>, options: Options): number {
  const known = readKnownDifferences(folder);
  let passed = 0;
  let interfaces = 0;
  let same = 0;
  const unlisted: string[] = [];
  const listed: string[] = [];
  for (const found of cases) {
    const result = runOne(found, options);
    for (const one of result.interfaces) {
      interfaces++;
      if (one.same) same++;
      console.log(`${found.name} ${one.name}: ${one.summary}`);
      if (options.verbose === true) for (const line of one.diff) console.log(`    ${line}`);
    }
    for (const problem of result.problems) console.log(`${found.name}: problem: ${problem}`);
    if (result.passed) passed++;
    else if (known.has(found.name)) listed.push(found.name);
    else unlisted.push(found.name);
  }
  console.log(`${passed} of ${cases.length} cases, ${same} of ${interfaces} interfaces match`);
  for (const name of listed) console.log(`known difference: ${name}: ${known.get(name)}`);
  for (const name of unlisted) console.log(`FAILED: ${name}`);
  return unlisted.length === 0 ? 0 : 1;
}

function runOne(found: ReturnType<typeof listCases>[number], options: Options): CaseResult {
  const description = readCase(found);
  if ("problem" in description)
    return { name: found.name, passed: false, problems: [description.problem], interfaces: [] };
  try {
    const { run, result } = tryCase(description, WORDS, readRecorded(found, description));
    if (options.out !== undefined) writeCaptures(options.out, found.name, run.captures);
    if (options.verbose === true)
      for (const { stimulus, text } of run.outputs) console.log(`  ${stimulus.slice(0, 120)}\n${indent(text)}`);
    return result;
  } catch (error) {
    // One case that breaks an assertion shall not hide how the others fare.
    const message = error instanceof Error ? (error.stack ?? error.message) : String(error);
    return { name: found.name, passed: false, problems: [message], interfaces: [] };
  }
}

function indent(text: string): string {
  return text
    .split("\n")
    .map((line) => `      ${line}`)
    .join("\n");
}

main();
