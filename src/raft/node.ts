/**
 * A raft node as swarmkit runs one: messages, ticks and proposals in, an `Output` out. Sockets, disk and time are the caller's.
 * The behaviour is that of etcd's raft with `SWARM_SETTINGS`.
 */
import { assert } from "../sim/assert.ts";
import type { Random } from "../sim/random.ts";
import { campaign, checkQuorum, isWithinLease, onVote, onVoteResponse, transferLeadership } from "./election.ts";
import { RaftLog } from "./log.ts";
import { applyChange } from "./membership.ts";
import type { Entry, HardState, MembershipChange, Message, RaftId, Snapshot } from "./messages.ts";
import {
  appendOwn,
  broadcastAppend,
  broadcastHeartbeat,
  onAppend,
  onAppendResponse,
  onHeartbeat,
  onHeartbeatResponse,
  onUnreachable,
} from "./replication.ts";
import { MAX_PROPOSAL_BYTES, type Settings } from "./settings.ts";
import { isSnapshotDue, onSnapshot, onSnapshotStatus, takeSnapshot } from "./snapshot.ts";
import { becomeFollower, type Fault, type Leader, leaderOf, type Role, type State } from "./state.ts";
import type { Save, Stored } from "./storage.ts";
import { emitChange } from "./wire.ts";

/** What is to be done, in the order of the fields; see storage.ts for why. */
export interface Output {
  readonly save: Save;
  readonly messages: readonly Message[];
  /** For the state machine: first a snapshot received that takes the place of its state, then entries. */
  readonly apply: { readonly snapshot: Snapshot | undefined; readonly entries: readonly Entry[] };
}

/** Where a proposal stands in the log if it is committed: it is done when an entry of that index AND term is applied. */
export interface Proposed {
  readonly index: number;
  readonly term: number;
}
export type Refusal =
  | "not-leader"
  | "not-caught-up" // newly elected, with entries of its predecessors still to be applied
  | "transferring-leadership"
  | "change-pending" // one change of membership at a time
  | "too-large"
  | "halted";

/** Why a message had no effect. */
export type Ignored =
  | "raft-halted"
  | "raft-not-addressed"
  | "raft-stale-term"
  | "raft-leader-alive" // a vote asked for within the leader's lease
  | "raft-not-expected";

export class RaftNode {
  readonly #state: State;
  #saved: HardState;

  /**
   * `stored` is what the disk held; undefined for a manager that joins: it knows no member, itself included, until it is told the log.
   * The caller's state machine starts from `stored.snapshot`; entries behind it come again.
   */
  constructor(id: RaftId, settings: Settings, random: Random, stored: Stored | undefined) {
    const hardState = stored?.hardState ?? { term: 1, vote: undefined, commit: 0 };
    const log = new RaftLog(stored?.snapshot, stored?.entries ?? [], hardState.commit);
    this.#saved = stored === undefined ? { term: 0, vote: undefined, commit: 0 } : hardState;
    this.#state = {
      id,
      settings,
      random,
      log,
      term: hardState.term,
      vote: hardState.vote,
      role: { kind: "follower", leader: undefined },
      voters: [...(stored?.snapshot?.voters ?? [])].sort(),
      electionElapsedTicks: 0,
      heartbeatElapsedTicks: 0,
      electionTimeoutTicks: 0,
      outbox: [],
      unsavedSnapshot: undefined,
      fault: undefined,
    };
    becomeFollower(this.#state, hardState.term, undefined);
  }

  get id(): RaftId {
    return this.#state.id;
  }
  get term(): number {
    return this.#state.term;
  }
  get role(): Role["kind"] {
    return this.#state.role.kind;
  }
  /** As far as this node knows. */
  get leader(): RaftId | undefined {
    return leaderOf(this.#state);
  }
  get voters(): readonly RaftId[] {
    return this.#state.voters;
  }
  get fault(): Fault | undefined {
    return this.#state.fault;
  }
  get commitIndex(): number {
    return this.#state.log.commitIndex;
  }
  /** The last index handed out to be applied. */
  get appliedIndex(): number {
    return this.#state.log.appliedIndex;
  }
  get firstIndex(): number {
    return this.#state.log.firstIndex;
  }
  get lastIndex(): number {
    return this.#state.log.lastIndex;
  }
  /** It leads and has applied its predecessors' entries: swarmkit starts the leader's work (allocator, scheduler, ...) now. */
  get isReadyForProposals(): boolean {
    return this.#state.role.kind === "leader" && this.#state.role.isCaughtUp;
  }
  /** The members that answered the leader since it last checked its quorum; nobody else knows. */
  isActive(member: RaftId): boolean {
    const { role, id } = this.#state;
    return member === id || (role.kind === "leader" && role.progress.get(member)?.isActive === true);
  }
  /** Entries that are in the log between the two indices, both included. */
  entries(from: number, to: number): readonly Entry[] {
    return this.#state.log.between(from, to);
  }
  /** Of an entry in the log, or of the last one before it. */
  termAt(index: number): number | undefined {
    return this.#state.log.term(index);
  }

  /** A second has passed. */
  tick(): void {
    const state = this.#state;
    if (state.fault !== undefined) return;
    state.electionElapsedTicks++;
    if (state.role.kind === "leader") this.#tickLeader(state.role);
    else if (state.electionElapsedTicks >= state.electionTimeoutTicks && state.voters.includes(state.id)) {
      state.electionElapsedTicks = 0;
      campaign(state, false);
    }
  }

  #tickLeader(leader: Leader): void {
    const state = this.#state;
    state.heartbeatElapsedTicks++;
    if (state.electionElapsedTicks >= state.settings.electionTicks) {
      state.electionElapsedTicks = 0;
      if (state.settings.checkQuorum) checkQuorum(state, leader);
      leader.transferee = undefined; // it took too long
    }
    if (state.role !== leader || state.heartbeatElapsedTicks < state.settings.heartbeatTicks) return;
    state.heartbeatElapsedTicks = 0;
    broadcastHeartbeat(state, leader);
  }

  /** Starts an election now: the first manager does at `swarm init`, and a lone one when it restarts. */
  campaign(): void {
    if (this.#state.fault === undefined) campaign(this.#state, false);
  }

  /**
   * Takes in a message. That the sender is a member, and can be reached when it asks for a vote, is the caller's check, as
   * it is swarmkit's.
   */
  step(message: Message): Ignored | undefined {
    const state = this.#state;
    if (state.fault !== undefined) return "raft-halted";
    if (message.to !== state.id) return "raft-not-addressed";
    const isVote = message.kind === "vote" || message.kind === "pre-vote";
    if (message.term > state.term) {
      if (isVote && !message.transfer && isWithinLease(state)) return "raft-leader-alive";
      // A pre-vote, and its being granted, speak of a term that nobody is in yet.
      const isSupposed = message.kind === "pre-vote" || (message.kind === "pre-vote-response" && message.granted);
      if (!isSupposed) becomeFollower(state, message.term, leaderBy(message));
    } else if (message.term < state.term) {
      this.#answerStale(message);
      return "raft-stale-term";
    }
    return this.#stepInTerm(message);
  }

  /** One who lives in the past would never hear of the present: its own requests are ignored within the lease. */
  #answerStale(message: Message): void {
    const { settings, outbox, id, term } = this.#state;
    const isLeaders = message.kind === "heartbeat" || message.kind === "append";
    if (isLeaders && (settings.checkQuorum || settings.preVote))
      outbox.push({ kind: "append-response", from: id, to: message.from, term, index: 0, rejected: undefined });
    else if (message.kind === "pre-vote")
      outbox.push({ kind: "pre-vote-response", from: id, to: message.from, term, granted: false });
  }

  #stepInTerm(message: Message): Ignored | undefined {
    const state = this.#state;
    switch (message.kind) {
      case "vote":
      case "pre-vote":
        onVote(state, message);
        return undefined;
      case "vote-response":
      case "pre-vote-response":
        if (state.role.kind !== "candidate" && state.role.kind !== "pre-candidate") return "raft-not-expected";
        onVoteResponse(state, message);
        return undefined;
      case "append":
      case "heartbeat":
      case "snapshot":
        return this.#stepFromLeader(message);
      case "append-response":
        if (state.role.kind !== "leader") return "raft-not-expected";
        onAppendResponse(state, state.role, message);
        return undefined;
      case "heartbeat-response":
        if (state.role.kind !== "leader") return "raft-not-expected";
        onHeartbeatResponse(state, state.role, message.from);
        return undefined;
      case "timeout-now":
        if (state.role.kind !== "follower") return "raft-not-expected";
        campaign(state, true);
        return undefined;
    }
  }

  #stepFromLeader(message: Extract<Message, { kind: "append" | "heartbeat" | "snapshot" }>): Ignored | undefined {
    const state = this.#state;
    if (state.role.kind === "leader") {
      state.fault = "raft-two-leaders"; // in one term
      return "raft-halted";
    }
    if (state.role.kind === "follower") {
      state.role.leader = message.from;
      state.electionElapsedTicks = 0;
    } else becomeFollower(state, state.term, message.from);
    if (message.kind === "append") onAppend(state, message);
    else if (message.kind === "heartbeat") onHeartbeat(state, message);
    else onSnapshot(state, message);
    return undefined;
  }

  /** Puts `data` into the log if this node leads. It is done only when it comes back to be applied: see `PendingProposals`. */
  propose(data: Uint8Array): Proposed | Refusal {
    const role = this.#leading();
    if (typeof role === "string") return role;
    if (!role.isCaughtUp) return "not-caught-up";
    if (data.length > MAX_PROPOSAL_BYTES) return "too-large";
    return this.#append(role, "normal", data);
  }

  /** Adds, removes or re-addresses a member: in effect on each node when it is applied there. */
  proposeChange(change: MembershipChange): Proposed | Refusal {
    const role = this.#leading();
    if (typeof role === "string") return role;
    if (role.pendingChangeIndex > this.#state.log.appliedIndex) return "change-pending";
    const proposed = this.#append(role, "change", emitChange(change));
    role.pendingChangeIndex = proposed.index;
    return proposed;
  }

  #leading(): Leader | Refusal {
    const { role, fault, voters, id } = this.#state;
    if (fault !== undefined) return "halted";
    if (role.kind !== "leader" || !voters.includes(id)) return "not-leader";
    return role.transferee === undefined ? role : "transferring-leadership";
  }

  #append(role: Leader, kind: Entry["kind"], data: Uint8Array): Proposed {
    const { index, term } = appendOwn(this.#state, role, kind, data);
    broadcastAppend(this.#state, role);
    return { index, term };
  }

  /** Hands the leadership over; what comes of it shows in `leader`. */
  transferLeadership(to: RaftId): void {
    const { role, fault } = this.#state;
    if (role.kind === "leader" && fault === undefined) transferLeadership(this.#state, role, to);
  }

  /** The transport could not deliver to `to` in time. */
  reportUnreachable(to: RaftId): void {
    const progress = this.#progressOf(to);
    if (progress !== undefined) onUnreachable(progress);
  }

  /** The transport has delivered a snapshot to `to`, or has not. It must say so of each: nothing else is sent to `to` before. */
  reportSnapshot(to: RaftId, isDelivered: boolean): void {
    const progress = this.#progressOf(to);
    if (progress !== undefined) onSnapshotStatus(progress, isDelivered);
  }

  #progressOf(member: RaftId) {
    const { role } = this.#state;
    return role.kind === "leader" ? role.progress.get(member) : undefined;
  }

  /** `snapshotInterval` entries have been applied since the last snapshot. */
  get isSnapshotDue(): boolean {
    return isSnapshotDue(this.#state);
  }

  /** `data` is the state machine's state with everything applied that was handed out; it replaces the entries that made it. */
  takeSnapshot(data: Uint8Array): Snapshot {
    assert(this.#state.unsavedSnapshot === undefined, "a snapshot while another waits to be saved");
    return takeSnapshot(this.#state, data);
  }

  /** What is to be done since the last call; undefined when nothing is. Outputs are carried out one after the other. */
  takeOutput(): Output | undefined {
    const state = this.#state;
    if (state.fault !== undefined) return undefined;
    const snapshot = state.unsavedSnapshot;
    state.unsavedSnapshot = undefined;
    const unsaved = state.log.takeUnsaved();
    const committed = state.log.takeCommitted();
    const hardState = this.#changedHardState(); // before changes of membership commit more, which goes into the next output
    for (const entry of committed) if (entry.kind === "change") applyChange(state, entry.data);
    if (state.role.kind === "leader" && state.log.appliedIndex === state.log.lastIndex) state.role.isCaughtUp = true;
    const messages = state.outbox;
    state.outbox = [];
    if (
      snapshot === undefined &&
      hardState === undefined &&
      unsaved.length === 0 &&
      committed.length === 0 &&
      messages.length === 0
    )
      return undefined;
    return {
      save: { snapshot: snapshot?.snapshot, entries: unsaved, hardState },
      messages,
      apply: { snapshot: snapshot?.isReceived === true ? snapshot.snapshot : undefined, entries: committed },
    };
  }

  #changedHardState(): HardState | undefined {
    const { term, vote, log } = this.#state;
    const saved = this.#saved;
    if (saved.term === term && saved.vote === vote && saved.commit === log.commitIndex) return undefined;
    this.#saved = { term, vote, commit: log.commitIndex };
    return this.#saved;
  }
}

/** Whom a message of a new term shows to lead it. */
function leaderBy(message: Message): RaftId | undefined {
  return message.kind === "append" || message.kind === "heartbeat" || message.kind === "snapshot"
    ? message.from
    : undefined;
}
