/** Keeps a copy of every frame that passes a device, with the wall clock's time. */
import type { CapturedFrame } from "../../../capture/capture-frame.ts";
import type { FrameId } from "../../../linux/frame-store.ts";
import type { Tap } from "../../../linux/net-device.ts";
import type { World } from "../../../linux/world.ts";
import { SECOND } from "../../../sim/time.ts";

const LINK_TYPE_ETHERNET = 1;

export class FrameTap implements Tap {
  readonly #world: World;
  readonly #frames: CapturedFrame[];
  readonly #onceOnly: boolean;
  readonly #startSeconds: number;

  /** `onceOnly`: libpcap shows a loopback's packets once, as they come in. */
  constructor(world: World, frames: CapturedFrame[], onceOnly: boolean, startSeconds: number) {
    this.#world = world;
    this.#frames = frames;
    this.#onceOnly = onceOnly;
    this.#startSeconds = startSeconds;
  }

  frame(frame: FrameId, direction: "in" | "out"): void {
    if (direction === "out" && this.#onceOnly) return;
    const store = this.#world.frames;
    const bytes = store.bytes.slice(store.start(frame), store.end(frame));
    const { nowNs } = this.#world.simulation;
    this.#frames.push({
      interfaceId: 0,
      interfaceName: "",
      time: { seconds: this.#startSeconds + Math.floor(nowNs / SECOND), nanoseconds: nowNs % SECOND },
      bytes,
      originalLength: bytes.length,
      direction: direction === "in" ? 1 : 2,
      packetId: store.packetId[frame]!,
      comment: undefined,
      linkType: LINK_TYPE_ETHERNET,
    });
  }
}
