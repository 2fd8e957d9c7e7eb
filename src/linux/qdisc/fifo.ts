/**
 * `pfifo`, `bfifo` and `pfifo_fast` (net/sched/sch_fifo.c, sch_generic.c). A device takes every frame at once, so that nothing ever waits here:
 * the limits are shown, and not reached.
 */
import type { FrameId } from "../frame-store.ts";
import type { NetDevice } from "../net-device.ts";
import { type ConfiguredQdisc, inheritCounters } from "./configured-qdisc.ts";

export type FifoKind = "pfifo" | "bfifo" | "pfifo_fast";

/** A device's transmit queue length, which is what a limit follows from. */
const QUEUE_FRAMES = 1_000;
const HEADER_BYTES = 14;

export class Fifo implements ConfiguredQdisc {
  readonly kind: FifoKind;
  handle = 0;
  sentFrames = 0;
  sentBytes = 0;
  dropped = 0;
  overlimits = 0;
  readonly backlogFrames = 0;
  readonly backlogBytes = 0;
  readonly #device: NetDevice;
  readonly #limit: number;

  /** `limit` in frames, for bfifo in bytes. */
  constructor(kind: FifoKind, device: NetDevice, limit: number | undefined) {
    this.kind = kind;
    this.#device = device;
    this.#limit = limit ?? (kind === "bfifo" ? QUEUE_FRAMES * (device.mtu + HEADER_BYTES) : QUEUE_FRAMES);
  }

  enqueue(frame: FrameId): void {
    this.sentFrames++;
    this.sentBytes += this.#device.frames.length(frame);
    this.#device.sendNow(frame);
  }

  describe(): string {
    if (this.kind === "pfifo_fast") return "bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1";
    return `limit ${this.#limit}${this.kind === "pfifo" ? "p" : "b"}`;
  }

  inherit(before: ConfiguredQdisc): void {
    inheritCounters(this, before);
  }

  remove(): void {}
}
