/** Leader election, Raft §5.2 and §5.4.1; pre-vote, dissertation §9.6; the leader's lease and the check of the quorum, §6.2 and §6.4.1. */
import { hasPendingChange } from "./membership.ts";
import type { RaftId, Vote, VoteResponse } from "./messages.ts";
import { newProgress, type Progress } from "./progress.ts";
import { tally } from "./quorum.ts";
import { appendOwn, broadcastAppend, sendAppend } from "./replication.ts";
import { isFreeToVote, isUpToDate, quorumOf } from "./rules.ts";
import {
  becomeCandidate,
  becomeFollower,
  becomePreCandidate,
  enterTerm,
  isVoter,
  type Leader,
  leaderOf,
  others,
  type State,
} from "./state.ts";

/** Starts an election, unless the node leads, is no member, or has not applied a change of the membership that is to elect it. */
export function campaign(state: State, isTransfer: boolean): void {
  if (state.role.kind === "leader" || !isVoter(state) || hasPendingChange(state)) return;
  if (state.settings.preVote && !isTransfer) {
    becomePreCandidate(state);
    if (tally(state.voters, new Map([[state.id, true]])).outcome === "won") stand(state, false);
    else askVotes(state, "pre-vote", state.term + 1, false);
  } else stand(state, isTransfer);
}

function stand(state: State, isTransfer: boolean): void {
  becomeCandidate(state);
  if (tally(state.voters, new Map([[state.id, true]])).outcome === "won") becomeLeader(state);
  else askVotes(state, "vote", state.term, isTransfer);
}

function askVotes(state: State, kind: Vote["kind"], term: number, transfer: boolean): void {
  const { lastIndex: index, lastTerm: logTerm } = state.log;
  for (const to of others(state)) state.outbox.push({ kind, from: state.id, to, term, index, logTerm, transfer });
}

/** A request of our own term, or of a higher one that a pre-vote only speaks of. */
export function onVote(state: State, message: Vote): void {
  const isPreVote = message.kind === "pre-vote";
  const isFree = isFreeToVote(state.vote, leaderOf(state), message.from) || (isPreVote && message.term > state.term);
  const granted = isFree && isUpToDate(message.logTerm, message.index, state.log.lastTerm, state.log.lastIndex);
  if (granted && !isPreVote) {
    state.vote = message.from;
    state.electionElapsedTicks = 0;
  }
  state.outbox.push({
    kind: isPreVote ? "pre-vote-response" : "vote-response",
    from: state.id,
    to: message.from,
    term: granted ? message.term : state.term,
    granted,
  });
}

/** True when a vote must not even be looked at: the leader was heard of within the shortest election timeout, so it lives. */
export function isWithinLease(state: State): boolean {
  return (
    state.settings.checkQuorum &&
    leaderOf(state) !== undefined &&
    state.electionElapsedTicks < state.settings.electionTicks
  );
}

export function onVoteResponse(state: State, message: VoteResponse): void {
  const role = state.role;
  const expected = role.kind === "pre-candidate" ? "pre-vote-response" : "vote-response";
  if ((role.kind !== "candidate" && role.kind !== "pre-candidate") || message.kind !== expected) return;
  if (!role.votes.has(message.from)) role.votes.set(message.from, message.granted); // the first answer counts
  const { outcome } = tally(state.voters, role.votes);
  if (outcome === "lost") becomeFollower(state, state.term, undefined);
  else if (outcome === "won" && role.kind === "pre-candidate") stand(state, false);
  else if (outcome === "won") becomeLeader(state);
}

function becomeLeader(state: State): void {
  enterTerm(state, state.term);
  const progress = new Map<RaftId, Progress>();
  for (const other of others(state)) progress.set(other, newProgress(state.log.lastIndex));
  const leader: Leader = {
    kind: "leader",
    progress,
    // Entries that it finds in its log may hold a change not yet applied: none is proposed before all of them are.
    pendingChangeIndex: state.log.lastIndex,
    transferee: undefined,
    isCaughtUp: false,
  };
  state.role = leader;
  appendOwn(state, leader, "normal", new Uint8Array(0)); // §8: commits what earlier leaders left
  broadcastAppend(state, leader);
}

/** Every election timeout: a leader that has not heard from a majority since the last time may have been replaced. */
export function checkQuorum(state: State, leader: Leader): void {
  let active = isVoter(state) ? 1 : 0;
  for (const progress of leader.progress.values()) {
    if (progress.isActive) active++;
    progress.isActive = false;
  }
  if (active < quorumOf(state.voters.length)) becomeFollower(state, state.term, undefined);
}

/** Hands the leadership to `to`, dissertation §3.10: it is brought up to date, then told to start an election. */
export function transferLeadership(state: State, leader: Leader, to: RaftId): void {
  const progress = leader.progress.get(to);
  if (progress === undefined || leader.transferee === to) return;
  leader.transferee = to;
  state.electionElapsedTicks = 0; // an election timeout from now the transfer is given up
  if (progress.match === state.log.lastIndex)
    state.outbox.push({ kind: "timeout-now", from: state.id, to, term: state.term });
  else sendAppend(state, leader, to, true);
}
