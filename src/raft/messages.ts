/** What raft nodes say to each other and keep: the Raft paper's (Ongaro, Ousterhout 2014) figure 2, with the fields of etcd's raftpb. */
import type { Random } from "../sim/random.ts";
import type { Hex64 } from "../wire/protobuf.ts";

/** A manager's number within raft, drawn at random once; dockerd prints it in hex without leading zeros. */
export type RaftId = Hex64;

export interface Entry {
  readonly term: number;
  readonly index: number;
  /** "change": `data` is a change of membership, see `wire.parseChange`. */
  readonly kind: "normal" | "change";
  /** Empty in the entry that a leader appends when it is elected. */
  readonly data: Uint8Array;
}

/** Swarm changes one member at a time; "update" gives a member a new address. */
export interface MembershipChange {
  readonly kind: "add" | "remove" | "update";
  readonly member: RaftId;
  /** The proposer's number for the request, 0 for none. */
  readonly request: Hex64;
  /** The member's description (`wire.emitMember`); raft does not look into it. */
  readonly context: Uint8Array;
}

/** The state of all entries up to `index`, and who was a member then. */
export interface Snapshot {
  readonly index: number;
  readonly term: number;
  readonly voters: readonly RaftId[];
  readonly data: Uint8Array;
}

/** What must survive a crash beside the entries: figure 2's persistent state, and how far the log is known to be committed. */
export interface HardState {
  readonly term: number;
  readonly vote: RaftId | undefined;
  readonly commit: number;
}

interface Envelope {
  readonly from: RaftId;
  readonly to: RaftId;
  /** The sender's; of a pre-vote the term that the sender would have. */
  readonly term: number;
}

/** `index` and `logTerm` name the entry before the first of `entries`. */
export interface Append extends Envelope {
  readonly kind: "append";
  readonly index: number;
  readonly logTerm: number;
  readonly entries: readonly Entry[];
  readonly commit: number;
}
/** `index`: the last one that now matches; or, `rejected`, the one that did not, with the follower's best guess of where it would. */
export interface AppendResponse extends Envelope {
  readonly kind: "append-response";
  readonly index: number;
  readonly rejected: Hint | undefined;
}
export interface Hint {
  readonly index: number;
  /** The term of the follower's entry at `index`, 0 when the follower is of a version that does not say. */
  readonly logTerm: number;
}
/** `index` and `logTerm` are of the candidate's last entry. */
export interface Vote extends Envelope {
  readonly kind: "vote" | "pre-vote";
  readonly index: number;
  readonly logTerm: number;
  /** The leader itself asked the candidate to take over: its lease does not stand in the way. */
  readonly transfer: boolean;
}
export interface VoteResponse extends Envelope {
  readonly kind: "vote-response" | "pre-vote-response";
  readonly granted: boolean;
}
export interface Heartbeat extends Envelope {
  readonly kind: "heartbeat";
  readonly commit: number;
}
export interface InstallSnapshot extends Envelope {
  readonly kind: "snapshot";
  readonly snapshot: Snapshot;
}
export interface Signal extends Envelope {
  readonly kind: "heartbeat-response" | "timeout-now";
}

export type Message = Append | AppendResponse | Vote | VoteResponse | Heartbeat | InstallSnapshot | Signal;

/** A number for a new member: 1 to 2^63 - 1. */
export function drawId(random: Random): RaftId {
  const high = random.u32() >>> 1;
  const low = random.u32();
  return idOf(high, high === 0 && low === 0 ? 1 : low);
}

export function idOf(high: number, low: number): RaftId {
  return high.toString(16).padStart(8, "0") + low.toString(16).padStart(8, "0");
}

/** `11a0976795db7b3b`: as dockerd's log has it. */
export function formatId(id: RaftId): string {
  return id.replace(/^0+(?=.)/, "");
}
