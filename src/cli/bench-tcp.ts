/** The workloads tcp-link and tcp-vxlan: one connection that carries as much as it can. */
import type { LinkSettings } from "../linux/link-settings.ts";
import { accept, connect, readSome, writeAll } from "../linux/tcp/blocking.ts";
import { TcpSocket } from "../linux/tcp/tcp-socket.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../sim/time.ts";
import { type Ipv4Address, parseIpv4 } from "../wire/address.ts";
import { type Figures, Machine, measure, type Options, round } from "./bench-machine.ts";

const GIGABIT: Partial<LinkSettings> = { rateBitsPerSecond: 1_000_000_000, queueLimitFrames: 1_000 };
const PORT = 5_001;
const READ_BYTES = 1 << 20;
const SERVER = parseIpv4("10.0.0.2")!;

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

export function tcpLink(options: Options): Figures {
  const machine = new Machine(["a", "b"]);
  machine.link("a", "eth0", "b", "eth0", { ...GIGABIT, delayNs: MILLISECOND });
  machine.type("ip -n a addr add 10.0.0.1/24 dev eth0", "ip -n b addr add 10.0.0.2/24 dev eth0");
  const figures = bulk(machine, "a", "b", SERVER, megabytes(options));
  // 1 448 bytes of data (the MSS less what timestamps take) in 1 514 bytes of frame, as the link counts them.
  return {
    workload: "tcp-link",
    ...figures,
    line_rate: round(Number(figures["goodput_mbit"]) / (1_000 * (1_448 / 1_514)), 4),
  };
}

export function tcpVxlan(options: Options): Figures {
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
  const figures = bulk(machine, "c1", "c2", SERVER, megabytes(options));
  return {
    workload: "tcp-vxlan",
    ...figures,
    line_rate: round(Number(figures["goodput_mbit"]) / (1_000 * (1_398 / 1_514)), 4),
  };
}

function megabytes(options: Options): number {
  return (options.get("megabytes") ?? 250) * 1_000_000;
}
