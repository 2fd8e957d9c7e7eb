/**
 * Workloads of Docker's networks without a swarm's control plane, as a command that prints one JSON line:
 *
 *   node dist/cli/bench-docker.js [containers=100000] [nodes=1000] [span=4] [rounds=2] [wave=1000]
 *
 * `span` machines have each network; see bench-containers.ts. `start_…` is until all containers are up, `first_pings_…` until each has heard from another for
 * the first time, which fills tables; `pings_…` is the rounds after that.
 */
import { containers } from "./bench-containers.ts";

function main(argv: readonly string[]): number {
  const options = new Map(
    argv.map((argument) => {
      const [key = "", value = ""] = argument.split("=", 2);
      return [key, Number(value)] as const;
    }),
  );
  if ([...options.values()].some((value) => !(value >= 1))) {
    process.stderr.write("usage: bench-docker.js [containers=N] [nodes=N] [span=N] [rounds=N] [wave=N]\n");
    return 2;
  }
  process.stdout.write(`${JSON.stringify(containers(options))}\n`);
  return 0;
}

process.exitCode = main(process.argv.slice(2));
