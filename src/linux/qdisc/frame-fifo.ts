/** Frames in order, with their bytes: what the kernel's bfifo and pfifo hold. A ring that grows. */
import type { FrameId, FrameStore } from "../frame-store.ts";

export class FrameFifo {
  readonly #frames: FrameStore;
  #ring = new Int32Array(16); // a power of two
  #head = 0;
  #count = 0;
  #bytes = 0;

  constructor(frames: FrameStore) {
    this.#frames = frames;
  }

  get count(): number {
    return this.#count;
  }

  get bytes(): number {
    return this.#bytes;
  }

  push(frame: FrameId): void {
    if (this.#count === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#count) & (this.#ring.length - 1)] = frame;
    this.#count++;
    this.#bytes += this.#frames.length(frame);
  }

  /** The first one, which stays; there is one. */
  peek(): FrameId {
    return this.#ring[this.#head]! as FrameId;
  }

  /** Takes the first one; there is one. */
  shift(): FrameId {
    const frame = this.peek();
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#count--;
    this.#bytes -= this.#frames.length(frame);
    return frame;
  }

  #grow(): void {
    const wider = new Int32Array(this.#ring.length * 2);
    for (let index = 0; index < this.#count; index++)
      wider[index] = this.#ring[(this.#head + index) & (this.#ring.length - 1)]!;
    this.#ring = wider;
    this.#head = 0;
  }
}
