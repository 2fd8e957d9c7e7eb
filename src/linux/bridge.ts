/**
 * A bridge, IEEE 802.1D-2004 §7 as Linux has it (net/bridge): learns on every frame it accepts, forwards to where the destination was
 * seen, floods otherwise, and is a device itself, by which the host takes part.
 *
 * Ports are walked the newest first, as the kernel's list has them; a flood shares one frame among all ports, the host comes last.
 */
import { assert } from "../sim/assert.ts";
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { type Ipv4Address, isGroup, MAC_ZERO, type MacAddress } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as stp from "../wire/stp.ts";
import { ALL_SNOOPERS, MulticastSnooping } from "./bridge-multicast.ts";
import { BridgePort, PORT_NUMBER_LIMIT } from "./bridge-port.ts";
import { BridgeRelay, type RelayBridge, type RelayHost } from "./bridge-relay.ts";
import { SpanningTree, type SpanningTreeBridge } from "./bridge-stp.ts";
import { VlanGroup } from "./bridge-vlan.ts";
import type { Errno } from "./errno.ts";
import { type FdbFlags, FilteringDatabase } from "./filtering-database.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import { LinkWatch } from "./link-watch.ts";
import type { DeviceChange, DeviceKind, DeviceListener, Driver, NetDevice } from "./net-device.ts";
import { takeIngress } from "./vlan-device.ts";
import { WireEnd } from "./wire-end.ts";

/** What a bridge needs of the namespace that it is made in. */
export interface BridgeHost extends RelayHost {
  readonly random: Random;
  /** Memberships of the host itself. */
  readonly igmp?: {
    join(device: NetDevice, group: Ipv4Address): Errno | undefined;
    leave(device: NetDevice, group: Ipv4Address): Errno | undefined;
  };
  addDevice(options: { name: string; kind: DeviceKind; address: MacAddress; mtu: number; driver: Driver }): NetDevice;
}

export interface BridgeOptions {
  readonly name: string;
  /** A bridge without a set address takes its ports' lowest one. */
  readonly address?: MacAddress | undefined;
  /** A bridge without a set MTU has its ports' smallest one. */
  readonly mtu?: number | undefined;
}

const DEFAULT_MTU = 1_500;
const DEFAULT_AGEING_NS = 300 * SECOND;
const OF_DEVICE: FdbFlags = { local: true, fixed: true, byUser: false, sticky: false, external: false };

/** Makes a bridge, down, without ports. The name is free. */
export function createBridge(host: BridgeHost, options: BridgeOptions): Bridge {
  return new Bridge(host, options);
}

/** The bridge that `device` is the device of. */
export function bridgeOf(device: NetDevice): Bridge | undefined {
  return device.driver instanceof Bridge ? device.driver : undefined;
}

/** The bridge port that `device` is enslaved as. */
export function portOf(device: NetDevice): BridgePort | undefined {
  return device.master === undefined ? undefined : bridgeOf(device.master)?.port(device);
}

export class Bridge implements Driver, DeviceListener, RelayBridge, SpanningTreeBridge {
  readonly device: NetDevice;
  readonly clock: Clock;
  readonly fdb: FilteringDatabase;
  readonly tree: SpanningTree;
  readonly multicast: MulticastSnooping;
  /** VLANs of the bridge's own device. */
  readonly vlans = new VlanGroup();
  /** Frames to 01:80:c2:00:00:0x are forwarded where bit x is set; never 0, 1 and 2. */
  groupForwardMask = 0;
  filtersVlans = false;

  readonly #host: BridgeHost;
  readonly #frames: FrameStore;
  readonly #relay: BridgeRelay;
  readonly #linkWatch: LinkWatch;
  #ports: BridgePort[] = [];
  #ageingNs: Nanoseconds = DEFAULT_AGEING_NS;
  #addressFixed: boolean;
  #mtuFixed: boolean;
  #snoops = false; // has joined ALL_SNOOPERS
  #adjusting = false; // what changes now is our own doing

  constructor(host: BridgeHost, options: BridgeOptions) {
    this.#host = host;
    this.clock = host.clock;
    this.#frames = host.frames;
    this.#addressFixed = options.address !== undefined;
    this.#mtuFixed = options.mtu !== undefined;
    const address = options.address ?? randomAddress(host.random.fork(`address of ${options.name}`));
    this.fdb = new FilteringDatabase(DEFAULT_AGEING_NS, this.clock);
    this.#relay = new BridgeRelay(this, host);
    this.multicast = new MulticastSnooping(host.clock, host.frames);
    this.#linkWatch = new LinkWatch(host.clock, (device) => this.#checkPort(device));
    this.tree = new SpanningTree(this, address);
    this.device = host.addDevice({
      name: options.name,
      kind: "bridge",
      address,
      mtu: options.mtu ?? DEFAULT_MTU,
      driver: this,
    });
    this.device.setCarrier(false);
    this.device.listen(this);
    if (this.#addressFixed) this.#addLocal(undefined, address);
  }

  /** The newest first. */
  get ports(): readonly BridgePort[] {
    return this.#ports;
  }

  get up(): boolean {
    return this.device.up;
  }

  /** How long dynamic entries stay, outside of topology changes; 0: nothing is learnt. */
  get ageingNs(): Nanoseconds {
    return this.#ageingNs;
  }

  set ageingNs(ageingNs: Nanoseconds) {
    this.#ageingNs = ageingNs;
    if (!this.tree.topologyChange) this.fdb.ageingNs = ageingNs;
  }

  /** The host sends by the bridge's own device. */
  transmit(frame: FrameId): void {
    this.#relay.transmit(frame);
  }

  /** `mcast_snooping`: on by default. */
  setMulticastSnooping(enabled: boolean): void {
    this.multicast.enabled = enabled;
    if (this.up) this.#joinSnoopers(enabled);
  }

  port(device: NetDevice): BridgePort | undefined {
    return this.#ports.find((port) => port.device === device);
  }

  /** `ip link set DEVICE master BRIDGE`: br_add_if. */
  addPort(device: NetDevice): BridgePort | Errno {
    if (device.kind === "loopback") return "EINVAL";
    if (device.kind === "bridge") return "ELOOP";
    if (device.master !== undefined) return "EBUSY";
    const taken = new Set(this.#ports.map((port) => port.number));
    let number = 1;
    while (taken.has(number)) number++;
    if (number >= PORT_NUMBER_LIMIT) return "EXFULL";
    const port = new BridgePort(device, number, this.#relay);
    this.#ports = [port, ...this.#ports];
    this.tree.addPort(port);
    this.#addLocal(port, device.address);
    takeIngress(device, port);
    device.master = this.device;
    device.listen(this);
    port.operational = device.running;
    this.#takeLowestAddress();
    if (port.operational && this.up) this.tree.enablePort(port);
    this.#takeSmallestMtu();
    return port;
  }

  /** `ip link set DEVICE nomaster`: br_del_if. */
  removePort(device: NetDevice): void {
    const port = this.port(device);
    assert(port !== undefined, "removePort of a device that is no port");
    this.tree.disablePort(port);
    this.multicast.flush(port, true);
    this.#ports = this.#ports.filter((other) => other !== port);
    for (const entry of this.fdb.list(this.clock.nowNs)) {
      if (entry.port !== port) continue;
      if (entry.local) this.#removeLocal(port, entry.address);
      else this.fdb.delete(entry);
    }
    takeIngress(device, undefined);
    device.master = undefined;
    device.unlisten(this);
    this.#linkWatch.forget(device);
    this.tree.removePort(port);
    this.#takeLowestAddress();
    this.#takeSmallestMtu();
  }

  // What the spanning tree asks of its bridge.

  sendBpdu(port: BridgePort, message: stp.Stp): void {
    const frames = this.#frames;
    const length = message.kind === "configuration" ? stp.CONFIGURATION_BYTES : stp.NOTIFICATION_BYTES;
    const frame = frames.make(ethernet.HEADER_BYTES + length);
    const at = frames.start(frame);
    ethernet.write(frames.bytes, at, stp.BRIDGE_GROUP_ADDRESS, port.device.address, length);
    stp.emit(message, frames.bytes, at + ethernet.HEADER_BYTES);
    port.device.transmit(frame);
  }

  portStateChanged(port: BridgePort): void {
    if (port.state !== "disabled") return;
    for (const entry of this.fdb.list(this.clock.nowNs)) {
      if (entry.port === port && !entry.fixed && !entry.external) this.fdb.delete(entry);
    }
    this.multicast.flush(port, false);
  }

  overrideAgeing(ageingNs: Nanoseconds | undefined): void {
    this.fdb.ageingNs = ageingNs ?? this.#ageingNs;
  }

  setCarrier(carrier: boolean): void {
    this.device.setCarrier(carrier);
  }

  // What devices tell.

  deviceChanged(device: NetDevice, change: DeviceChange): void {
    if (device === this.device) this.#ownDeviceChanged(change);
    else this.#portDeviceChanged(device, change);
  }

  #ownDeviceChanged(change: DeviceChange): void {
    switch (change) {
      case "up":
        this.tree.start();
        for (const port of this.#ports) if (port.operational) this.tree.enablePort(port);
        this.#joinSnoopers(this.multicast.enabled);
        break;
      case "down":
        for (const port of this.#ports) this.tree.disablePort(port);
        this.tree.stop();
        this.#joinSnoopers(false);
        break;
      case "address":
        if (this.#adjusting) break;
        this.#addressFixed = true;
        this.#changeAddress(this.device.address);
        break;
      case "mtu":
        if (!this.#adjusting) this.#mtuFixed = true;
        break;
      case "removed":
        for (const port of [...this.#ports]) this.removePort(port.device);
        break;
    }
  }

  #portDeviceChanged(device: NetDevice, change: DeviceChange): void {
    const port = this.port(device);
    if (port === undefined) return;
    switch (change) {
      case "up":
      case "carrier":
        // Others than cables have no carrier to report.
        if (device.driver instanceof WireEnd) this.#linkWatch.changed(device, change);
        else this.#checkPort(device);
        break;
      case "down":
        this.#linkWatch.forget(device);
        this.#checkPort(device);
        break;
      case "address":
        this.#portAddressChanged(port);
        break;
      case "mtu":
        this.#takeSmallestMtu();
        break;
      case "removed":
        this.removePort(device);
        break;
    }
  }

  /** br_multicast_join_snoopers: a bridge that snoops says so to routers, RFC 4286, if it has an address to say it with. */
  #joinSnoopers(join: boolean): void {
    if (join === this.#snoops) return;
    this.#snoops = join;
    if (join) this.#host.igmp?.join(this.device, ALL_SNOOPERS);
    else this.#host.igmp?.leave(this.device, ALL_SNOOPERS);
  }

  /** br_port_carrier_check. */
  #checkPort(device: NetDevice): void {
    const port = this.port(device);
    if (port === undefined) return;
    port.operational = device.running;
    if (!this.up) return;
    if (!port.operational) this.tree.disablePort(port);
    else if (port.state === "disabled") this.tree.enablePort(port);
  }

  #portAddressChanged(port: BridgePort): void {
    for (const entry of this.fdb.list(this.clock.nowNs)) {
      if (entry.local && entry.port === port && !entry.byUser) this.#removeLocal(port, entry.address);
    }
    this.#addLocal(port, port.device.address);
    this.#takeLowestAddress();
  }

  /** br_stp_recalculate_bridge_id: the lowest address of the ports, none without ports. */
  #takeLowestAddress(): void {
    if (this.#addressFixed) return;
    let lowest: MacAddress | undefined;
    for (const port of this.#ports)
      if (lowest === undefined || port.device.address < lowest) lowest = port.device.address;
    const address = lowest ?? MAC_ZERO;
    if (address === this.device.address) return;
    this.#changeAddress(address);
    this.#adjusting = true;
    this.device.address = address;
    this.#adjusting = false;
  }

  #changeAddress(address: MacAddress): void {
    for (const entry of this.fdb.list(this.clock.nowNs)) {
      if (entry.local && entry.port === undefined && !entry.byUser) this.fdb.delete(entry);
    }
    this.#addLocal(undefined, address);
    this.tree.setIdentifier({ priority: this.tree.identifier.priority, address });
  }

  /** Several ports may have one address: the first one's entry serves. */
  #addLocal(port: BridgePort | undefined, address: MacAddress): void {
    if (address === MAC_ZERO || isGroup(address)) return;
    const nowNs = this.clock.nowNs;
    if (this.fdb.get(address, 0, nowNs)?.local === true) return;
    this.fdb.set(address, 0, port, OF_DEVICE, nowNs);
  }

  /** The entry stays for another port or the bridge itself if they have the same address. */
  #removeLocal(port: BridgePort, address: MacAddress): void {
    const nowNs = this.clock.nowNs;
    const entry = this.fdb.get(address, 0, nowNs);
    if (entry === undefined || !entry.local || entry.port !== port) return;
    const other = this.#ports.find((candidate) => candidate !== port && candidate.device.address === address);
    if (other !== undefined) this.fdb.set(address, 0, other, OF_DEVICE, nowNs);
    else if (this.device.address === address && this.#addressFixed)
      this.fdb.set(address, 0, undefined, OF_DEVICE, nowNs);
    else this.fdb.delete(entry);
  }

  /** br_mtu_auto_adjust. */
  #takeSmallestMtu(): void {
    if (this.#mtuFixed) return;
    let smallest: number | undefined;
    for (const port of this.#ports)
      if (smallest === undefined || port.device.mtu < smallest) smallest = port.device.mtu;
    this.#adjusting = true;
    this.device.setMtu(smallest ?? DEFAULT_MTU);
    this.#adjusting = false;
  }
}

/** eth_random_addr(): locally administered. */
function randomAddress(random: Random): MacAddress {
  const first = (random.below(0x100) & 0xfc) | 0x02;
  return (first * 0x100_0000_0000 + random.below(0x100) * 0x1_0000_0000 + random.u32()) as MacAddress;
}
