/** Where frames are seen: taps on devices, chosen by pattern, read by writers, counters and listeners alike. */
import type { Direction, PcapngWriter } from "../capture/pcapng-writer.ts";
import type { FrameId, FrameStore } from "../linux/frame-store.ts";
import type { DeviceWatcher } from "../linux/namespace.ts";
import type { NetDevice, Tap } from "../linux/net-device.ts";
import { addTap } from "../linux/tap-set.ts";
import type { Clock } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";

/** A frame as a capture point shows it. `bytes` from `at` to `end` are valid during the call only; copy what is kept. */
export interface CapturedFrame {
  readonly place: string;
  readonly timeNs: Nanoseconds;
  readonly direction: "in" | "out";
  readonly bytes: Uint8Array;
  readonly at: number;
  readonly end: number;
  /** The packet's life number: the same on every capture point it passes. */
  readonly packetId: number;
}

export type FrameListener = (frame: CapturedFrame) => void;

/** A file that a device is written to; its interface is described with the first frame when the device came late. */
interface Output {
  readonly writer: PcapngWriter;
  interfaceId: number | undefined;
}

/** One device's tap: hands each frame to pcapng files and to the listeners. */
class CapturePoint implements Tap {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #device: NetDevice;
  readonly #placeOf: (device: NetDevice) => string;
  #outputs: Output[] = [];
  #listeners: FrameListener[] = [];

  constructor(clock: Clock, frames: FrameStore, device: NetDevice, placeOf: (device: NetDevice) => string) {
    this.#clock = clock;
    this.#frames = frames;
    this.#device = device;
    this.#placeOf = placeOf;
  }

  write(writer: PcapngWriter, interfaceId: number | undefined): void {
    this.#outputs.push({ writer, interfaceId });
  }

  listen(listener: FrameListener): void {
    this.#listeners.push(listener);
  }

  /** The device has another place now: who watched it there may not want it here. */
  clear(): void {
    this.#outputs = [];
    this.#listeners = [];
  }

  frame(frame: FrameId, direction: "in" | "out"): void {
    const frames = this.#frames;
    const at = frames.start(frame);
    const end = frames.end(frame);
    const packetId = frames.packetId[frame]!;
    const code: Direction = direction === "in" ? 1 : 2;
    const outputs = this.#outputs;
    for (let index = 0; index < outputs.length; index++) {
      const output = outputs[index]!;
      const { writer } = output;
      output.interfaceId ??= writer.addInterface(this.#placeOf(this.#device), descriptionOf(this.#device));
      writer.frame(output.interfaceId, this.#clock.nowNs, frames.bytes, at, end, code, packetId);
    }
    if (this.#listeners.length === 0) return;
    const seen = {
      place: this.#placeOf(this.#device),
      timeNs: this.#clock.nowNs,
      direction,
      bytes: frames.bytes,
      at,
      end,
      packetId,
    };
    for (const listener of this.#listeners) listener(seen);
  }
}

/** Somebody who wants devices that are still to come. */
export interface Follower {
  wants(device: NetDevice): boolean;
  /** A file, which is written from the device's first frame on; or a listener, made for each device. */
  readonly follow: PcapngWriter | ((device: NetDevice) => FrameListener);
}

export class CapturePoints implements DeviceWatcher {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #placeOf: (device: NetDevice) => string;
  readonly #points = new WeakMap<NetDevice, CapturePoint>();
  readonly #followers: Follower[] = [];

  /** `placeOf`: what people call a device. */
  constructor(clock: Clock, frames: FrameStore, placeOf: (device: NetDevice) => string = ({ place }) => place) {
    this.#clock = clock;
    this.#frames = frames;
    this.#placeOf = placeOf;
  }

  /** Writes what passes `device` to `writer`, as an interface named after its place. */
  write(device: NetDevice, writer: PcapngWriter): void {
    this.#at(device).write(writer, writer.addInterface(this.#placeOf(device), descriptionOf(device)));
  }

  listen(device: NetDevice, listener: FrameListener): void {
    this.#at(device).listen(listener);
  }

  /** From now on; devices that are there already are the caller's to join. */
  follow(follower: Follower): void {
    this.#followers.push(follower);
  }

  /** A device is new, or has been moved. */
  deviceCame(device: NetDevice): void {
    this.#points.get(device)?.clear();
    for (const { wants, follow } of this.#followers) {
      if (!wants(device)) continue;
      if (typeof follow === "function") this.#at(device).listen(follow(device));
      else this.#at(device).write(follow, undefined);
    }
  }

  #at(device: NetDevice): CapturePoint {
    let point = this.#points.get(device);
    if (point === undefined) {
      point = new CapturePoint(this.#clock, this.#frames, device, this.#placeOf);
      this.#points.set(device, point);
      // Alone on the device it is asked directly; beside a running tcpdump it shares.
      if (device.tap === undefined) device.tap = point;
      else addTap(device, point, true);
      device.promiscuous = true; // as tcpdump sets it: a bridge's device shows what the bridge relays
    }
    return point;
  }
}

function descriptionOf({ kind, namespaceName }: NetDevice): string {
  return `${kind} of ${namespaceName}`;
}

/** Interfaces of containers. */
const CONTAINER_INTERFACE = /^eth\d+$/;

/**
 * Does `pattern` mean the device at `place`? `*` stands for any text. `node1/br0` also means the br0 of a network's sandbox on node1
 * (`node1/uber-net/br0`), as people say it.
 */
export function matchesPlace(pattern: string, place: string): boolean {
  const expression = new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
  if (expression.test(place)) return true;
  const parts = place.split("/");
  return parts.length === 3 && !CONTAINER_INTERFACE.test(parts[2]!) && expression.test(`${parts[0]}/${parts[2]}`);
}
