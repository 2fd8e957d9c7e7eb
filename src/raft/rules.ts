/**
 * The decisions on which Raft's safety rests, each a line or two, named after its place in the paper (Ongaro, Ousterhout: In Search of
 * an Understandable Consensus Algorithm, extended version): apart, so that a test can break one and see the breakage found.
 */
import type { RaftId } from "./messages.ts";

/** §5.2: votes or copies that make a majority of `voters`. */
export function quorumOf(voters: number): number {
  return Math.floor(voters / 2) + 1;
}

/** §5.2: one vote a term, first come first served; none for anyone when the term's leader is known. */
export function isFreeToVote(vote: RaftId | undefined, leader: RaftId | undefined, candidate: RaftId): boolean {
  return vote === candidate || (vote === undefined && leader === undefined);
}

/** §5.4.1: a log whose last entry has a later term, or the same and no smaller index, is at least as up to date. */
export function isUpToDate(theirTerm: number, theirIndex: number, ourTerm: number, ourIndex: number): boolean {
  return theirTerm > ourTerm || (theirTerm === ourTerm && theirIndex >= ourIndex);
}

/** §5.3: entries go behind one that the follower has as well. */
export function isConsistent(ourTerm: number | undefined, theirTerm: number): boolean {
  return ourTerm === theirTerm;
}

/** §5.4.2: counting copies commits entries of the leader's own term alone; older ones follow with them (figure 8). */
export function mayCommit(entryTerm: number | undefined, leaderTerm: number): boolean {
  return entryTerm === leaderTerm;
}
