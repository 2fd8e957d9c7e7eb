/**
 * The addresses of a host, and how many of its devices have each. Every packet that comes in asks for its destination here: the two or three of a
 * container are a list of integers, the hundreds of a load balancer a hash table.
 */
import type { Ipv4Address } from "../wire/address.ts";

const MOST_IN_LIST = 8;

export class OwnAddresses {
  /** While they are few: address (signed) and count in turn. Replaced as a whole. */
  #few: readonly number[] = NOTHING;
  #counts: Map<number, number> | undefined = undefined;

  has(address: Ipv4Address): boolean {
    if (this.#counts !== undefined) return this.#counts.has(address | 0);
    const few = this.#few;
    for (let at = 0; at < few.length; at += 2) if (few[at] === (address | 0)) return true;
    return false;
  }

  /** As signed integers. */
  list(): number[] {
    return this.#counts === undefined ? this.#few.filter((_, at) => at % 2 === 0) : [...this.#counts.keys()];
  }

  /** Counts an address in (+1) or out (-1). */
  count(address: Ipv4Address, by: 1 | -1): void {
    const key = address | 0;
    const counts =
      this.#counts ?? new Map(this.list().map((each, index) => [each, this.#few[2 * index + 1]!] as const));
    const next = (counts.get(key) ?? 0) + by;
    if (next > 0) counts.set(key, next);
    else counts.delete(key);
    if (this.#counts !== undefined) return;
    if (counts.size > MOST_IN_LIST) this.#counts = counts;
    else this.#few = counts.size === 0 ? NOTHING : flat(counts);
  }
}

const NOTHING: readonly number[] = [];

function flat(counts: ReadonlyMap<number, number>): readonly number[] {
  const list = Array.from<number>({ length: 2 * counts.size });
  let at = 0;
  for (const [address, count] of counts) {
    list[at++] = address;
    list[at++] = count;
  }
  return list;
}
