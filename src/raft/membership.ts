/**
 * Changes of membership, one member at a time (Raft dissertation §4.1-4.3), in etcd's manner: a change takes effect on each node when it is
 * applied, not when it is appended. That is safe since a leader proposes none while one is not applied, and a node with a
 * committed change that it has not applied does not campaign.
 */
import type { MembershipChange } from "./messages.ts";
import { newProgress } from "./progress.ts";
import { advanceCommit, broadcastAppend } from "./replication.ts";
import type { State } from "./state.ts";
import { parseChange } from "./wire.ts";

/** The change in an applied entry's data; one that cannot be read changes nothing, on all nodes alike. */
export function applyChange(state: State, data: Uint8Array): void {
  const change = parseChange(data);
  if (change === "raft-malformed") return;
  if (change.kind === "add") addVoter(state, change);
  else if (change.kind === "remove") removeVoter(state, change); // "update" is of an address: the transport's affair
}

function addVoter(state: State, change: MembershipChange): void {
  if (state.voters.includes(change.member)) return;
  state.voters = [...state.voters, change.member].sort();
  if (state.role.kind !== "leader" || change.member === state.id) return;
  // It counts as active until the next check, or the quorum's check would fail before it had a chance to answer.
  const progress = newProgress(state.log.lastIndex);
  progress.isActive = true;
  state.role.progress.set(change.member, progress);
}

function removeVoter(state: State, change: MembershipChange): void {
  state.voters = state.voters.filter((voter) => voter !== change.member);
  const role = state.role;
  if (role.kind !== "leader") return;
  role.progress.delete(change.member);
  if (role.transferee === change.member) role.transferee = undefined;
  // What the removed one held back may now be held by a majority. A leader that removed itself goes on until it is stopped.
  if (state.voters.length > 0 && advanceCommit(state, role)) broadcastAppend(state, role);
}

/** A committed change of membership waits to be applied. */
export function hasPendingChange(state: State): boolean {
  return state.log.pending().some((entry) => entry.kind === "change");
}
