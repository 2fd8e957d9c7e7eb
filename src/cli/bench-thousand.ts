/** The workload thousand: the containers of a real swarm on one overlay network, up and then each reached from others by ping, pair by pair. */
import { EmulatedSwarm } from "../check/swarm/emulated-swarm.ts";
import type { Container } from "../docker/container/container.ts";
import { assert } from "../sim/assert.ts";
import { SECOND } from "../sim/time.ts";
import { answered, type Ping } from "./bench-containers.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";
import { cpuSeconds, createServices, runUntilRunning, taskContainers } from "./bench-services.ts";

const MEBIBYTE = 1 << 20;

export function thousand(options: Options): Figures {
  const nodes = options.get("nodes") ?? 20;
  const tasks = options.get("tasks") ?? 1_000;
  const seconds = options.get("seconds") ?? 60;
  const peers = Math.min(options.get("peers") ?? 20, tasks - 1);
  const wave = options.get("wave") ?? 1_000;
  const startCpuS = cpuSeconds();
  const swarm = new EmulatedSwarm(nodes, 1);
  swarm.form(3);
  createServices(swarm, 10, tasks);
  const upNs = runUntilRunning(swarm, tasks);
  const upS = cpuSeconds() - startCpuS;
  // gossip tells all machines of all containers
  swarm.run(seconds * SECOND);
  const quietS = cpuSeconds() - startCpuS - upS;
  const containers = taskContainers(swarm);
  const pingsStartS = cpuSeconds();
  let heard = 0;
  for (let turn = 1; turn <= peers; turn++) {
    // steps that reach containers of the same machine and of others, near and far
    const step = Math.max(1, Math.floor((turn * containers.length) / (peers + 1)));
    const pings = containers.map((from, index) => pingOf(from, containers[(index + step) % containers.length]!));
    heard += answered(swarm.world, pings, wave, turn);
  }
  const pingsS = cpuSeconds() - pingsStartS;
  return {
    workload: "thousand",
    nodes,
    containers: containers.length,
    up_virtual_s: round(upNs / SECOND, 1),
    up_cpu_s: round(upS, 1),
    quiet_virtual_s: seconds,
    quiet_cpu_s: round(quietS, 1),
    pairs: containers.length * peers,
    reached: heard,
    pings_cpu_s: round(pingsS, 1),
    pings_per_cpu_s: Math.round(heard / pingsS),
    rss_mb: round(process.memoryUsage().rss / MEBIBYTE, 0),
  };
}

function pingOf(from: Container, to: Container): Ping {
  const address = to.sandbox?.endpoints.find(({ network }) => network.driver === "overlay")?.address.address;
  assert(from.namespace !== undefined && address !== undefined, "a container without its network");
  return { from: from.namespace, to: address };
}
