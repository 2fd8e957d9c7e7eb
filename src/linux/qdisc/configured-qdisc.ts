/** A queueing discipline that somebody has put on a device with `tc`: it has a handle and counters, and can be taken off again. */
import type { Qdisc } from "../net-device.ts";

export interface ConfiguredQdisc extends Qdisc {
  /** The major number, 1 to 0xffff. */
  handle: number;
  /** What left it, for `tc -s`. */
  sentFrames: number;
  sentBytes: number;
  dropped: number;
  overlimits: number;
  readonly backlogFrames: number;
  readonly backlogBytes: number;
  /** What `tc qdisc show` prints behind the handle and references; ends with a blank where tc's does. */
  describe(): string;
  /** `tc qdisc change`: takes over the frames that wait in one of its own kind, and its counters. */
  inherit(before: ConfiguredQdisc): void;
  /** The device loses it: what waits is dropped. */
  remove(): void;
}

export function isConfigured(qdisc: Qdisc | undefined): qdisc is ConfiguredQdisc {
  return qdisc !== undefined && "handle" in qdisc;
}

export function inheritCounters(after: ConfiguredQdisc, before: ConfiguredQdisc): void {
  after.sentFrames = before.sentFrames;
  after.sentBytes = before.sentBytes;
  after.dropped = before.dropped;
  after.overlimits = before.overlimits;
}
