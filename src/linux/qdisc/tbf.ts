/**
 * The token bucket filter, net/sched/sch_tbf.c: frames wait until tokens for their bytes have come in at `rate`; at most `burst` bytes of
 * tokens are kept. Tokens are nanoseconds, as in the kernel. With a peak rate a second, small bucket spaces the frames of a burst.
 */
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { FrameId, FrameStore } from "../frame-store.ts";
import type { DeviceChange, DeviceListener, NetDevice } from "../net-device.ts";
import { type ConfiguredQdisc, inheritCounters } from "./configured-qdisc.ts";
import { FrameFifo } from "./frame-fifo.ts";
import { RateClock } from "./rate-clock.ts";
import { rateText, sizeText, timeText } from "./tc-text.ts";

/** As `tc qdisc add … tbf` takes them; either a limit or a latency. */
export interface TbfOptions {
  /** At least 8. */
  readonly rateBitsPerSecond: number;
  /** `burst`, also called `buffer` and `maxburst`; longer frames are dropped. At least 1. */
  readonly burstBytes: number;
  /** Bytes that may wait. */
  readonly limitBytes?: number | undefined;
  /** How long a frame may wait at most: the limit follows from it. */
  readonly latencyNs?: Nanoseconds | undefined;
  readonly peakRateBitsPerSecond?: number | undefined;
  /** `mtu` or `minburst`: the peak bucket's size, which tc insists on; here the device's longest frame unless given. */
  readonly peakBurstBytes?: number | undefined;
}

/** An Ethernet header. */
const HEADER_BYTES = 14;
const NS_PER_S = 1_000_000_000;
/** tc counts time in ticks of 64 ns, 15.625 a microsecond, and reads them back in whole microseconds. */
const TICKS_PER_US = 15.625;

export class Tbf implements ConfiguredQdisc, DeviceListener {
  readonly kind = "tbf";
  readonly options: TbfOptions;
  readonly limitBytes: number;
  handle = 0;
  sentFrames = 0;
  sentBytes = 0;
  /** Packets dropped here: `tc -s`. */
  dropped = 0;
  /** How often a frame had to wait for tokens. */
  overlimits = 0;
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  readonly #device: NetDevice;
  readonly #fifo: FrameFifo;
  readonly #watchdog: Timer;
  readonly #rate: RateClock;
  readonly #bufferNs: Nanoseconds;
  readonly #peak: RateClock | undefined;
  readonly #peakBurstBytes: number;
  readonly #peakBufferNs: Nanoseconds;
  #tokensNs: Nanoseconds;
  #peakTokensNs: Nanoseconds;
  #checkedNs: Nanoseconds;

  constructor(clock: Clock, device: NetDevice, options: TbfOptions) {
    this.options = options;
    this.#clock = clock;
    this.#frames = device.frames;
    this.#device = device;
    this.#fifo = new FrameFifo(device.frames);
    this.#watchdog = new Timer(clock, () => this.#dequeue());
    this.#rate = new RateClock(options.rateBitsPerSecond);
    this.#bufferNs = this.#rate.timeNs(options.burstBytes);
    this.#peak = options.peakRateBitsPerSecond === undefined ? undefined : new RateClock(options.peakRateBitsPerSecond);
    this.#peakBurstBytes = options.peakBurstBytes ?? device.mtu + HEADER_BYTES;
    this.#peakBufferNs = this.#peak?.timeNs(this.#peakBurstBytes) ?? 0;
    this.limitBytes = options.limitBytes ?? limitFor(options, this.#rate.bytesPerSecond, this.#peakBurstBytes);
    this.#tokensNs = this.#bufferNs;
    this.#peakTokensNs = this.#peakBufferNs;
    this.#checkedNs = clock.nowNs;
    device.listen(this);
  }

  get backlogFrames(): number {
    return this.#fifo.count;
  }

  get backlogBytes(): number {
    return this.#fifo.bytes;
  }

  enqueue(frame: FrameId): void {
    const length = this.#frames.length(frame);
    const tooLong = length > this.options.burstBytes || (this.#peak !== undefined && length > this.#peakBurstBytes);
    if (tooLong || this.#fifo.bytes + length > this.limitBytes) {
      this.dropped++;
      this.#frames.drop(frame, "qdisc-drop", this.#device);
      return;
    }
    this.#fifo.push(frame);
    if (!this.#watchdog.armed) this.#dequeue();
  }

  deviceChanged(_device: NetDevice, change: DeviceChange): void {
    if (change === "down" || change === "removed") this.reset();
  }

  /** Drops what waits and fills the buckets (tbf_reset). */
  reset(): void {
    this.#watchdog.stop();
    while (this.#fifo.count > 0) this.#frames.drop(this.#fifo.shift(), "qdisc-drop", this.#device);
    this.#tokensNs = this.#bufferNs;
    this.#peakTokensNs = this.#peakBufferNs;
    this.#checkedNs = this.#clock.nowNs;
  }

  inherit(before: ConfiguredQdisc): void {
    inheritCounters(this, before);
    if (!(before instanceof Tbf)) return;
    while (before.#fifo.count > 0) this.#fifo.push(before.#fifo.shift());
    if (this.#fifo.count > 0) this.#dequeue();
  }

  /** The qdisc is taken off its device: `tc qdisc del`, or another takes its place. */
  remove(): void {
    this.reset();
    this.#device.unlisten(this);
  }

  /** What `tc qdisc show` prints behind the handle. */
  describe(): string {
    const { options } = this;
    const peak =
      options.peakRateBitsPerSecond === undefined
        ? ""
        : ` peakrate ${rateText(options.peakRateBitsPerSecond)} minburst ${this.#shownBurst(options.peakRateBitsPerSecond, this.#peakBurstBytes)}`;
    const burst = this.#shownBurst(options.rateBitsPerSecond, options.burstBytes);
    return `rate ${rateText(options.rateBitsPerSecond)} burst ${burst}${peak} ${this.#shownLatency()}`;
  }

  /** tc prints the burst as its own ticks of time say it. */
  #shownBurst(rateBitsPerSecond: number, burstBytes: number): string {
    const rate = rateBitsPerSecond / 8;
    return sizeText(Math.floor((rate * microseconds(ticks(burstBytes, rate))) / 1_000_000));
  }

  #shownLatency(): string {
    const waitUs = (limit: number, burst: number, rate: number) =>
      (1_000_000 * limit) / rate - microseconds(ticks(burst, rate));
    const { options } = this;
    let latencyUs = waitUs(this.limitBytes, options.burstBytes, options.rateBitsPerSecond / 8);
    if (options.peakRateBitsPerSecond !== undefined) {
      const peakUs = waitUs(this.limitBytes, this.#peakBurstBytes, options.peakRateBitsPerSecond / 8);
      if (peakUs > latencyUs) latencyUs = peakUs;
    }
    return latencyUs >= 0 ? `lat ${timeText(Math.floor(latencyUs) * 1_000)}` : `limit ${sizeText(this.limitBytes)}`;
  }

  /** tbf_dequeue, as often as there are tokens. */
  #dequeue(): void {
    while (this.#fifo.count > 0) {
      const length = this.#frames.length(this.#fifo.peek());
      const nowNs = this.#clock.nowNs;
      const passedNs = Math.min(nowNs - this.#checkedNs, this.#bufferNs);
      let peakTokensNs = 0;
      if (this.#peak !== undefined) {
        peakTokensNs = Math.min(passedNs + this.#peakTokensNs, this.#peakBufferNs) - this.#peak.timeNs(length);
      }
      const tokensNs = Math.min(passedNs + this.#tokensNs, this.#bufferNs) - this.#rate.timeNs(length);
      if (tokensNs < 0 || peakTokensNs < 0) {
        this.overlimits++;
        this.#watchdog.set(Math.max(-tokensNs, -peakTokensNs));
        return;
      }
      this.#checkedNs = nowNs;
      this.#tokensNs = tokensNs;
      this.#peakTokensNs = peakTokensNs;
      this.sentFrames++;
      this.sentBytes += length;
      this.#device.sendNow(this.#fifo.shift());
    }
  }
}

/** tc's limit for a latency: what the rate carries meanwhile, and a burst. The smaller one counts where there is a peak rate. */
function limitFor(options: TbfOptions, bytesPerSecond: number, peakBurstBytes: number): number {
  const latencyNs = options.latencyNs ?? 0;
  const limit = (bytesPerSecond * latencyNs) / NS_PER_S + options.burstBytes;
  if (options.peakRateBitsPerSecond === undefined) return Math.floor(limit);
  const peakLimit = ((options.peakRateBitsPerSecond / 8) * latencyNs) / NS_PER_S + peakBurstBytes;
  return Math.floor(Math.min(limit, peakLimit));
}

function ticks(sizeBytes: number, bytesPerSecond: number): number {
  return Math.floor(((1_000_000 * sizeBytes) / bytesPerSecond) * TICKS_PER_US);
}

function microseconds(tickCount: number): number {
  return Math.floor(tickCount / TICKS_PER_US);
}
