/** The firewall on the way of an established, translated packet: prerouting, forward, postrouting; among few and among 100 000 connections. */
import { bench, describe } from "vitest";
import { type FrameId, FrameStore } from "../src/linux/frame-store.ts";
import { NetDevice } from "../src/linux/net-device.ts";
import { iptables } from "../src/linux/netfilter/iptables.ts";
import { Netfilter } from "../src/linux/netfilter/netfilter.ts";
import { SCALAR_KEYS } from "../src/linux/sysctl-keys.ts";
import { Random } from "../src/sim/random.ts";
import { Simulation } from "../src/sim/simulation.ts";
import { SECOND } from "../src/sim/time.ts";
import type { Ipv4Address, MacAddress } from "../src/wire/address.ts";
import * as ipv4 from "../src/wire/ipv4.ts";
import * as udp from "../src/wire/udp.ts";

const PACKETS = 1_000;
/** Sixteen servers: one has 64 512 ports for clients behind one address. */
const SERVERS = 0xc000_0260;
/** As Docker's chains stand on a node: an established packet passes the first of them. */
const RULES = [
  "-t nat -A POSTROUTING -s 10.0.0.0/8 -j SNAT --to-source 192.0.2.1",
  "-N DOCKER-USER",
  "-A FORWARD -j DOCKER-USER",
  "-A FORWARD -o eth1 -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
  "-A DOCKER-USER -j RETURN",
];

class Setup {
  readonly #frames: FrameStore;
  readonly #netfilter: Netfilter;
  readonly #in: NetDevice;
  readonly #out: NetDevice;
  readonly #frame: FrameId;
  readonly #connections: number;
  #next = 0;

  constructor(connections: number) {
    const simulation = new Simulation(new Random("netfilter bench"));
    const frames = new FrameStore(simulation, 64, 2);
    this.#frames = frames;
    this.#connections = connections;
    const device = (name: string, index: number) =>
      new NetDevice({
        index,
        name,
        kind: "veth",
        address: index as MacAddress,
        mtu: 1500,
        frames,
        driver: { transmit: (frame) => frames.consume(frame) },
        stack: { receive: (_, frame) => frames.consume(frame) },
        namespaceName: "n1",
      });
    this.#in = device("eth0", 2);
    this.#out = device("eth1", 3);
    this.#netfilter = new Netfilter({
      place: "n1",
      clock: simulation,
      frames,
      random: simulation.random.fork("netfilter"),
      sysctl: (key) => SCALAR_KEYS.get(key)?.values[0] ?? 0,
      addressType: () => "UNICAST",
      addressFor: () => undefined,
      send: (frame) => frames.consume(frame),
      sendError: () => {},
      reassemble: (frame) => frame,
    });
    for (const line of RULES) iptables(this.#netfilter, line.split(" "));
    this.#frame = frames.make(92);
    for (let index = 0; index < connections; index++) {
      this.#ask(index);
      this.#answer(index);
    }
    // Flows older than two seconds are assured: what long conversations are.
    simulation.run(3 * SECOND);
    for (let index = 0; index < connections; index++) this.#ask(index);
  }

  run(packets: number): void {
    for (let index = 0; index < packets; index++) {
      this.#ask(this.#next);
      this.#next = (this.#next + 7_919) % this.#connections; // another connection each time
    }
  }

  #ask(index: number): void {
    this.#write((0x0a00_0000 + (index >>> 4)) as Ipv4Address, serverOf(index), 40_000 + (index & 15), 80);
    this.#pass(this.#in, this.#out);
  }

  /** The server answers what the question looked like outside. */
  #answer(index: number): void {
    const port = udp.sourcePort(this.#frames.bytes, this.#frames.start(this.#frame) + 20);
    const source = ipv4.source(this.#frames.bytes, this.#frames.start(this.#frame));
    this.#write(serverOf(index), source, 80, port);
    this.#pass(this.#out, this.#in);
  }

  #write(source: Ipv4Address, destination: Ipv4Address, from: number, to: number): void {
    const frames = this.#frames;
    const at = frames.start(this.#frame);
    ipv4.write(frames.bytes, at, 92, 1, 0, 64, ipv4.PROTOCOL_UDP, source, destination, 0);
    udp.write(frames.bytes, at + 20, from, to, 72);
    frames.checksumKnown[this.#frame] = 1;
  }

  #pass(from: NetDevice, to: NetDevice): void {
    const netfilter = this.#netfilter;
    const frame = netfilter.run("prerouting", this.#frame, from, undefined);
    netfilter.run("postrouting", netfilter.run("forward", frame, from, to), from, to);
  }
}

function serverOf(index: number): Ipv4Address {
  return (SERVERS + (index & 15)) as Ipv4Address;
}

describe("an established packet through a translating firewall", () => {
  const few = new Setup(100);
  const many = new Setup(100_000);
  bench("1 000 packets among 100 connections", () => few.run(PACKETS));
  bench("1 000 packets among 100 000 connections", () => many.run(PACKETS));
});
