/**
 * Workloads of the emulated kernel above the data plane, as a command that prints one JSON line each:
 *
 *   node dist/cli/bench-linux.js tcp-link|tcp-vxlan|nat|ipvs|conntrack|idle|all [name=value ...]
 *
 * tcp-link: one connection of `megabytes` over 1 Gbit/s and 1 ms; `line_rate` is the goodput's share of what headers leave
 * of the link.
 * tcp-vxlan: the same between containers of two nodes, 1 Gbit/s and 50 us, MTU 1450 inside.
 * nat: datagrams of `flows` flows through a gateway that masquerades, each answered; ipvs: the same through a virtual service with two servers.
 * conntrack: a forwarding gateway that tracks `entries` connections, packets of `active` of them in turn; `all` runs 100 and 100 000.
 * idle: bytes and time of each of `count` containers that do nothing.
 *
 * `cpu_ns_per_packet` counts the process's own time, steadier than the clock on a machine that others use too.
 */
import { conntrack, ipvs, nat } from "./bench-gateway.ts";
import { idle } from "./bench-idle.ts";
import type { Figures, Options } from "./bench-machine.ts";
import { tcpLink, tcpVxlan } from "./bench-tcp.ts";

const WORKLOADS: ReadonlyMap<string, (options: Options) => Figures> = new Map([
  ["tcp-link", tcpLink],
  ["tcp-vxlan", tcpVxlan],
  ["nat", nat],
  ["ipvs", ipvs],
  ["conntrack", conntrack],
  ["idle", idle],
]);

function main(argv: readonly string[]): number {
  const [name = "all", ...rest] = argv;
  const options = new Map(
    rest.map((argument) => {
      const [key = "", value = ""] = argument.split("=", 2);
      return [key, Number(value)] as const;
    }),
  );
  const workload = WORKLOADS.get(name);
  if ((name !== "all" && workload === undefined) || [...options.values()].some(Number.isNaN)) {
    process.stderr.write(`usage: bench-linux.js all|${[...WORKLOADS.keys()].join("|")} [name=value ...]\n`);
    return 2;
  }
  const print = (figures: Figures): void => {
    process.stdout.write(`${JSON.stringify(figures)}\n`);
  };
  if (workload !== undefined) {
    print(workload(options));
    return 0;
  }
  for (const [each, run] of WORKLOADS) {
    if (each !== "conntrack") print(run(options));
    else for (const entries of [100, 100_000]) print(run(new Map([...options, ["entries", entries]])));
  }
  return 0;
}

process.exitCode = main(process.argv.slice(2));
