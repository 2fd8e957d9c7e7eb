/** Several capture points on one device: a device has room for one tap, which here hands each frame to all. */
import type { FrameId } from "./frame-store.ts";
import type { NetDevice, Tap } from "./net-device.ts";

class TapSet implements Tap {
  readonly taps: Tap[] = [];
  /** What the device was before the first of them came. */
  readonly promiscuousBefore: boolean;

  constructor(promiscuousBefore: boolean) {
    this.promiscuousBefore = promiscuousBefore;
  }

  frame(frame: FrameId, direction: "in" | "out"): void {
    for (const tap of [...this.taps]) tap.frame(frame, direction);
  }
}

/** Adds a tap to whatever taps the device has; `promiscuous` as tcpdump sets it. The result takes it off again. */
export function addTap(device: NetDevice, tap: Tap, promiscuous: boolean): () => void {
  let set = device.tap;
  if (!(set instanceof TapSet)) {
    const fresh = new TapSet(device.promiscuous);
    if (set !== undefined) fresh.taps.push(set);
    device.tap = fresh;
    set = fresh;
  }
  const joined = set as TapSet;
  joined.taps.push(tap);
  if (promiscuous) device.promiscuous = true;
  return () => {
    const index = joined.taps.indexOf(tap);
    if (index < 0) return;
    joined.taps.splice(index, 1);
    if (device.tap !== joined || joined.taps.length > 1) return;
    device.tap = joined.taps[0];
    device.promiscuous = joined.promiscuousBefore;
  };
}
