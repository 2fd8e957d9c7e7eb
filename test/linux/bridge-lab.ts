/** A bridge with hosts' ends on its ports: frames are sent by hand and what arrives is written down. */

import { expect } from "vitest";
import { type Bridge, type BridgeHost, type BridgeOptions, createBridge } from "../../src/linux/bridge.ts";
import type { BridgeHooks } from "../../src/linux/bridge-hooks.ts";
import { BridgePort } from "../../src/linux/bridge-port.ts";
import { type FrameId, FrameStore } from "../../src/linux/frame-store.ts";
import { PERFECT_LINK } from "../../src/linux/link-settings.ts";
import { type DeviceKind, type Driver, NetDevice, type ProtocolStack } from "../../src/linux/net-device.ts";
import type { StormGuard } from "../../src/linux/storm-guard.ts";
import { WireEnd } from "../../src/linux/wire-end.ts";
import { Random } from "../../src/sim/random.ts";
import { Simulation } from "../../src/sim/simulation.ts";
import { SECOND } from "../../src/sim/time.ts";
import type { MacAddress } from "../../src/wire/address.ts";
import { putU48 } from "../../src/wire/bytes.ts";

/** A namespace that knows devices only; frames that reach its protocols are noted and end. */
export class Host implements BridgeHost, ProtocolStack {
  readonly name: string;
  readonly clock: Simulation;
  readonly frames: FrameStore;
  readonly random: Random;
  netfilterBridge: BridgeHooks | undefined = undefined;
  stormGuard: StormGuard | undefined = undefined;
  /** Hexadecimal bytes of what the protocols got, with the device's name in front. */
  readonly got: string[] = [];
  /** Flags of the frames got. */
  readonly flags: number[] = [];
  #index = 0;

  constructor(name: string, lab: BridgeLab) {
    this.name = name;
    this.clock = lab.simulation;
    this.frames = lab.frames;
    this.random = lab.simulation.random.fork(name);
  }

  addDevice(options: { name: string; kind: DeviceKind; address: MacAddress; mtu: number; driver: Driver }): NetDevice {
    this.#index++;
    return new NetDevice({
      ...options,
      index: this.#index,
      frames: this.frames,
      stack: this,
      namespaceName: this.name,
    });
  }

  receive(device: NetDevice, frame: FrameId): void {
    this.got.push(`${device.name} ${hex(this.frames, frame)}`);
    this.flags.push(this.frames.flags[frame]!);
    this.frames.consume(frame);
  }
}

export function hex(frames: FrameStore, frame: FrameId): string {
  return Buffer.from(frames.bytes.subarray(frames.start(frame), frames.end(frame))).toString("hex");
}

/** Bytes of a frame: addresses, then a type (and more) in hexadecimal. */
export function frameBytes(destination: number, source: number, rest = "88b50000"): Uint8Array {
  const bytes = new Uint8Array(12 + rest.length / 2);
  putU48(bytes, 0, destination);
  putU48(bytes, 6, source);
  bytes.set(Buffer.from(rest, "hex"), 12);
  return bytes;
}

export interface End {
  /** The device at the other end of the cable. */
  readonly far: NetDevice;
  readonly near: NetDevice;
  readonly port: BridgePort;
  readonly host: Host;
}

export class BridgeLab {
  readonly simulation = new Simulation(new Random("bridge lab"));
  readonly frames = new FrameStore(this.simulation, 64, 4);
  readonly node = new Host("n1", this);

  bridge(options: Partial<BridgeOptions> = {}, host: Host = this.node): Bridge {
    const bridge = createBridge(host, { name: "br0", ...options });
    bridge.device.setUp(true);
    return bridge;
  }

  /** A cable between two hosts, both ends up. The near end's MAC is 02:aa…`number`, the far end's 02:42…`number`. */
  cable(
    near: Host,
    far: Host,
    number: number,
    nearName: string,
    farName = "eth0",
  ): { near: NetDevice; far: NetDevice } {
    const toFar = new WireEnd(this.simulation, this.frames, { ...PERFECT_LINK, delayNs: 1_000 });
    const toNear = new WireEnd(this.simulation, this.frames, { ...PERFECT_LINK, delayNs: 1_000 });
    const a = near.addDevice({ name: nearName, kind: "veth", address: nearMac(number), mtu: 1500, driver: toFar });
    const b = far.addDevice({ name: farName, kind: "veth", address: farMac(number), mtu: 1500, driver: toNear });
    toFar.connect(a, b, this.simulation.register(b));
    toNear.connect(b, a, this.simulation.register(a));
    a.setUp(true);
    b.setUp(true);
    return { near: a, far: b };
  }

  /** A host on a port of the bridge. */
  attach(bridge: Bridge, number: number): End {
    const host = new Host(`c${number}`, this);
    const { near, far } = this.cable(this.node, host, number, `v-c${number}`);
    const port = bridge.addPort(near);
    if (!(port instanceof BridgePort)) throw new Error(port);
    return { near, far, port, host };
  }

  /** Sends a frame out of a device and lets it arrive. */
  send(device: NetDevice, bytes: Uint8Array): void {
    const frame = this.frames.make(bytes.length);
    this.frames.bytes.set(bytes, this.frames.start(frame));
    device.transmit(frame);
    this.pass(100_000);
  }

  pass(delayNs: number): void {
    this.simulation.run(this.simulation.nowNs + delayNs);
  }

  passSeconds(seconds: number): void {
    this.pass(seconds * SECOND);
  }

  /** Every frame has ended, one way or the other. */
  expectNothingLost(): void {
    expect(this.frames.inFlight).toBe(0);
  }

  drops(): Record<string, number> {
    return Object.fromEntries(this.frames.dropsByReason);
  }
}

export function nearMac(number: number): MacAddress {
  return (0x02aa_0000_0000 + number) as MacAddress;
}

export function farMac(number: number): MacAddress {
  return (0x0242_0a00_0000 + number) as MacAddress;
}
