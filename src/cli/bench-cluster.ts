/** The workload cluster: machines with dockerd that form a swarm, run services, and go on for a while. */
import { Host, NOWHERE } from "../commands/host.ts";
import { WORDS } from "../commands/words.ts";
import { createBridge } from "../linux/bridge.ts";
import { type Process, type Program, WaitQueue } from "../linux/process.ts";
import { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { MICROSECOND, SECOND } from "../sim/time.ts";
import { networkShape, serviceShape } from "../swarm/api/objects.ts";
import {
  containerSpecShape,
  networkAttachmentConfigShape,
  networkSpecShape,
  serviceSpecShape,
  taskSpecShape,
} from "../swarm/api/specs.ts";
import { x509Pki } from "../swarm/ca/x509-pki.ts";
import { Daemon } from "../swarm/daemon.ts";
import { ShownCertificates } from "../swarm/grpc/security.ts";
import { clearSecurity } from "../swarm/node-security.ts";
import type { Store } from "../swarm/store/store.ts";
import { formatIpv4, type Ipv4Address } from "../wire/address.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";

const START_SECONDS = 1_767_225_600;
const FIRST = 0x0a64_000b; // 10.100.0.11
const MEBIBYTE = 1 << 20;
/** What the cluster may take to form and to start its tasks. */
const LONGEST_NS = 600 * SECOND;

export function cluster(options: Options): Figures {
  const count = options.get("nodes") ?? 100;
  const services = options.get("services") ?? 10;
  const tasks = options.get("tasks") ?? 1_000;
  const seconds = options.get("seconds") ?? 60;
  const managers = options.get("managers") ?? 3;
  const world = new World({ seed: 1, stormLimit: 0 });
  const { simulation } = world;
  const startCpuS = cpuSeconds();
  const daemons = machines(world, count);
  settle(world, (done) => daemons[0]!.node.init({}, done));
  const { manager, worker } = storeOf(daemons).cluster!.rootCa.joinTokens;
  const remoteAddress = `${formatIpv4(FIRST as Ipv4Address)}:2377`;
  for (const [index, daemon] of daemons.entries()) {
    if (index === 0) continue;
    const token = index < managers ? manager : worker;
    settle(world, (done) => daemon.node.join({ remoteAddress, token }, done));
  }
  const formedS = cpuSeconds() - startCpuS;
  const store = storeOf(daemons);
  const networkId = "benchnetwork0000000000000";
  const named = (name: string) => ({ name, labels: new Map<string, string>() });
  store.update(
    (tx) =>
      void tx.create(
        "network",
        networkShape.make({ id: networkId, spec: networkSpecShape.make({ annotations: named("app") }) }),
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
    for (const task of storeOf(daemons).all("task")) if (task.status.state === "running") total++;
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

function machines(world: World, count: number): Daemon[] {
  const wire = world.createNamespace("switch");
  const bridge = createBridge(wire, { name: "br0", mtu: 1_500 });
  bridge.device.setUp(true);
  const surroundings = {
    world,
    pki: x509Pki(START_SECONDS),
    security: clearSecurity(new ShownCertificates()),
    release: "current",
    programs: { start: idle, run: idle },
    gossipInClear: true,
    pullNs: 0,
    startSeconds: START_SECONDS,
  } as const;
  function idle(container: { readonly name: string; readonly namespace: Host["namespace"] | undefined }): Process {
    assert(container.namespace !== undefined, "a program without a namespace");
    const host = new Host({ name: container.name, world, namespace: container.namespace, words: WORDS });
    return host.spawn("sleep", { stdout: NOWHERE, stderr: NOWHERE }, forEver);
  }
  return Array.from({ length: count }, (_, index) => {
    const hostname = `node${index + 1}`;
    const host = world.createNamespace(hostname);
    const link = world.createLink("nic", { namespace: host, name: "eth0" }, { namespace: wire, name: `port${index}` });
    for (const end of [link.aToB, link.bToA]) end.settings = { ...end.settings, delayNs: 50 * MICROSECOND };
    bridge.addPort(link.b);
    link.b.setUp(true);
    link.a.setUp(true);
    host.addAddress(link.a, { address: (FIRST + index) as Ipv4Address, length: 16 });
    return new Daemon(surroundings, { host, hostname, handles: new Map() });
  });
}

function* forEver(): Program {
  const never = new WaitQueue();
  while ((yield { queues: [never] }) !== "signal");
  return 143;
}

function settle(world: World, start: (done: (error: string | undefined) => void) => void): void {
  const ends: (string | undefined)[] = [];
  start((error) => ends.push(error));
  world.simulation.run(world.simulation.nowNs + 60 * SECOND, () => ends.length > 0);
  assert(ends.length > 0 && ends[0] === undefined, ends[0] ?? "no answer");
}

function storeOf(daemons: readonly Daemon[]): Store {
  for (const { node } of daemons)
    if (node.manager?.isReady === true && node.manager.store !== undefined) return node.manager.store;
  throw new Error("no leader");
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}
