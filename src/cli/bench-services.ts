/** What workloads of a swarm have in common: an overlay network, services on it, and waiting until their tasks run and everybody knows of them. */
import type { EmulatedSwarm } from "../check/swarm/emulated-swarm.ts";
import type { Container } from "../docker/container/container.ts";
import { assert } from "../sim/assert.ts";
import { SECOND } from "../sim/time.ts";
import { networkShape, serviceShape } from "../swarm/api/objects.ts";
import { endpointSpecShape, ipamConfigShape, ipamOptionsShape, portConfigShape } from "../swarm/api/parts.ts";
import {
  containerSpecShape,
  networkAttachmentConfigShape,
  networkSpecShape,
  serviceSpecShape,
  taskSpecShape,
} from "../swarm/api/specs.ts";
import type { Store } from "../swarm/store/store.ts";

const NETWORK_ID = "benchnetwork0000000000000";
/** A /24 has no room for so many tasks. */
const WIDE = ipamOptionsShape.make({ configs: [ipamConfigShape.make({ subnet: "10.64.0.0/16" })] });
/** What the cluster may take to start its tasks. */
const LONGEST_NS = 600 * SECOND;

/** `count` services with `tasks` tasks in all on one overlay network; service n is published on port `publishFrom` + n, to port 80 of its tasks. */
export function createServices(swarm: EmulatedSwarm, count: number, tasks: number, publishFrom?: number): void {
  const store = storeOf(swarm);
  const named = (name: string) => ({ name, labels: new Map<string, string>() });
  store.update(
    (tx) =>
      void tx.create(
        "network",
        networkShape.make({ id: NETWORK_ID, spec: networkSpecShape.make({ annotations: named("app"), ipam: WIDE }) }),
      ),
  );
  for (let index = 0; index < count; index++) {
    const ports =
      publishFrom === undefined ? [] : [portConfigShape.make({ targetPort: 80, publishedPort: publishFrom + index })];
    const spec = serviceSpecShape.make({
      annotations: named(`s${index}`),
      task: taskSpecShape.make({
        container: containerSpecShape.make({ image: "idle", args: ["sleep", "infinity"] }),
        networks: [networkAttachmentConfigShape.make({ target: NETWORK_ID })],
      }),
      replicated: { replicas: Math.floor(tasks / count) },
      endpoint: endpointSpecShape.make({ ports }),
    });
    const id = `benchservice${String(index).padStart(13, "0")}`;
    store.update((tx) => void tx.create("service", serviceShape.make({ id, spec, specVersion: { index: 1 } })));
  }
}

/** How long it took, in virtual time. */
export function runUntilRunning(swarm: EmulatedSwarm, wanted: number): number {
  const startNs = swarm.nowNs;
  while (runningTasks(swarm) < wanted && swarm.nowNs < startNs + LONGEST_NS) swarm.run(SECOND);
  return swarm.nowNs - startNs;
}

export function runningTasks(swarm: EmulatedSwarm): number {
  let total = 0;
  for (const task of storeOf(swarm).all("task")) if (task.status.state === "running") total++;
  return total;
}

/** Of all machines, in turn. */
export function taskContainers(swarm: EmulatedSwarm): Container[] {
  return swarm.machines.flatMap(({ daemon }) => [...daemon.engine.containers.values()]);
}

export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function storeOf(swarm: EmulatedSwarm): Store {
  const store = swarm.leader?.store;
  assert(store !== undefined, "no leader");
  return store;
}
