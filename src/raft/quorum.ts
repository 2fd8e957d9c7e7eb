/** What a majority of the members says: the index that they all hold, the outcome of an election. */
import type { RaftId } from "./messages.ts";
import { quorumOf } from "./rules.ts";

/** The highest index that a majority holds; 0 without members. */
export function heldByQuorum(voters: readonly RaftId[], matchOf: (voter: RaftId) => number): number {
  if (voters.length === 0) return 0;
  const matches = voters.map(matchOf).sort((a, b) => b - a);
  return matches[quorumOf(voters.length) - 1]!;
}

/** Votes of those who are no members do not count. */
export function tally(
  voters: readonly RaftId[],
  votes: ReadonlyMap<RaftId, boolean>,
): { readonly granted: number; readonly refused: number; readonly outcome: "won" | "lost" | "open" } {
  let granted = 0;
  let refused = 0;
  for (const voter of voters) {
    const vote = votes.get(voter);
    if (vote === true) granted++;
    else if (vote === false) refused++;
  }
  const quorum = quorumOf(voters.length);
  const outcome = granted >= quorum ? "won" : refused >= quorum ? "lost" : "open";
  return { granted, refused, outcome };
}

/**
 * Swarm's own check before it removes a manager: enough of the others can be reached to be a majority afterwards. Otherwise
 * `can't remove member from the raft: this would result in a loss of quorum`.
 */
export function canRemove(voters: readonly RaftId[], member: RaftId, isReachable: (voter: RaftId) => boolean): boolean {
  const reachable = voters.filter((voter) => voter !== member && isReachable(voter)).length;
  return reachable >= quorumOf(voters.length - 1);
}
