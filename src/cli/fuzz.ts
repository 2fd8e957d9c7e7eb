/**
 * Throws damaged frames at an emulated network of every kind of device, in rounds of a fresh network each:
 *
 *   node dist/cli/fuzz.js --frames 1000000 --seed S [--round R] [--per-round 5000]
 *
 * Prints the seed, how many frames a second, and where frames ended. The first failure stops it: the frame in hexadecimal and the line that runs the
 * same round again; exit status 1.
 */
import { fuzzRound } from "../check/fuzz/fuzz-round.ts";

const DEFAULT_FRAMES = 100_000;
const DEFAULT_PER_ROUND = 5_000;

function main(argv: readonly string[]): number {
  const given = new Map<string, string>();
  for (let index = 0; index < argv.length; index += 2) given.set(argv[index]!, argv[index + 1] ?? "");
  const number = (name: string, fallback: number): number => Number(given.get(name) ?? fallback);
  const unknown = [...given.keys()].find((name) => !["--frames", "--seed", "--round", "--per-round"].includes(name));
  const frames = number("--frames", DEFAULT_FRAMES);
  const perRound = number("--per-round", DEFAULT_PER_ROUND);
  const onlyRound = given.get("--round");
  if (unknown !== undefined || !(frames > 0) || !(perRound > 0) || Number.isNaN(Number(onlyRound ?? 0))) {
    process.stderr.write("usage: fuzz.js [--frames N] [--seed S] [--per-round N] [--round R]\n");
    return 2;
  }
  const seed = given.get("--seed") ?? String(Date.now());
  process.stdout.write(`seed ${seed}, ${frames} frames, ${perRound} a round\n`);

  const drops = new Map<string, number>();
  const startMs = performance.now();
  let done = 0;
  let events = 0;
  for (let round = Number(onlyRound ?? 0); done < frames; round++) {
    const result = fuzzRound(`${seed}/${round}`, Math.min(perRound, frames - done));
    done += result.frames;
    events += result.events;
    for (const [reason, count] of result.drops) drops.set(reason, (drops.get(reason) ?? 0) + count);
    const { finding } = result;
    if (finding !== undefined) {
      const line = `node dist/cli/fuzz.js --seed ${seed} --round ${round} --per-round ${perRound} --frames ${finding.frames}`;
      process.stdout.write(
        `FAILED in round ${round} after frame ${finding.frames}: ${finding.what}\n` +
          `last frame (${finding.direction} ${finding.device}): ${finding.frameHex}\n${finding.stack ?? ""}\nagain: ${line}\n`,
      );
      return 1;
    }
    if (process.stderr.isTTY) process.stderr.write(`\r${done} frames`);
  }
  const seconds = (performance.now() - startMs) / 1_000;
  const byCount = [...drops].sort(([, a], [, b]) => b - a);
  for (const [reason, count] of byCount) process.stdout.write(`${String(count).padStart(10)} ${reason}\n`);
  process.stdout.write(
    `no failure: ${done} frames, ${events} events, ${seconds.toFixed(1)} s, ${Math.round(done / seconds)} frames/s, ${byCount.length} reasons of drops met\n`,
  );
  return 0;
}

process.exitCode = main(process.argv.slice(2));
