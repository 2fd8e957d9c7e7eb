/**
 * What ICMP has taught about single destinations, beside the routing tables: a smaller path MTU (RFC 1191; kept 600 s) and another gateway
 * (redirects; kept 300 s). Linux's fib_nh_exception.
 */
import type { Clock } from "../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { Ipv4Address } from "../wire/address.ts";

export interface PathException {
  readonly destination: Ipv4Address;
  /** Undefined: nothing learnt. */
  readonly mtu: number | undefined;
  /** The MTU was below the smallest that is believed: it is not enforced with DF set (`lock`). */
  readonly mtuLocked: boolean;
  readonly gateway: Ipv4Address | undefined;
  readonly expiresNs: Nanoseconds;
}

/** fnhe_hashfun's depth and width bound what strangers can make a host remember. */
const MAXIMUM_EXCEPTIONS = 2_048 * 5;

/** What nobody has been taught: shared by all, never written. */
const NO_ENTRIES = new Map<number, PathException>();

export class PathExceptions {
  readonly #clock: Clock;
  readonly #paths: { changed(): void };
  #entries: Map<number, PathException> = NO_ENTRIES;
  #timer: Timer | undefined = undefined;

  /** `paths` hears when an entry was made, changed, or has run out. */
  constructor(clock: Clock, paths: { changed(): void }) {
    this.#clock = clock;
    this.#paths = paths;
  }

  get size(): number {
    return this.#entries.size;
  }

  get(destination: Ipv4Address): PathException | undefined {
    const entry = this.#entries.get(destination | 0);
    return entry === undefined || entry.expiresNs <= this.#clock.nowNs ? undefined : entry;
  }

  list(): PathException[] {
    return [...this.#entries.values()].filter((entry) => entry.expiresNs > this.#clock.nowNs);
  }

  learnMtu(destination: Ipv4Address, mtu: number, minimum: number, lifetimeSeconds: number): void {
    const old = this.get(destination);
    if (old?.mtu !== undefined && old.mtu < mtu) return;
    this.#put({
      destination,
      mtu: Math.max(mtu, minimum),
      mtuLocked: mtu < minimum,
      gateway: old?.gateway,
      expiresNs: this.#clock.nowNs + lifetimeSeconds * SECOND,
    });
  }

  learnGateway(destination: Ipv4Address, gateway: Ipv4Address, lifetimeSeconds: number): void {
    const old = this.get(destination);
    this.#put({
      destination,
      mtu: old?.mtu,
      mtuLocked: old?.mtuLocked ?? false,
      gateway,
      expiresNs: this.#clock.nowNs + lifetimeSeconds * SECOND,
    });
  }

  /** `ip route flush cache`. */
  flush(): void {
    this.#entries.clear();
    this.#timer?.stop();
    this.#paths.changed();
  }

  #put(entry: PathException): void {
    if (this.#entries === NO_ENTRIES) this.#entries = new Map();
    this.#entries.delete(entry.destination | 0);
    if (this.#entries.size >= MAXIMUM_EXCEPTIONS) {
      const [oldest] = this.#entries.keys();
      if (oldest !== undefined) this.#entries.delete(oldest);
    }
    this.#entries.set(entry.destination | 0, entry);
    this.#arm();
    this.#paths.changed();
  }

  #arm(): void {
    let next = Number.POSITIVE_INFINITY;
    for (const entry of this.#entries.values()) if (entry.expiresNs < next) next = entry.expiresNs;
    if (next === Number.POSITIVE_INFINITY) return;
    this.#timer ??= new Timer(this.#clock, () => this.#expire());
    this.#timer.set(next - this.#clock.nowNs);
  }

  #expire(): void {
    for (const [key, entry] of [...this.#entries]) if (entry.expiresNs <= this.#clock.nowNs) this.#entries.delete(key);
    this.#paths.changed();
    this.#arm();
  }
}
