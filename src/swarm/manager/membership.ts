/** The managers that are members of raft, by their numbers, and the numbers that will never be again (swarmkit raft/membership/cluster.go). */
import type { RaftId } from "../../raft/messages.ts";
import type { RaftMember } from "./raft-shapes.ts";

export class Membership {
  readonly #members = new Map<RaftId, RaftMember>();
  readonly #removed = new Set<RaftId>();

  /** In the order of their numbers. */
  get members(): readonly RaftMember[] {
    return [...this.#members.values()].sort((a, b) => (a.raftId < b.raftId ? -1 : 1));
  }

  get removed(): readonly RaftId[] {
    return [...this.#removed].sort();
  }

  get size(): number {
    return this.#members.size;
  }

  get(raftId: RaftId): RaftMember | undefined {
    return this.#members.get(raftId);
  }

  byNode(nodeId: string): RaftMember | undefined {
    return this.members.find((member) => member.nodeId === nodeId);
  }

  isRemoved(raftId: RaftId): boolean {
    return this.#removed.has(raftId);
  }

  /** Adds it or gives it another address. */
  put(member: RaftMember): void {
    if (!this.#removed.has(member.raftId)) this.#members.set(member.raftId, member);
  }

  remove(raftId: RaftId): void {
    this.#members.delete(raftId);
    this.#removed.add(raftId);
  }

  /** Takes a snapshot's place. */
  replace(members: readonly RaftMember[], removed: readonly RaftId[]): void {
    this.#members.clear();
    for (const raftId of removed) this.#removed.add(raftId);
    for (const member of members) this.put(member);
  }
}
