/**
 * Who joins and leaves raft, on the leader (swarmkit raft.go: Join, Leave, CanRemoveMember): one change after the other, each waited for until it is
 * committed.
 */
import { drawId, type MembershipChange, type RaftId } from "../../raft/messages.ts";
import { quorumOf } from "../../raft/rules.ts";
import type { Random } from "../../sim/random.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { formatIpv4 } from "../../wire/address.ts";
import type { Caller } from "../ca/identity.ts";
import { formatStatus, type Status, status } from "../grpc/status.ts";
import type { CommitOutcome } from "../store/proposer.ts";
import type { Channel, Result } from "./channel.ts";
import { checkHealth } from "./health.ts";
import type { Membership } from "./membership.ts";
import { joinRequestShape, joinResponseShape, leaveRequestShape, raftMemberShape } from "./raft-shapes.ts";

const DIAL_BACK_TIMEOUT_NS: Nanoseconds = 5 * SECOND;
const NO_REQUEST = "0000000000000000";
const NO_CONTEXT = new Uint8Array(0);

export const NO_RAFT_MEMBER = status("Unknown", "raft: node is not yet part of a raft cluster");
export const LOST_LEADERSHIP = status("Unknown", "raft: failed to process the request: node lost leader status");
const CANNOT_REMOVE = status(
  "Unknown",
  "raft: member cannot be removed, because removing it may result in loss of quorum",
);

/** What it needs of the manager's raft. */
export interface ChangeableRaft {
  readonly membership: Membership;
  readonly ownId: RaftId;
  readonly isLeader: boolean;
  isReachable(member: RaftId): boolean;
  proposeChange(change: MembershipChange, done: (outcome: CommitOutcome) => void): void;
  connect(address: string): Channel;
}

type Job = (next: () => void) => void;

export class MembershipChanges {
  readonly #raft: ChangeableRaft;
  readonly #random: Random;
  readonly #jobs: Job[] = [];
  #isBusy = false;

  constructor(raft: ChangeableRaft, random: Random) {
    this.#raft = raft;
    this.#random = random;
  }

  /** Whether the others would have a quorum of reachable managers without `member`. */
  canRemove(member: RaftId): boolean {
    const others = this.#raft.membership.members.filter(({ raftId }) => raftId !== member);
    const reachable = others.filter(({ raftId }) => raftId === this.#raft.ownId || this.#raft.isReachable(raftId));
    return reachable.length >= quorumOf(this.#raft.membership.size - 1);
  }

  /** The one that asks is reached at the address it names, or at the one it comes from when it names none. */
  join(request: Uint8Array, caller: Caller, answer: (result: Result) => void): void {
    const named = joinRequestShape.parse(request)?.address ?? "";
    const [host, port] = named.split(":");
    const nodeId = caller.identity?.nodeId;
    if (nodeId === undefined || host === undefined || port === undefined) {
      answer({ status: status("InvalidArgument", `invalid address ${named} in raft join request`) });
      return;
    }
    const address = host === "0.0.0.0" ? `${formatIpv4(caller.address)}:${port}` : named;
    this.#run((next) => {
      this.#joinNow(nodeId, address, (result) => {
        answer(result);
        next();
      });
    });
  }

  #joinNow(nodeId: string, address: string, done: (result: Result) => void): void {
    if (!this.#raft.isLeader) {
      done({ status: status("FailedPrecondition", LOST_LEADERSHIP.message) });
      return;
    }
    const channel = this.#raft.connect(address);
    checkHealth(channel, "Raft", DIAL_BACK_TIMEOUT_NS, (problem) => {
      channel.close();
      if (problem === undefined) this.#add(nodeId, address, done);
      else done({ status: status("Unknown", UNREACHABLE + formatStatus(problem)) });
    });
  }

  #add(nodeId: string, address: string, done: (result: Result) => void): void {
    const known = this.#raft.membership.byNode(nodeId);
    if (known?.address === address) {
      done(this.#joined(known.raftId));
      return;
    }
    const raftId = known?.raftId ?? this.#freeId();
    const context = raftMemberShape.emit({ raftId, nodeId, address, status: undefined });
    const kind = known === undefined ? "add" : "update";
    this.#raft.proposeChange({ kind, member: raftId, request: NO_REQUEST, context }, (outcome) =>
      done(outcome === "committed" ? this.#joined(raftId) : { status: LOST_LEADERSHIP }),
    );
  }

  #freeId(): RaftId {
    const { membership } = this.#raft;
    for (;;) {
      const id = drawId(this.#random);
      if (membership.get(id) === undefined && !membership.isRemoved(id)) return id;
    }
  }

  #joined(raftId: RaftId): Result {
    const { membership } = this.#raft;
    return { response: joinResponseShape.emit({ raftId, members: membership.members, removedMembers: [] }) };
  }

  leave(request: Uint8Array, answer: (result: Result) => void): void {
    const member = leaveRequestShape.parse(request)?.node;
    if (member === undefined) {
      answer({ status: status("InvalidArgument", "no node information provided") });
      return;
    }
    this.remove(member.raftId, (problem) =>
      answer(problem === undefined ? { response: NO_CONTEXT } : { status: problem }),
    );
  }

  remove(member: RaftId, done: (problem: Status | undefined) => void): void {
    this.#run((next) => {
      const finish = (problem: Status | undefined) => {
        done(problem);
        next();
      };
      if (!this.#raft.isLeader) {
        finish(LOST_LEADERSHIP);
        return;
      }
      if (!this.canRemove(member)) {
        finish(CANNOT_REMOVE);
        return;
      }
      const change: MembershipChange = { kind: "remove", member, request: member, context: NO_CONTEXT };
      this.#raft.proposeChange(change, (outcome) => finish(outcome === "committed" ? undefined : LOST_LEADERSHIP));
    });
  }

  #run(job: Job): void {
    this.#jobs.push(job);
    this.#runNext();
  }

  #runNext(): void {
    if (this.#isBusy) return;
    const job = this.#jobs.shift();
    if (job === undefined) return;
    this.#isBusy = true;
    job(() => {
      this.#isBusy = false;
      this.#runNext();
    });
  }
}

const UNREACHABLE = "could not connect to prospective new cluster member using its advertised address: ";
