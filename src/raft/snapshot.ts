/** Snapshots, Raft §7: for a follower that needs entries which the leader no longer has, and to keep the log short. */
import type { InstallSnapshot, RaftId, Snapshot } from "./messages.ts";
import { type Progress, probe } from "./progress.ts";
import type { State } from "./state.ts";

/** False when there is nobody to listen: a follower that has been silent is not sent megabytes. */
export function sendSnapshot(state: State, progress: Progress, to: RaftId): boolean {
  const snapshot = state.log.snapshot;
  if (!progress.isActive || snapshot === undefined) return false;
  progress.mode = { kind: "snapshot", index: snapshot.index };
  state.outbox.push({ kind: "snapshot", from: state.id, to, term: state.term, snapshot });
  return true;
}

/** The transport says whether a snapshot arrived: nothing more is sent until the follower has answered something. */
export function onSnapshotStatus(progress: Progress, isDelivered: boolean): void {
  if (progress.mode.kind !== "snapshot") return;
  if (isDelivered) probe(progress);
  else {
    progress.next = progress.match + 1;
    progress.mode = { kind: "probe", isWaiting: false };
  }
  if (progress.mode.kind === "probe") progress.mode.isWaiting = true;
}

/** The follower's side. What it has already is not replaced; a log that agrees with the snapshot need not be. */
export function onSnapshot(state: State, message: InstallSnapshot): void {
  const log = state.log;
  const { snapshot } = message;
  if (snapshot.index > log.commitIndex) {
    if (log.term(snapshot.index) === snapshot.term) log.commitTo(snapshot.index);
    else {
      log.install(snapshot);
      state.voters = [...snapshot.voters].sort();
      state.unsavedSnapshot = { snapshot, isReceived: true };
    }
  }
  state.outbox.push({
    kind: "append-response",
    from: state.id,
    to: message.from,
    term: state.term,
    index: log.commitIndex,
    rejected: undefined,
  });
}

/** The state machine's own snapshot, of everything that was handed out to it. */
export function takeSnapshot(state: State, data: Uint8Array): Snapshot {
  const index = state.log.appliedIndex;
  if (state.log.snapshot?.index === index) return state.log.snapshot;
  const snapshot: Snapshot = { index, term: state.log.term(index) ?? 0, voters: state.voters, data };
  state.log.compact(snapshot, state.settings.keptEntries);
  state.unsavedSnapshot = { snapshot, isReceived: false };
  return snapshot;
}

export function isSnapshotDue(state: State): boolean {
  const { snapshotInterval } = state.settings;
  return snapshotInterval > 0 && state.log.appliedIndex - (state.log.snapshot?.index ?? 0) >= snapshotInterval;
}
