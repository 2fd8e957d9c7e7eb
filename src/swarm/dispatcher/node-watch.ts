/**
 * Which nodes are alive (swarmkit manager/dispatcher/nodes.go, period.go): each beat tells the node when the next is wanted, and three times that
 * without one means down. Facts 8.4.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";

/** A beat's period differs from the one set by so much at most, so that nodes do not beat all at once. */
const EPSILON_NS = SECOND / 2;
const GRACE_PERIODS = 3;
/** After a change of the leader nodes have longer, to find it. */
const UNKNOWN_GRACE_FACTOR = 2;
/** More registrations than these within the period are refused. */
const MOST_REGISTRATIONS = 3;
const REGISTRATION_PERIOD_NS = 8 * SECOND;

interface Watched {
  sessionId: string | undefined;
  readonly expiry: Timer;
  periodNs: Nanoseconds;
}

export class NodeWatch {
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #periodNs: () => Nanoseconds;
  readonly #expired: (nodeId: string, wasUnknown: boolean) => void;
  readonly #nodes = new Map<string, Watched>();
  readonly #registrations = new Map<string, Nanoseconds[]>();

  constructor(settings: {
    readonly clock: Clock;
    readonly random: Random;
    /** The heartbeat's period, as the cluster has it now. */
    readonly periodNs: () => Nanoseconds;
    readonly expired: (nodeId: string, wasUnknown: boolean) => void;
  }) {
    this.#clock = settings.clock;
    this.#random = settings.random;
    this.#periodNs = settings.periodNs;
    this.#expired = settings.expired;
  }

  stop(): void {
    for (const { expiry } of this.#nodes.values()) expiry.stop();
    this.#nodes.clear();
  }

  /** A node of which an earlier leader knew: it is to register within the longer time. */
  addUnknown(nodeId: string): void {
    const watched = this.#watch(nodeId, undefined, true);
    watched.expiry.set(this.#periodNs() * GRACE_PERIODS * UNKNOWN_GRACE_FACTOR);
  }

  /** Whether the node may register now: it has not done so too often. */
  mayRegister(nodeId: string): boolean {
    const nowNs = this.#clock.nowNs;
    const recent = (this.#registrations.get(nodeId) ?? []).filter((atNs) => nowNs - atNs < REGISTRATION_PERIOD_NS);
    if (recent.length >= MOST_REGISTRATIONS) return false;
    this.#registrations.set(nodeId, [...recent, nowNs]);
    return true;
  }

  register(nodeId: string, sessionId: string): void {
    const watched = this.#watch(nodeId, sessionId, false);
    watched.expiry.set(watched.periodNs * GRACE_PERIODS);
  }

  isSession(nodeId: string, sessionId: string): boolean {
    return sessionId !== "" && this.#nodes.get(nodeId)?.sessionId === sessionId;
  }

  /** A beat: the time within which the next is wanted. */
  beat(nodeId: string): Nanoseconds {
    const watched = this.#nodes.get(nodeId);
    const periodNs = this.#drawPeriod();
    if (watched !== undefined) {
      watched.periodNs = periodNs;
      watched.expiry.stop();
      watched.expiry.set(periodNs * GRACE_PERIODS);
    }
    return periodNs;
  }

  forget(nodeId: string): void {
    this.#nodes.get(nodeId)?.expiry.stop();
    this.#nodes.delete(nodeId);
  }

  #watch(nodeId: string, sessionId: string | undefined, isUnknown: boolean): Watched {
    this.forget(nodeId);
    const watched: Watched = {
      sessionId,
      periodNs: this.#drawPeriod(),
      expiry: new Timer(this.#clock, () => {
        this.#nodes.delete(nodeId);
        this.#expired(nodeId, isUnknown);
      }),
    };
    this.#nodes.set(nodeId, watched);
    return watched;
  }

  #drawPeriod(): Nanoseconds {
    const periodNs = this.#periodNs();
    const spread = Math.min(EPSILON_NS, Math.floor(periodNs / 2));
    return periodNs - spread + this.#random.below(2 * spread + 1);
  }
}
