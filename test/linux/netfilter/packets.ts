/** One firewall on a stub of a namespace: packets are made by hand and shown to its hooks one by one. */
import { type FrameId, FrameStore, NO_FRAME } from "../../../src/linux/frame-store.ts";
import type { HookPoint } from "../../../src/linux/hooks.ts";
import { type DeviceKind, NetDevice } from "../../../src/linux/net-device.ts";
import type { AddressType, NetfilterHost } from "../../../src/linux/netfilter/host.ts";
import { Netfilter } from "../../../src/linux/netfilter/netfilter.ts";
import { SCALAR_KEYS } from "../../../src/linux/sysctl-keys.ts";
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import type { Ipv4Address, MacAddress } from "../../../src/wire/address.ts";
import { putU16 } from "../../../src/wire/bytes.ts";
import * as icmp from "../../../src/wire/icmp.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import * as tcp from "../../../src/wire/tcp.ts";
import * as udp from "../../../src/wire/udp.ts";
import { ip, net } from "../two-hosts.ts";

export interface UdpLike {
  readonly from: string;
  readonly to: string;
  readonly sport?: number;
  readonly dport?: number;
  readonly ttl?: number;
  readonly tos?: number;
  readonly size?: number;
}
export interface TcpLike extends UdpLike {
  readonly flags: number;
  readonly seq?: number;
  readonly ack?: number;
  readonly win?: number;
  readonly mss?: number;
}

export class Bench {
  readonly simulation: Simulation;
  readonly frames: FrameStore;
  readonly netfilter: Netfilter;
  readonly sent: FrameId[] = [];
  readonly errors: string[] = [];
  readonly eth0: NetDevice;
  readonly eth1: NetDevice;
  readonly sysctl = new Map<string, number>();

  /** This host is 192.0.2.1 on eth0 and 172.17.0.1 on eth1. */
  constructor(seed = 1) {
    const random = new Random(seed);
    this.simulation = new Simulation(random);
    this.frames = new FrameStore(this.simulation, 512, 8);
    this.eth0 = this.#device("eth0", 2, "192.0.2.1/24");
    this.eth1 = this.#device("eth1", 3, "172.17.0.1/16");
    const host: NetfilterHost = {
      place: "bench",
      clock: this.simulation,
      frames: this.frames,
      random: random.fork("netfilter"),
      sysctl: (key) => this.sysctl.get(key) ?? SCALAR_KEYS.get(key)?.values[0] ?? 0,
      addressType: (address, device) => this.#typeOf(address, device),
      addressFor: (device) => device.addresses[0]?.address,
      send: (frame) => {
        this.sent.push(frame);
      },
      sendError: (_frame, type, code) => {
        this.errors.push(`${type}/${code}`);
      },
      reassemble: (frame) => frame,
    };
    this.netfilter = new Netfilter(host);
  }

  udp(packet: UdpLike, payloadBytes = 8): FrameId {
    const size = packet.size ?? 28 + payloadBytes;
    const frame = this.#ip(packet, 17, size);
    const at = this.frames.start(frame) + 20;
    udp.write(this.frames.bytes, at, packet.sport ?? 1000, packet.dport ?? 2000, size - 20);
    udp.finishChecksum(this.frames, at, ip(packet.from), ip(packet.to));
    return frame;
  }

  tcp(packet: TcpLike, payloadBytes = 0): FrameId {
    const header = packet.mss === undefined ? 20 : 24;
    const frame = this.#ip(packet, 6, 20 + header + payloadBytes);
    const at = this.frames.start(frame) + 20;
    tcp.write(
      this.frames.bytes,
      at,
      packet.sport ?? 1000,
      packet.dport ?? 2000,
      packet.seq ?? 0,
      packet.ack ?? 0,
      header,
      packet.flags,
      packet.win ?? 65_535,
    );
    if (packet.mss !== undefined) {
      this.frames.bytes.set([2, 4], at + 20);
      putU16(this.frames.bytes, at + 22, packet.mss);
    }
    tcp.finishChecksum(this.frames, at, at + header + payloadBytes, ip(packet.from), ip(packet.to));
    return frame;
  }

  echo(packet: UdpLike, id: number, type = 8, code = 0): FrameId {
    const frame = this.#ip(packet, 1, 36);
    const at = this.frames.start(frame) + 20;
    icmp.write(this.frames.bytes, at, type, code, id * 0x1_0000 + 1);
    icmp.finishChecksum(this.frames, at, at + 16);
    return frame;
  }

  /** A packet of any other protocol. */
  other(packet: UdpLike, protocol: number): FrameId {
    return this.#ip(packet, protocol, packet.size ?? 40);
  }

  /** Runs one hook. */
  hook(point: HookPoint, frame: FrameId): FrameId {
    const incoming = point === "prerouting" || point === "input" || point === "forward";
    const leaving = point === "output" || point === "postrouting" || point === "forward";
    return this.netfilter.run(point, frame, incoming ? this.eth0 : undefined, leaving ? this.eth1 : undefined);
  }

  /** Lets a packet pass through this host, from one device to the other; `NO_FRAME` when it was stopped. */
  through(frame: FrameId, ingress = this.eth0, egress = this.eth1): FrameId {
    let next = this.netfilter.run("prerouting", frame, ingress, undefined);
    if (next !== NO_FRAME) next = this.netfilter.run("forward", next, ingress, egress);
    if (next !== NO_FRAME) next = this.netfilter.run("postrouting", next, ingress, egress);
    return next;
  }

  /** Does the packet get through the hook? It ends either way. */
  passes(point: HookPoint, frame: FrameId): boolean {
    const next = this.hook(point, frame);
    if (next === NO_FRAME) return false;
    this.frames.consume(next);
    return true;
  }

  /** Moves the clock on. */
  wait(seconds: number): void {
    this.simulation.run(this.simulation.nowNs + seconds * 1_000_000_000);
  }

  #ip(packet: UdpLike, protocol: number, size: number): FrameId {
    const frame = this.frames.make(size);
    const at = this.frames.start(frame);
    // What an Ethernet header in front would leave there: to 02:…:01 from 02:…:02.
    this.frames.bytes.set([2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0], at - 14);
    this.frames.bytes.fill(0, at, at + size);
    const source = ip(packet.from);
    const destination = ip(packet.to);
    ipv4.write(this.frames.bytes, at, size, 7, 0, packet.ttl ?? 64, protocol, source, destination, packet.tos ?? 0);
    return frame;
  }

  #typeOf(address: Ipv4Address, device: NetDevice | undefined): AddressType {
    if (address === 0xffff_ffff) return "BROADCAST";
    if (address >>> 28 === 0xe) return "MULTICAST";
    const devices = device === undefined ? [this.eth0, this.eth1] : [device];
    return devices.some((one) => one.addresses[0]?.address === address) ? "LOCAL" : "UNICAST";
  }

  #device(name: string, index: number, prefix: string, kind: DeviceKind = "veth"): NetDevice {
    const device = new NetDevice({
      index,
      name,
      kind,
      address: index as MacAddress,
      mtu: 1500,
      frames: this.frames,
      driver: { transmit: (frame) => this.frames.consume(frame) },
      stack: { receive: (_device, frame) => this.frames.consume(frame) },
      namespaceName: "bench",
    });
    const { address, length } = net(prefix);
    device.addresses = [{ address, length, broadcast: undefined, secondary: false, scope: "global", peer: address }];
    return device;
  }
}
