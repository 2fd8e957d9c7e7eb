/** The workload gossip: engines that find each other, and then keep an eye on each other. */
import { GossipAgent } from "../docker/gossip-agent.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import { World } from "../linux/world.ts";
import { MICROSECOND, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";

const ANY = 0 as Ipv4Address;
/** 10.0.0.0; each node has four addresses from there, of which the router has the first and the node the second. */
const FIRST = 0x0a00_0000;
const MEBIBYTE = 1 << 20;

export function gossip(options: Options): Figures {
  const nodes = options.get("nodes") ?? 1_000;
  const seconds = options.get("seconds") ?? 60;
  const joiningNs = (options.get("joining") ?? 10) * SECOND;
  const reportSeconds = options.get("report") ?? 10;
  const networks = options.get("networks") ?? 0;
  const keyring = options.get("sealed") === 1 ? [new Uint8Array(16).fill(7)] : undefined;
  const world = new World({ seed: 1, stormLimit: 0 });
  const hosts = routedHosts(world, nodes);
  const { simulation } = world;
  simulation.run(SECOND);
  const startCpuS = cpuSeconds();
  const started = process.hrtime.bigint();
  const agents = hosts.map(
    ({ namespace, address }) =>
      new GossipAgent({
        namespace,
        listenAddress: ANY,
        advertiseAddress: address,
        keyring,
        random: world.random.fork(namespace.name),
        onTables: () => {},
        onNodes: () => {},
      }),
  );
  const startNs = simulation.nowNs;
  for (const [index, agent] of agents.entries()) {
    simulation.run(startNs + Math.round((joiningNs * index) / nodes));
    agent.start();
    if (index > 0) agent.join([hosts[0]!.address]);
    // a node gets its first network from the manager a moment after it joined: it asks everybody it knows by then for the tables
    const attach = new Timer(simulation, () => {
      for (let network = 0; network < networks; network++) agent.joinNetwork(`network${network}`);
    });
    attach.set(SECOND / 2);
  }
  for (let at = joiningNs; at < seconds * SECOND; ) {
    at = Math.min(at + reportSeconds * SECOND, seconds * SECOND);
    simulation.run(startNs + at);
    const { rss } = process.memoryUsage();
    process.stderr.write(
      `${round(at / SECOND, 1)} s: known ${round(known(agents), 4)}, ${round(cpuSeconds() - startCpuS, 1)} s of CPU, ${round(rss / MEBIBYTE, 0)} MiB\n`,
    );
  }
  const wallS = Number(process.hrtime.bigint() - started) / 1e9;
  return {
    workload: "gossip",
    nodes,
    virtual_s: seconds,
    sealed: keyring !== undefined,
    networks,
    wall_s: round(wallS, 1),
    cpu_s: round(cpuSeconds() - startCpuS, 1),
    events: simulation.events,
    frames: world.frames.made,
    known: round(known(agents), 4),
    malformed: agents.reduce((sum, agent) => sum + [...agent.malformed.values()].reduce((a, b) => a + b, 0), 0),
    rss_mib: round(process.memoryUsage().rss / MEBIBYTE, 0),
    heap_mib: round(process.memoryUsage().heapUsed / MEBIBYTE, 0),
  };
}

/** The share of all pairs of nodes of which the one holds the other alive. */
function known(agents: readonly GossipAgent[]): number {
  const alive = agents.reduce((sum, agent) => sum + agent.members.filter(({ state }) => state === "alive").length, 0);
  return alive / agents.length ** 2;
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Hosts behind one router, so that nobody has more than one neighbour to ask for. */
function routedHosts(world: World, count: number): { namespace: NetworkNamespace; address: Ipv4Address }[] {
  const router = world.createNamespace("router");
  router.sysctl.set("net.ipv4.ip_forward", "1");
  return Array.from({ length: count }, (_, index) => {
    const namespace = world.createNamespace(`node${index + 1}`);
    const gateway = (FIRST + 4 * index + 1) as Ipv4Address;
    const address = (gateway + 1) as Ipv4Address;
    const link = world.createLink("nic", { namespace, name: "eth0" }, { namespace: router, name: `port${index}` });
    for (const wire of [link.aToB, link.bToA]) wire.settings = { ...wire.settings, delayNs: 50 * MICROSECOND };
    namespace.loopback.setUp(true);
    namespace.addAddress(link.a, { address, length: 30 });
    router.addAddress(link.b, { address: gateway, length: 30 });
    for (const device of [link.a, link.b]) device.setUp(true);
    namespace.routes.add({ destination: { address: ANY, length: 0 }, gateway, device: link.a });
    return { namespace, address };
  });
}
