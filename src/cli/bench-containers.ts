/**
 * The workload containers: machines on one switch, overlay networks as Docker's driver makes them, each over `span` machines, and containers in them, all up
 * from the first moment. Then every container pings another of its network on the next machine, `rounds` times, so many at once as `wave` says.
 */
import { OverlayNetwork } from "../docker/overlay-network.ts";
import { createBridge } from "../linux/bridge.ts";
import { PERFECT_LINK } from "../linux/link-settings.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import { RawSocket } from "../linux/raw-socket.ts";
import { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../sim/time.ts";
import type { Ipv4Address, MacAddress, Vni } from "../wire/address.ts";
import { memory } from "./bench-idle.ts";
import { type Figures, type Options, round } from "./bench-machine.ts";

const LINK = {
  ...PERFECT_LINK,
  delayNs: 20 * MICROSECOND,
  rateBitsPerSecond: 10_000_000_000,
  queueLimitFrames: 100_000,
};
const UNDERLAY = 0xac10_0000;
const OVERLAYS = 0x0a00_0000;
const DATA = new Uint8Array(56);
/** Longer than any ping takes, address resolution included. */
const WAVE_NS = 5 * MILLISECOND;

/** One echo request. */
export interface Ping {
  readonly from: NetworkNamespace;
  readonly to: Ipv4Address;
}

interface Member {
  readonly container: NetworkNamespace;
  readonly address: Ipv4Address;
}

export function containers(options: Options): Figures {
  const nodes = options.get("nodes") ?? 1_000;
  const count = options.get("containers") ?? 100_000;
  const span = Math.min(options.get("span") ?? 4, nodes);
  const wave = options.get("wave") ?? 1_000;
  const rounds = options.get("rounds") ?? 2;
  const before = memory();
  const cpu = stopwatch();
  const world = new World({ seed: 1, stormLimit: 0 });
  const networks = build(world, nodes, count, span);
  const startS = cpu();
  const started = memory();
  const heard = ping(world, networks, span, wave, 1);
  const firstS = cpu();
  const events = world.simulation.events;
  let again = 0;
  for (let more = 1; more < rounds; more++) again += ping(world, networks, span, wave, 1 + more);
  const laterS = cpu();
  const after = memory();
  const bytes = (usage: NodeJS.MemoryUsage) => usage.heapUsed + usage.arrayBuffers;
  return {
    workload: "containers",
    nodes,
    containers: count,
    networks: networks.length,
    start_cpu_s: round(startS, 2),
    start_us_per_container: round((startS * 1e6) / count, 0),
    start_mb: round((bytes(started) - bytes(before)) / 1e6, 0),
    start_bytes_per_container: Math.round((bytes(started) - bytes(before)) / count),
    first_pings_answered: heard,
    first_pings_cpu_s: round(firstS, 2),
    pings_answered: again,
    pings_cpu_s: round(laterS, 2),
    pings_per_cpu_s: Math.round(again / laterS),
    events_per_cpu_s: Math.round((world.simulation.events - events) / laterS),
    end_mb: round((bytes(after) - bytes(before)) / 1e6, 0),
    rss_mb: round(after.rss / 1e6, 0),
    virtual_s: round(world.simulation.nowNs / SECOND, 2),
  };
}

/** The containers of each network, in turn on its machines. */
function build(world: World, nodeCount: number, count: number, span: number): Member[][] {
  const core = world.createNamespace("switch");
  const bridge = createBridge(core, { name: "br0", mtu: 1_500 });
  bridge.device.setUp(true);
  const nodes = Array.from({ length: nodeCount }, (_, index) => {
    const node = world.createNamespace(`node${index}`);
    const link = world.createLink("nic", { namespace: node, name: "eth0" }, { namespace: core, name: `port${index}` });
    link.aToB.settings = LINK;
    link.bToA.settings = LINK;
    bridge.addPort(link.b);
    link.b.setUp(true);
    node.loopback.setUp(true);
    const address = (UNDERLAY + 1 + index) as Ipv4Address;
    node.addAddress(link.a, { address, length: 16 });
    link.a.setUp(true);
    return { node, address };
  });
  const networkCount = Math.ceil(nodeCount / span);
  const perNetwork = Math.ceil(count / networkCount);
  const bits = Math.ceil(Math.log2(perNetwork + 3));
  assert(networkCount * 2 ** bits <= 2 ** 24, "more containers than 10.0.0.0/8 has addresses");
  let made = 0;
  return Array.from({ length: networkCount }, (_, number) => {
    const base = OVERLAYS + number * 2 ** bits;
    const on = nodes.slice(number * span, (number + 1) * span);
    const network = new OverlayNetwork(world, {
      name: `net${number}`,
      mode: "swarm",
      vni: (4_096 + number) as Vni,
      mtu: 1_450,
      subnet: { address: base as Ipv4Address, length: 32 - bits },
      gateway: (base + 1) as Ipv4Address,
    });
    for (const { node, address } of on) network.addNode(node, address);
    const members: Member[] = [];
    while (members.length < perNetwork && made < count) {
      const container = world.createNamespace(`c${made++}`);
      const address = (base + 2 + members.length) as Ipv4Address;
      const mac = (0x0242_0000_0000 + address) as MacAddress;
      network.join(on[members.length % on.length]!.node.name, container, {
        address: { address, length: 32 - bits },
        mac,
      });
      members.push({ container, address });
    }
    return members;
  });
}

/** Each container pings the next one of its network, on the next machine; how many were answered. */
function ping(world: World, networks: readonly Member[][], span: number, wave: number, sequence: number): number {
  const pairs = networks.flatMap((members) =>
    members.map((from, index) => ({ from: from.container, to: members[(index + 1) % members.length]!.address })),
  );
  // Ports of the switches and bridges begin to forward within a second of coming up.
  if (world.simulation.nowNs === 0) world.simulation.run(2 * SECOND);
  assert(span > 0, "a network on no machine");
  return answered(world, pairs, wave, sequence);
}

/** How many of `pings` were answered, `wave` of them at a time. */
export function answered(world: World, pings: readonly Ping[], wave: number, sequence: number): number {
  let count = 0;
  for (let first = 0; first < pings.length; first += wave) {
    const sockets = pings.slice(first, first + wave).map(({ from, to }) => {
      const socket = new RawSocket(from);
      const problem = socket.send(to, sequence, DATA);
      assert(typeof problem === "number", `no way to a container: ${problem}`);
      return socket;
    });
    world.simulation.run(world.simulation.nowNs + WAVE_NS);
    for (const socket of sockets) {
      if (socket.receive()?.kind === "reply") count++;
      socket.close();
    }
  }
  return count;
}

/** Seconds of the process's own time since it was last asked. */
function stopwatch(): () => number {
  let last = process.cpuUsage();
  return () => {
    const used = process.cpuUsage(last);
    last = process.cpuUsage();
    return (used.user + used.system) / 1e6;
  };
}
