/** Where frames are seen: taps on devices, chosen by pattern, read by writers, counters and listeners alike. */
import type { Direction, PcapngWriter } from "../capture/pcapng-writer.ts";
import type { FrameId, FrameStore } from "../linux/frame-store.ts";
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

/** One device's tap: hands each frame to a pcapng file and to the listeners. */
class CapturePoint implements Tap {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #device: NetDevice;
  readonly #writers: { readonly writer: PcapngWriter; readonly interfaceId: number }[] = [];
  readonly #listeners: FrameListener[] = [];

  constructor(clock: Clock, frames: FrameStore, device: NetDevice) {
    this.#clock = clock;
    this.#frames = frames;
    this.#device = device;
  }

  write(writer: PcapngWriter, interfaceId: number): void {
    this.#writers.push({ writer, interfaceId });
  }

  listen(listener: FrameListener): void {
    this.#listeners.push(listener);
  }

  frame(frame: FrameId, direction: "in" | "out"): void {
    const frames = this.#frames;
    const at = frames.start(frame);
    const end = frames.end(frame);
    const packetId = frames.packetId[frame]!;
    const code: Direction = direction === "in" ? 1 : 2;
    const writers = this.#writers;
    for (let index = 0; index < writers.length; index++) {
      const { writer, interfaceId } = writers[index]!;
      writer.frame(interfaceId, this.#clock.nowNs, frames.bytes, at, end, code, packetId);
    }
    if (this.#listeners.length === 0) return;
    const seen = {
      place: this.#device.place,
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

export class CapturePoints {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #points = new Map<NetDevice, CapturePoint>();

  constructor(clock: Clock, frames: FrameStore) {
    this.#clock = clock;
    this.#frames = frames;
  }

  /** Writes what passes `device` to `writer`, as an interface named after its place. */
  write(device: NetDevice, writer: PcapngWriter): void {
    this.#at(device).write(writer, writer.addInterface(device.place, `${device.kind} of ${device.namespaceName}`));
  }

  listen(device: NetDevice, listener: FrameListener): void {
    this.#at(device).listen(listener);
  }

  #at(device: NetDevice): CapturePoint {
    let point = this.#points.get(device);
    if (point === undefined) {
      point = new CapturePoint(this.#clock, this.#frames, device);
      this.#points.set(device, point);
      // Alone on the device it is asked directly; beside a running tcpdump it shares.
      if (device.tap === undefined) device.tap = point;
      else addTap(device, point, true);
      device.promiscuous = true; // as tcpdump sets it: a bridge's device shows what the bridge relays
    }
    return point;
  }
}

/**
 * Does `pattern` mean the device at `place`? `*` stands for any text. `node1/br0` also means the br0 of a network's sandbox on node1
 * (`node1/uber-net/br0`), as people say it.
 */
export function matchesPlace(pattern: string, place: string): boolean {
  const expression = new RegExp(`^${pattern.replace(/[.+?^${}()|[\]\\]/g, "\\$&").replaceAll("*", ".*")}$`);
  if (expression.test(place)) return true;
  const parts = place.split("/");
  return parts.length === 3 && expression.test(`${parts[0]}/${parts[2]}`);
}
