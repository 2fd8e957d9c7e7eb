/**
 * Counters of a virtual service or a real server, and rates from them (net/netfilter/ipvs/ip_vs_est.c): every two seconds an average moves a
 * quarter of the way to what was counted since. Nobody runs a timer for it: the steps that are due are made up for when somebody counts or reads.
 */
import { type Nanoseconds, SECOND } from "../../sim/time.ts";

const PERIOD_NS = 2 * SECOND;
/** Averages have 10 binary places; a count of two seconds is twice the rate. */
const COUNT_SCALE = 2 ** 9;
const BYTE_SCALE = 2 ** 4; // bytes have 5 places
const ROUNDING = 0x1ff;
const BYTE_ROUNDING = 0xf;

class Rate {
  #average = 0;
  #since = 0;

  add(count: number): void {
    this.#since += count;
  }

  /** One period has gone by. */
  step(scale: number): void {
    this.#average += Math.floor((this.#since * scale - this.#average) / 4);
    this.#since = 0;
  }

  read(rounding: number, places: number): number {
    return Math.floor((this.#average + rounding) / 2 ** places);
  }
}

export interface Rates {
  readonly connections: number;
  readonly inPackets: number;
  readonly outPackets: number;
  readonly inBytes: number;
  readonly outBytes: number;
}

export class IpvsStatistics {
  connections = 0;
  inPackets = 0;
  outPackets = 0;
  inBytes = 0;
  outBytes = 0;
  #period = 0;
  /** Undefined until something is counted: most real servers of a large cluster see no packet on most nodes. */
  #rates: readonly [Rate, Rate, Rate, Rate, Rate] | undefined = undefined;

  countConnection(nowNs: Nanoseconds): void {
    const rates = this.#advance(nowNs);
    this.connections++;
    rates[0].add(1);
  }

  countIn(bytes: number, nowNs: Nanoseconds): void {
    const rates = this.#advance(nowNs);
    this.inPackets++;
    this.inBytes += bytes;
    rates[1].add(1);
    rates[3].add(bytes);
  }

  countOut(bytes: number, nowNs: Nanoseconds): void {
    const rates = this.#advance(nowNs);
    this.outPackets++;
    this.outBytes += bytes;
    rates[2].add(1);
    rates[4].add(bytes);
  }

  /** A second's worth of each. */
  rates(nowNs: Nanoseconds): Rates {
    const [connections, inPackets, outPackets, inBytes, outBytes] = this.#advance(nowNs);
    return {
      connections: connections.read(ROUNDING, 10),
      inPackets: inPackets.read(ROUNDING, 10),
      outPackets: outPackets.read(ROUNDING, 10),
      inBytes: inBytes.read(BYTE_ROUNDING, 5),
      outBytes: outBytes.read(BYTE_ROUNDING, 5),
    };
  }

  /** `ipvsadm -Z`: counters start anew, rates go on. */
  zero(): void {
    this.connections = 0;
    this.inPackets = 0;
    this.outPackets = 0;
    this.inBytes = 0;
    this.outBytes = 0;
  }

  /** The rates as they are now. */
  #advance(nowNs: Nanoseconds): readonly [Rate, Rate, Rate, Rate, Rate] {
    this.#rates ??= [new Rate(), new Rate(), new Rate(), new Rate(), new Rate()];
    const rates = this.#rates;
    const period = Math.floor(nowNs / PERIOD_NS);
    // After a hundred empty periods every average has long been zero.
    const steps = Math.min(period - this.#period, 100);
    this.#period = period;
    for (let step = 0; step < steps; step++)
      for (const [index, rate] of rates.entries()) rate.step(index < 3 ? COUNT_SCALE : BYTE_SCALE);
    return rates;
  }
}
