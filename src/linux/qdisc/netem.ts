/**
 * Network emulation as a queueing discipline, net/sched/sch_netem.c: what people type as `tc qdisc add dev eth0 root netem delay 100ms loss
 * 1%`. The order of events is the kernel's: duplication, loss, corruption, limit, then delay and rate, or overtaking.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { type DelayDistribution, deviationOf } from "../delay-distribution.ts";
import { corruptOneBit } from "../frame-corruption.ts";
import type { FrameId, FrameStore } from "../frame-store.ts";
import { type LossModel, LossProcess, NO_LOSS } from "../loss-process.ts";
import type { DeviceChange, DeviceListener, NetDevice } from "../net-device.ts";
import { type ConfiguredQdisc, inheritCounters } from "./configured-qdisc.ts";
import { CorrelatedRandom } from "./correlated-random.ts";
import { percentText, rateText, timeText } from "./tc-text.ts";
import { TimedQueue } from "./timed-queue.ts";

/** As tc takes them; chances and correlations in parts per million. */
export interface NetemOptions {
  /** Frames that may wait: 1000 unless given. */
  readonly limitFrames?: number | undefined;
  readonly delayNs?: Nanoseconds | undefined;
  readonly jitterNs?: Nanoseconds | undefined;
  readonly delayCorrelationPartsPerMillion?: number | undefined;
  readonly distribution?: DelayDistribution | undefined;
  readonly loss?: LossModel | undefined;
  readonly lossCorrelationPartsPerMillion?: number | undefined;
  readonly duplicatePartsPerMillion?: number | undefined;
  readonly duplicateCorrelationPartsPerMillion?: number | undefined;
  readonly corruptPartsPerMillion?: number | undefined;
  readonly corruptCorrelationPartsPerMillion?: number | undefined;
  readonly reorderPartsPerMillion?: number | undefined;
  readonly reorderCorrelationPartsPerMillion?: number | undefined;
  /** Every n-th frame may overtake; 1 unless given. */
  readonly gap?: number | undefined;
  readonly rateBitsPerSecond?: number | undefined;
}

const DEFAULT_LIMIT_FRAMES = 1_000;
const BITS_NS = 8_000_000_000;

export class Netem implements ConfiguredQdisc, DeviceListener {
  readonly kind = "netem";
  readonly options: NetemOptions;
  handle = 0;
  sentFrames = 0;
  sentBytes = 0;
  /** Packets dropped here: `tc -s`. */
  dropped = 0;
  /** Frames that found the queue full. */
  overlimits = 0;
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #device: NetDevice;
  readonly #queue = new TimedQueue();
  readonly #watchdog: Timer;
  readonly #losses: LossProcess;
  readonly #lossDraws: CorrelatedRandom;
  readonly #duplications: CorrelatedRandom;
  readonly #corruptions: CorrelatedRandom;
  readonly #corruptedBits: Random;
  readonly #delays: CorrelatedRandom;
  readonly #reorderings: CorrelatedRandom;
  #delayedInTurn = 0;
  #queuedBytes = 0;

  /** `random` is this qdisc's own stream. */
  constructor(clock: Clock, device: NetDevice, random: Random, options: NetemOptions) {
    this.options = options;
    this.#clock = clock;
    this.#frames = device.frames;
    this.#device = device;
    this.#watchdog = new Timer(clock, () => this.#dequeue());
    this.#losses = new LossProcess(options.loss ?? NO_LOSS, random.fork("loss model"));
    this.#lossDraws = new CorrelatedRandom(random.fork("loss"), options.lossCorrelationPartsPerMillion);
    this.#duplications = new CorrelatedRandom(random.fork("duplicate"), options.duplicateCorrelationPartsPerMillion);
    this.#corruptions = new CorrelatedRandom(random.fork("corrupt"), options.corruptCorrelationPartsPerMillion);
    this.#corruptedBits = random.fork("corrupted bits");
    this.#delays = new CorrelatedRandom(random.fork("delay"), options.delayCorrelationPartsPerMillion);
    this.#reorderings = new CorrelatedRandom(random.fork("reorder"), options.reorderCorrelationPartsPerMillion);
    device.listen(this);
  }

  get backlogFrames(): number {
    return this.#queue.count;
  }

  get backlogBytes(): number {
    return this.#queuedBytes;
  }

  enqueue(frame: FrameId): void {
    const copies = 1 + (this.#duplications.chance(this.options.duplicatePartsPerMillion ?? 0) ? 1 : 0);
    const left = copies - (this.#lose() ? 1 : 0);
    if (left === 0) {
      this.#drop(frame);
      return;
    }
    if (left === 2) {
      // The copy goes first, through everything but duplication; it is lost, delayed and damaged for itself.
      this.#frames.hold(frame);
      if (this.#lose()) this.#drop(frame);
      else this.#take(frame);
    }
    this.#take(frame);
    this.#wake();
  }

  deviceChanged(_device: NetDevice, change: DeviceChange): void {
    if (change === "down" || change === "removed") this.reset();
  }

  /** Drops what waits. */
  reset(): void {
    this.#watchdog.stop();
    while (this.#queue.count > 0) this.#drop(this.#queue.shift());
    this.#queuedBytes = 0;
  }

  inherit(before: ConfiguredQdisc): void {
    inheritCounters(this, before);
    if (!(before instanceof Netem)) return;
    while (before.#queue.count > 0) {
      const atNs = before.#queue.firstNs;
      this.#queue.push(atNs, before.#queue.shift());
    }
    this.#queuedBytes = before.#queuedBytes;
    before.#queuedBytes = 0;
    this.#wake();
  }

  /** The qdisc is taken off its device. */
  remove(): void {
    this.reset();
    this.#device.unlisten(this);
  }

  /** What `tc qdisc show` prints behind the handle. */
  describe(): string {
    const { options } = this;
    let text = `limit ${options.limitFrames ?? DEFAULT_LIMIT_FRAMES}`;
    if ((options.delayNs ?? 0) > 0 || (options.jitterNs ?? 0) > 0) {
      text += ` delay ${timeText(options.delayNs ?? 0)}`;
      if ((options.jitterNs ?? 0) > 0) {
        text += `  ${timeText(options.jitterNs ?? 0)}`;
        if ((options.delayCorrelationPartsPerMillion ?? 0) > 0)
          text += ` ${percentText(options.delayCorrelationPartsPerMillion ?? 0)}`;
      }
    }
    text += lossText(options.loss ?? NO_LOSS, options.lossCorrelationPartsPerMillion);
    text += chanceText("duplicate", options.duplicatePartsPerMillion, options.duplicateCorrelationPartsPerMillion);
    text += chanceText("reorder", options.reorderPartsPerMillion, options.reorderCorrelationPartsPerMillion);
    text += chanceText("corrupt", options.corruptPartsPerMillion, options.corruptCorrelationPartsPerMillion);
    if ((options.rateBitsPerSecond ?? 0) > 0) text += ` rate ${rateText(options.rateBitsPerSecond ?? 0)}`;
    if ((options.reorderPartsPerMillion ?? 0) > 0) text += ` gap ${options.gap ?? 1}`;
    return text;
  }

  #lose(): boolean {
    const loss = this.options.loss ?? NO_LOSS;
    if (loss.kind === "random") return this.#lossDraws.chance(loss.partsPerMillion);
    return this.#losses.lose();
  }

  #drop(frame: FrameId): void {
    this.dropped++;
    this.#frames.drop(frame, "qdisc-drop", this.#device);
  }

  /** A frame that is not lost: damage, limit, and the time at which it shall leave. */
  #take(frame: FrameId): void {
    const { options } = this;
    let own = frame;
    if (this.#corruptions.chance(options.corruptPartsPerMillion ?? 0))
      own = corruptOneBit(this.#frames, frame, this.#corruptedBits);
    if (this.#queue.count >= (options.limitFrames ?? DEFAULT_LIMIT_FRAMES)) {
      this.overlimits++;
      this.#drop(own);
      return;
    }
    this.#queuedBytes += this.#frames.length(own);
    const nowNs = this.#clock.nowNs;
    if (this.#overtakes()) this.#queue.pushFirst(nowNs, own);
    else this.#queue.push(this.#departureNs(nowNs, own), own);
  }

  #departureNs(nowNs: Nanoseconds, frame: FrameId): Nanoseconds {
    const { options } = this;
    const jitterNs = options.jitterNs ?? 0;
    let delayNs = options.delayNs ?? 0;
    if (jitterNs > 0) delayNs += deviationOf(this.#delays.next(), jitterNs, options.distribution ?? "uniform");
    const rate = options.rateBitsPerSecond ?? 0;
    if (rate === 0) return nowNs + Math.max(0, delayNs);
    // The delay runs while the last frame in the queue is still waiting or being sent.
    let startNs = nowNs;
    if (this.#queue.count > 0) {
      delayNs = Math.max(0, delayNs - (this.#queue.lastNs - nowNs));
      startNs = this.#queue.lastNs;
    }
    return startNs + Math.max(0, delayNs) + Math.floor((this.#frames.length(frame) * BITS_NS) / rate);
  }

  #overtakes(): boolean {
    const chance = this.options.reorderPartsPerMillion ?? 0;
    if (chance === 0) return false;
    if (this.#delayedInTurn >= (this.options.gap ?? 1) - 1 && this.#reorderings.chance(chance)) {
      this.#delayedInTurn = 0;
      return true;
    }
    this.#delayedInTurn++;
    return false;
  }

  #wake(): void {
    if (this.#queue.count === 0) return;
    const waitNs = this.#queue.firstNs - this.#clock.nowNs;
    if (waitNs <= 0) this.#dequeue();
    else this.#watchdog.set(waitNs);
  }

  #dequeue(): void {
    while (this.#queue.count > 0 && this.#queue.firstNs <= this.#clock.nowNs) {
      const frame = this.#queue.shift();
      const length = this.#frames.length(frame);
      this.#queuedBytes -= length;
      this.sentFrames++;
      this.sentBytes += length;
      this.#device.sendNow(frame);
    }
    if (this.#queue.count > 0) this.#watchdog.set(this.#queue.firstNs - this.#clock.nowNs);
  }
}

function chanceText(word: string, partsPerMillion = 0, correlationPartsPerMillion = 0): string {
  if (partsPerMillion === 0) return "";
  const correlation = correlationPartsPerMillion === 0 ? "" : ` ${percentText(correlationPartsPerMillion)}`;
  return ` ${word} ${percentText(partsPerMillion)}${correlation}`;
}

function lossText(loss: LossModel, correlationPartsPerMillion: number | undefined): string {
  switch (loss.kind) {
    case "none":
      return "";
    case "random":
      return chanceText("loss", loss.partsPerMillion, correlationPartsPerMillion);
    case "gilbert-elliott":
      return ` loss gemodel p ${percentText(loss.goodToBadPartsPerMillion)} r ${percentText(loss.badToGoodPartsPerMillion)} 1-h ${percentText(loss.lossInBadPartsPerMillion)} 1-k ${percentText(loss.lossInGoodPartsPerMillion)}`;
    case "four-state":
      return ` loss state p13 ${percentText(loss.p13PartsPerMillion)} p31 ${percentText(loss.p31PartsPerMillion)} p32 ${percentText(loss.p32PartsPerMillion)} p23 ${percentText(loss.p23PartsPerMillion)} p14 ${percentText(loss.p14PartsPerMillion)}`;
  }
}
