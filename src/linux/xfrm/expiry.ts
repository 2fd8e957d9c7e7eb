/** Ends associations and policies whose time is over. */
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { PolicyTable } from "./policy-table.ts";
import type { Lifetime } from "./state.ts";
import type { StateTable } from "./state-table.ts";

export class Expiry {
  readonly #clock: Clock;
  readonly #states: StateTable;
  readonly #policies: PolicyTable;
  readonly #timer: Timer;

  constructor(clock: Clock, states: StateTable, policies: PolicyTable) {
    this.#clock = clock;
    this.#states = states;
    this.#policies = policies;
    this.#timer = new Timer(clock, () => this.#expire());
  }

  /** Something was added, or used for the first time. */
  changed(): void {
    let endNs = Number.POSITIVE_INFINITY;
    for (const state of this.#states.list) endNs = Math.min(endNs, endOf(state.request.lifetime, state));
    for (const policy of this.#policies.list) endNs = Math.min(endNs, endOf(policy.lifetime, policy));
    if (endNs === Number.POSITIVE_INFINITY) this.#timer.stop();
    else this.#timer.set(Math.max(0, endNs - this.#clock.nowNs));
  }

  #expire(): void {
    const { nowNs } = this.#clock;
    for (const state of this.#states.list)
      if (endOf(state.request.lifetime, state) <= nowNs) this.#states.remove(state);
    for (const policy of this.#policies.list)
      if (endOf(policy.lifetime, policy) <= nowNs) this.#policies.remove(policy);
    this.changed();
  }
}

function endOf(
  lifetime: Lifetime,
  times: { readonly addedNs: Nanoseconds; readonly firstUseNs: Nanoseconds | undefined },
): Nanoseconds {
  const { hardSeconds, hardUseSeconds } = lifetime;
  const byAge = hardSeconds === undefined ? Number.POSITIVE_INFINITY : times.addedNs + hardSeconds * SECOND;
  if (hardUseSeconds === undefined || times.firstUseNs === undefined) return byAge;
  return Math.min(byAge, times.firstUseNs + hardUseSeconds * SECOND);
}
