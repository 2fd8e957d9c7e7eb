/**
 * CUBIC, RFC 9438 (8312), with the constants of Linux: C = 0.4, beta = 717/1024, fast convergence, Reno-friendly region, and hybrid slow start
 * (HyStart, Ha and Rhee 2011) by ACK trains and by delay. Time is counted in 1/1024 s as there; cube and cube root are exact integers here.
 */
import { type Nanoseconds, SECOND } from "../../../sim/time.ts";
import { HZ, jiffiesAt } from "../../jiffies.ts";
import { after } from "../sequence.ts";
import type { AcknowledgementFacts, CongestionControl, CongestionWindow } from "./congestion-control.ts";

const BETA = 717; // of 1024
/** C = 0.4 in units of 1/1024: 410 / 2^40 when time counts 1/1024 s. */
const CUBE_SCALE = 410;
const CUBE_UNIT = 2 ** 40;
/** Reno-friendly region: 3 (1 - beta) / (1 + beta), inverted, in eighths. */
const FRIENDLY_EIGHTHS = 15;
const SAME_WINDOW_NS = SECOND / 32;

const HYSTART_LOW_WINDOW = 16;
const HYSTART_MINIMUM_SAMPLES = 8;
const HYSTART_TRAIN_GAP_US = 2_000;
const HYSTART_DELAY_MINIMUM_US = 4_000;
const HYSTART_DELAY_MAXIMUM_US = 16_000;

export class Cubic implements CongestionControl {
  readonly name = "cubic";
  readonly #hybrid: boolean;

  #increaseAfter = 0; // acknowledged segments for one more segment of window
  #lastMaximum = 0; // cwnd before the last reduction
  #lastWindow = 0;
  #lastNs: Nanoseconds = 0;
  #origin = 0; // cwnd at the inflection point
  #inflection = 0; // K, in 1/1024 s since the epoch's start
  #delayMinimumUs = 0;
  #epochNs: Nanoseconds = -1; // -1: no epoch
  #acknowledged = 0;
  #renoWindow = 0; // what Reno would have

  // HyStart
  #found = false;
  #roundEnd = 0; // sequence number
  #roundStartUs = 0;
  #lastAckUs = 0;
  #roundRttUs = 0xffff_ffff;
  #samples = 0;

  constructor(hybridSlowStart: boolean, sndNxt: number, nowNs: Nanoseconds) {
    this.#hybrid = hybridSlowStart;
    this.#startRound(sndNxt, Math.floor(nowNs / 1_000));
  }

  reduced(window: CongestionWindow): number {
    this.#epochNs = -1;
    const cwnd = window.segments;
    this.#lastMaximum = cwnd < this.#lastMaximum ? Math.floor((cwnd * (1024 + BETA)) / 2048) : cwnd;
    return Math.max(Math.floor((cwnd * BETA) / 1024), 2);
  }

  increase(window: CongestionWindow, acknowledged: number, nowNs: Nanoseconds): void {
    const left = window.inSlowStart ? window.slowStart(acknowledged) : acknowledged;
    if (left === 0) return;
    this.#update(window.segments, left, nowNs);
    window.additiveIncrease(this.#increaseAfter, left);
  }

  measured(window: CongestionWindow, rttUs: number, facts: AcknowledgementFacts): void {
    // Samples right after a recovery say little about the path.
    if (this.#epochNs >= 0 && facts.nowNs - this.#epochNs < SECOND) return;
    const delayUs = Math.max(rttUs, 1);
    if (this.#delayMinimumUs === 0 || delayUs < this.#delayMinimumUs) this.#delayMinimumUs = delayUs;
    if (this.#hybrid && !this.#found && window.inSlowStart) this.#hybridSlowStart(window, delayUs, facts);
  }

  timedOut(): void {
    this.#increaseAfter = 0;
    this.#lastMaximum = 0;
    this.#lastWindow = 0;
    this.#lastNs = 0;
    this.#origin = 0;
    this.#inflection = 0;
    this.#delayMinimumUs = 0;
    this.#epochNs = -1;
    this.#acknowledged = 0;
    this.#renoWindow = 0;
    this.#found = false;
  }

  resumed(idleSinceNs: Nanoseconds, nowNs: Nanoseconds): void {
    // The cubic curve stands still while nothing is sent.
    if (this.#epochNs >= 0) this.#epochNs = Math.min(this.#epochNs + (nowNs - idleSinceNs), nowNs);
  }

  #update(cwnd: number, acknowledged: number, nowNs: Nanoseconds): void {
    this.#acknowledged += acknowledged;
    if (this.#lastWindow === cwnd && nowNs - this.#lastNs <= SAME_WINDOW_NS) return;
    if (this.#epochNs < 0 || jiffiesAt(nowNs) !== jiffiesAt(this.#lastNs)) {
      this.#lastWindow = cwnd;
      this.#lastNs = nowNs;
      if (this.#epochNs < 0) this.#startEpoch(cwnd, acknowledged, nowNs);
      this.#increaseAfter = this.#cubicPace(cwnd, nowNs);
    }
    // Never slower than Reno would be.
    const step = (cwnd * FRIENDLY_EIGHTHS) >>> 3;
    const growth = Math.floor((this.#acknowledged - 1) / step);
    if (growth > 0) {
      this.#acknowledged -= growth * step;
      this.#renoWindow += growth;
    }
    if (this.#renoWindow > cwnd)
      this.#increaseAfter = Math.min(this.#increaseAfter, Math.floor(cwnd / (this.#renoWindow - cwnd)));
    this.#increaseAfter = Math.max(this.#increaseAfter, 2);
  }

  #startEpoch(cwnd: number, acknowledged: number, nowNs: Nanoseconds): void {
    this.#epochNs = nowNs;
    this.#acknowledged = acknowledged;
    this.#renoWindow = cwnd;
    if (this.#lastMaximum <= cwnd) {
      this.#inflection = 0;
      this.#origin = cwnd;
    } else {
      this.#inflection = cubeRoot(Math.floor((CUBE_UNIT * (this.#lastMaximum - cwnd)) / CUBE_SCALE));
      this.#origin = this.#lastMaximum;
    }
  }

  /** Acknowledged segments for one more of window, so that cwnd follows the curve one RTT ahead. */
  #cubicPace(cwnd: number, nowNs: Nanoseconds): number {
    const jiffies = jiffiesAt(nowNs) - jiffiesAt(this.#epochNs) + Math.ceil((this.#delayMinimumUs * HZ) / 1_000_000);
    const time = Math.floor((jiffies * 1024) / HZ);
    const offset = Math.abs(time - this.#inflection);
    // Products beyond 2^53 are rounded by IEEE 754 in the same way everywhere.
    const delta = Math.floor((CUBE_SCALE * offset * offset * offset) / CUBE_UNIT);
    const target = time < this.#inflection ? this.#origin - delta : this.#origin + delta;
    const pace = target > cwnd ? Math.floor(cwnd / (target - cwnd)) : 100 * cwnd;
    return this.#lastMaximum === 0 && pace > 20 ? 20 : pace;
  }

  #hybridSlowStart(window: CongestionWindow, delayUs: number, facts: AcknowledgementFacts): void {
    const nowUs = Math.floor(facts.nowNs / 1_000);
    if (after(facts.sndUna, this.#roundEnd)) this.#startRound(facts.sndNxt, nowUs);
    if (window.segments < HYSTART_LOW_WINDOW) return;
    if (nowUs - this.#lastAckUs <= HYSTART_TRAIN_GAP_US) {
      this.#lastAckUs = nowUs;
      if (nowUs - this.#roundStartUs > (this.#delayMinimumUs + facts.burstUs) >>> 1) this.#leaveSlowStart(window);
    }
    if (delayUs < this.#roundRttUs) this.#roundRttUs = delayUs;
    if (this.#samples < HYSTART_MINIMUM_SAMPLES) {
      this.#samples++;
      return;
    }
    const margin = Math.min(Math.max(this.#delayMinimumUs >>> 3, HYSTART_DELAY_MINIMUM_US), HYSTART_DELAY_MAXIMUM_US);
    if (this.#roundRttUs > this.#delayMinimumUs + margin) this.#leaveSlowStart(window);
  }

  #leaveSlowStart(window: CongestionWindow): void {
    this.#found = true;
    window.threshold = window.segments;
  }

  #startRound(sndNxt: number, nowUs: number): void {
    this.#roundStartUs = nowUs;
    this.#lastAckUs = nowUs;
    this.#roundEnd = sndNxt;
    this.#roundRttUs = 0xffff_ffff;
    this.#samples = 0;
  }
}

/** The largest integer whose cube is not above `value`. `Math.cbrt` may differ between engines by its last bit: it is corrected. */
export function cubeRoot(value: number): number {
  let root = Math.round(Math.cbrt(value));
  while (root * root * root > value) root--;
  while ((root + 1) * (root + 1) * (root + 1) <= value) root++;
  return root;
}
