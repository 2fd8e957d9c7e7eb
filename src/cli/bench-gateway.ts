/** The workloads nat, ipvs and conntrack: datagrams of many flows through a gateway that knows connections. */
import type { FrameId } from "../linux/frame-store.ts";
import { ipvsOf } from "../linux/ipvs/attach.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { findNetfilter } from "../linux/netfilter/attach.ts";
import type { Receiver, ReceiverId } from "../sim/simulation.ts";
import { MICROSECOND, MILLISECOND } from "../sim/time.ts";
import { formatMac, type Ipv4Address, parseIpv4 } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as udp from "../wire/udp.ts";
import { type Figures, Machine, measure, type Options, round } from "./bench-machine.ts";

const PAYLOAD_BYTES = 64;
const INTERVAL_NS = 2 * MICROSECOND;

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

export function nat(options: Options): Figures {
  const lines = ["ip netns exec gateway iptables -t nat -A POSTROUTING -o eth1 -j MASQUERADE"];
  return through("nat", lines, options, { address: "192.0.2.100", port: 9_000, echoes: true }, () => undefined);
}

export function ipvs(options: Options): Figures {
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

export function conntrack(options: Options): Figures {
  const lines = [
    "ip netns exec gateway iptables -A FORWARD -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT",
    "ip netns exec gateway iptables -P FORWARD DROP",
  ];
  return through("conntrack", lines, options, { address: "192.0.2.100", port: 9_000, echoes: false }, () => undefined);
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
