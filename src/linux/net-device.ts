/**
 * A network device, Linux's net_device: one shape for every kind, so that the calls on the hot path meet few types. What a kind does on
 * transmission is its driver's; what becomes of received frames is decided by whoever has enslaved the device (a bridge
 * port) or else by the namespace's protocols.
 */
import type { Receiver } from "../sim/simulation.ts";
import type { Ipv4Address, MacAddress, Prefix } from "../wire/address.ts";
import type { FrameId, FrameStore, Place } from "./frame-store.ts";

export type DeviceKind = "loopback" | "veth" | "nic" | "bridge" | "vxlan" | "vlan" | "dummy";

/** How a kind of device sends. `transmit` takes over the caller's hold of `frame`, an Ethernet frame. */
export interface Driver {
  transmit(frame: FrameId): void;
}

/** Who takes a device's received frames in place of its namespace: a bridge port. Takes over the hold. */
export interface IngressHandler {
  receive(frame: FrameId): void;
}

/** The protocols of a namespace. Takes over the hold; the frame starts at its Ethernet header. */
export interface ProtocolStack {
  receive(device: NetDevice, frame: FrameId): void;
}

/** An established flow's way past the protocols, see early-demux.ts. False: not for it; the hold stays the caller's. */
export interface ReceiveShortcut {
  take(frame: FrameId): boolean;
}

/** A queueing discipline. `enqueue` takes over the hold and calls `device.sendNow` in its own time. */
export interface Qdisc {
  /** `pfifo_fast`, `tbf`, `netem`, … as `tc` names it. */
  readonly kind: string;
  enqueue(frame: FrameId): void;
}

/** A capture point on a device; sees frames as a packet socket does: sent ones behind the qdisc, received ones before anybody takes them. */
export interface Tap {
  frame(frame: FrameId, direction: "in" | "out"): void;
}

/** What a device tells those who asked: carrier or administrative state, MAC address or MTU changed, or it is going away. */
export type DeviceChange = "up" | "down" | "carrier" | "address" | "mtu" | "removed" | "ipv4";
export interface DeviceListener {
  deviceChanged(device: NetDevice, change: DeviceChange): void;
}

/** An IPv4 address of a device, as `ip address` shows it. */
export interface DeviceAddress extends Prefix {
  readonly broadcast: Ipv4Address | undefined;
  readonly secondary: boolean;
  readonly scope: "global" | "link" | "host";
  /** Point-to-point peer; the address itself when there is none. */
  readonly peer: Ipv4Address;
}

export interface DeviceCounters {
  readonly rxPackets: number;
  readonly rxBytes: number;
  readonly rxDropped: number;
  readonly txPackets: number;
  readonly txBytes: number;
  readonly txDropped: number;
}

export class NetDevice implements Receiver, Place {
  // What every frame touches stands together, in the order of declaration, and the counters among it. That alone made no difference that could be
  // measured (W1 776 and 773 ns a hop); it is one object less for each device.
  readonly frames: FrameStore;
  #up = false;
  #carrier = true;
  /** Bridge port that takes received frames, else undefined. */
  ingress: IngressHandler | undefined = undefined;
  tap: Tap | undefined = undefined;
  /** What IPv4 keeps of the device (in_device): `InetDevices` alone knows what it is. */
  inet: object | undefined = undefined;
  /** Kept by the protocols for the flow that was served last. */
  shortcut: ReceiveShortcut | undefined = undefined;
  rxPackets = 0;
  rxBytes = 0;
  txPackets = 0;
  txBytes = 0;
  qdisc: Qdisc | undefined = undefined;
  driver: Driver;
  mtu: number;
  /** The halves of the MAC address as frames carry them: 16 high bits, 32 low bits (signed). */
  addressHigh = 0;
  addressLow = 0;
  /** The namespace's protocols; who moves a device to another namespace sets it. */
  stack: ProtocolStack;

  rxDropped = 0;
  txDropped = 0;
  /** Numbered from 1 (lo) in its namespace; who moves a device to another namespace sets it. */
  index: number;
  readonly kind: DeviceKind;
  name: string;
  /** Name of the namespace, for `place`. */
  namespaceName: string;
  /** Name of the bridge that the device is a port of. */
  master: NetDevice | undefined = undefined;
  /** Replaced as a whole when one comes or goes. */
  addresses: readonly DeviceAddress[] = NO_ADDRESSES;
  #listeners: readonly DeviceListener[] = NO_LISTENERS;
  noArp = false;
  multicast = true;
  /** IFF_PROMISC, as a capture sets it: a bridge shows its tap all that it relays, not just what is for the host. */
  promiscuous = false;

  constructor(options: {
    index: number;
    name: string;
    kind: DeviceKind;
    address: MacAddress;
    mtu: number;
    frames: FrameStore;
    driver: Driver;
    stack: ProtocolStack;
    namespaceName: string;
  }) {
    this.index = options.index;
    this.name = options.name;
    this.kind = options.kind;
    this.mtu = options.mtu;
    this.frames = options.frames;
    this.driver = options.driver;
    this.stack = options.stack;
    this.namespaceName = options.namespaceName;
    this.#setAddress(options.address);
  }

  get place(): string {
    return `${this.namespaceName}/${this.name}`;
  }

  /** All six, as `ip -s link` shows them. */
  get counters(): DeviceCounters {
    const { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped } = this;
    return { rxPackets, rxBytes, rxDropped, txPackets, txBytes, txDropped };
  }

  get address(): MacAddress {
    return (this.addressHigh * 0x1_0000_0000 + (this.addressLow >>> 0)) as MacAddress;
  }

  set address(address: MacAddress) {
    if (address === this.address) return;
    this.#setAddress(address);
    this.#tell("address");
  }

  /** Administratively up (IFF_UP). */
  get up(): boolean {
    return this.#up;
  }

  /** The medium is there (IFF_LOWER_UP). */
  get carrier(): boolean {
    return this.#carrier;
  }

  /** Up and with carrier: frames may pass. */
  get running(): boolean {
    return this.#up && this.#carrier;
  }

  setUp(up: boolean): void {
    if (up === this.#up) return;
    this.#up = up;
    this.#tell(up ? "up" : "down");
  }

  setCarrier(carrier: boolean): void {
    if (carrier === this.#carrier) return;
    this.#carrier = carrier;
    this.#tell("carrier");
  }

  setMtu(mtu: number): void {
    if (mtu === this.mtu) return;
    this.mtu = mtu;
    this.#tell("mtu");
  }

  /** `listener` hears of every change from now on, after those who listen already; or, with `first`, before them. */
  listen(listener: DeviceListener, first = false): void {
    this.#listeners = first ? [listener].concat(this.#listeners) : this.#listeners.concat(listener);
  }

  /** Undoes one `listen`. */
  unlisten(listener: DeviceListener): void {
    const index = this.#listeners.indexOf(listener);
    if (index >= 0) this.#listeners = this.#listeners.filter((_, at) => at !== index);
  }

  /** Tells the listeners that the addresses changed, or that the device goes away. */
  announce(change: "ipv4" | "removed"): void {
    this.#tell(change);
  }

  /** Sends an Ethernet frame: dev_queue_xmit. Takes over the hold. */
  transmit(frame: FrameId): void {
    if (!this.#up) {
      this.txDropped++;
      this.frames.drop(frame, "device-down", this);
    } else if (this.qdisc === undefined) {
      this.sendNow(frame);
    } else {
      this.qdisc.enqueue(frame);
    }
  }

  /** Sends without queueing: what a qdisc calls when a frame's time has come. */
  sendNow(frame: FrameId): void {
    this.txPackets++;
    this.txBytes += this.frames.length(frame);
    if (this.tap !== undefined) this.tap.frame(frame, "out");
    this.driver.transmit(frame);
  }

  /** A frame arrives: netif_receive_skb. Takes over the hold. Called by the main loop when a link delivers. */
  receive(value: number): void {
    const frame = value as FrameId;
    if (!this.#up) {
      this.rxDropped++;
      this.frames.drop(frame, "device-down", this);
      return;
    }
    this.rxPackets++;
    this.rxBytes += this.frames.length(frame);
    if (this.tap !== undefined) this.tap.frame(frame, "in");
    if (this.ingress !== undefined) this.ingress.receive(frame);
    else if (this.shortcut === undefined || !this.shortcut.take(frame)) this.stack.receive(this, frame);
  }

  #setAddress(address: MacAddress): void {
    this.addressHigh = Math.floor(address / 0x1_0000_0000);
    this.addressLow = (address % 0x1_0000_0000) | 0;
  }

  #tell(change: DeviceChange): void {
    this.frames.forgetShortcuts();
    for (const listener of this.#listeners) listener.deviceChanged(this, change);
  }
}

// Lists of a device are short and rarely change: what `concat` makes holds no spare places, where a first `push` makes room for 17.
const NO_ADDRESSES: readonly DeviceAddress[] = [];
const NO_LISTENERS: readonly DeviceListener[] = [];
