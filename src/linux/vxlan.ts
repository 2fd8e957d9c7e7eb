/**
 * A VXLAN device, RFC 7348 as Linux has it (drivers/net/vxlan/vxlan_core.c): a port into a layer 2 network whose frames travel in UDP
 * between VTEPs. Sending, it looks the destination up in its FDB and puts the frame into one outer packet for each remote;
 * receiving, it learns which VTEP the inner source lives behind. Its UDP socket is in the underlay namespace, where the device was
 * made, wherever the device itself is moved (Docker moves it into the overlay's sandbox).
 */
import { assert } from "../sim/assert.ts";
import type { ReceiverId } from "../sim/simulation.ts";
import { IPV4_LOOPBACK, type Ipv4Address, type MacAddress, type Vni } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as vxlan from "../wire/vxlan.ts";
import type { DropReason } from "./drop-reason.ts";
import type { Errno } from "./errno.ts";
import { type FrameId, type FrameStore, NO_FRAME } from "./frame-store.ts";
import { NetworkNamespace } from "./namespace.ts";
import type { DeviceChange, DeviceListener, Driver, NetDevice } from "./net-device.ts";
import { carriesIp, decapsulatedTypeOfService, innerTypeOfService, setInnerTypeOfService } from "./tunnel-ecn.ts";
import { VxlanFdb } from "./vxlan-fdb.ts";
import { type VxlanEndpoint, type VxlanPorts, vxlanPortsOf } from "./vxlan-port.ts";
import { proxyReply, type VxlanProxyTable } from "./vxlan-proxy.ts";
import { type VxlanOwner, VxlanSender } from "./vxlan-sender.ts";
import { initialMtu, type VxlanOptions, type VxlanSettings, vxlanSettings } from "./vxlan-settings.ts";

/**
 * A remote that lies behind the tunnel itself, learnt from a forged packet, makes each packet its own payload. The kernel gives up after eight
 * devices inside each other (XMIT_RECURSION_LIMIT): bridge and tunnel in turns.
 */
const DEEPEST_TUNNEL = 5;

/** Why no device could be made: the error number, and the words of the kernel's extended acknowledgement. */
export interface VxlanProblem {
  readonly errno: Errno;
  readonly message: string;
}

export class Vxlan implements Driver, DeviceListener, VxlanEndpoint, VxlanOwner, VxlanProxyTable {
  readonly settings: VxlanSettings;
  readonly fdb: VxlanFdb;
  /** Where the UDP socket is. */
  readonly underlay: NetworkNamespace;
  readonly #frames: FrameStore;
  readonly #ports: VxlanPorts;
  #device: NetDevice | undefined = undefined;
  #receiver: ReceiverId = -1;
  #open = false;
  readonly #sender: VxlanSender;

  constructor(underlay: NetworkNamespace, settings: VxlanSettings) {
    this.underlay = underlay;
    this.settings = settings;
    this.#frames = underlay.frames;
    this.#ports = vxlanPortsOf(underlay);
    this.fdb = new VxlanFdb({
      clock: underlay.clock,
      port: settings.destinationPort,
      vni: settings.vni,
      ageingNs: settings.ageingNs,
      maximumAddresses: settings.maximumAddresses,
    });
    this.#sender = new VxlanSender(this, underlay, settings);
  }

  /** Puts this driver into `device`. */
  connect(device: NetDevice): void {
    assert(this.#device === undefined, "a VXLAN driver connected twice");
    this.#device = device;
    this.#receiver = this.underlay.clock.register(device);
    device.listen(this);
    this.settings.device?.listen(this);
    this.#ports.register(this);
    const { remote } = this.settings;
    if (remote !== undefined)
      this.fdb.add({ mac: 0 as MacAddress, address: remote, device: this.settings.device, state: "permanent" });
  }

  get device(): NetDevice {
    assert(this.#device !== undefined, "a VXLAN driver without its device");
    return this.#device;
  }

  /** Where the device is now. */
  get namespace(): NetworkNamespace {
    const { stack } = this.device;
    assert(stack instanceof NetworkNamespace, "a VXLAN device outside any namespace");
    return stack;
  }

  get vni(): Vni {
    return this.settings.vni;
  }

  get port(): number {
    return this.settings.destinationPort;
  }

  /** About the device itself, or the underlay device that it is bound to, with which it goes. */
  deviceChanged(device: NetDevice, change: DeviceChange): void {
    if (device !== this.device) {
      if (change === "removed") this.namespace.removeDevice(this.device);
    } else if (change === "up") this.#start();
    else if (change === "down") this.#stop();
    else if (change === "removed") this.#end();
  }

  transmit(frame: FrameId): void {
    const frames = this.#frames;
    if (frames.tunnelDepth === DEEPEST_TUNNEL) {
      this.dropSent(frame, "vxlan-loop");
      return;
    }
    frames.tunnelDepth++;
    this.#transmit(frame);
    frames.tunnelDepth--;
  }

  #transmit(frame: FrameId): void {
    const frames = this.#frames;
    const bytes = frames.bytes;
    const at = frames.start(frame);
    if (frames.length(frame) < ethernet.HEADER_BYTES) {
      this.dropSent(frame, "frame-truncated");
      return;
    }
    if (this.settings.proxy && ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_ARP) {
      this.#answerArp(frame);
      return;
    }
    const remotes =
      this.fdb.lookup(ethernet.destinationHigh(bytes, at), ethernet.destinationLow(bytes, at)) ??
      this.fdb.lookupDefault();
    if (remotes === undefined) {
      if (this.settings.l2miss && !ethernet.isGroupDestination(bytes, at))
        this.namespace.neighbours.miss(this.device, { mac: ethernet.destination(bytes, at) });
      this.dropSent(frame, "vxlan-no-remote");
      return;
    }
    // The first remote gets the frame itself, so it is served last, and the others' copies leave before.
    for (let index = 1; index < remotes.length; index++) this.#sender.send(frames.clone(frame), remotes[index]!);
    this.#sender.send(frame, remotes[0]!);
  }

  decapsulate(frame: FrameId, at: number, end: number): void {
    const frames = this.#frames;
    const device = this.device;
    const outer = frames.start(frame);
    const inner = at + vxlan.HEADER_BYTES;
    const bytes = frames.bytes;
    if (end - inner < ethernet.HEADER_BYTES) {
      this.#dropReceived(frame, "frame-truncated");
      return;
    }
    const high = ethernet.sourceHigh(bytes, inner);
    const low = ethernet.sourceLow(bytes, inner);
    if (high === device.addressHigh && low === device.addressLow) {
      this.#dropReceived(frame, "vxlan-own-source");
      return;
    }
    if (this.settings.learning) {
      if (isInvalidSource(high, low)) {
        this.#dropReceived(frame, "vxlan-invalid-source");
        return;
      }
      if (this.fdb.learn(high, low, ipv4.sourceBits(bytes, outer)) === "fixed") {
        this.#dropReceived(frame, "vxlan-fixed-entry");
        return;
      }
    }
    const outerTypeOfService = ipv4.typeOfService(bytes, outer);
    const own = frames.writable(frame);
    frames.pull(own, inner - outer);
    if (frames.length(own) > end - inner) frames.resize(own, end - inner); // the IP packet was longer than the datagram
    if (outerTypeOfService !== 0 && !this.#takeMark(own, outerTypeOfService)) return;
    frames.checksumKnown[own] = frames.checksumKnown[own]! >> 1;
    this.scrub(own);
    device.receive(own);
  }

  refuse(frame: FrameId): void {
    this.#dropReceived(frame, "vxlan-reserved-bits");
  }

  neighbour(address: Ipv4Address): MacAddress | "unsure" | undefined {
    const neighbour = this.namespace.neighbours.get(this.device, address);
    if (neighbour === undefined) return undefined;
    const { state, mac } = neighbour;
    const connected = state === "REACHABLE" || state === "PERMANENT" || state === "NOARP";
    return connected && mac !== undefined ? mac : "unsure";
  }

  isLocal(address: MacAddress): boolean {
    const remotes = this.fdb.lookup(Math.floor(address / 0x1_0000_0000), (address % 0x1_0000_0000) | 0);
    return remotes !== undefined && remotes[0]!.address === 0;
  }

  missed(address: Ipv4Address): void {
    if (this.settings.l3miss) this.namespace.neighbours.miss(this.device, { address });
  }

  #start(): void {
    this.#open = this.#ports.open(this);
    if (!this.#open) return;
    const { remote, device } = this.settings;
    if (this.settings.group && device !== undefined) this.underlay.igmp.join(device, remote!);
  }

  #stop(): void {
    if (!this.#open) return;
    this.#open = false;
    const { remote, device } = this.settings;
    if (this.settings.group && device !== undefined) this.underlay.igmp.leave(device, remote!);
    this.fdb.flushLearnt();
    this.#ports.close(this);
  }

  #end(): void {
    this.#stop();
    this.fdb.flush();
    this.#ports.forget(this);
    this.settings.device?.unlisten(this);
  }

  #answerArp(frame: FrameId): void {
    const frames = this.#frames;
    const reply = this.device.noArp ? NO_FRAME : proxyReply(frames, frame, this);
    if (reply === NO_FRAME) {
      frames.drop(frame, "vxlan-arp-consumed", this.device);
      return;
    }
    this.deliverSoon(reply);
    frames.consume(frame);
  }

  /** netif_rx: the frame comes in by this device once the sender's call has ended. */
  deliverSoon(frame: FrameId): void {
    this.underlay.clock.schedule(0, this.#receiver, frame);
  }

  bypass(frame: FrameId, vni: Vni, port: number): boolean {
    const target = this.#ports.find(vni, port);
    if (!(target instanceof Vxlan)) return false;
    const bytes = this.#frames.bytes;
    const at = this.#frames.start(frame);
    const high = ethernet.sourceHigh(bytes, at);
    const low = ethernet.sourceLow(bytes, at);
    if (target.settings.learning && !isInvalidSource(high, low)) target.fdb.learn(high, low, IPV4_LOOPBACK);
    target.deliverSoon(frame);
    return true;
  }

  /** RFC 6040 §4.2. False: the frame was dropped. */
  #takeMark(frame: FrameId, outer: number): boolean {
    const frames = this.#frames;
    const at = frames.start(frame);
    const end = frames.end(frame);
    if (!carriesIp(frames.bytes, at, end)) return true;
    const inner = innerTypeOfService(frames.bytes, at, end);
    const marked = decapsulatedTypeOfService(outer, inner);
    if (marked === undefined) {
      this.#dropReceived(frame, "vxlan-ecn");
      return false;
    }
    if (marked !== inner) setInnerTypeOfService(frames.bytes, at, marked);
    return true;
  }

  /** skb_scrub_packet: a packet that goes into or comes out of a tunnel belongs to no connection; another namespace's mark is not ours. */
  scrub(frame: FrameId): void {
    const frames = this.#frames;
    frames.connection[frame] = 0;
    frames.flags[frame] = 0;
    frames.fragmentLimit[frame] = 0;
    if (this.device.stack !== this.underlay) frames.mark[frame] = 0;
  }

  dropSent(frame: FrameId, reason: DropReason): void {
    this.device.txDropped++;
    this.#frames.drop(frame, reason, this.device);
  }

  #dropReceived(frame: FrameId, reason: DropReason): void {
    this.device.rxDropped++;
    this.#frames.drop(frame, reason, this.device);
  }
}

/** Makes a VXLAN device in `namespace`, its UDP socket in `underlay`. The name is free. It is down. */
export function createVxlan(
  namespace: NetworkNamespace,
  underlay: NetworkNamespace,
  options: VxlanOptions,
): Vxlan | VxlanProblem {
  const settings = vxlanSettings(options);
  if (settings.group && settings.device === undefined)
    return { errno: "EINVAL", message: "Local interface required for multicast remote group" };
  if (vxlanPortsOf(underlay).taken(settings.vni, settings.destinationPort))
    return { errno: "EEXIST", message: "A VXLAN device with the specified VNI already exists" };
  const driver = new Vxlan(underlay, settings);
  const address = options.address ?? namespace.drawMac(options.name);
  const mtu = initialMtu(options);
  driver.connect(namespace.addDevice({ name: options.name, kind: "vxlan", address, mtu, driver }));
  return driver;
}

/** A source that no host may have: a group address, or zero. */
function isInvalidSource(high: number, low: number): boolean {
  return (high & 0x100) !== 0 || (high | low) === 0;
}
