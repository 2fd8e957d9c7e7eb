/**
 * Workloads of a swarm, as a command that prints one JSON line each:
 *
 *   node dist/cli/bench-swarm.js gossip [nodes=1000] [seconds=60] [joining=10] [sealed=0] [networks=0] [report=10]
 *
 *   node dist/cli/bench-swarm.js cluster [nodes=100] [services=10] [tasks=1000] [seconds=60] [managers=3]
 *
 * cluster: `nodes` machines with dockerd form a swarm on one switch, start `services` services with `tasks` tasks in all on one overlay network, and go on
 * for `seconds` of virtual time.
 *
 * gossip: `nodes` engines on emulated hosts, each behind a port of its own of one router, join the first within `joining` seconds and gossip until
 * `seconds` of virtual time have gone; `networks` overlays are common to all. A line each `report` seconds (to stderr), then the sum.
 */
import { cluster } from "./bench-cluster.ts";
import { gossip } from "./bench-gossip.ts";
import type { Figures, Options } from "./bench-machine.ts";

const WORKLOADS: ReadonlyMap<string, (options: Options) => Figures> = new Map([
  ["gossip", gossip],
  ["cluster", cluster],
]);

function main(argv: readonly string[]): number {
  const [name = "", ...rest] = argv;
  const options = new Map(
    rest.map((argument) => {
      const [key = "", value = ""] = argument.split("=", 2);
      return [key, Number(value)] as const;
    }),
  );
  const workload = WORKLOADS.get(name);
  if (workload === undefined || [...options.values()].some(Number.isNaN)) {
    process.stderr.write(`usage: bench-swarm.js ${[...WORKLOADS.keys()].join("|")} [name=value ...]\n`);
    return 2;
  }
  process.stdout.write(`${JSON.stringify(workload(options))}\n`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
