/**
 * Coverage-guided fuzzing of everything that reads bytes from outside: codecs, captures, scenario files.
 *
 *   node dist/cli/fuzz-codecs.js [--time 60] [--seed S] [--only NAME] [--seeds DIR...]
 *
 * Inputs that reach a part of the code that none before did are kept and damaged further (V8's own coverage tells). Prints how many inputs were tried and how many parts reached; the first
 * input that throws, hangs or does not come back from its own bytes ends it, in hexadecimal, with exit status 1. To be run for hours; what it finds becomes a test.
 */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { Session } from "node:inspector";
import { join } from "node:path";
import { Command } from "commander";
import { mutateBytes } from "../check/fuzz/byte-mutation.ts";
import { CODEC_TARGETS, type CodecTarget } from "../check/fuzz/codec-targets.ts";
import { Random } from "../sim/random.ts";
import { toHex } from "../wire/bytes.ts";
import { EXIT_FAILED, EXIT_HOLDS } from "./exit-codes.ts";
import { shippedScenarios } from "./list.ts";

/** Inputs between two looks at the coverage: one look costs as much as hundreds of small inputs. */
const BATCH = 512;
const HANG_MS = 2_000;
const MOST_SEED_BYTES = 16_384;

interface Options {
  readonly time: string;
  readonly seed: string;
  readonly only?: string;
  readonly seeds?: readonly string[];
}

function main(): void {
  const program = new Command("fuzz-codecs")
    .description("throws damaged bytes at everything that reads bytes")
    .option("--time <seconds>", "for how long", "60")
    .option("--seed <seed>", "the root of all chance", "1")
    .option("--only <name>", `one reader of ${CODEC_TARGETS.map(({ name }) => name).join(", ")}`)
    .option("--seeds <folder...>", "files to begin with; the shipped scenarios and captures without it")
    .parse();
  const options = program.opts<Options>();
  const targets = CODEC_TARGETS.filter(({ name }) => options.only === undefined || name === options.only);
  const seeds = (options.seeds ?? [shippedScenarios(), join(shippedScenarios(), "../captures")]).flatMap(filesOf);
  const coverage = new Coverage();
  const endMs = performance.now() + Number(options.time) * 1_000;
  const random = new Random(`fuzz-codecs ${options.seed}`);
  const corpora = new Map(targets.map((target) => [target, [new Uint8Array(0), ...seeds]]));
  let inputs = 0;
  process.exitCode = EXIT_HOLDS;
  while (performance.now() < endMs && targets.length > 0) {
    for (const target of targets) {
      const corpus = corpora.get(target)!;
      const batch = Array.from({ length: BATCH }, () => {
        const other = corpus[random.below(corpus.length)]!;
        return mutateBytes(corpus[random.below(corpus.length)]!, other, random);
      });
      coverage.forget();
      for (const bytes of batch) {
        inputs++;
        const wrong = tryOut(target, bytes);
        if (wrong === undefined) continue;
        console.log(`FAILED ${target.name}: ${wrong}\ninput: ${toHex(bytes)}\nseed ${options.seed}, input ${inputs}`);
        process.exitCode = EXIT_FAILED;
        coverage.end();
        return;
      }
      if (!coverage.hasNews()) continue;
      // Some of the batch went further: which, is asked one by one.
      for (const bytes of batch) {
        coverage.forget();
        tryOut(target, bytes);
        if (coverage.takeNews()) corpus.push(bytes);
      }
    }
  }
  coverage.end();
  const kept = [...corpora.values()].reduce((sum, corpus) => sum + corpus.length, 0);
  console.log(`${inputs} inputs, ${coverage.size} parts of the code reached, ${kept} inputs kept: no failure`);
}

/** What is wrong with how the target took it. */
function tryOut(target: CodecTarget, bytes: Uint8Array): string | undefined {
  const startMs = performance.now();
  try {
    const wrong = target.read(bytes);
    if (wrong !== undefined) return wrong;
  } catch (error) {
    return error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  const tookMs = performance.now() - startMs;
  return tookMs > HANG_MS ? `it took ${Math.round(tookMs)} ms` : undefined;
}

/** Which blocks of our own code have been run, by V8's block coverage. */
class Coverage {
  readonly #session = new Session();
  readonly #known = new Set<string>();
  #fresh: string[] = [];

  constructor() {
    this.#session.connect();
    this.#session.post("Profiler.enable");
    this.#session.post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });
  }

  get size(): number {
    return this.#known.size;
  }

  /** What ran before this does not count. */
  forget(): void {
    this.#take();
  }

  hasNews(): boolean {
    this.#fresh = this.#take().filter((block) => !this.#known.has(block));
    return this.#fresh.length > 0;
  }

  takeNews(): boolean {
    const found = this.hasNews();
    for (const block of this.#fresh) this.#known.add(block);
    return found;
  }

  end(): void {
    this.#session.disconnect();
  }

  #take(): string[] {
    const blocks: string[] = [];
    this.#session.post("Profiler.takePreciseCoverage", (error, taken) => {
      if (error !== null) throw error;
      for (const { url, functions } of taken.result) {
        if (!url.startsWith("file:") || url.includes("/node_modules/")) continue;
        for (const { ranges } of functions)
          for (const { startOffset, endOffset, count } of ranges)
            if (count > 0) blocks.push(`${url} ${startOffset} ${endOffset}`);
      }
    });
    return blocks;
  }
}

function filesOf(folder: string): Uint8Array[] {
  try {
    return readdirSync(folder)
      .map((name) => join(folder, name))
      .filter((file) => statSync(file).isFile() && statSync(file).size <= MOST_SEED_BYTES)
      .map((file) => new Uint8Array(readFileSync(file)));
  } catch {
    return []; // a package without its captures
  }
}

main();
