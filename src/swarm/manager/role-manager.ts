/**
 * Makes the members of raft agree with the roles that the nodes are to have (swarmkit manager/role_manager.go): a promoted node gets its role, and joins
 * when its certificate says so; a demoted one is removed from raft first, and a leader that is demoted hands over before.
 */
import type { RaftId } from "../../raft/messages.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Node } from "../api/objects.ts";
import type { NodeRole } from "../api/specs.ts";
import type { Status } from "../grpc/status.ts";
import type { LeaderComponent, LeaderContext, LeaderWork } from "./leader-work.ts";
import type { Membership } from "./membership.ts";

const RETRY_NS: Nanoseconds = 5 * SECOND;

export interface RoleRaft {
  readonly ownId: RaftId;
  readonly membership: Membership;
  canRemove(member: RaftId): boolean;
  remove(member: RaftId, done: (problem: Status | undefined) => void): void;
  transferLeadership(): boolean;
}

export function roleManagerWork(raft: RoleRaft): LeaderWork {
  return { name: "role manager", methods: [], start: (context) => new RoleManager(context, raft) };
}

class RoleManager implements LeaderComponent {
  readonly #context: LeaderContext;
  readonly #raft: RoleRaft;
  readonly #stopWatch: () => void;
  readonly #retry: Timer;
  /** Nodes whose role is to be looked at. */
  readonly #pending = new Set<string>();
  /** Nodes that are gone, and perhaps still members of raft. */
  readonly #evicted = new Set<string>();
  #isRemoving = false;
  #isStopped = false;

  constructor(context: LeaderContext, raft: RoleRaft) {
    this.#context = context;
    this.#raft = raft;
    this.#retry = new Timer(context.clock, () => this.#reconcileAll());
    this.#stopWatch = context.store.watch((changes) => {
      for (const change of changes) {
        if (change.kind !== "node") continue;
        if (change.action === "update") this.#pending.add(change.object.id);
        else if (change.action === "remove") this.#evicted.add(change.object.id);
      }
      this.#reconcileAll();
    });
    for (const { nodeId } of raft.membership.members)
      if (context.store.get("node", nodeId) === undefined) this.#evicted.add(nodeId);
    for (const node of context.store.all("node")) this.#pending.add(node.id);
    this.#reconcileAll();
  }

  stop(): void {
    this.#isStopped = true;
    this.#stopWatch();
    this.#retry.stop();
  }

  #reconcileAll(): void {
    for (const nodeId of [...this.#evicted]) this.#evict(nodeId);
    for (const nodeId of [...this.#pending]) this.#reconcile(nodeId);
    const isAllDone = this.#pending.size === 0 && this.#evicted.size === 0;
    if (!isAllDone && !this.#isStopped && !this.#retry.armed) this.#retry.set(RETRY_NS);
  }

  #evict(nodeId: string): void {
    const member = this.#raft.membership.byNode(nodeId);
    if (member === undefined) this.#evicted.delete(nodeId);
    else this.#remove(member.raftId);
  }

  #reconcile(nodeId: string): void {
    const node = this.#context.store.get("node", nodeId);
    if (node === undefined || node.role === node.spec.desiredRole) {
      this.#pending.delete(nodeId);
      return;
    }
    const member = this.#raft.membership.byNode(nodeId);
    if (node.spec.desiredRole === "worker" && member !== undefined) this.#remove(member.raftId);
    else this.#setRole(node, node.spec.desiredRole);
  }

  #setRole(seen: Node, role: NodeRole): void {
    this.#pending.delete(seen.id);
    this.#context.store.update(
      (tx) => {
        const node = tx.get("node", seen.id);
        if (node !== undefined && node.spec.desiredRole === role && node.role === seen.role)
          tx.update("node", { ...node, role });
      },
      (outcome) => {
        if (outcome === "committed" || this.#isStopped) return;
        this.#pending.add(seen.id);
        if (!this.#retry.armed) this.#retry.set(RETRY_NS);
      },
    );
  }

  #remove(member: RaftId): void {
    if (this.#isRemoving || !this.#raft.canRemove(member)) return;
    if (member === this.#raft.ownId && this.#raft.transferLeadership()) return;
    this.#isRemoving = true;
    this.#raft.remove(member, (problem) => {
      this.#isRemoving = false;
      if (this.#isStopped) return;
      if (problem === undefined) this.#reconcileAll();
      else if (!this.#retry.armed) this.#retry.set(RETRY_NS);
    });
  }
}
