/**
 * One network namespace as Linux has it: devices, addresses, neighbours, routes, firewall, sockets. What a container, a
 * Swarm node or a plain host is on the network.
 */
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { MacAddress, Prefix } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import { Addresses, type AddressOptions } from "./addresses.ts";
import type { Arp } from "./arp.ts";
import type { BridgeHooks } from "./bridge-hooks.ts";
import { DeviceTable } from "./device-table.ts";
import type { Errno } from "./errno.ts";
import { FRAME_FLAG_BRIDGED, FRAME_FLAG_FOR_HOST, FRAME_FLAG_GROUP } from "./frame-flags.ts";
import type { FrameId, FrameStore, Place } from "./frame-store.ts";
import type { Icmp } from "./icmp.ts";
import type { Igmp } from "./igmp.ts";
import { InetDevices } from "./inet-device.ts";
import type { Ipv4 } from "./ipv4.ts";
import type { Ipv4Parts, ProtocolHandler } from "./ipv4-core.ts";
import type { Ipvs } from "./ipvs/ipvs.ts";
import { LOOPBACK_MTU, Loopback } from "./loopback.ts";
import type { Neighbour } from "./neighbour.ts";
import { type NeighbourResolver, NeighbourTable } from "./neighbour-table.ts";
import {
  type DeviceChange,
  type DeviceKind,
  type DeviceListener,
  type Driver,
  NetDevice,
  type ProtocolStack,
} from "./net-device.ts";
import { Protocols } from "./protocols.ts";
import { Routing } from "./routing.ts";
import type { StormGuard } from "./storm-guard.ts";
import { Sysctl, type SysctlListener } from "./sysctl.ts";
import { Tcp } from "./tcp/tcp.ts";
import type { Udp } from "./udp.ts";
import type { Xfrm } from "./xfrm/xfrm.ts";

/** A packet socket: sees frames before protocols do. The frame starts at its Ethernet header and stays the caller's. */
export interface PacketListener {
  frame(frame: FrameId, device: NetDevice): void;
}

export interface DeviceWatcher {
  deviceCame(device: NetDevice): void;
}

export class NetworkNamespace implements ProtocolStack, DeviceListener, NeighbourResolver, SysctlListener, Place {
  readonly name: string;
  readonly clock: Clock;
  readonly frames: FrameStore;
  readonly random: Random;
  readonly sysctl: Sysctl;
  readonly routes: Routing;
  readonly neighbours: NeighbourTable;
  /** `lo`: made with the namespace, down until somebody sets it up. */
  readonly loopback: NetDevice;
  /** IPsec; undefined until the first policy or association (`xfrmOf`). */
  xfrm: Xfrm | undefined = undefined;
  /** The load balancer; undefined until the first virtual service (`ipvsOf`). */
  ipvs: Ipvs | undefined = undefined;
  /** br_netfilter: sees the frames that this namespace's bridges carry. */
  netfilterBridge: BridgeHooks | undefined = undefined;
  /** Watches this namespace's bridges for frames that go round and round. */
  stormGuard: StormGuard | undefined = undefined;
  /** Told of each device that comes into the namespace, made here or moved here, before anything passes it. */
  deviceWatcher: DeviceWatcher | undefined = undefined;
  /** What `ip netns` calls it, if it was made by that; sandboxes of Docker have no such name. */
  netnsName: string | undefined = undefined;
  readonly packetListeners: PacketListener[] = [];
  #protocols: Protocols | undefined = undefined;
  #tcp: Tcp | undefined = undefined;
  readonly #inetDevices: InetDevices;
  readonly #addresses: Addresses;
  readonly #devices = new DeviceTable();
  #socketRandom: Random | undefined = undefined;
  #nextIndex = 1;
  /** Other namespaces, each at the number that it is known by here. */
  #others: readonly NetworkNamespace[] = NO_NAMESPACES;
  #ended = false;

  /** `crossingNs`: what a packet takes across the loopback device. */
  constructor(name: string, clock: Clock, frames: FrameStore, random: Random, crossingNs: Nanoseconds) {
    this.name = name;
    this.clock = clock;
    this.frames = frames;
    this.random = random;
    this.sysctl = new Sysctl([this]);
    this.#inetDevices = new InetDevices(clock, this.sysctl, random, this.#devices);
    this.routes = new Routing(this.#devices, frames);
    this.neighbours = new NeighbourTable(clock, frames, this.#inetDevices);
    this.#addresses = new Addresses(this.routes, this.#inetDevices);
    this.neighbours.resolver = this;
    const driver = new Loopback(clock, crossingNs);
    this.loopback = this.addDevice({
      name: "lo",
      kind: "loopback",
      address: 0 as MacAddress,
      mtu: LOOPBACK_MTU,
      driver,
    });
    driver.connect(this.loopback);
  }

  get place(): string {
    return this.name;
  }

  /** Where sockets draw ports and identifiers from. */
  get socketRandom(): Random {
    this.#socketRandom ??= this.random.fork("sockets");
    return this.#socketRandom;
  }

  get ipv4(): Ipv4 {
    return this.#speaking().ipv4;
  }

  get icmp(): Icmp {
    return this.#speaking().icmp;
  }

  get igmp(): Igmp {
    return this.#speaking().igmp;
  }

  get udp(): Udp {
    return this.#speaking().udp;
  }

  get arp(): Arp {
    return this.#speaking().arp;
  }

  /** Made for the first socket or segment: its timers and tables are a quarter of what an idle container weighs. */
  get tcp(): Tcp {
    this.#tcp ??= new Tcp(this.#speaking().core, this.ipv4);
    return this.#tcp;
  }

  /** In the order of their index. */
  get devices(): readonly NetDevice[] {
    return this.#devices.list;
  }

  device(name: string): NetDevice | undefined {
    return this.#devices.get(name);
  }

  /** Makes a device, down and without addresses. The name is free: the caller has asked. */
  addDevice(options: { name: string; kind: DeviceKind; address: MacAddress; mtu: number; driver: Driver }): NetDevice {
    const { name, kind, address, mtu, driver } = options;
    const device = new NetDevice({
      name,
      kind,
      address,
      mtu,
      driver,
      index: this.#nextIndex++,
      frames: this.frames,
      stack: this,
      namespaceName: this.name,
    });
    this.#adopt(device);
    return device;
  }

  /** A random, locally administered address for a device of that name, as the kernel gives a new one (eth_random_addr). */
  drawMac(deviceName: string): MacAddress {
    const random = this.random.fork(`address of ${deviceName}`);
    const high = ((random.below(0x100) & 0xfc) | 0x02) * 0x100_0000_0000;
    return (high + random.below(0x100) * 0x1_0000_0000 + random.u32()) as MacAddress;
  }

  /** Ends a device: its addresses, routes and neighbours go, its listeners hear `removed`. */
  removeDevice(device: NetDevice): void {
    device.setUp(false);
    device.announce("removed");
    this.#release(device);
  }

  /** `ip link set NAME netns`: the device leaves down and without addresses, under a name that is free there. */
  moveDevice(device: NetDevice, to: NetworkNamespace, name = device.name): void {
    device.setUp(false);
    for (const address of [...device.addresses]) this.#addresses.remove(device, address);
    this.neighbours.flush(device);
    this.routes.deviceChanged(device, "removed");
    this.#protocols?.igmp.deviceChanged(device, "removed");
    this.#release(device);
    device.name = name;
    device.stack = to;
    device.namespaceName = to.name;
    const free = to.devices.every((other) => other.index !== device.index);
    if (free) to.#nextIndex = Math.max(to.#nextIndex, device.index + 1);
    else device.index = to.#nextIndex++;
    to.#adopt(device);
    this.numberOf(to);
  }

  /** `ip link set NAME name NEW`; the new name is free. */
  renameDevice(device: NetDevice, name: string): void {
    this.sysctl.renameDevice(device.name, name);
    this.#devices.rename(device, name);
    this.#inetDevices.sysctlChanged();
  }

  /** `ip address add`. EEXIST: the device has it. */
  addAddress(device: NetDevice, prefix: Prefix, options: AddressOptions = {}): Errno | undefined {
    return this.#addresses.add(device, prefix, options);
  }

  /** `ip address del`. EADDRNOTAVAIL: the device has no such address. */
  removeAddress(device: NetDevice, prefix: Prefix): Errno | undefined {
    return this.#addresses.remove(device, prefix);
  }

  /** A frame that no bridge port took. It starts at its Ethernet header. */
  receive(device: NetDevice, frame: FrameId): void {
    const frames = this.frames;
    if (frames.length(frame) < ethernet.HEADER_BYTES) {
      frames.drop(frame, "frame-truncated", device);
      return;
    }
    if (this.packetListeners.length > 0)
      for (const listener of [...this.packetListeners]) listener.frame(frame, device);
    const bytes = frames.bytes;
    const at = frames.start(frame);
    const type = ethernet.etherType(bytes, at);
    const group = ethernet.isGroupDestination(bytes, at);
    if (
      !group &&
      (ethernet.destinationLow(bytes, at) !== device.addressLow ||
        ethernet.destinationHigh(bytes, at) !== device.addressHigh) &&
      (frames.flags[frame]! & FRAME_FLAG_FOR_HOST) === 0
    ) {
      frames.drop(frame, "not-for-us", device);
      return;
    }
    if (type === ethernet.ETHERTYPE_IPV4) {
      const own = frames.writable(frame);
      frames.pull(own, ethernet.HEADER_BYTES);
      frames.flags[own] = (frames.flags[own]! & FRAME_FLAG_BRIDGED) | (group ? FRAME_FLAG_GROUP : 0);
      this.ipv4.receive(device, own);
    } else if (type === ethernet.ETHERTYPE_ARP) {
      this.arp.receive(frame, device);
    } else {
      frames.drop(frame, "ethertype-unknown", device);
    }
  }

  deviceChanged(device: NetDevice, change: DeviceChange): void {
    if (change === "removed") {
      this.#addresses.deviceChanged(device, change);
      this.routes.deviceChanged(device, change);
      this.neighbours.deviceChanged(device, change);
      this.#protocols?.igmp.deviceChanged(device, change);
      return;
    }
    this.routes.deviceChanged(device, change);
    this.neighbours.deviceChanged(device, change);
    this.#addresses.deviceChanged(device, change);
    this.#protocols?.igmp.deviceChanged(device, change);
  }

  /** The number that another namespace is known by here (peernet2id, `link-netnsid`): the lowest free one, when it is first needed. */
  numberOf(other: NetworkNamespace): number {
    const known = this.#others.indexOf(other);
    if (known >= 0) return known;
    const free = this.#others.findIndex((each) => each.#ended);
    if (free < 0) this.#others = this.#others.concat(other);
    else this.#others = this.#others.map((each, at) => (at === free ? other : each));
    return free < 0 ? this.#others.length - 1 : free;
  }

  /** Its devices are gone: datagrams that wait for their other fragments go with it, and its numbers are free. */
  end(): void {
    this.#ended = true;
    this.#protocols?.ipv4.reassembly.flush();
  }

  solicit(neighbour: Neighbour, target: MacAddress | undefined, because: FrameId | undefined): void {
    this.arp.solicit(neighbour, target, because);
  }

  unreachable(frame: FrameId, device: NetDevice): void {
    this.arp.unreachable(frame, device);
  }

  sysctlChanged(): void {
    const { neighbours, sysctl } = this;
    this.#inetDevices.sysctlChanged();
    neighbours.collectFrom = sysctl.number("net.ipv4.neigh.default.gc_thresh1");
    neighbours.makeRoomFrom = sysctl.number("net.ipv4.neigh.default.gc_thresh2");
    neighbours.fullFrom = sysctl.number("net.ipv4.neigh.default.gc_thresh3");
    this.routes.changed();
  }

  #speaking(): Protocols {
    return this.#protocols ?? this.#makeProtocols();
  }

  #makeProtocols(): Protocols {
    const { clock, frames, random, sysctl, neighbours, packetListeners } = this;
    const parts: Ipv4Parts = {
      place: this,
      clock,
      frames,
      random,
      sysctl,
      devices: this.#inetDevices,
      routing: this.routes,
      neighbours,
      packetListeners,
      host: this,
    };
    const protocols = new Protocols(parts, new TcpOnDemand(this));
    this.#protocols = protocols;
    return protocols;
  }

  #adopt(device: NetDevice): void {
    this.sysctl.addDevice(device.name);
    this.#devices.add(device);
    device.listen(this, true);
    this.deviceWatcher?.deviceCame(device);
  }

  #release(device: NetDevice): void {
    device.unlisten(this);
    this.#devices.delete(device);
    this.#inetDevices.remove(device);
    this.sysctl.removeDevice(device.name);
    this.routes.changed();
  }
}

const NO_NAMESPACES: readonly NetworkNamespace[] = [];

/** In place of TCP until the first segment or error, when TCP takes the place itself. */
class TcpOnDemand implements ProtocolHandler {
  readonly #namespace: NetworkNamespace;

  constructor(namespace: NetworkNamespace) {
    this.#namespace = namespace;
  }

  receive(frame: FrameId, device: NetDevice): void {
    this.#namespace.tcp.receive(frame, device);
  }

  error(frame: FrameId, at: number, end: number, type: number, code: number, info: number): void {
    this.#namespace.tcp.error(frame, at, end, type, code, info);
  }
}
