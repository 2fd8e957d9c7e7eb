/** What a manager keeps on its disk (swarmkit's raft folder): raft's log and snapshots, and its number in raft. It outlives the manager. */
import { firstSave, forceNewCluster } from "../../raft/bootstrap.ts";
import type { RaftId } from "../../raft/messages.ts";
import { MemoryDisk } from "../../raft/storage.ts";
import { raftMemberShape } from "./raft-shapes.ts";

export class ManagerDisk {
  #raft = new MemoryDisk();
  #raftId: RaftId | undefined;

  get raft(): MemoryDisk {
    return this.#raft;
  }

  /** Undefined: it has never been a member. */
  get raftId(): RaftId | undefined {
    return this.#raftId;
  }

  /** The first manager of a cluster. */
  begin(raftId: RaftId, nodeId: string, address: string): void {
    this.#raftId = raftId;
    this.#raft = new MemoryDisk();
    this.#raft.save(firstSave(raftId, raftMemberShape.emit({ raftId, nodeId, address, status: undefined })));
  }

  /** One that has joined: the leader will send the log. */
  join(raftId: RaftId): void {
    this.#raftId = raftId;
    this.#raft = new MemoryDisk();
  }

  /** `--force-new-cluster`: it alone goes on with what it has. */
  forceNewCluster(nodeId: string, address: string): void {
    const stored = this.#raft.load();
    const raftId = this.#raftId;
    if (stored === undefined || raftId === undefined) return;
    const context = raftMemberShape.emit({ raftId, nodeId, address, status: undefined });
    const disk = new MemoryDisk();
    disk.save(forceNewCluster(stored, raftId, context));
    this.#raft = disk;
  }

  clear(): void {
    this.#raft = new MemoryDisk();
    this.#raftId = undefined;
  }
}
