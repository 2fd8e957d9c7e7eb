/**
 * Throws damaged frames at an emulated network of every kind of device, in rounds of a fresh network each:
 *
 *   node dist/cli/fuzz.js --frames 1000000 --seed S [--round R] [--per-round 5000]
 *
 * Prints the seed, how many frames a second, and where frames ended. The first failure stops it: the frame in hexadecimal and the line that runs the
 * same round again; exit status 1. Rounds run in a thread of their own, so that a loop that never comes back is noticed and its frame known.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { type FuzzRound, fuzzRound } from "../check/fuzz/fuzz-round.ts";
import { toHex } from "../wire/bytes.ts";

const DEFAULT_FRAMES = 100_000;
const DEFAULT_PER_ROUND = 5_000;
/** No frame, and no settling at the end of a round, takes so long. */
const PATIENCE_MS = 120_000;
const LOOK_MS = 1_000;
/** Words of the shared memory: the frame's number within its round, its length, and behind them its bytes. */
const NUMBER = 0;
const LENGTH = 1;
const SHARED_BYTES = 8 + 0x1_0000;

interface Plan {
  readonly seed: string;
  readonly frames: number;
  readonly perRound: number;
  readonly firstRound: number;
}

/** What the thread tells after each round. */
interface Progress {
  readonly round: number;
  readonly frames: number;
  readonly result: FuzzRound;
}

function plan(argv: readonly string[]): Plan | undefined {
  const given = new Map<string, string>();
  for (let index = 0; index < argv.length; index += 2) given.set(argv[index]!, argv[index + 1] ?? "");
  if ([...given.keys()].some((name) => !["--frames", "--seed", "--round", "--per-round"].includes(name)))
    return undefined;
  const frames = Number(given.get("--frames") ?? DEFAULT_FRAMES);
  const perRound = Number(given.get("--per-round") ?? DEFAULT_PER_ROUND);
  const firstRound = Number(given.get("--round") ?? 0);
  if (![frames, perRound].every((count) => Number.isInteger(count) && count > 0)) return undefined;
  if (!Number.isInteger(firstRound) || firstRound < 0) return undefined;
  return { seed: given.get("--seed") ?? String(Date.now()), frames, perRound, firstRound };
}

/** The thread: one round after the other. */
function runRounds({ seed, frames, perRound, firstRound }: Plan, shared: SharedArrayBuffer): void {
  const words = new Int32Array(shared, 0, 2);
  const copy = new Uint8Array(shared, 8);
  const before = (number: number, _device: unknown, _direction: unknown, bytes: Uint8Array): void => {
    copy.set(bytes);
    Atomics.store(words, LENGTH, bytes.length);
    Atomics.store(words, NUMBER, number);
  };
  for (let round = firstRound, done = 0; done < frames; round++) {
    const count = Math.min(perRound, frames - done);
    const result = fuzzRound(`${seed}/${round}`, count, { before });
    done += result.frames;
    const progress: Progress = { round, frames: done, result };
    parentPort?.postMessage(progress);
    if (result.finding !== undefined) return;
  }
}

/** The main thread: prints, and watches. */
function watch(planned: Plan): void {
  const { seed, frames, perRound, firstRound } = planned;
  process.stdout.write(`seed ${seed}, ${frames} frames, ${perRound} a round\n`);
  const shared = new SharedArrayBuffer(SHARED_BYTES);
  const words = new Int32Array(shared, 0, 2);
  const worker = new Worker(new URL(import.meta.url), { workerData: { plan: planned, shared } });
  const drops = new Map<string, number>();
  const startMs = performance.now();
  let movedMs = startMs;
  let seen = "";
  let round = firstRound;
  let done = 0;
  let events = 0;

  const fail = (number: number, what: string, frameHex: string): void => {
    clearInterval(timer);
    const again = `node dist/cli/fuzz.js --seed ${seed} --round ${round} --per-round ${perRound} --frames ${number}`;
    process.stdout.write(`FAILED in round ${round} at frame ${number}: ${what}\nframe: ${frameHex}\nagain: ${again}\n`);
    process.exitCode = 1;
    void worker.terminate();
  };
  const timer = setInterval(() => {
    const now = `${round} ${Atomics.load(words, NUMBER)}`;
    if (now !== seen) {
      seen = now;
      movedMs = performance.now();
    } else if (performance.now() - movedMs > PATIENCE_MS) {
      const bytes = new Uint8Array(shared, 8).slice(0, Atomics.load(words, LENGTH));
      fail(Atomics.load(words, NUMBER), "it does not come back", toHex(bytes));
    }
  }, LOOK_MS);
  worker.on("message", (progress: Progress) => {
    const { result } = progress;
    done = progress.frames;
    events += result.events;
    for (const [reason, count] of result.drops) drops.set(reason, (drops.get(reason) ?? 0) + count);
    const { finding } = result;
    if (finding !== undefined) {
      const where = `${finding.direction} ${finding.device}`;
      fail(finding.frames, `${finding.what} (${where})\n${finding.stack ?? ""}`, finding.frameHex);
      return;
    }
    round = progress.round + 1;
    if (process.stderr.isTTY) process.stderr.write(`\r${done} frames`);
    if (done < frames) return;
    clearInterval(timer);
    const seconds = (performance.now() - startMs) / 1_000;
    const byCount = [...drops].sort(([, a], [, b]) => b - a);
    for (const [reason, count] of byCount) process.stdout.write(`${String(count).padStart(10)} ${reason}\n`);
    process.stdout.write(
      `no failure: ${done} frames, ${events} events, ${seconds.toFixed(1)} s, ${Math.round(done / seconds)} frames/s, ${byCount.length} reasons of drops met\n`,
    );
  });
  worker.on("error", (error) => {
    clearInterval(timer);
    throw error;
  });
}

if (isMainThread) {
  const planned = plan(process.argv.slice(2));
  if (planned === undefined) {
    process.stderr.write("usage: fuzz.js [--frames N] [--seed S] [--per-round N] [--round R]\n");
    process.exitCode = 2;
  } else watch(planned);
} else {
  const { plan: planned, shared } = workerData as { plan: Plan; shared: SharedArrayBuffer };
  runRounds(planned, shared);
}
