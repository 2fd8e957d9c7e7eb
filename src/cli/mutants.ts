/**
 * The laws' own test: puts one bug after the other into a copy of the built emulator and lets the laws look for it.
 *
 *   node dist/cli/mutants.js [--only TEXT] [--time 60] [-j 2] [--write docs/MUTANTS.md]
 *
 * Prints one line a mutant; exit status 1 when one lives, or when a change finds its place no longer.
 */
import { spawn } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { MUTANTS, type Mutant } from "./mutant-list.ts";
import type { Catch } from "./mutant-probe.ts";

const ROOT = resolve(fileURLToPath(import.meta.url), "../../..");
/** What the probe may take beyond its time: to start, and to make small what it found. */
const GRACE_MS = 120_000;

interface Options {
  readonly only?: string;
  readonly time: string;
  readonly jobs: string;
  readonly write?: string;
}

type Outcome = { readonly mutant: Mutant; readonly seconds: number } & (
  | { readonly kind: "caught"; readonly by: Catch }
  | { readonly kind: "alive" | "stale" }
  | { readonly kind: "crashed"; readonly words: string }
);

async function main(): Promise<void> {
  const program = new Command("mutants")
    .description("puts bugs into a copy of the emulator; the laws look for them")
    .option("--only <text>", "mutants whose area, file or name holds this")
    .option("--time <seconds>", "how long to look for each", "60")
    .option("-j, --jobs <n>", "how many at a time", "2")
    .option("--write <file>", "the table as Markdown")
    .parse();
  const options = program.opts<Options>();
  const { only } = options;
  const chosen = MUTANTS.filter(
    ({ area, file, name }) => only === undefined || [area, file, name].some((text) => text.includes(only)),
  );
  const outcomes: Outcome[] = [];
  const queue = [...chosen];
  const work = async (): Promise<void> => {
    const copy = makeCopy();
    try {
      for (let mutant = queue.shift(); mutant !== undefined; mutant = queue.shift()) {
        const outcome = await tryOut(copy, mutant, Number(options.time));
        outcomes.push(outcome);
        console.log(line(outcome));
      }
    } finally {
      rmSync(copy, { recursive: true, force: true });
    }
  };
  await Promise.all(Array.from({ length: Math.max(1, Number(options.jobs)) }, work));
  outcomes.sort((a, b) => chosen.indexOf(a.mutant) - chosen.indexOf(b.mutant));
  const caught = outcomes.filter(({ kind }) => kind === "caught" || kind === "crashed").length;
  console.log(`${caught} of ${outcomes.length} mutants caught`);
  if (options.write !== undefined) writeFileSync(options.write, table(outcomes, Number(options.time)));
  process.exitCode = caught === outcomes.length ? EXIT_HOLDS : EXIT_FAILED;
}

function makeCopy(): string {
  const copy = mkdtempSync(join(tmpdir(), "vxlab-mutants-"));
  cpSync(join(ROOT, "dist"), join(copy, "dist"), { recursive: true });
  cpSync(join(ROOT, "package.json"), join(copy, "package.json"));
  symlinkSync(join(ROOT, "node_modules"), join(copy, "node_modules"), "junction");
  return copy;
}

/** Changes the copy, looks, and changes it back. */
async function tryOut(copy: string, mutant: Mutant, seconds: number): Promise<Outcome> {
  const file = join(copy, "dist", mutant.file);
  const text = readFileSync(file, "utf8");
  const startMs = performance.now();
  if (text.split(mutant.find).length !== 2) return { mutant, kind: "stale", seconds: 0 };
  writeFileSync(
    file,
    text.replace(mutant.find, () => mutant.replace),
  );
  try {
    const { status, output, error } = await run(copy, mutant, seconds);
    const took = (performance.now() - startMs) / 1_000;
    const last = output.trim().split("\n").at(-1) ?? "";
    if (status === null) return { mutant, kind: "alive", seconds: took };
    // What makes the emulator fall over at its start is caught as well.
    if (status !== 0 || !last.startsWith("{")) {
      const words =
        error
          .trim()
          .split("\n")
          .find((one) => /Error/.test(one)) ?? `the probe ended with ${status}`;
      return { mutant, kind: "crashed", words, seconds: took };
    }
    const by = JSON.parse(last) as Catch;
    return by.found ? { mutant, kind: "caught", by, seconds: took } : { mutant, kind: "alive", seconds: took };
  } finally {
    writeFileSync(file, text);
  }
}

function run(
  copy: string,
  { by }: Mutant,
  seconds: number,
): Promise<{ status: number | null; output: string; error: string }> {
  return new Promise((done) => {
    const probe = spawn(process.execPath, [join(copy, "dist/cli/mutant-probe.js"), by, String(seconds)]);
    let output = "";
    let error = "";
    probe.stdout.on("data", (chunk) => {
      output += String(chunk);
    });
    probe.stderr.on("data", (chunk) => {
      error += String(chunk);
    });
    const timer = setTimeout(() => probe.kill("SIGKILL"), seconds * 1_000 + GRACE_MS);
    probe.on("close", (status) => {
      clearTimeout(timer);
      done({ status, output, error });
    });
  });
}

function line(outcome: Outcome): string {
  const { mutant, kind, seconds } = outcome;
  const head = `${kind.padEnd(7)} ${`${seconds.toFixed(1)} s`.padStart(8)}  ${mutant.area}: ${mutant.name}`;
  return outcome.kind === "caught" ? `${head}  [${outcome.by.law}; ${sizeOf(outcome.by)}]` : head;
}

function sizeOf({ machines, containers, events }: Catch): string {
  if (machines === 0) return "no network";
  return `${machines} machines, ${containers} containers, ${events} events`;
}

function table(outcomes: readonly Outcome[], seconds: number): string {
  const rows = outcomes.map((outcome) => {
    const { mutant } = outcome;
    const found =
      outcome.kind === "caught"
        ? `${outcome.by.law.split("\n")[0]?.replaceAll("|", "\\\\|")} | ${outcome.by.after} | ${outcome.seconds.toFixed(1)} | ${sizeOf(outcome.by)}`
        : outcome.kind === "crashed"
          ? `no exception | 1 | ${outcome.seconds.toFixed(1)} | -`
          : `**${outcome.kind}** | - | ${outcome.seconds.toFixed(1)} | -`;
    return `| ${mutant.area} | ${mutant.name} | \`${mutant.file.replace(/\\.js$/, ".ts")}\` | ${found} |`;
  });
  const caught = outcomes.filter(({ kind }) => kind === "caught" || kind === "crashed").length;
  return [
    "# Mutants",
    "",
    "Bugs put into a copy of the emulator, one at a time, and the law that found each. Made by `node dist/cli/mutants.js --write docs/MUTANTS.md`; do not edit.",
    "",
    `${caught} of ${outcomes.length} found. Each was looked for at most ${seconds} s. "After" counts random worlds, runs, or states of a small cluster; the time holds starting Node and making the world small.`,
    "",
    "| area | bug | file | law that found it | after | seconds | smallest world |",
    "|---|---|---|---|---|---|---|",
    ...rows,
    "",
  ].join("\n");
}

await main();
