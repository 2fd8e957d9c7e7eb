/** grpc-go's enforcement policy: a client that pings more often than every five minutes, with nothing sent to it between, is out after the third. */
import { MINUTE, type Nanoseconds } from "../../sim/time.ts";

const LEAST_INTERVAL_NS = 5 * MINUTE;
const LEAST_INTERVAL_WITHOUT_CALLS_NS = 120 * MINUTE;
const MOST_STRIKES = 2;

export class PingStrikes {
  #strikes = 0;
  #lastNs: Nanoseconds | undefined;

  /** We have sent it headers or data: it may have measured the bandwidth. */
  forgive(): void {
    this.#strikes = 0;
    this.#lastNs = undefined;
  }

  /** A ping came. True: one too many. */
  ping(nowNs: Nanoseconds, hasCalls: boolean): boolean {
    const leastNs = hasCalls ? LEAST_INTERVAL_NS : LEAST_INTERVAL_WITHOUT_CALLS_NS;
    if (this.#lastNs !== undefined && nowNs - this.#lastNs < leastNs) this.#strikes++;
    this.#lastNs = nowNs;
    return this.#strikes > MOST_STRIKES;
  }
}
