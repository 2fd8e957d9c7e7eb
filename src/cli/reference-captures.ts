/**
 * `npm run captures -- [--out DIR]`: the shipped scenarios' captures, one `.pcapng` each, as they are kept in `captures/`. A test holds those against
 * what the scenarios give today; this writes them anew when a change is meant. Of the swarm and of the gallery of failures only small ones are kept.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { shippedScenarios } from "./list.ts";

/** Folders of shipped scenarios, and how large a capture of one may be to be kept. */
const FOLDERS: readonly (readonly [folder: string, mostBytes: number])[] = [
  ["", Number.POSITIVE_INFINITY],
  ["swarm", 200_000],
  ["failures", 200_000],
];

const PROGRAM = resolve(fileURLToPath(import.meta.url), "../../../bin/vxlab.js");

function main(): void {
  const program = new Command("captures")
    .description("Writes the reference captures of the shipped scenarios.")
    .option("--out <dir>", "where they go", "captures")
    .parse();
  const { out } = program.opts<{ out: string }>();
  let status = EXIT_HOLDS;
  for (const [folder, mostBytes] of FOLDERS) {
    const scenarios = join(shippedScenarios(), folder);
    mkdirSync(join(out, folder), { recursive: true });
    for (const file of readdirSync(scenarios).sort())
      if (/\.(ya?ml|sh)$/.test(file) && !keep(join(scenarios, file), join(out, folder), mostBytes))
        status = EXIT_FAILED;
  }
  process.exitCode = status;
}

/** Writes one scenario's capture; false: the scenario does not hold. */
function keep(file: string, out: string, mostBytes: number): boolean {
  const run = spawnSync(process.execPath, [PROGRAM, "run", file, "-q", "-w", "-"], { maxBuffer: 1024 * 1024 * 1024 });
  if (run.status !== 0) {
    console.error(`${basename(file)} ends with ${run.status}: ${run.stderr.toString("utf8").trim()}`);
    return false;
  }
  const capture = join(out, `${basename(file).replace(/\.[a-z]+$/, "")}.pcapng`);
  if (run.stdout.length > mostBytes) {
    rmSync(capture, { force: true });
    console.log(`${capture}: ${run.stdout.length} bytes, not kept`);
    return true;
  }
  writeFileSync(`${capture}.tmp`, run.stdout);
  renameSync(`${capture}.tmp`, capture);
  console.log(`${capture}: ${run.stdout.length} bytes`);
  return true;
}

main();
