/**
 * The data-plane workloads that vxlab is measured by, as a command that prints one JSON line:
 *
 *   node dist/cli/bench.js mode=bridge|vxlan groups=1 hostsPer=100 packets=1000000 size=64 pcap=none|ports|under out=DIR
 *
 * bridge: `groups` bridges of `hostsPer` hosts, each host one UDP flow to another of its bridge (W1: 1 x 100). vxlan: `groups` nodes, each a bridge
 * with a VTEP and `hostsPer` hosts, one VNI, the nodes' uplinks on a core bridge, a random permutation of flows (W2: 16 x 16). Links have
 * 10 Gbit/s and 1 us. ARP, learning, ICMP, counters and drop reasons are those of every run; every checksum is computed.
 *
 * A packet-hop is a frame handed over by a link to the device at its far end on the path of a delivered packet: 2 on a bridge or inside a node, 4
 * between nodes. `run_s` is the event loop alone; `cpu_ns_per_hop` counts the process's own time, steadier on a machine that others use too.
 */
import { closeSync, mkdirSync, openSync } from "node:fs";
import { join } from "node:path";
import { PcapngWriter } from "../capture/pcapng-writer.ts";
import { type Bridge, createBridge } from "../linux/bridge.ts";
import { PERFECT_LINK } from "../linux/link-settings.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { type DatagramSink, UdpSocket } from "../linux/udp-socket.ts";
import { createVxlan, Vxlan } from "../linux/vxlan.ts";
import { World } from "../linux/world.ts";
import { CapturePoints } from "../scenario/capture-points.ts";
import type { Receiver, ReceiverId } from "../sim/simulation.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../sim/time.ts";
import { type Ipv4Address, MAC_ZERO, type MacAddress, type Vni } from "../wire/address.ts";
import { writeAll } from "./output-folder.ts";

interface Options {
  readonly mode: "bridge" | "vxlan";
  readonly groups: number;
  readonly hostsPer: number;
  readonly packets: number;
  /** UDP payload bytes. */
  readonly size: number;
  readonly pcap: "none" | "ports" | "under";
  readonly out: string;
  readonly seed: number;
}

const LINK = { ...PERFECT_LINK, delayNs: MICROSECOND, rateBitsPerSecond: 10_000_000_000, queueLimitFrames: 1_000_000 };
const PORT = 9_000;
/** Before it every table gets to know every host; then the flows run for about a second. */
const FLOWS_FROM_NS = 2 * SECOND;
const MTU = 9_000;

function parse(argv: readonly string[]): Options {
  const given = new Map(argv.map((argument) => argument.split("=", 2) as [string, string]));
  const number = (name: string, fallback: number): number => Number(given.get(name) ?? fallback);
  return {
    mode: given.get("mode") === "vxlan" ? "vxlan" : "bridge",
    groups: number("groups", 1),
    hostsPer: number("hostsPer", 100),
    packets: number("packets", 1_000_000),
    size: number("size", 64),
    pcap: (given.get("pcap") ?? "none") as Options["pcap"],
    out: given.get("out") ?? ".",
    seed: number("seed", 1),
  };
}

/** One host's flow: sends a datagram every interval. */
class Flow implements Receiver, DatagramSink {
  readonly #world: World;
  readonly #socket: UdpSocket;
  readonly #id: ReceiverId;
  readonly #size: number;
  #left = 0;
  #intervalNs = 0;
  /** What came in, and the packet-hops that a delivered packet of the flow that ends here stands for. */
  delivered = 0;
  hops = 2;

  constructor(world: World, namespace: NetworkNamespace, size: number) {
    this.#world = world;
    this.#size = size;
    this.#id = world.simulation.register(this);
    this.#socket = new UdpSocket(namespace);
    const sink = new UdpSocket(namespace);
    sink.bind(0 as Ipv4Address, PORT);
    sink.sink = this;
  }

  start(to: Ipv4Address, atNs: number, packets: number, intervalNs: number): void {
    this.#socket.connect(to, PORT);
    this.#left = packets;
    this.#intervalNs = intervalNs;
    this.#world.simulation.schedule(atNs - this.#world.simulation.nowNs, this.#id, 0);
  }

  receive(): void {
    const frames = this.#world.frames;
    const frame = frames.make(this.#size);
    const at = frames.start(frame);
    frames.bytes.fill(this.#left & 0xff, at, at + this.#size);
    this.#socket.sendFrame(frame);
    if (--this.#left > 0) this.#world.simulation.schedule(this.#intervalNs, this.#id, 0);
  }

  datagram(): void {
    this.delivered++;
  }
}

interface Network {
  readonly world: World;
  readonly hosts: readonly NetworkNamespace[];
  /** Bridge ports of the hosts, in their order. */
  readonly ports: readonly NetDevice[];
  readonly uplinks: readonly NetDevice[];
}

function build(options: Options): Network {
  const world = new World({ seed: options.seed });
  const core = options.mode === "vxlan" ? bridgeIn(world.createNamespace("core")) : undefined;
  const hosts: NetworkNamespace[] = [];
  const ports: NetDevice[] = [];
  const uplinks: NetDevice[] = [];
  const vteps: { vxlan: Vxlan; address: Ipv4Address }[] = [];
  for (let group = 0; group < options.groups; group++) {
    const node = world.createNamespace(`n${group}`);
    const bridge = bridgeIn(node);
    if (core !== undefined) {
      const address = (0xac10_0000 + group + 1) as Ipv4Address;
      uplinks.push(link(world, node, "eth0", core.namespace, `c${group}`, core.bridge));
      node.addAddress(uplinks[group]!, { address, length: 16 });
      const vxlan = createVxlan(node, node, { name: "vxlan0", vni: 42 as Vni, destinationPort: 4_789, mtu: MTU - 50 });
      if (!(vxlan instanceof Vxlan)) throw new Error(vxlan.message);
      bridge.bridge.addPort(vxlan.device);
      vxlan.device.setUp(true);
      for (const other of vteps) {
        other.vxlan.fdb.append({ mac: MAC_ZERO, address });
        vxlan.fdb.append({ mac: MAC_ZERO, address: other.address });
      }
      vteps.push({ vxlan, address });
    }
    for (let host = 0; host < options.hostsPer; host++) {
      const number = group * options.hostsPer + host;
      const namespace = world.createNamespace(`h${number}`);
      const mac = (0x0242_0a00_0000 + number + 1) as MacAddress;
      const device = link(world, namespace, "eth0", node, `v${host}`, bridge.bridge, mac);
      namespace.addAddress(device, { address: addressOf(number), length: 8 });
      hosts.push(namespace);
      ports.push(node.device(`v${host}`)!);
    }
  }
  return { world, hosts, ports, uplinks };
}

function addressOf(host: number): Ipv4Address {
  return (0x0a00_0000 + host + 1) as Ipv4Address;
}

function bridgeIn(namespace: NetworkNamespace): { namespace: NetworkNamespace; bridge: Bridge } {
  const bridge = createBridge(namespace, { name: "br0", mtu: MTU });
  bridge.device.setUp(true);
  return { namespace, bridge };
}

/** A link of 10 Gbit/s and 1 us from `namespace` to a port of `bridge`; the device at the host's end. */
function link(
  world: World,
  namespace: NetworkNamespace,
  name: string,
  at: NetworkNamespace,
  port: string,
  bridge: Bridge,
  mac?: MacAddress,
): NetDevice {
  const { a, b, aToB, bToA } = world.createLink(
    "veth",
    { namespace, name, address: mac, mtu: MTU },
    { namespace: at, name: port, mtu: MTU },
  );
  aToB.settings = LINK;
  bToA.settings = LINK;
  bridge.addPort(b);
  b.setUp(true);
  a.setUp(true);
  return a;
}

/** Where each host sends to. */
function destinations(options: Options, network: Network): readonly number[] {
  const count = network.hosts.length;
  if (options.mode === "bridge")
    return network.hosts.map((_, host) => {
      const first = host - (host % options.hostsPer);
      return first + ((host - first + (options.hostsPer >> 1)) % options.hostsPer);
    });
  const order = network.world.random.fork("flows").shuffle(Array.from({ length: count }, (_, host) => host));
  for (let host = 0; host < count; host++) {
    if (order[host] !== host) continue;
    const other = (host + 1) % count;
    [order[host], order[other]] = [order[other]!, order[host]!];
  }
  return order;
}

function main(): void {
  const options = parse(process.argv.slice(2));
  const setupStart = process.hrtime.bigint();
  const network = build(options);
  const { world, hosts } = network;
  const flows = hosts.map((host) => new Flow(world, host, options.size));
  const to = destinations(options, network);
  const per = Math.floor(options.packets / hosts.length);
  const groupOf = (host: number): number => Math.floor(host / options.hostsPer);

  let descriptor: number | undefined;
  let writer: PcapngWriter | undefined;
  if (options.pcap !== "none") {
    mkdirSync(options.out, { recursive: true });
    const file = openSync(join(options.out, "all.pcapng"), "w");
    descriptor = file;
    writer = new PcapngWriter({ write: (bytes) => writeAll(file, bytes) });
    const points = new CapturePoints(world.simulation, world.frames);
    for (const device of options.pcap === "ports" ? network.ports : network.uplinks) points.write(device, writer);
  }
  const setupEnd = process.hrtime.bigint();

  // Bridge ports forward only when their carrier has been reported; then one datagram each way fills every table.
  world.simulation.run(1_500 * MILLISECOND);
  for (const [host, flow] of flows.entries())
    flow.start(addressOf(to[host]!), 1_500 * MILLISECOND + host * 10 * MICROSECOND, 1, 0);
  world.simulation.run(FLOWS_FROM_NS - 1);
  for (const flow of flows) flow.delivered = 0;
  const warmEvents = world.simulation.events;

  const random = world.random.fork("starts");
  const intervalNs = Math.floor(SECOND / per);
  for (const [host, flow] of flows.entries()) {
    flows[to[host]!]!.hops = options.mode === "vxlan" && groupOf(host) !== groupOf(to[host]!) ? 4 : 2;
    const offsetNs = Math.floor((intervalNs / hosts.length) * host) + random.below(10_000);
    flow.start(addressOf(to[host]!), FLOWS_FROM_NS + offsetNs, per, intervalNs);
  }
  const cpuStart = process.cpuUsage();
  const runStart = process.hrtime.bigint();
  world.simulation.run(FLOWS_FROM_NS + 1_100 * MILLISECOND);
  writer?.flush();
  const runS = Number(process.hrtime.bigint() - runStart) / 1e9;
  const cpu = process.cpuUsage(cpuStart);
  writer?.close();
  if (descriptor !== undefined) closeSync(descriptor);

  const delivered = flows.reduce((sum, flow) => sum + flow.delivered, 0);
  const hops = flows.reduce((sum, flow) => sum + flow.delivered * flow.hops, 0);
  const events = world.simulation.events - warmEvents;
  const frames = world.frames;
  const figures = {
    tool: "vxlab",
    mode: options.mode,
    hosts: hosts.length,
    groups: options.groups,
    pcap: options.pcap,
    sent: per * hosts.length,
    delivered,
    hops,
    events,
    events_per_packet: round(events / delivered, 4),
    setup_s: seconds(setupEnd - setupStart),
    run_s: round(runS, 4),
    pps: Math.round(delivered / runS),
    hps: Math.round(hops / runS),
    cpu_ns_per_hop: round(((cpu.user + cpu.system) * 1e3) / hops, 1),
    ns_per_hop: round((runS * 1e9) / hops, 1),
    dropped: Object.fromEntries(frames.dropsByReason),
    in_flight: frames.inFlight,
    conserved: frames.countHolders() === frames.inFlight,
    rss_mb: round(process.resourceUsage().maxRSS / 1024, 1),
  };
  process.stdout.write(`${JSON.stringify(figures)}\n`);
}

function seconds(ns: bigint): number {
  return round(Number(ns) / 1e9, 3);
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

main();
