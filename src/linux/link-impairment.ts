/**
 * One direction of a link that is not plain: partition, loss, corruption, duplication, queue, rate, jitter and overtaking, as
 * `LinkSettings` asks. Each kind of chance draws from its own stream, so that adding loss leaves the jitter as it was.
 */
import type { Random } from "../sim/random.ts";
import type { Clock, ReceiverId } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { deviationNs } from "./delay-distribution.ts";
import { corruptOneBit } from "./frame-corruption.ts";
import type { FrameId, FrameStore, Place } from "./frame-store.ts";
import type { LinkSettings } from "./link-settings.ts";
import { LossProcess } from "./loss-process.ts";
import { QUEUE_FULL, TransmitQueue } from "./transmit-queue.ts";

/** The streams of one direction, named after its sending end; made once, kept while settings come and go. */
export interface LinkStreams {
  readonly loss: Random;
  readonly corruption: Random;
  readonly duplication: Random;
  readonly jitter: Random;
  readonly reordering: Random;
}

export function forkLinkStreams(random: Random, place: string): LinkStreams {
  return {
    loss: random.fork(`link ${place} loss`),
    corruption: random.fork(`link ${place} corruption`),
    duplication: random.fork(`link ${place} duplication`),
    jitter: random.fork(`link ${place} jitter`),
    reordering: random.fork(`link ${place} reordering`),
  };
}

export class LinkImpairment {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #settings: LinkSettings;
  readonly #streams: LinkStreams;
  readonly #where: Place;
  readonly #receiver: ReceiverId;
  readonly #loss: LossProcess;
  readonly #dropFrames: ReadonlySet<number>;
  readonly #queue: TransmitQueue | undefined;
  readonly #inOrder: boolean;
  #ordinal = 0;
  #delayedInTurn = 0; // frames since one was let overtake
  #lastArrivalNs: Nanoseconds = 0;

  /** `where` is the sending device, `receiver` the peer's number at the clock. */
  constructor(options: {
    clock: Clock;
    frames: FrameStore;
    settings: LinkSettings;
    streams: LinkStreams;
    where: Place;
    receiver: ReceiverId;
  }) {
    this.#clock = options.clock;
    this.#frames = options.frames;
    this.#settings = options.settings;
    this.#streams = options.streams;
    this.#where = options.where;
    this.#receiver = options.receiver;
    const settings = options.settings;
    this.#loss = new LossProcess(settings.loss, options.streams.loss);
    this.#dropFrames = new Set(settings.dropFrames);
    this.#inOrder = settings.keepOrder || settings.rateBitsPerSecond > 0;
    this.#queue =
      settings.rateBitsPerSecond > 0
        ? new TransmitQueue(
            options.clock,
            settings.rateBitsPerSecond,
            settings.queueLimitFrames,
            settings.queueLimitBytes,
          )
        : undefined;
  }

  /** Takes over the hold. */
  transmit(frame: FrameId): void {
    const settings = this.#settings;
    this.#ordinal++;
    if (settings.partitioned) {
      this.#frames.drop(frame, "link-partition", this.#where);
      return;
    }
    // The loss process sees every frame, so that the list of lost ones leaves its draws alone.
    const lost = this.#loss.lose();
    if (lost || this.#dropFrames.has(this.#ordinal)) {
      this.#frames.drop(frame, "link-loss", this.#where);
      return;
    }
    let sent = frame;
    if (this.#streams.corruption.chance(settings.corruptPartsPerMillion))
      sent = corruptOneBit(this.#frames, frame, this.#streams.corruption);
    const twice = this.#streams.duplication.chance(settings.duplicatePartsPerMillion);
    if (twice) this.#frames.hold(sent);
    this.#queueAndDelay(sent);
    if (twice) this.#queueAndDelay(sent);
  }

  #queueAndDelay(frame: FrameId): void {
    const nowNs = this.#clock.nowNs;
    let departureNs = nowNs;
    if (this.#queue !== undefined) {
      const waitNs = this.#queue.admit(this.#frames.length(frame));
      if (waitNs === QUEUE_FULL) {
        this.#frames.drop(frame, "link-queue-full", this.#where);
        return;
      }
      departureNs += waitNs;
    }
    const settings = this.#settings;
    if (this.#overtakes()) {
      this.#clock.schedule(departureNs - nowNs, this.#receiver, frame);
      return;
    }
    const jitterNs = deviationNs(settings.jitterNs, settings.distribution, this.#streams.jitter);
    let arrivalNs = departureNs + Math.max(0, settings.delayNs + jitterNs);
    if (this.#inOrder && arrivalNs < this.#lastArrivalNs) arrivalNs = this.#lastArrivalNs;
    this.#lastArrivalNs = arrivalNs;
    this.#clock.schedule(arrivalNs - nowNs, this.#receiver, frame);
  }

  /** netem's rule: after gap - 1 delayed frames, the next goes at once with the given chance. */
  #overtakes(): boolean {
    const settings = this.#settings;
    if (settings.reorderPartsPerMillion === 0) return false;
    const mayOvertake = this.#delayedInTurn >= settings.reorderGap - 1;
    if (mayOvertake && this.#streams.reordering.chance(settings.reorderPartsPerMillion)) {
      this.#delayedInTurn = 0;
      return true;
    }
    this.#delayedInTurn++;
    return false;
  }
}
