/** How a log begins: the first manager's at `swarm init`, and the one made by `swarm init --force-new-cluster`. */
import type { Entry, MembershipChange, RaftId } from "./messages.ts";
import type { Save, Stored } from "./storage.ts";
import { emitChange, parseChange } from "./wire.ts";

const NO_REQUEST = "0000000000000000";

/** What the first member saves before it starts: itself, added in term 1 and committed. Then it campaigns, and leads in term 2. */
export function firstSave(id: RaftId, context: Uint8Array): Save {
  const change: MembershipChange = { kind: "add", member: id, request: NO_REQUEST, context };
  const entry: Entry = { kind: "change", term: 1, index: 1, data: emitChange(change) };
  return { snapshot: undefined, entries: [entry], hardState: { term: 1, vote: undefined, commit: 1 } };
}

/**
 * `--force-new-cluster`: entries that are not committed go, all members but `id` are removed in the term at hand, and that
 * counts as committed, whoever else may live. To be saved on an empty disk, in place of the one that `stored` came from.
 */
export function forceNewCluster(stored: Stored, id: RaftId, context: Uint8Array): Save {
  const { snapshot, hardState } = stored;
  const committed = stored.entries.filter((entry) => entry.index <= hardState.commit);
  const members = new Set(snapshot?.voters ?? []);
  for (const entry of committed) {
    const change = entry.kind === "change" ? parseChange(entry.data) : "raft-malformed";
    if (change === "raft-malformed") continue;
    if (change.kind === "add") members.add(change.member);
    else if (change.kind === "remove") members.delete(change.member);
  }
  const empty = new Uint8Array(0);
  const changes: MembershipChange[] = [...members]
    .filter((member) => member !== id)
    .map((member) => ({ kind: "remove", member, request: NO_REQUEST, context: empty }));
  if (!members.has(id)) changes.push({ kind: "add", member: id, request: NO_REQUEST, context });
  const last = committed[committed.length - 1]?.index ?? snapshot?.index ?? 0;
  for (const [at, change] of changes.entries())
    committed.push({ kind: "change", term: hardState.term, index: last + 1 + at, data: emitChange(change) });
  return { snapshot, entries: committed, hardState: { ...hardState, commit: last + changes.length } };
}
