/** `-m limit`: a token bucket (xt_limit). The kernel counts in credits of its clock tick; here the bucket is filled to the nanosecond. */

import { MINUTE, type Nanoseconds, SECOND } from "../../../sim/time.ts";
import { type MatchExtension, option, RuleError } from "../extension.ts";
import type { Packet } from "../packet.ts";
import { DAY_NS, HOUR_NS } from "../rates.ts";
import type { Match } from "../rule-parts.ts";

const UNITS: readonly (readonly [string, Nanoseconds])[] = [
  ["day", DAY_NS],
  ["hour", HOUR_NS],
  ["minute", MINUTE],
  ["second", SECOND],
];
const SHORT_UNITS: readonly (readonly [string, Nanoseconds])[] = [
  ["day", DAY_NS],
  ["hour", HOUR_NS],
  ["min", MINUTE],
  ["sec", SECOND],
];
/** What the kernel counts a rate in: 1/10 000 s (XT_LIMIT_SCALE). */
const SCALE_NS: Nanoseconds = SECOND / 10_000;
const MAXIMUM_PER_SECOND = 10_000;
const MAXIMUM_BURST = 10_000;
const DEFAULT_BURST = 5;

class LimitMatch implements Match {
  readonly name = "limit";
  /** Time that one packet costs. */
  readonly #costNs: Nanoseconds;
  readonly #burst: number;
  #creditNs: Nanoseconds;
  #filledNs: Nanoseconds | undefined = undefined;

  constructor(costNs: Nanoseconds, burst: number) {
    this.#costNs = costNs;
    this.#burst = burst;
    this.#creditNs = costNs * burst;
  }

  matches(packet: Packet): boolean {
    const { nowNs } = packet.host.clock;
    const passedNs = nowNs - (this.#filledNs ?? nowNs);
    this.#filledNs = nowNs;
    this.#creditNs = Math.min(this.#creditNs + passedNs, this.#costNs * this.#burst);
    if (this.#creditNs < this.#costNs) return false;
    this.#creditNs -= this.#costNs;
    return true;
  }
  save(): string {
    return `--limit ${this.#rate()}${this.#burst === DEFAULT_BURST ? "" : ` --limit-burst ${this.#burst}`}`;
  }
  list(): string {
    return `limit: avg ${this.#rate()} burst ${this.#burst}`;
  }
  /** As iptables chooses the unit: the smallest in which the rate is a whole number, or nearly. */
  #rate(): string {
    const cost = Math.floor(this.#costNs / SCALE_NS);
    let unit = 0;
    while (unit + 1 < SHORT_UNITS.length) {
      const smaller = SHORT_UNITS[unit + 1]![1] / SCALE_NS;
      if (cost > smaller || Math.floor(smaller / cost) < smaller % cost) break;
      unit++;
    }
    const [name, unitNs] = SHORT_UNITS[unit]!;
    return `${Math.floor(unitNs / SCALE_NS / cost)}/${name}`;
  }
}

/** `5/min`, `3/second`, `10`: any beginning of the unit's name. */
function parseRate(text: string): Nanoseconds {
  const parts = /^(\d+)(?:\/([a-z]+))?$/i.exec(text);
  const count = Number(parts?.[1] ?? 0);
  const word = (parts?.[2] ?? "second").toLowerCase();
  const unit = UNITS.find(([name]) => name.startsWith(word));
  if (parts === null || unit === undefined || count === 0) throw new RuleError(`limit: bad rate \`${text}'`);
  if (count / (unit[1] / SECOND) > MAXIMUM_PER_SECOND) throw new RuleError(`limit: rate too fast \`${text}'`);
  return unit[1] / count;
}

export const LIMIT_MATCH: MatchExtension = {
  name: "limit",
  options: [option("limit"), option("limit-burst")],
  build(uses) {
    const burst = uses.has("limit-burst") ? uses.number("limit-burst", 0, MAXIMUM_BURST) : DEFAULT_BURST;
    return new LimitMatch(parseRate(uses.value("limit") ?? "3/hour"), burst);
  },
};
