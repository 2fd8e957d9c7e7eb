/** The workload cluster: machines with dockerd that form a swarm, run services, and go on for a while. */
import { EmulatedSwarm } from "../check/swarm/emulated-swarm.ts";
import { assert } from "../sim/assert.ts";
import { SECOND } from "../sim/time.ts";
import { networkShape, serviceShape } from "../swarm/api/objects.ts";
import { ipamConfigShape, ipamOptionsShape } from "../swarm/api/parts.ts";
import {
  containerSpecShape,
  networkAttachmentConfigShape,
  networkSpecShape,
  serviceSpecShape,
  taskSpecShape,
} from "../swarm/api/specs.ts";
import type { Store } from "../swarm/store/store.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";

const MEBIBYTE = 1 << 20;
/** A /24 has no room for so many tasks. */
const WIDE = ipamOptionsShape.make({ configs: [ipamConfigShape.make({ subnet: "10.64.0.0/16" })] });
/** What the cluster may take to start its tasks. */
const LONGEST_NS = 600 * SECOND;

export function cluster(options: Options): Figures {
  const count = options.get("nodes") ?? 100;
  const services = options.get("services") ?? 10;
  const tasks = options.get("tasks") ?? 1_000;
  const seconds = options.get("seconds") ?? 60;
  const managers = options.get("managers") ?? 3;
  const startCpuS = cpuSeconds();
  const swarm = new EmulatedSwarm(count, 1);
  const { simulation } = swarm.world;
  swarm.form(managers);
  const formedS = cpuSeconds() - startCpuS;
  const store = storeOf(swarm);
  const networkId = "benchnetwork0000000000000";
  const named = (name: string) => ({ name, labels: new Map<string, string>() });
  store.update(
    (tx) =>
      void tx.create(
        "network",
        networkShape.make({ id: networkId, spec: networkSpecShape.make({ annotations: named("app"), ipam: WIDE }) }),
      ),
  );
  for (let index = 0; index < services; index++) {
    const spec = serviceSpecShape.make({
      annotations: named(`s${index}`),
      task: taskSpecShape.make({
        container: containerSpecShape.make({ image: "idle", args: ["sleep", "infinity"] }),
        networks: [networkAttachmentConfigShape.make({ target: networkId })],
      }),
      replicated: { replicas: Math.floor(tasks / services) },
    });
    const id = `benchservice${String(index).padStart(13, "0")}`;
    store.update((tx) => void tx.create("service", serviceShape.make({ id, spec, specVersion: { index: 1 } })));
  }
  const wanted = Math.floor(tasks / services) * services;
  const running = (): number => {
    let total = 0;
    for (const task of storeOf(swarm).all("task")) if (task.status.state === "running") total++;
    return total;
  };
  const startNs = simulation.nowNs;
  while (running() < wanted && simulation.nowNs < startNs + LONGEST_NS) simulation.run(simulation.nowNs + SECOND);
  const upNs = simulation.nowNs - startNs;
  const upS = cpuSeconds() - startCpuS - formedS;
  const quietCpuS = cpuSeconds();
  simulation.run(simulation.nowNs + seconds * SECOND);
  return {
    workload: "cluster",
    nodes: count,
    services,
    running: running(),
    form_cpu_s: round(formedS, 1),
    up_virtual_s: round(upNs / SECOND, 1),
    up_cpu_s: round(upS, 1),
    quiet_virtual_s: seconds,
    quiet_cpu_s: round(cpuSeconds() - quietCpuS, 1),
    events: simulation.events,
    rss_mb: round(process.memoryUsage().rss / MEBIBYTE, 0),
  };
}

function storeOf(swarm: EmulatedSwarm): Store {
  const store = swarm.leader?.store;
  assert(store !== undefined, "no leader");
  return store;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
