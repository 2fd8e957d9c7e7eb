/** The nodes that a node knows, memberlist's `nodes` and `nodeMap`: a list in random order for probing, and by name. */
import type { Random } from "../sim/random.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";
import type { NodeState } from "./stream-messages.ts";

export interface Member {
  readonly name: string;
  address: Ipv4Address;
  port: number;
  incarnation: number;
  meta: Uint8Array | null;
  versions: Uint8Array;
  state: NodeState;
  stateChangeNs: Nanoseconds;
}

/** Dead, or left by its own word. */
export function isGone(member: Member): boolean {
  return member.state === "dead" || member.state === "left";
}

export class MemberTable {
  readonly #random: Random;
  readonly #byName = new Map<string, Member>();
  #list: Member[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  /** In probing order. */
  get list(): readonly Member[] {
    return this.#list;
  }

  /** All that are remembered, the dead among them. */
  get size(): number {
    return this.#list.length;
  }

  get(name: string): Member | undefined {
    return this.#byName.get(name);
  }

  /** At a random place, so that the time until a fresh node is probed is bounded from the start (SWIM §4.3). */
  add(member: Member): void {
    const place = this.#random.below(this.#list.length + 1);
    this.#list.push(this.#list[place] ?? member);
    this.#list[place] = member;
    this.#byName.set(member.name, member);
  }

  /** Forgets those gone since before `limitNs` and shuffles the rest: the start of a round of probes. */
  renew(limitNs: Nanoseconds): void {
    const isKept = (member: Member): boolean => !isGone(member) || member.stateChangeNs >= limitNs;
    for (const member of this.#list) if (!isKept(member)) this.#byName.delete(member.name);
    this.#list = this.#random.shuffle(this.#list.filter(isKept));
  }

  /** Up to `count` different ones that `suits`. Tries 3 n times, as memberlist, so it may find fewer than there are. */
  pick(count: number, suits: (member: Member) => boolean): Member[] {
    const picked: Member[] = [];
    const size = this.#list.length;
    for (let attempt = 0; attempt < 3 * size && picked.length < count; attempt++) {
      const member = this.#list[this.#random.below(size)]!;
      if (suits(member) && !picked.includes(member)) picked.push(member);
    }
    return picked;
  }
}
