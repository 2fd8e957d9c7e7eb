/** `noqueue` (net/sched/sch_generic.c): frames pass at once and are not counted, as with no discipline at all. */
import type { FrameId } from "../frame-store.ts";
import type { NetDevice } from "../net-device.ts";
import type { ConfiguredQdisc } from "./configured-qdisc.ts";

export class NoQueue implements ConfiguredQdisc {
  readonly kind = "noqueue";
  handle = 0;
  sentFrames = 0;
  sentBytes = 0;
  dropped = 0;
  overlimits = 0;
  readonly backlogFrames = 0;
  readonly backlogBytes = 0;
  readonly #device: NetDevice;

  constructor(device: NetDevice) {
    this.#device = device;
  }

  enqueue(frame: FrameId): void {
    this.#device.sendNow(frame);
  }

  describe(): string {
    return "";
  }

  inherit(): void {}

  remove(): void {}
}
