/**
 * What the fuzzed network does by itself: servers that answer, clients that come again whatever befalls their connections, pings. Without it, frames
 * would meet empty tables.
 */
import { type Host, NOWHERE } from "../../commands/host.ts";
import { runLine } from "../../commands/shell.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { type Process, type Program, sleep } from "../../linux/process.ts";
import { accept, connect, readSome, writeAll } from "../../linux/tcp/blocking.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { MILLISECOND, SECOND } from "../../sim/time.ts";
import { type Ipv4Address, parseIpv4 } from "../../wire/address.ts";
import type { FuzzNetwork } from "./fuzz-network.ts";

const TCP_PORTS = [80, 81];
const UDP_PORT = 53;
const CHUNK_BYTES = 2_000;
const READ_BYTES = 65_536;
const PATIENCE_NS = 3 * SECOND;
const PAUSE_NS = 50 * MILLISECOND;
/** From, to, port: across VXLAN with and without ESP, through NAT, through the load balancer three ways, over VLAN devices. */
const FLOWS: readonly (readonly [from: string, to: string, tcp: number, udp: number])[] = [
  ["c1", "10.0.0.3", 80, UDP_PORT],
  ["c3", "10.8.0.3", 80, UDP_PORT],
  ["c4", "10.7.0.2", 80, UDP_PORT],
  ["n1", "10.9.0.3", 8080, 5300],
  ["c5", "10.9.0.2", 80, UDP_PORT],
  ["n3", "10.9.0.100", 80, UDP_PORT],
  ["n3", "10.9.0.4", 8081, UDP_PORT],
  ["u", "10.9.0.100", 81, UDP_PORT],
];

export class FuzzTraffic {
  readonly #network: FuzzNetwork;

  constructor(network: FuzzNetwork) {
    this.#network = network;
    const start = (host: Host, name: string, program: (process: Process) => Program): void => {
      host.spawn(name, { stdout: NOWHERE, stderr: NOWHERE }, program);
    };
    for (const host of network.hosts.values()) {
      for (const port of TCP_PORTS) start(host, "serve", (process) => serveTcp(process, host, port));
      start(host, "echo", (process) => serveUdp(process, host.namespace));
    }
    for (const [from, to, tcp, udp] of FLOWS) {
      const host = network.hosts.get(from)!;
      const address = parseIpv4(to)!;
      start(host, "client", (process) => talkTcp(process, host.namespace, address, tcp));
      start(host, "asker", (process) => talkUdp(process, host.namespace, address, udp));
      start(host, "ping", (process) => runLine(process, host.context(), `ping -q -i 0.3 -s 2000 ${to}`));
    }
  }

  /** Ends every program; the kernel closes their sockets. */
  stop(): void {
    for (const host of this.#network.hosts.values())
      for (const process of [...host.processes.values()]) process.kill("SIGKILL");
  }
}

function* serveTcp(process: Process, host: Host, port: number): Program {
  const listener = new TcpSocket(host.namespace);
  process.atExit(() => listener.close());
  listener.reuseAddress = true;
  if (listener.bind(0 as Ipv4Address, port) !== undefined || listener.listen(16) !== undefined) return 1;
  for (;;) {
    const accepted = yield* accept(process, listener);
    if (!(accepted instanceof TcpSocket)) return 1;
    host.spawn("serve", { stdout: NOWHERE, stderr: NOWHERE }, (child) => answer(child, accepted));
  }
}

/** Sends back what comes, until nothing has come for a while. */
function* answer(process: Process, socket: TcpSocket): Program {
  process.atExit(() => socket.close());
  for (;;) {
    const untilNs = process.clock.nowNs + PATIENCE_NS;
    const bytes = yield* readSome(process, socket, READ_BYTES, untilNs);
    if (typeof bytes === "string") return 0;
    const written = yield* writeAll(process, socket, bytes, untilNs);
    if (typeof written === "string") return 0;
  }
}

/** Connects, asks a few times, closes; and again. */
function* talkTcp(process: Process, namespace: NetworkNamespace, address: Ipv4Address, port: number): Program {
  let socket = new TcpSocket(namespace);
  process.atExit(() => socket.close());
  const chunk = new Uint8Array(CHUNK_BYTES).fill(0x61);
  for (;;) {
    const problem = yield* connect(process, socket, address, port, process.clock.nowNs + PATIENCE_NS);
    for (let turn = 0; problem === undefined && turn < 50; turn++) {
      const untilNs = process.clock.nowNs + PATIENCE_NS;
      const written = yield* writeAll(process, socket, chunk, untilNs);
      if (typeof written === "string") break;
      const bytes = yield* readSome(process, socket, READ_BYTES, untilNs);
      if (typeof bytes === "string") break;
      yield* sleep(process, PAUSE_NS);
    }
    socket.close();
    yield* sleep(process, PAUSE_NS);
    socket = new TcpSocket(namespace);
  }
}

function* serveUdp(process: Process, namespace: NetworkNamespace): Program {
  const socket = new UdpSocket(namespace);
  process.atExit(() => socket.close());
  if (socket.bind(0 as Ipv4Address, UDP_PORT) !== undefined) return 1;
  for (;;) {
    const datagram = socket.receive();
    if (datagram === undefined) yield { queues: [socket.readable] };
    else if (typeof datagram !== "string") socket.sendTo(datagram.bytes, datagram.source, datagram.sourcePort);
  }
}

function* talkUdp(process: Process, namespace: NetworkNamespace, address: Ipv4Address, port: number): Program {
  const socket = new UdpSocket(namespace);
  process.atExit(() => socket.close());
  socket.connect(address, port);
  const small = new Uint8Array(100).fill(0x62);
  const large = new Uint8Array(3_000).fill(0x63); // in fragments
  for (let turn = 0; ; turn++) {
    socket.sendTo(turn % 8 === 0 ? large : small);
    yield { queues: [socket.readable], untilNs: process.clock.nowNs + 10 * PAUSE_NS };
    while (socket.receive() !== undefined);
    yield* sleep(process, PAUSE_NS);
  }
}
