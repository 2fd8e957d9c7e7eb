/** The policies of a namespace. Policies for one destination address, as Docker makes them, are found by it; the others are few and asked in turn. */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Errno } from "../errno.ts";
import type { Policy, PolicyDirection, PolicyRequest, PolicyType } from "./policy.ts";
import { type Flow, fitsMark, type Mark, type Selector, sameSelector, selects } from "./selector.ts";

const DIRECTION_NUMBER: Record<PolicyDirection, number> = { in: 0, out: 1, fwd: 2 };
const INDEX_STEP = 8;

/** By direction: those for a single destination, by it as a signed integer; and the rest. Both in the order of asking. */
interface Side {
  readonly byDestination: Map<number, Policy[]>;
  readonly others: Policy[];
}

/** What names one policy. */
export interface PolicyKey {
  readonly direction: PolicyDirection;
  readonly type: PolicyType;
  readonly mark: Mark;
  readonly selector: Selector;
}

export class PolicyTable {
  readonly #sides: Record<PolicyDirection, Side> = { in: makeSide(), out: makeSide(), fwd: makeSide() };
  #newestFirst: Policy[] = [];
  #births = 0;
  #nextIndex = 0;

  /** The newest first, as the kernel dumps them. */
  get list(): readonly Policy[] {
    return this.#newestFirst;
  }

  count(direction: PolicyDirection): number {
    return this.#newestFirst.filter((policy) => policy.direction === direction).length;
  }

  /** EEXIST: there is one for the same traffic, and `update` is not asked for. */
  add(request: PolicyRequest, nowNs: Nanoseconds, update: boolean): Errno | undefined {
    const old = this.find(request);
    if (old !== undefined && !update) return "EEXIST";
    const policy: Policy = {
      ...request,
      index: old?.index ?? this.#takeIndex(request.direction),
      addedNs: nowNs,
      birth: ++this.#births,
      firstUseNs: undefined,
      bytes: 0,
      packets: 0,
    };
    if (old !== undefined) this.remove(old);
    this.#newestFirst.unshift(policy);
    const row = this.#row(policy, true)!;
    const place = row.findIndex((other) => other.priority > policy.priority);
    row.splice(place < 0 ? row.length : place, 0, policy);
    return undefined;
  }

  find(key: PolicyKey): Policy | undefined {
    return this.#newestFirst.find(
      (policy) =>
        policy.direction === key.direction &&
        policy.type === key.type &&
        policy.mark.value === key.mark.value &&
        policy.mark.mask === key.mark.mask &&
        sameSelector(policy.selector, key.selector),
    );
  }

  findIndex(direction: PolicyDirection, index: number): Policy | undefined {
    return this.#newestFirst.find((policy) => policy.direction === direction && policy.index === index);
  }

  remove(policy: Policy): void {
    this.#newestFirst = this.#newestFirst.filter((other) => other !== policy);
    const row = this.#row(policy, false);
    const place = row?.indexOf(policy) ?? -1;
    if (row !== undefined && place >= 0) row.splice(place, 1);
  }

  flush(type: PolicyType): void {
    for (const policy of this.#newestFirst) if (policy.type === type) this.remove(policy);
  }

  /** The policy that decides on a flow; undefined: none, it goes in clear. */
  lookup(direction: PolicyDirection, flow: Flow): Policy | undefined {
    const side = this.#sides[direction];
    const exact =
      side.byDestination.size === 0 ? undefined : firstFitting(side.byDestination.get(flow.destination | 0), flow);
    const other = firstFitting(side.others, flow);
    if (exact === undefined || other === undefined) return exact ?? other;
    if (exact.priority !== other.priority) return exact.priority < other.priority ? exact : other;
    return exact.birth < other.birth ? exact : other;
  }

  #row(policy: Policy, make: boolean): Policy[] | undefined {
    const side = this.#sides[policy.direction];
    if (policy.selector.destination.length !== 32) return side.others;
    const destination = policy.selector.destination.address | 0;
    let row = side.byDestination.get(destination);
    if (row === undefined && make) {
      row = [];
      side.byDestination.set(destination, row);
    }
    return row;
  }

  /** xfrm_gen_index: the direction in the low three bits, never 0. */
  #takeIndex(direction: PolicyDirection): number {
    for (;;) {
      const index = this.#nextIndex | DIRECTION_NUMBER[direction];
      this.#nextIndex += INDEX_STEP;
      const chosen = index === 0 ? INDEX_STEP : index;
      if (this.findIndex(direction, chosen) === undefined) return chosen;
    }
  }
}

function makeSide(): Side {
  return { byDestination: new Map(), others: [] };
}

function firstFitting(row: readonly Policy[] | undefined, flow: Flow): Policy | undefined {
  if (row === undefined) return undefined;
  for (const policy of row) if (fitsMark(policy.mark, flow.mark) && selects(policy.selector, flow)) return policy;
  return undefined;
}
