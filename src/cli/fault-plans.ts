/**
 * Lets many swarms suffer, each by a plan of its own, and holds the laws of the swarm against what became of them:
 *
 *   node dist/cli/fault-plans.js [--plans 1000] [--seed S] [--first 0] [--jobs 1]
 *   node dist/cli/fault-plans.js --plan '{"seed":...}'
 *
 * The first broken law stops it: the plan is made as small as it goes and printed, with the line that runs it again; exit status 1.
 */
import { isMainThread, parentPort, Worker, workerData } from "node:worker_threads";
import { drawFaultPlan, type FaultPlan, formatFaultPlan, smallerPlans } from "../check/swarm/fault-plan.ts";
import { type FaultRun, runFaultPlan } from "../check/swarm/fault-run.ts";
import { Random } from "../sim/random.ts";

const DEFAULT_PLANS = 1_000;
const NAMES = ["--plans", "--seed", "--first", "--jobs", "--plan"];
const USAGE = "usage: fault-plans.js [--plans N] [--seed S] [--first N] [--jobs N] [--plan JSON]\n";
const REPORT_EVERY = 25;

interface Work {
  readonly seed: string;
  readonly numbers: readonly number[];
}
interface Done {
  readonly number: number;
  readonly plan: FaultPlan;
  readonly run: FaultRun;
}

function planOf(seed: string, number: number): FaultPlan {
  const own = `${seed}/${number}`;
  return drawFaultPlan(own, new Random(own));
}

async function main(argv: readonly string[]): Promise<number> {
  const given = new Map<string, string>();
  for (let index = 0; index < argv.length; index += 2) given.set(argv[index]!, argv[index + 1] ?? "");
  const [plans, first, jobs] = [
    Number(given.get("--plans") ?? DEFAULT_PLANS),
    Number(given.get("--first") ?? 0),
    Number(given.get("--jobs") ?? 1),
  ];
  const isBad = ![plans, first, jobs].every(Number.isInteger) || plans < 1 || jobs < 1 || first < 0;
  if (isBad || [...given.keys()].some((name) => !NAMES.includes(name))) {
    process.stderr.write(USAGE);
    return 2;
  }
  const written = given.get("--plan");
  if (written !== undefined) {
    const run = runFaultPlan(JSON.parse(written) as FaultPlan);
    process.stdout.write(`${JSON.stringify(run)}\n`);
    return run.violations.length === 0 ? 0 : 1;
  }
  const seed = given.get("--seed") ?? String(Date.now());
  return campaign(seed, first, plans, jobs);
}

async function campaign(seed: string, first: number, plans: number, jobs: number): Promise<number> {
  const started = Date.now();
  const recoveries: number[] = [];
  let failed: Done | undefined;
  const numbers = Array.from({ length: plans }, (_, index) => first + index);
  const workers = Array.from({ length: jobs }, (_, job) => {
    const own = numbers.filter((_, index) => index % jobs === job);
    return new Worker(new URL(import.meta.url), { workerData: { seed, numbers: own } satisfies Work });
  });
  await Promise.all(
    workers.map(
      (worker) =>
        new Promise<void>((resolve, reject) => {
          worker.on("message", (done: Done) => {
            recoveries.push(done.run.recoveryNs / 1e9);
            if (done.run.violations.length > 0) {
              failed ??= done;
              for (const other of workers) void other.terminate();
            } else if (recoveries.length % REPORT_EVERY === 0)
              process.stderr.write(`${recoveries.length} plans, ${Math.round((Date.now() - started) / 1000)} s\n`);
          });
          worker.on("error", reject);
          worker.on("exit", () => resolve());
        }),
    ),
  );
  const sorted = recoveries.sort((a, b) => a - b);
  const figures = {
    seed,
    plans: recoveries.length,
    recovery_median_s: sorted[Math.floor(sorted.length / 2)],
    recovery_most_s: sorted.at(-1),
    wall_s: Math.round((Date.now() - started) / 1000),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
  if (failed === undefined) return 0;
  const plan = shrink(failed.plan);
  const { violations } = runFaultPlan(plan);
  process.stdout.write(`plan ${failed.number}: ${violations.join("; ")}\n`);
  process.stdout.write(`again: node dist/cli/fault-plans.js --plan '${formatFaultPlan(plan)}'\n`);
  return 1;
}

/** Takes away what is not needed to break a law. */
function shrink(plan: FaultPlan): FaultPlan {
  for (const smaller of smallerPlans(plan)) if (runFaultPlan(smaller).violations.length > 0) return shrink(smaller);
  return plan;
}

if (isMainThread) process.exitCode = await main(process.argv.slice(2));
else {
  const { seed, numbers } = workerData as Work;
  for (const number of numbers) {
    const plan = planOf(seed, number);
    parentPort?.postMessage({ number, plan, run: runFaultPlan(plan) } satisfies Done);
  }
}
