/** Who a segment is for, by both addresses and ports: a hash table that doubles, so that a lookup costs one or two probes and makes nothing. */
import type { Ipv4Address } from "../../wire/address.ts";

export interface FourTuple {
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
}

interface Entry<Holder> {
  readonly hash: number;
  readonly holder: Holder;
  next: Entry<Holder> | undefined;
}

const INITIAL_BUCKETS = 16;

export class FlowTable<Holder extends FourTuple> {
  #buckets: (Entry<Holder> | undefined)[] = new Array<Entry<Holder> | undefined>(INITIAL_BUCKETS).fill(undefined);
  #count = 0;

  get size(): number {
    return this.#count;
  }

  find(
    localAddress: Ipv4Address,
    localPort: number,
    remoteAddress: Ipv4Address,
    remotePort: number,
  ): Holder | undefined {
    const hash = hashOf(localAddress, localPort, remoteAddress, remotePort);
    for (let entry = this.#buckets[hash & (this.#buckets.length - 1)]; entry !== undefined; entry = entry.next) {
      const holder = entry.holder;
      if (
        entry.hash === hash &&
        holder.remotePort === remotePort &&
        holder.localPort === localPort &&
        holder.remoteAddress === remoteAddress &&
        holder.localAddress === localAddress
      )
        return holder;
    }
    return undefined;
  }

  /** The place is free. */
  add(holder: Holder): void {
    if (this.#count >= this.#buckets.length) this.#grow();
    const hash = hashOf(holder.localAddress, holder.localPort, holder.remoteAddress, holder.remotePort);
    const index = hash & (this.#buckets.length - 1);
    this.#buckets[index] = { hash, holder, next: this.#buckets[index] };
    this.#count++;
  }

  remove(holder: Holder): void {
    const hash = hashOf(holder.localAddress, holder.localPort, holder.remoteAddress, holder.remotePort);
    const index = hash & (this.#buckets.length - 1);
    let previous: Entry<Holder> | undefined;
    for (let entry = this.#buckets[index]; entry !== undefined; entry = entry.next) {
      if (entry.holder === holder) {
        if (previous === undefined) this.#buckets[index] = entry.next;
        else previous.next = entry.next;
        this.#count--;
        return;
      }
      previous = entry;
    }
  }

  /** In the order of local port, remote address, remote port. */
  list(): Holder[] {
    const holders: Holder[] = [];
    for (const first of this.#buckets)
      for (let entry = first; entry !== undefined; entry = entry.next) holders.push(entry.holder);
    return holders.sort(
      (a, b) =>
        a.localPort - b.localPort ||
        a.remoteAddress - b.remoteAddress ||
        a.remotePort - b.remotePort ||
        a.localAddress - b.localAddress,
    );
  }

  #grow(): void {
    const old = this.#buckets;
    const size = old.length * 2;
    this.#buckets = new Array<Entry<Holder> | undefined>(size).fill(undefined);
    for (const first of old) {
      let entry = first;
      while (entry !== undefined) {
        const next: Entry<Holder> | undefined = entry.next;
        const index = entry.hash & (size - 1);
        entry.next = this.#buckets[index];
        this.#buckets[index] = entry;
        entry = next;
      }
    }
  }
}

function hashOf(localAddress: number, localPort: number, remoteAddress: number, remotePort: number): number {
  let hash = Math.imul(localAddress ^ (localPort << 16) ^ remotePort, 0x9e37_79b1);
  hash = Math.imul(hash ^ (hash >>> 15) ^ remoteAddress, 0x85eb_ca6b);
  return hash ^ (hash >>> 13);
}
