/**
 * One network namespace as Linux has it: devices, addresses, neighbours, routes, firewall, sockets. What a container, a
 * Swarm node or a plain host is on the network.
 */
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import type { MacAddress } from "../wire/address.ts";
import type { FrameId, FrameStore, Place } from "./frame-store.ts";
import { type DeviceKind, type Driver, NetDevice, type ProtocolStack } from "./net-device.ts";

export class NetworkNamespace implements ProtocolStack, Place {
  readonly name: string;
  readonly clock: Clock;
  readonly frames: FrameStore;
  readonly random: Random;
  readonly #devices = new Map<string, NetDevice>();
  #nextIndex = 1;

  constructor(name: string, clock: Clock, frames: FrameStore, random: Random) {
    this.name = name;
    this.clock = clock;
    this.frames = frames;
    this.random = random;
  }

  get place(): string {
    return this.name;
  }

  /** In the order of their index. */
  get devices(): readonly NetDevice[] {
    return [...this.#devices.values()].sort((a, b) => a.index - b.index);
  }

  device(name: string): NetDevice | undefined {
    return this.#devices.get(name);
  }

  /** Makes a device, down and without addresses. The name is free: the caller has asked. */
  addDevice(options: { name: string; kind: DeviceKind; address: MacAddress; mtu: number; driver: Driver }): NetDevice {
    const device = new NetDevice({
      ...options,
      index: this.#nextIndex++,
      frames: this.frames,
      stack: this,
      namespaceName: this.name,
    });
    this.#devices.set(device.name, device);
    return device;
  }

  /** A frame that no bridge port took. It starts at its Ethernet header. */
  receive(device: NetDevice, frame: FrameId): void {
    this.frames.drop(frame, "ethertype-unknown", device);
  }
}
