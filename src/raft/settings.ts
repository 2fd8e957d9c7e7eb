/** The numbers of Docker Swarm's managers: what swarmkit's raft package sets, and leaves unset, when it starts etcd's raft. */
import { SECOND } from "../sim/time.ts";

export interface Settings {
  /** Ticks between two heartbeats of the leader. */
  readonly heartbeatTicks: number;
  /** Ticks without a leader before a campaign: drawn anew from this to twice this less one. Also the leader's lease. */
  readonly electionTicks: number;
  /** A candidate asks whether it would win before it raises the term (Raft dissertation §9.6). Swarm leaves it off. */
  readonly preVote: boolean;
  /** A leader that has not heard from a majority for `electionTicks` steps down; a follower that hears its leader refuses to vote. */
  readonly checkQuorum: boolean;
  /** Entries of one append take at most so many bytes; a larger entry travels alone. */
  readonly maxMessageBytes: number;
  /** Appends sent to one follower and not yet answered. */
  readonly maxInflight: number;
  /** Applied entries after which a snapshot is due; 0 for never. */
  readonly snapshotInterval: number;
  /** Entries kept before the snapshot for followers that are a little behind. */
  readonly keptEntries: number;
}

export const SWARM_SETTINGS: Settings = {
  heartbeatTicks: 1,
  electionTicks: 10,
  preVote: false,
  checkQuorum: true,
  maxMessageBytes: 65_535,
  maxInflight: 256,
  snapshotInterval: 10_000,
  keptEntries: 500,
};

export const TICK_NS = SECOND;
/** How long the transport waits for the answer to one message before the peer counts as unreachable. */
export const SEND_TIMEOUT_NS = 2 * SECOND;
/** Ticks without a leader after which requests fail at once ("The swarm does not have a leader."). */
export const LOST_QUORUM_TICKS = 10;
/** Largest proposal: swarmkit's limit on one transaction of its store. */
export const MAX_PROPOSAL_BYTES = 1_572_864;
