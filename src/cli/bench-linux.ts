/**
 * Workloads of the emulated kernel above the data plane, as a command that prints one JSON line each:
 *
 *   node dist/cli/bench-linux.js tcp-link|tcp-vxlan|nat|ipvs|conntrack|all [name=value ...]
 *
 * tcp-link: one connection of `megabytes` over 1 Gbit/s and 1 ms; `line_rate` is the share of what 1 460 in 1 538 bytes on the wire leave.
 * tcp-vxlan: the same between containers of two nodes, 1 Gbit/s and 50 us, MTU 1450 inside.
 * nat: datagrams of `flows` flows through a gateway that masquerades, each answered; ipvs: the same through a virtual service with two servers.
 * conntrack: a forwarding gateway that tracks `entries` connections, packets of `active` of them in turn; `all` runs 100 and 100 000.
 *
 * `cpu_ns_per_packet` counts the process's own time, steadier than the clock on a machine that others use too.
 */
import { Host, TextBuffer } from "../commands/host.ts";
import { runLine } from "../commands/shell.ts";
import { WORDS } from "../commands/words.ts";
import type { FrameId } from "../linux/frame-store.ts";
import { ipvsOf } from "../linux/ipvs/attach.ts";
import { type LinkSettings, PERFECT_LINK } from "../linux/link-settings.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { findNetfilter } from "../linux/netfilter/attach.ts";
import type { Process, Program } from "../linux/process.ts";
import { accept, connect, readSome, writeAll } from "../linux/tcp/blocking.ts";
import { TcpSocket } from "../linux/tcp/tcp-socket.ts";
import { World } from "../linux/world.ts";
import type { Receiver, ReceiverId } from "../sim/simulation.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../sim/time.ts";
import { formatMac, type Ipv4Address, parseIpv4 } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as udp from "../wire/udp.ts";

type Options = ReadonlyMap<string, number>;
type Figures = Record<string, number | string | boolean>;

const GIGABIT: Partial<LinkSettings> = { rateBitsPerSecond: 1_000_000_000, queueLimitFrames: 1_000 };
const PORT = 5_001;
const READ_BYTES = 1 << 20;
const PAYLOAD_BYTES = 64;
const INTERVAL_NS = 2 * MICROSECOND;

/** A machine that runs command lines, all of which must succeed. */
class Machine {
  readonly world: World;
  readonly namespaces = new Map<string, NetworkNamespace>();
  readonly host: Host;

  constructor(names: readonly string[]) {
    this.world = new World({ seed: 1, stormLimit: 0 });
    const namespace = this.world.createNamespace("machine");
    this.host = this.#hostOf("machine", namespace);
    for (const name of names) this.type(`ip netns add ${name}`, `ip -n ${name} link set lo up`);
  }

  type(...lines: string[]): void {
    for (const line of lines) {
      const said = new TextBuffer();
      const host = this.host;
      const process = host.spawn("sh", { stdout: said, stderr: said }, (self) => runLine(self, host.context(), line));
      if (process.exitStatus !== 0) throw new Error(`${line}: ${said.text}`);
    }
  }

  in(name: string): NetworkNamespace {
    return this.namespaces.get(name)!;
  }

  run(name: string, program: (process: Process, namespace: NetworkNamespace) => Program): void {
    const streams = { stdout: new TextBuffer(), stderr: new TextBuffer() };
    this.#hostOf(name, this.in(name)).spawn(name, streams, (process) => program(process, this.in(name)));
  }

  /** A link of its own between two namespaces, both ends up. */
  link(a: string, aName: string, b: string, bName: string, settings: Partial<LinkSettings>): [NetDevice, NetDevice] {
    const link = this.world.createLink(
      "nic",
      { namespace: this.in(a), name: aName },
      { namespace: this.in(b), name: bName },
    );
    link.aToB.settings = { ...PERFECT_LINK, ...settings };
    link.bToA.settings = { ...PERFECT_LINK, ...settings };
    link.a.setUp(true);
    link.b.setUp(true);
    return [link.a, link.b];
  }

  #hostOf(name: string, namespace: NetworkNamespace): Host {
    return new Host({ name, world: this.world, namespace, words: WORDS, namedNamespaces: this.namespaces });
  }
}

/** Runs until `until`, and says what it took. */
function measure(
  machine: Machine,
  untilNs: number,
  until?: () => boolean,
): { readonly wallS: number; readonly cpuS: number } {
  const cpuStart = process.cpuUsage();
  const start = process.hrtime.bigint();
  machine.world.simulation.run(untilNs, until);
  const wallS = Number(process.hrtime.bigint() - start) / 1e9;
  const cpu = process.cpuUsage(cpuStart);
  return { wallS, cpuS: (cpu.user + cpu.system) / 1e6 };
}

/** One connection, `bytes` in one direction. */
function bulk(machine: Machine, from: string, to: string, address: Ipv4Address, bytes: number): Figures {
  const simulation = machine.world.simulation;
  let received = 0;
  let lastNs = 0;
  let retransmissions = 0;
  machine.run(to, function* (self, namespace) {
    const listener = new TcpSocket(namespace);
    listener.bind(0 as Ipv4Address, PORT);
    listener.listen(1);
    const socket = yield* accept(self, listener);
    if (typeof socket === "string") return 1;
    for (;;) {
      const some = yield* readSome(self, socket, READ_BYTES);
      if (typeof some === "string") return some === "end" ? 0 : 1;
      received += some.length;
      lastNs = simulation.nowNs;
    }
  });
  const startNs = simulation.nowNs;
  machine.run(from, function* (self, namespace) {
    const socket = new TcpSocket(namespace);
    yield* connect(self, socket, address, PORT);
    const chunk = new Uint8Array(1 << 18);
    for (let left = bytes; left > 0; left -= chunk.length)
      if (typeof (yield* writeAll(self, socket, chunk)) === "string") return 1;
    retransmissions = socket.information()?.retransmitted ?? 0;
    socket.close();
    return 0;
  });
  const eventsBefore = simulation.events;
  const { wallS, cpuS } = measure(machine, startNs + 600 * SECOND, () => received >= bytes);
  const goodput = (received * 8 * SECOND) / (lastNs - startNs);
  return {
    megabytes: bytes / 1e6,
    goodput_mbit: round(goodput / 1e6, 1),
    virtual_s: round((lastNs - startNs) / SECOND, 4),
    retransmissions,
    events: simulation.events - eventsBefore,
    wall_mbytes_per_s: round(received / 1e6 / wallS, 1),
    cpu_ns_per_segment: round((cpuS * 1e9) / (received / 1_448), 0),
    segments_per_s: Math.round(received / 1_448 / cpuS),
  };
}

function tcpLink(options: Options): Figures {
  const machine = new Machine(["a", "b"]);
  machine.link("a", "eth0", "b", "eth0", { ...GIGABIT, delayNs: MILLISECOND });
  machine.type("ip -n a addr add 10.0.0.1/24 dev eth0", "ip -n b addr add 10.0.0.2/24 dev eth0");
  const figures = bulk(machine, "a", "b", ip("10.0.0.2"), megabytes(options));
  // 1 448 bytes of data (MSS without timestamps) in 1 514 bytes of frame, as the link counts them.
  return {
    workload: "tcp-link",
    ...figures,
    line_rate: round(Number(figures["goodput_mbit"]) / (1_000 * (1_448 / 1_514)), 4),
  };
}

function tcpVxlan(options: Options): Figures {
  const machine = new Machine(["n1", "n2", "c1", "c2"]);
  machine.link("n1", "eth0", "n2", "eth0", { ...GIGABIT, delayNs: 50 * MICROSECOND });
  for (const own of [1, 2])
    machine.type(
      `ip -n n${own} addr add 192.168.0.${own}/24 dev eth0`,
      `ip -n n${own} link add br0 type bridge`,
      `ip -n n${own} link add vxlan0 type vxlan id 256 dstport 4789`,
      `ip -n n${own} link set vxlan0 master br0 up`,
      `ip -n n${own} link set br0 up`,
      `ip netns exec n${own} bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst 192.168.0.${3 - own}`,
      `ip -n c${own} link add eth0 type veth peer name v0 netns n${own}`,
      `ip -n n${own} link set v0 master br0 up`,
      `ip -n c${own} link set eth0 mtu 1450 up`,
      `ip -n c${own} addr add 10.0.0.${own}/24 dev eth0`,
    );
  machine.world.simulation.run(2 * SECOND);
  const figures = bulk(machine, "c1", "c2", ip("10.0.0.2"), megabytes(options));
  return {
    workload: "tcp-vxlan",
    ...figures,
    line_rate: round(Number(figures["goodput_mbit"]) / (1_000 * (1_398 / 1_514)), 4),
  };
}

/** Sends datagrams of many flows as ready-made frames, and counts what reaches the far end, which may answer. */
class Blaster implements Receiver {
  readonly #machine: Machine;
  readonly #near: NetDevice;
  readonly #gateway: NetDevice;
  readonly #id: ReceiverId;
  readonly #destination: Ipv4Address;
  readonly #port: number;
  #flows = 1;
  #left = 0;
  #next = 0;
  sent = 0;
  arrived = 0;
  answered = 0;

  /** `echoes`: the far ends send every datagram back. */
  constructor(
    machine: Machine,
    options: {
      readonly near: NetDevice;
      readonly gateway: NetDevice;
      readonly far: readonly NetDevice[];
      readonly destination: Ipv4Address;
      readonly port: number;
      readonly echoes: boolean;
    },
  ) {
    this.#machine = machine;
    this.#near = options.near;
    this.#gateway = options.gateway;
    this.#destination = options.destination;
    this.#port = options.port;
    this.#id = machine.world.simulation.register(this);
    for (const device of options.far)
      device.ingress = {
        receive: (frame) => {
          this.arrived++;
          if (options.echoes) this.#sendBack(device, frame);
          else machine.world.frames.deliver(frame);
        },
      };
    options.near.ingress = {
      receive: (frame) => {
        this.answered++;
        machine.world.frames.deliver(frame);
      },
    };
  }

  /** `packets` datagrams of `flows` flows in turn. */
  start(packets: number, flows: number): void {
    this.#left = packets;
    this.#flows = flows;
    this.#next = 0;
    this.#machine.world.simulation.schedule(0, this.#id, 0);
  }

  receive(): void {
    const { frames, simulation } = this.#machine.world;
    const flow = this.#next;
    this.#next = flow + 1 === this.#flows ? 0 : flow + 1;
    const length = ethernet.HEADER_BYTES + ipv4.HEADER_BYTES + udp.HEADER_BYTES + PAYLOAD_BYTES;
    const frame = frames.make(length);
    const at = frames.start(frame);
    const packet = at + ethernet.HEADER_BYTES;
    const datagram = packet + ipv4.HEADER_BYTES;
    // Flows differ in address and port: 50 000 ports a client.
    const source = (0xac11_0002 + Math.floor(flow / 50_000)) as Ipv4Address;
    ethernet.write(frames.bytes, at, this.#gateway.address, this.#near.address, ethernet.ETHERTYPE_IPV4);
    ipv4.write(
      frames.bytes,
      packet,
      length - ethernet.HEADER_BYTES,
      0,
      0,
      64,
      ipv4.PROTOCOL_UDP,
      source,
      this.#destination,
      0,
    );
    udp.write(frames.bytes, datagram, 10_000 + (flow % 50_000), this.#port, udp.HEADER_BYTES + PAYLOAD_BYTES);
    frames.bytes.fill(0x61, datagram + udp.HEADER_BYTES, at + length);
    udp.finishChecksum(frames, datagram, source, this.#destination);
    this.sent++;
    this.#near.transmit(frame);
    if (--this.#left > 0) simulation.schedule(INTERVAL_NS, this.#id, 0);
  }

  #sendBack(device: NetDevice, frame: FrameId): void {
    const { frames } = this.#machine.world;
    const own = frames.writable(frame);
    const { bytes } = frames;
    const at = frames.start(own);
    exchange(bytes, at, at + 6, 6);
    exchange(bytes, at + 26, at + 30, 4);
    exchange(bytes, at + 34, at + 36, 2);
    device.transmit(own);
  }
}

/** inside 172.17.0.0/16 - gateway - 192.0.2.0/24, where the servers are. */
function gatewayNetwork(lines: readonly string[]): {
  readonly machine: Machine;
  readonly near: NetDevice;
  readonly gateway: NetDevice;
  readonly far: NetDevice[];
} {
  const machine = new Machine(["inside", "gateway", "server"]);
  const [near, gateway] = machine.link("inside", "eth0", "gateway", "eth0", { delayNs: MICROSECOND });
  const [, server] = machine.link("gateway", "eth1", "server", "eth0", { delayNs: MICROSECOND });
  machine.type(
    "ip -n gateway addr add 172.17.0.1/16 dev eth0",
    "ip -n gateway addr add 192.0.2.1/24 dev eth1",
    "ip netns exec gateway sysctl -w net.ipv4.ip_forward=1",
    "ip netns exec gateway sysctl -w net.netfilter.nf_conntrack_max=1000000",
    `ip -n gateway neigh add 192.0.2.100 lladdr ${formatMac(server.address)} dev eth1 nud permanent`,
    `ip -n gateway neigh add 192.0.2.101 lladdr ${formatMac(server.address)} dev eth1 nud permanent`,
    `ip -n gateway neigh add 172.17.0.2 lladdr ${formatMac(near.address)} dev eth0 nud permanent`,
    `ip -n gateway neigh add 172.17.0.3 lladdr ${formatMac(near.address)} dev eth0 nud permanent`,
    `ip -n gateway neigh add 172.17.0.4 lladdr ${formatMac(near.address)} dev eth0 nud permanent`,
    ...lines,
  );
  return { machine, near, gateway, far: [server] };
}

function through(
  workload: string,
  lines: readonly string[],
  options: Options,
  to: { readonly address: string; readonly port: number; readonly echoes: boolean },
  prepare: (machine: Machine) => void,
): Figures {
  const network = gatewayNetwork(lines);
  const { machine } = network;
  prepare(machine);
  const blaster = new Blaster(machine, {
    ...network,
    destination: ip(to.address),
    port: to.port,
    echoes: to.echoes,
  });
  const simulation = machine.world.simulation;
  const entries = options.get("entries") ?? options.get("flows") ?? 100;
  const active = options.get("active") ?? entries;
  const packets = options.get("packets") ?? 300_000;
  // Every flow twice, so that its connection stands; then some for the compiler.
  blaster.start(Math.max(2 * entries, 50_000), entries);
  simulation.run(simulation.nowNs + Math.max(2 * entries, 50_000) * INTERVAL_NS + MILLISECOND);
  const before = { arrived: blaster.arrived, answered: blaster.answered, events: simulation.events };
  const settled = findNetfilter(machine.in("gateway"))?.conntrack.table.count ?? 0;
  blaster.start(packets, active);
  const { wallS, cpuS } = measure(machine, simulation.nowNs + packets * INTERVAL_NS + MILLISECOND);
  const arrived = blaster.arrived - before.arrived;
  const answered = blaster.answered - before.answered;
  return {
    workload,
    entries,
    active,
    connections: settled,
    packets,
    arrived,
    answered,
    events_per_packet: round((simulation.events - before.events) / (arrived + answered), 3),
    packets_per_s: Math.round((arrived + answered) / wallS),
    cpu_ns_per_packet: round((cpuS * 1e9) / (arrived + answered), 0),
    dropped: machine.world.frames.dropped,
    conserved: machine.world.frames.countHolders() === machine.world.frames.inFlight,
  };
}

function nat(options: Options): Figures {
  const lines = ["ip netns exec gateway iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE"];
  return through("nat", lines, options, { address: "192.0.2.100", port: 9_000, echoes: true }, () => undefined);
}

function ipvs(options: Options): Figures {
  const lines = ["ip -n gateway addr add 10.255.0.1/32 dev lo"];
  return through("ipvs", lines, options, { address: "10.255.0.1", port: 53, echoes: true }, (machine) => {
    const service = ipvsOf(machine.in("gateway"));
    const key = { mark: 0, protocol: ipv4.PROTOCOL_UDP, address: ip("10.255.0.1"), port: 53 };
    service.addService(key, { scheduler: "rr", persistentSeconds: undefined, clientMask: -1, onePacket: false });
    for (const address of ["192.0.2.100", "192.0.2.101"])
      service.addServer(key, {
        address: ip(address),
        port: 53,
        method: "masquerade",
        weight: 1,
        upperThreshold: 0,
        lowerThreshold: 0,
      });
  });
}

function conntrack(options: Options): Figures {
  const lines = [
    "ip netns exec gateway iptables -A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
    "ip netns exec gateway iptables -P FORWARD DROP",
  ];
  return through("conntrack", lines, options, { address: "192.0.2.100", port: 9_000, echoes: false }, () => undefined);
}

function megabytes(options: Options): number {
  return (options.get("megabytes") ?? 250) * 1_000_000;
}

function exchange(bytes: Uint8Array, a: number, b: number, count: number): void {
  for (let index = 0; index < count; index++) {
    const held = bytes[a + index]!;
    bytes[a + index] = bytes[b + index]!;
    bytes[b + index] = held;
  }
}

function ip(text: string): Ipv4Address {
  return parseIpv4(text)!;
}

function round(value: number, digits: number): number {
  return Math.round(value * 10 ** digits) / 10 ** digits;
}

const WORKLOADS: ReadonlyMap<string, (options: Options) => Figures> = new Map([
  ["tcp-link", tcpLink],
  ["tcp-vxlan", tcpVxlan],
  ["nat", nat],
  ["ipvs", ipvs],
  ["conntrack", conntrack],
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
