/**
 * One node's state (Raft figure 2) and the moves between its roles. Times are in ticks: a second each, in Swarm.
 * Every other file of this folder holds functions that take this state a step further.
 */
import type { Random } from "../sim/random.ts";
import type { RaftLog } from "./log.ts";
import type { Message, RaftId, Snapshot } from "./messages.ts";
import type { Progress } from "./progress.ts";
import type { Settings } from "./settings.ts";

export interface Follower {
  readonly kind: "follower";
  leader: RaftId | undefined;
}
export interface Candidate {
  readonly kind: "candidate" | "pre-candidate";
  /** The answers so far: granted or not. */
  readonly votes: Map<RaftId, boolean>;
}
export interface Leader {
  readonly kind: "leader";
  /** Of every other member. */
  readonly progress: Map<RaftId, Progress>;
  /** The index of the last change of membership that may still wait to be applied: no other is proposed before it is. */
  pendingChangeIndex: number;
  /** Whom the leadership is being handed to; no proposals meanwhile. */
  transferee: RaftId | undefined;
  /** All entries of its log have been applied here once: swarmkit takes up the leader's work only then. */
  isCaughtUp: boolean;
}
export type Role = Follower | Candidate | Leader;

export interface State {
  readonly id: RaftId;
  readonly settings: Settings;
  readonly random: Random;
  readonly log: RaftLog;
  term: number;
  vote: RaftId | undefined;
  role: Role;
  /** The members as of the last entry handed out to be applied, in ascending order. Without ourselves while we have not learned of joining. */
  voters: readonly RaftId[];
  /** Since the leader was last heard; for a leader, since the quorum was last checked. */
  electionElapsedTicks: number;
  heartbeatElapsedTicks: number;
  /** Drawn anew with every change of role or term. */
  electionTimeoutTicks: number;
  /** Messages not yet handed out. */
  outbox: Message[];
  /** Snapshots not yet handed out to be saved, and whether the state machine needs this one too. */
  unsavedSnapshot: { readonly snapshot: Snapshot; readonly isReceived: boolean } | undefined;
  /** Why the node has halted for good: another broke Raft's rules, or the disk lost something. etcd's raft panics then. */
  fault: Fault | undefined;
}
export type Fault =
  | "raft-commit-beyond-log" // "Was the raft log corrupted, truncated, or lost?"
  | "raft-contradicts-committed"
  | "raft-two-leaders";

export function leaderOf(state: State): RaftId | undefined {
  if (state.role.kind === "leader") return state.id;
  return state.role.kind === "follower" ? state.role.leader : undefined;
}

export function isVoter(state: State): boolean {
  return state.voters.includes(state.id);
}

export function others(state: State): RaftId[] {
  return state.voters.filter((voter) => voter !== state.id);
}

export function becomeFollower(state: State, term: number, leader: RaftId | undefined): void {
  enterTerm(state, term);
  state.role = { kind: "follower", leader };
}

export function becomeCandidate(state: State): void {
  enterTerm(state, state.term + 1);
  state.vote = state.id;
  state.role = { kind: "candidate", votes: new Map([[state.id, true]]) };
}

/** Neither term nor vote change: it only asks. */
export function becomePreCandidate(state: State): void {
  state.role = { kind: "pre-candidate", votes: new Map([[state.id, true]]) };
}

/** Restarts the clocks, and draws how long to wait for a leader: `electionTicks` to twice that less one. */
export function enterTerm(state: State, term: number): void {
  if (state.term !== term) {
    state.term = term;
    state.vote = undefined;
  }
  state.electionElapsedTicks = 0;
  state.heartbeatElapsedTicks = 0;
  state.electionTimeoutTicks = state.settings.electionTicks + state.random.below(state.settings.electionTicks);
}
