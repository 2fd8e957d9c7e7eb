/**
 * What a host remembers of single peers to limit what it sends them: Linux's inet_peer. One token bucket serves ICMP errors and a router's
 * complaints about missing routes; redirects use the same record (net/ipv4/inetpeer.c, icmp.c, route.c).
 */
import type { Clock } from "../sim/simulation.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { HZ, jiffiesAt } from "./jiffies.ts";

interface Peer {
  tokens: number; // in jiffies
  last: number; // in jiffies
  redirects: number;
}

/** XRLIM_BURST_FACTOR: a full bucket holds six errors. */
const BURST = 6;
const ROUTE_ERROR_COST = HZ;
const ROUTE_ERROR_BURST = 5 * HZ;
const REDIRECT_LOAD = HZ / 50;
const REDIRECT_COUNT = 9;
const REDIRECT_SILENCE = REDIRECT_LOAD << (REDIRECT_COUNT + 1);
/** A new peer has been silent for long: its bucket is full. */
const SILENT_BEFORE = 60 * HZ;
const MAXIMUM_PEERS = 65_664;

export class Peers {
  readonly #clock: Clock;
  readonly #peers = new Map<number, Peer>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** inet_peer_xrlim_allow: one error for each `intervalJiffies`, six at once. */
  allowsError(address: Ipv4Address, intervalJiffies: number): boolean {
    const peer = this.#peer(address);
    const now = jiffiesAt(this.#clock.nowNs);
    const tokens = Math.min(peer.tokens + now - peer.last, BURST * intervalJiffies);
    peer.last = now;
    peer.tokens = tokens >= intervalJiffies ? tokens - intervalJiffies : tokens;
    return tokens >= intervalJiffies;
  }

  /** ip_error: one complaint a second, five at once. */
  allowsRouteError(address: Ipv4Address): boolean {
    const peer = this.#peer(address);
    const now = jiffiesAt(this.#clock.nowNs);
    const tokens = Math.min(peer.tokens + now - peer.last, ROUTE_ERROR_BURST);
    peer.last = now;
    peer.tokens = tokens >= ROUTE_ERROR_COST ? tokens - ROUTE_ERROR_COST : tokens;
    return tokens >= ROUTE_ERROR_COST;
  }

  /** ip_rt_send_redirect: at doubling intervals from 20 ms, nine in all; again after 20 s of silence. `send` answers by sending. */
  allowsRedirect(address: Ipv4Address): boolean {
    const peer = this.#peer(address);
    const now = jiffiesAt(this.#clock.nowNs);
    if (now > peer.last + REDIRECT_SILENCE) {
      peer.tokens = 0;
      peer.redirects = 0;
    }
    if (peer.redirects >= REDIRECT_COUNT) {
      peer.last = now;
      return false;
    }
    return peer.redirects === 0 || now > peer.last + (REDIRECT_LOAD << peer.redirects);
  }

  /** A redirect was sent. */
  countRedirect(address: Ipv4Address): void {
    const peer = this.#peer(address);
    peer.last = jiffiesAt(this.#clock.nowNs);
    peer.redirects++;
  }

  #peer(address: Ipv4Address): Peer {
    let peer = this.#peers.get(address | 0);
    if (peer === undefined) {
      if (this.#peers.size >= MAXIMUM_PEERS) this.#peers.clear();
      peer = { tokens: 0, last: jiffiesAt(this.#clock.nowNs) - SILENT_BEFORE, redirects: 0 };
      this.#peers.set(address | 0, peer);
    }
    return peer;
  }
}

/** The host's own limit on ICMP messages of all kinds: `icmp_msgs_per_sec` with a burst of `icmp_msgs_burst`. */
export class GlobalLimit {
  readonly #clock: Clock;
  #credit: number | undefined = undefined;
  #last = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Is there a message left? Taken by `take`. */
  allows(perSecond: number, burst: number): boolean {
    const now = jiffiesAt(this.#clock.nowNs);
    if (this.#credit === undefined) this.#credit = burst;
    const elapsed = Math.min(now - this.#last, HZ);
    // The kernel refills in steps of 20 ms.
    if (elapsed >= HZ / 50) {
      const gained = Math.floor((perSecond * elapsed) / HZ);
      if (gained > 0) {
        this.#credit = Math.min(this.#credit + gained, burst);
        this.#last = now;
      }
    }
    return this.#credit > 0;
  }

  take(): void {
    this.#credit = Math.max((this.#credit ?? 0) - 1, 0);
  }
}
