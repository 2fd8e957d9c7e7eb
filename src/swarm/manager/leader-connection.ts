/**
 * Where the leader is (swarmkit raft.go, LeaderConn): here, behind a connection, or nowhere. A caller waits for one to be elected, unless there has been
 * none for so long that there will be none.
 */
import type { RaftId } from "../../raft/messages.ts";
import { LOST_QUORUM_TICKS } from "../../raft/settings.ts";
import type { Clock } from "../../sim/simulation.ts";
import { SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { type Status, status } from "../grpc/status.ts";
import type { Cancel, Channel } from "./channel.ts";

export type Leader = { readonly kind: "here" } | { readonly kind: "there"; readonly channel: Channel };
export type LeaderOrNone = Leader | { readonly kind: "none"; readonly status: Status };

/** What managers answer without a leader. */
export const NO_LEADER: Status = status(
  "Unknown",
  "The swarm does not have a leader. It's possible that too few managers are online. " +
    "Make sure more than half of the managers are online.",
);

const STOPPED: Status = status("Unavailable", "raft: failed to process the request: node is stopped");

export interface LeaderView {
  readonly ownId: RaftId;
  readonly leader: RaftId | undefined;
  readonly leaderlessTicks: number;
  activeChannel(member: RaftId): Channel | undefined;
}

export class LeaderConnection {
  readonly #raft: LeaderView;
  readonly #clock: Clock;
  readonly #waiting = new Set<Timer>();
  #isStopped = false;

  constructor(raft: LeaderView, clock: Clock) {
    this.#raft = raft;
    this.#clock = clock;
  }

  /** Undefined: nobody knows, or the leader does not answer. */
  get now(): Leader | undefined {
    const { leader, ownId } = this.#raft;
    if (leader === undefined) return undefined;
    if (leader === ownId) return { kind: "here" };
    const channel = this.#raft.activeChannel(leader);
    return channel === undefined ? undefined : { kind: "there", channel };
  }

  /** Looks once a second; `found` may be called at once. Whoever has a deadline cancels. */
  locate(found: (leader: LeaderOrNone) => void): Cancel {
    if (this.#isStopped) {
      found({ kind: "none", status: STOPPED });
      return () => {};
    }
    const leader = this.now;
    if (leader !== undefined) {
      found(leader);
      return () => {};
    }
    if (this.#raft.leaderlessTicks > LOST_QUORUM_TICKS) {
      found({ kind: "none", status: NO_LEADER });
      return () => {};
    }
    const timer = new Timer(this.#clock, () => {
      const leader = this.now;
      if (leader === undefined) timer.set(SECOND);
      else {
        this.#waiting.delete(timer);
        found(leader);
      }
    });
    timer.set(SECOND);
    this.#waiting.add(timer);
    return () => {
      timer.stop();
      this.#waiting.delete(timer);
    };
  }

  /** Nobody who waits hears any more. */
  stop(): void {
    this.#isStopped = true;
    for (const timer of this.#waiting) timer.stop();
    this.#waiting.clear();
  }
}
