/** Pings on a connection that has been quiet, and its end when nothing comes back: grpc-go's keepalive. */
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";

export interface KeepaliveSettings {
  /** Quiet for so long: a ping. */
  readonly timeNs: Nanoseconds;
  /** Quiet for so long after it: the end. */
  readonly timeoutNs: Nanoseconds;
  /** Clients without calls do not ping unless this is set. */
  readonly withoutCalls: boolean;
}

export interface KeepaliveOwner {
  readonly hasCalls: boolean;
  ping(): void;
  /** Nothing came in time. */
  silent(): void;
}

export class Keepalive {
  readonly #clock: Clock;
  readonly #settings: KeepaliveSettings;
  readonly #owner: KeepaliveOwner;
  readonly #timer: Timer;
  #heardAtNs: Nanoseconds;
  #pingedAtNs: Nanoseconds | undefined;

  constructor(clock: Clock, settings: KeepaliveSettings, owner: KeepaliveOwner) {
    this.#clock = clock;
    this.#settings = settings;
    this.#owner = owner;
    this.#heardAtNs = clock.nowNs;
    this.#timer = new Timer(clock, () => this.#due());
    this.#timer.set(settings.timeNs);
  }

  /** Something came from the peer. */
  heard(): void {
    this.#heardAtNs = this.#clock.nowNs;
  }

  stop(): void {
    this.#timer.stop();
  }

  #due(): void {
    const nowNs = this.#clock.nowNs;
    const { timeNs, timeoutNs, withoutCalls } = this.#settings;
    if (this.#pingedAtNs !== undefined && this.#heardAtNs < this.#pingedAtNs) {
      this.#owner.silent();
      return;
    }
    this.#pingedAtNs = undefined;
    const quietNs = nowNs - this.#heardAtNs;
    if (quietNs < timeNs) {
      this.#timer.set(timeNs - quietNs);
    } else if (!withoutCalls && !this.#owner.hasCalls) {
      this.#timer.set(timeNs);
    } else {
      this.#pingedAtNs = nowNs;
      this.#owner.ping();
      this.#timer.set(timeoutNs);
    }
  }
}
