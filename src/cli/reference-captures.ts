/**
 * `npm run captures -- [--out DIR]`: the shipped scenarios' captures, one `.pcapng` each, as they are kept in `captures/`. A test holds those against
 * what the scenarios give today; this writes them anew when a change is meant.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readdirSync, renameSync, writeFileSync } from "node:fs";
import { basename, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { shippedScenarios } from "./list.ts";

const PROGRAM = resolve(fileURLToPath(import.meta.url), "../../../bin/vxlab.js");

function main(): void {
  const program = new Command("captures")
    .description("Writes the reference captures of the shipped scenarios.")
    .option("--out <dir>", "where they go", "captures")
    .parse();
  const { out } = program.opts<{ out: string }>();
  mkdirSync(out, { recursive: true });
  let status = EXIT_HOLDS;
  for (const file of readdirSync(shippedScenarios()).sort()) {
    if (!/\.(ya?ml|sh)$/.test(file)) continue;
    const run = spawnSync(process.execPath, [PROGRAM, "run", join(shippedScenarios(), file), "-q", "-w", "-"], {
      maxBuffer: 1024 * 1024 * 1024,
    });
    const name = `${basename(file).replace(/\.[a-z]+$/, "")}.pcapng`;
    if (run.status === 0) {
      writeFileSync(join(out, `${name}.tmp`), run.stdout);
      renameSync(join(out, `${name}.tmp`), join(out, name));
      console.log(`${join(out, name)}: ${run.stdout.length} bytes`);
    } else {
      console.error(`${file} ends with ${run.status}: ${run.stderr.toString("utf8").trim()}`);
      status = EXIT_FAILED;
    }
  }
  process.exitCode = status;
}

main();
