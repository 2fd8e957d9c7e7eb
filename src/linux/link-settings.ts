/**
 * What one direction of a link does to frames: a value that is replaced as a whole, at any time of a run (a fault is such a
 * replacement). Chances are parts per million. In the order in which a frame meets them:
 *
 *   partition, the list of frames to lose, loss, corruption, duplication, queue and rate, delay and jitter or overtaking
 */
import type { Nanoseconds } from "../sim/time.ts";
import type { DelayDistribution } from "./delay-distribution.ts";
import { type LossModel, NO_LOSS } from "./loss-process.ts";

export interface LinkSettings {
  /** From one end to the other, after the last bit has left. */
  readonly delayNs: Nanoseconds;
  /** Added to or taken from the delay, see `distribution`; the delay never falls below 0. */
  readonly jitterNs: Nanoseconds;
  readonly distribution: DelayDistribution;
  /**
   * Jitter lets later frames overtake earlier ones, as netem does without a rate; true keeps them in order (an early one waits). With a
   * rate they always stay in order, as with netem: there is one transmitter.
   */
  readonly keepOrder: boolean;
  /** 0: a frame takes no time to be put on the wire, and no queue forms. Counts Ethernet frames without preamble and FCS. */
  readonly rateBitsPerSecond: number;
  /** Frames that wait for or are in transmission; what comes beyond is dropped. Linux's txqueuelen is 1000. */
  readonly queueLimitFrames: number;
  /** The same in bytes; 0: no limit in bytes. */
  readonly queueLimitBytes: number;
  readonly loss: LossModel;
  /** Ordinals (from 1) of frames offered to this direction since these settings came into force; each is lost. */
  readonly dropFrames: readonly number[];
  readonly duplicatePartsPerMillion: number;
  /** Chance that a frame skips delay and jitter, and so overtakes those before it. */
  readonly reorderPartsPerMillion: number;
  /** n >= 1: only after n - 1 delayed frames may the next one overtake. */
  readonly reorderGap: number;
  /** Chance that one bit of the frame is turned. */
  readonly corruptPartsPerMillion: number;
  /** The link is cut: nothing passes; the carrier stays, as behind a switch. */
  readonly partitioned: boolean;
}

/** A perfect cable: no delay, no limit, no loss. */
export const PERFECT_LINK: LinkSettings = {
  delayNs: 0,
  jitterNs: 0,
  distribution: "uniform",
  keepOrder: false,
  rateBitsPerSecond: 0,
  queueLimitFrames: 1_000,
  queueLimitBytes: 0,
  loss: NO_LOSS,
  dropFrames: [],
  duplicatePartsPerMillion: 0,
  reorderPartsPerMillion: 0,
  reorderGap: 1,
  corruptPartsPerMillion: 0,
  partitioned: false,
};

/** Does a delay say it all? Such a link costs one event a frame and draws no chance. */
export function isPlain(settings: LinkSettings): boolean {
  return (
    settings.jitterNs === 0 &&
    settings.rateBitsPerSecond === 0 &&
    settings.loss.kind === "none" &&
    settings.dropFrames.length === 0 &&
    settings.duplicatePartsPerMillion === 0 &&
    settings.reorderPartsPerMillion === 0 &&
    settings.corruptPartsPerMillion === 0 &&
    !settings.partitioned
  );
}
