/**
 * A VLAN device, `ip link add link eth0 name eth0.10 type vlan id 10` (net/8021q): sends by its real device with an IEEE 802.1Q tag, and
 * receives the frames of that VLAN without it. On a real device with VLAN devices a demultiplexer stands before the bridge port, if the
 * device is one: a tag that is known here never reaches the bridge.
 */
import type { MacAddress } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as vlan from "../wire/vlan.ts";
import { tag, untag } from "./bridge-vlan.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import type { DeviceChange, DeviceKind, DeviceListener, Driver, IngressHandler, NetDevice } from "./net-device.ts";

/** What a VLAN device needs of the namespace that it is made in. */
export interface VlanHost {
  addDevice(options: { name: string; kind: DeviceKind; address: MacAddress; mtu: number; driver: Driver }): NetDevice;
}

export interface VlanOptions {
  readonly name: string;
  readonly real: NetDevice;
  /** 0 to 4094. */
  readonly vid: number;
  readonly address?: MacAddress | undefined;
}

/** Makes a VLAN device, down, with the real device's address and MTU; "EEXIST" when the real device has that VLAN already. */
export function createVlanDevice(host: VlanHost, options: VlanOptions): NetDevice | "EEXIST" {
  const { real, vid } = options;
  const demultiplexer = real.ingress instanceof VlanDemultiplexer ? real.ingress : new VlanDemultiplexer(real);
  if (demultiplexer.has(vid)) return "EEXIST";
  const driver = new VlanDriver(real, vid);
  const device = host.addDevice({
    name: options.name,
    kind: "vlan",
    address: options.address ?? real.address,
    mtu: real.mtu,
    driver,
  });
  driver.attach(device, demultiplexer);
  return device;
}

/** The VLAN of a VLAN device and the device below it. */
export function vlanOf(device: NetDevice): { readonly vid: number; readonly real: NetDevice } | undefined {
  return device.driver instanceof VlanDriver ? device.driver : undefined;
}

/** Makes `handler` the one that takes the device's received frames (undefined: its protocols), behind its VLAN devices. */
export function takeIngress(device: NetDevice, handler: IngressHandler | undefined): void {
  if (device.ingress instanceof VlanDemultiplexer) device.ingress.next = handler;
  else device.ingress = handler;
}

class VlanDemultiplexer implements IngressHandler {
  readonly #real: NetDevice;
  readonly #frames: FrameStore;
  readonly #devices = new Map<number, NetDevice>();
  /** Who takes the other frames. */
  next: IngressHandler | undefined;

  constructor(real: NetDevice) {
    this.#real = real;
    this.#frames = real.frames;
    this.next = real.ingress;
  }

  has(vid: number): boolean {
    return this.#devices.has(vid);
  }

  add(vid: number, device: NetDevice): void {
    this.#devices.set(vid, device);
    this.#real.ingress = this;
  }

  delete(vid: number): void {
    this.#devices.delete(vid);
    if (this.#devices.size === 0) this.#real.ingress = this.next;
  }

  receive(frame: FrameId): void {
    const bytes = this.#frames.bytes;
    const at = this.#frames.start(frame);
    const end = this.#frames.end(frame);
    if (
      ethernet.check(bytes, at, end) === undefined &&
      ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_VLAN &&
      vlan.check(bytes, at + ethernet.HEADER_BYTES, end) === undefined
    ) {
      const device = this.#devices.get(vlan.vid(bytes, at + ethernet.HEADER_BYTES));
      if (device !== undefined) {
        device.receive(untag(this.#frames, frame));
        return;
      }
    }
    if (this.next !== undefined) this.next.receive(frame);
    else this.#real.stack.receive(this.#real, frame);
  }
}

class VlanDriver implements Driver, DeviceListener {
  readonly real: NetDevice;
  readonly vid: number;
  #device: NetDevice | undefined = undefined;
  #demultiplexer: VlanDemultiplexer | undefined = undefined;

  constructor(real: NetDevice, vid: number) {
    this.real = real;
    this.vid = vid;
  }

  attach(device: NetDevice, demultiplexer: VlanDemultiplexer): void {
    this.#device = device;
    this.#demultiplexer = demultiplexer;
    demultiplexer.add(this.vid, device);
    this.real.listen(this);
    device.listen(this);
    device.setCarrier(this.real.running);
  }

  transmit(frame: FrameId): void {
    this.real.transmit(tag(this.real.frames, frame, this.vid));
  }

  /** The carrier is the real device's; the device goes down and away with it (vlan_device_event). */
  deviceChanged(changed: NetDevice, change: DeviceChange): void {
    const device = this.#device;
    if (device === undefined) return;
    if (change === "removed") {
      this.#device = undefined;
      this.#demultiplexer?.delete(this.vid);
      const other = changed === device ? this.real : device;
      other.unlisten(this);
      if (changed === this.real) {
        device.setCarrier(false);
        device.setUp(false);
      }
    } else if (changed === this.real) {
      if (change === "down") device.setUp(false);
      if (change === "mtu" && device.mtu > this.real.mtu) device.setMtu(this.real.mtu);
      device.setCarrier(this.real.running);
    }
  }
}
