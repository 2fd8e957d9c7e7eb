/**
 * What goes wrong in a swarm, and what is asked of it meanwhile: a plan drawn from a seed, that can be made smaller. A plan is data: the same plan gives the
 * same run.
 */
import type { Random } from "../../sim/random.ts";
import { MILLISECOND, type Nanoseconds } from "../../sim/time.ts";

/** Machines are numbered from 0. */
export type FaultStep =
  | { readonly kind: "power"; readonly atNs: Nanoseconds; readonly machine: number; readonly forNs: Nanoseconds }
  | { readonly kind: "cable"; readonly atNs: Nanoseconds; readonly machine: number; readonly forNs: Nanoseconds }
  | {
      readonly kind: "partition";
      readonly atNs: Nanoseconds;
      /** These on one side, all others on the other. */
      readonly machines: readonly number[];
      readonly forNs: Nanoseconds;
    }
  | {
      readonly kind: "loss";
      readonly atNs: Nanoseconds;
      readonly machine: number;
      /** Of 1000 frames, each way. */
      readonly perMille: number;
      readonly delayNs: Nanoseconds;
      readonly forNs: Nanoseconds;
    }
  | {
      readonly kind: "block";
      readonly atNs: Nanoseconds;
      readonly machine: number;
      /** What its firewall drops of what comes in. */
      readonly port: "udp 7946" | "tcp 7946" | "tcp 2377" | "udp 4789";
      readonly forNs: Nanoseconds;
    }
  | { readonly kind: "create"; readonly atNs: Nanoseconds; readonly service: number; readonly replicas: number }
  | { readonly kind: "scale"; readonly atNs: Nanoseconds; readonly service: number; readonly replicas: number }
  | { readonly kind: "update"; readonly atNs: Nanoseconds; readonly service: number }
  | { readonly kind: "remove"; readonly atNs: Nanoseconds; readonly service: number };

export interface FaultPlan {
  readonly seed: string;
  readonly managers: number;
  readonly workers: number;
  /** In the order of their times. */
  readonly steps: readonly FaultStep[];
}

const LENGTH_NS = 60_000 * MILLISECOND;
const MOST_STEPS = 8;
const SERVICES = 3;
const PORTS = ["udp 7946", "tcp 7946", "tcp 2377", "udp 4789"] as const;

/** A plan of up to eight steps within a minute, for 1, 3 or 5 managers and up to 3 workers; every fault ends. */
export function drawFaultPlan(seed: string, random: Random): FaultPlan {
  const managers = [1, 3, 3, 5][random.below(4)]!;
  const workers = random.below(4);
  const machines = managers + workers;
  const steps: FaultStep[] = [{ kind: "create", atNs: 0, service: 0, replicas: 1 + random.below(4) }];
  const count = 1 + random.below(MOST_STEPS);
  for (let step = 0; step < count; step++) steps.push(drawStep(random, machines));
  steps.sort((a, b) => a.atNs - b.atNs);
  return { seed, managers, workers, steps };
}

function drawStep(random: Random, machines: number): FaultStep {
  const atNs = random.below(LENGTH_NS / MILLISECOND) * MILLISECOND;
  const forNs = (500 + random.below(40_000)) * MILLISECOND;
  const machine = random.below(machines);
  const service = random.below(SERVICES);
  const replicas = random.below(6);
  switch (random.below(9)) {
    case 0:
      return { kind: "power", atNs, machine, forNs };
    case 1:
      return { kind: "cable", atNs, machine, forNs };
    case 2: {
      const some = Array.from({ length: machines }, (_, number) => number).filter(() => random.below(2) === 0);
      return { kind: "partition", atNs, machines: some, forNs };
    }
    case 3: {
      const delayNs = random.below(100) * MILLISECOND;
      return { kind: "loss", atNs, machine, perMille: random.below(400), delayNs, forNs };
    }
    case 4:
      return { kind: "block", atNs, machine, port: PORTS[random.below(PORTS.length)]!, forNs };
    case 5:
      return { kind: "create", atNs, service, replicas };
    case 6:
      return { kind: "scale", atNs, service, replicas };
    case 7:
      return { kind: "update", atNs, service };
    default:
      return { kind: "remove", atNs, service };
  }
}

/** Plans that are a little smaller, the smallest first. */
export function* smallerPlans(plan: FaultPlan): Generator<FaultPlan> {
  const { steps } = plan;
  for (let size = Math.floor(steps.length / 2); size >= 1; size = Math.floor(size / 2))
    for (let from = 0; from + size <= steps.length; from += size)
      yield { ...plan, steps: [...steps.slice(0, from), ...steps.slice(from + size)] };
  const used = steps.flatMap((step) =>
    "machine" in step ? [step.machine] : step.kind === "partition" ? [...step.machines] : [],
  );
  const isFree = !used.includes(plan.managers + plan.workers - 1);
  if (plan.workers > 0 && isFree) yield { ...plan, workers: plan.workers - 1 };
  if (plan.workers === 0 && plan.managers > 1 && isFree) yield { ...plan, managers: plan.managers - 1 };
}

/** A line that a person can read and the command takes back. */
export function formatFaultPlan(plan: FaultPlan): string {
  return JSON.stringify(plan);
}
