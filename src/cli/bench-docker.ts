/**
 * Workloads of Docker's networks, as a command that prints one JSON line:
 *
 *   node dist/cli/bench-docker.js containers [containers=100000] [nodes=1000] [span=4] [rounds=2] [wave=1000]
 *   node dist/cli/bench-docker.js mesh [nodes=3] [replicas=3] [requests=10000] [clients=32]
 *   node dist/cli/bench-docker.js thousand [nodes=20] [tasks=1000] [seconds=60] [peers=20] [wave=1000]
 *
 * containers: without a swarm's control plane; `span` machines have each network; see bench-containers.ts. `start_…` is until all containers are up,
 * `first_pings_…` until each has heard from another for the first time, which fills tables; `pings_…` is the rounds after that.
 *
 * mesh: requests through a real swarm's ingress network, `clients` at a time. thousand: the containers of a real swarm, each pinging `peers` others.
 */
import { containers } from "./bench-containers.ts";
import type { Figures, Options } from "./bench-machine.ts";
import { mesh } from "./bench-mesh.ts";
import { thousand } from "./bench-thousand.ts";

const WORKLOADS: ReadonlyMap<string, (options: Options) => Figures> = new Map([
  ["containers", containers],
  ["mesh", mesh],
  ["thousand", thousand],
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
  if (workload === undefined || [...options.values()].some((value) => !(value >= 1))) {
    process.stderr.write(`usage: bench-docker.js ${[...WORKLOADS.keys()].join("|")} [name=value ...]\n`);
    return 2;
  }
  process.stdout.write(`${JSON.stringify(workload(options))}\n`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
