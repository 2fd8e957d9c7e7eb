/** Log replication and heartbeats, Raft §5.3, and the commit rule, §5.4.2: the leader's side, then the follower's. */
import type { Append, AppendResponse, Entry, Heartbeat, RaftId } from "./messages.ts";
import { acknowledge, isPaused, type Progress, probe, replicate, retreat } from "./progress.ts";
import { heldByQuorum } from "./quorum.ts";
import { mayCommit } from "./rules.ts";
import { sendSnapshot } from "./snapshot.ts";
import { type Leader, others, type State } from "./state.ts";

/** Appends an entry of the leader's own term; it travels with the next `broadcastAppend`. */
export function appendOwn(state: State, leader: Leader, kind: Entry["kind"], data: Uint8Array): Entry {
  const entry: Entry = { kind, term: state.term, index: state.log.lastIndex + 1, data };
  state.log.append(entry);
  advanceCommit(state, leader); // a lone member is a majority
  return entry;
}

export function broadcastAppend(state: State, leader: Leader): void {
  for (const to of others(state)) sendAppend(state, leader, to, true);
}

/** Heartbeats carry no entries; the commit index that they tell is one that the follower is known to hold. */
export function broadcastHeartbeat(state: State, leader: Leader): void {
  for (const to of others(state)) {
    const match = leader.progress.get(to)?.match ?? 0;
    const commit = Math.min(match, state.log.commitIndex);
    state.outbox.push({ kind: "heartbeat", from: state.id, to, term: state.term, commit });
  }
}

/** Commits what a majority holds; true when that was more than before. */
export function advanceCommit(state: State, leader: Leader): boolean {
  const log = state.log;
  const held = heldByQuorum(state.voters, (voter) =>
    voter === state.id ? log.lastIndex : (leader.progress.get(voter)?.match ?? 0),
  );
  if (held <= log.commitIndex || !mayCommit(log.term(held), state.term)) return false;
  log.commitTo(held);
  return true;
}

/** Sends what comes next for `to`, if it may be sent anything; an append without entries only when `evenEmpty`. */
export function sendAppend(state: State, leader: Leader, to: RaftId, evenEmpty: boolean): boolean {
  const progress = leader.progress.get(to);
  if (progress === undefined || isPaused(progress, state.settings.maxInflight)) return false;
  const log = state.log;
  const index = progress.next - 1;
  const logTerm = log.term(index);
  if (logTerm === undefined || index < log.firstIndex - 1) return sendSnapshot(state, progress, to);
  const entries = log.from(progress.next, state.settings.maxMessageBytes);
  const last = entries[entries.length - 1];
  if (last === undefined && !evenEmpty) return false;
  state.outbox.push({
    kind: "append",
    from: state.id,
    to,
    term: state.term,
    index,
    logTerm,
    entries,
    commit: log.commitIndex,
  });
  if (last === undefined) return true;
  if (progress.mode.kind === "probe") progress.mode.isWaiting = true;
  else if (progress.mode.kind === "replicate") {
    progress.next = last.index + 1; // optimistic: a refusal sets it back
    progress.mode.inflight.push(last.index);
  }
  return true;
}

/** The rest of what `to` lacks, as far as the window lets it. */
function sendRest(state: State, leader: Leader, to: RaftId): void {
  while (sendAppend(state, leader, to, false)) if (leader.progress.get(to)?.mode.kind !== "replicate") return;
}

export function onAppendResponse(state: State, leader: Leader, message: AppendResponse): void {
  const progress = leader.progress.get(message.from);
  if (progress === undefined) return;
  progress.isActive = true;
  if (message.rejected !== undefined) {
    const { index, logTerm } = message.rejected;
    const hint = logTerm > 0 ? state.log.lastAtMost(index, logTerm) : index;
    if (!retreat(progress, message.index, hint)) return;
    if (progress.mode.kind === "replicate") probe(progress);
    sendAppend(state, leader, message.from, true);
    return;
  }
  if (message.index > state.log.lastIndex) return; // nobody can hold what we have not sent
  const wasPaused = isPaused(progress, state.settings.maxInflight);
  if (acknowledge(progress, message.index)) {
    if (progress.mode.kind === "probe") replicate(progress);
    else if (progress.mode.kind === "snapshot" && progress.match >= progress.mode.index) replicate(progress);
    if (advanceCommit(state, leader)) broadcastAppend(state, leader);
    else if (wasPaused) sendAppend(state, leader, message.from, true);
    sendRest(state, leader, message.from);
  }
  // The one to take over has all: now it may start its election at once.
  if (message.from === leader.transferee && progress.match === state.log.lastIndex)
    state.outbox.push({ kind: "timeout-now", from: state.id, to: message.from, term: state.term });
}

export function onHeartbeatResponse(state: State, leader: Leader, from: RaftId): void {
  const progress = leader.progress.get(from);
  if (progress === undefined) return;
  progress.isActive = true;
  // An append may have been lost: let one more out.
  if (progress.mode.kind === "probe") progress.mode.isWaiting = false;
  else if (progress.mode.kind === "replicate" && isPaused(progress, state.settings.maxInflight))
    progress.mode.inflight.shift();
  if (progress.match < state.log.lastIndex) sendAppend(state, leader, from, true);
}

/** The transport could not deliver: do not count on what is under way. */
export function onUnreachable(progress: Progress): void {
  if (progress.mode.kind === "replicate") probe(progress);
}

/** The follower's side. The message is of the node's own term and from its leader. */
export function onAppend(state: State, message: Append): void {
  const log = state.log;
  const answer = { kind: "append-response", from: state.id, to: message.from, term: state.term } as const;
  if (message.index < log.commitIndex) {
    state.outbox.push({ ...answer, index: log.commitIndex, rejected: undefined });
    return;
  }
  const matched = log.accept(message.index, message.logTerm, message.entries);
  if (matched === "contradicts-committed") {
    state.fault = "raft-contradicts-committed";
  } else if (matched === "inconsistent") {
    const index = log.lastAtMost(Math.min(message.index, log.lastIndex), message.logTerm);
    const rejected = { index, logTerm: log.term(index) ?? 0 };
    state.outbox.push({ ...answer, index: message.index, rejected });
  } else {
    log.commitTo(Math.min(message.commit, matched));
    state.outbox.push({ ...answer, index: matched, rejected: undefined });
  }
}

export function onHeartbeat(state: State, message: Heartbeat): void {
  if (message.commit > state.log.lastIndex) {
    state.fault = "raft-commit-beyond-log";
    return;
  }
  state.log.commitTo(message.commit);
  state.outbox.push({ kind: "heartbeat-response", from: state.id, to: message.from, term: state.term });
}
