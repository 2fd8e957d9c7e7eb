/** One bit of a frame turned on the way: what netem's `corrupt` and a bad cable do. The bit that a frame check sequence would catch is let through. */
import type { Random } from "../sim/random.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";

/** Takes over the hold and gives back the frame to go on with: a copy when others hold it. Its checksums are no longer known to be right. */
export function corruptOneBit(frames: FrameStore, frame: FrameId, random: Random): FrameId {
  const length = frames.length(frame);
  if (length === 0) return frame;
  const own = frames.writable(frame);
  const at = frames.start(own) + random.below(length);
  frames.bytes[at] = frames.bytes[at]! ^ (1 << random.below(8));
  frames.checksumKnown[own] = 0;
  return own;
}
