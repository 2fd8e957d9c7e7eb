/** `wrr`: in turn, each as often as its weight says (ip_vs_wrr.c): a threshold falls from the highest weight by their common divisor, round by round. */
import type { RealServer } from "./real-server.ts";

export class WeightedRoundRobin {
  #last: RealServer | undefined = undefined;
  #divisor = 1;
  #highest = 0;
  #threshold = 0;

  choose(servers: readonly RealServer[]): RealServer | undefined {
    if (this.#highest <= 0) return undefined;
    let index = this.#last === undefined ? -1 : servers.indexOf(this.#last);
    const rounds = Math.ceil(this.#highest / this.#divisor) + 1;
    for (let round = 0; round <= rounds; round++) {
      for (index++; index < servers.length; index++) {
        const server = servers[index]!;
        if (server.overloaded || server.weight < this.#threshold) continue;
        this.#last = server;
        return server;
      }
      index = -1;
      this.#threshold -= this.#divisor;
      if (this.#threshold <= 0) this.#threshold = this.#highest;
    }
    return undefined;
  }

  /** A changed list begins anew at its head. */
  changed(servers: readonly RealServer[]): void {
    this.#last = undefined;
    let divisor = 0;
    let highest = 0;
    for (const { weight } of servers) {
      if (weight > 0) divisor = greatestCommonDivisor(divisor, weight);
      if (weight > highest) highest = weight;
    }
    this.#divisor = divisor === 0 ? 1 : divisor;
    this.#highest = highest - (this.#divisor - 1);
    if (this.#threshold > this.#highest || this.#threshold === 0) this.#threshold = this.#highest;
    else if (this.#divisor > 1) this.#threshold = Math.floor(this.#threshold / this.#divisor) * this.#divisor + 1;
  }
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
