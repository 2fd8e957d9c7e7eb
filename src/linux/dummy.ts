/** A dummy device (drivers/net/dummy.c): takes every frame and sends none; a place for addresses. */
import type { FrameId, FrameStore } from "./frame-store.ts";
import type { Driver } from "./net-device.ts";

export class Dummy implements Driver {
  readonly #frames: FrameStore;

  constructor(frames: FrameStore) {
    this.#frames = frames;
  }

  transmit(frame: FrameId): void {
    this.#frames.consume(frame);
  }
}
