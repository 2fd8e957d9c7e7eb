/** The buffer in which a frame is damaged before it is put in. */
import { type Memory, makeMemory } from "../../wire/checksum.ts";

/** The longest frame that damage may grow to. */
export const LONGEST_BYTES = 60_000;

/** A frame being damaged: the bytes from 0 to `length` of `memory`. */
export class Draft {
  readonly memory: Memory = makeMemory(LONGEST_BYTES + 256);
  length = 0;

  get bytes(): Uint8Array {
    return this.memory.bytes;
  }

  load(frame: Uint8Array): void {
    this.length = Math.min(frame.length, LONGEST_BYTES);
    this.bytes.set(frame.subarray(0, this.length));
  }

  copy(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  /** Makes room for `count` bytes at `at`; false when the frame would be too long. The new bytes are dirty. */
  open(at: number, count: number): boolean {
    if (this.length + count > LONGEST_BYTES) return false;
    this.bytes.copyWithin(at + count, at, this.length);
    this.length += count;
    return true;
  }

  /** Takes the bytes from `at` to `end` out. */
  close(at: number, end: number): void {
    this.bytes.copyWithin(at, end, this.length);
    this.length -= end - at;
  }
}
