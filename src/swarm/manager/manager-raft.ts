/**
 * A manager's raft with its disk, its members and its store (swarmkit manager/state/raft/raft.go): ticks, messages and proposals go into
 * src/raft's node; what comes out is saved, sent and applied, in this order.
 */
import type { Entry, MembershipChange, Message, RaftId, Snapshot } from "../../raft/messages.ts";
import { RaftNode } from "../../raft/node.ts";
import { PendingProposals } from "../../raft/proposals.ts";
import { MAX_PROPOSAL_BYTES, type Settings, TICK_NS } from "../../raft/settings.ts";
import type { MemoryDisk } from "../../raft/storage.ts";
import { parseChange } from "../../raft/wire.ts";
import { assert } from "../../sim/assert.ts";
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { Timer } from "../../sim/timer.ts";
import { internalRaftRequestShape, type StoreAction } from "../api/store-action.ts";
import { type Status, status } from "../grpc/status.ts";
import type { CommitOutcome, Proposer } from "../store/proposer.ts";
import { Store } from "../store/store.ts";
import type { Channel } from "./channel.ts";
import { Membership } from "./membership.ts";
import type { ChangeableRaft } from "./membership-changes.ts";
import { emitManagerSnapshot, parseManagerSnapshot, type RaftMember, raftMemberShape } from "./raft-shapes.ts";
import { MEMBER_REMOVED } from "./raft-stream.ts";
import { RaftTransport } from "./raft-transport.ts";

export interface ManagerRaftEvents {
  /** It leads, and has applied all that its predecessors left; or it no longer does. */
  leadershipChanged(isLeader: boolean): void;
  /** It is no member any more. */
  removed(): void;
  /** Members came, went, moved, or answer again or no longer. */
  membersChanged(): void;
}

export interface ManagerRaftSettings {
  readonly clock: Clock;
  readonly random: Random;
  readonly raftId: RaftId;
  readonly disk: MemoryDisk;
  readonly settings: Settings;
  /** Those it learnt of when it joined. */
  readonly members: readonly RaftMember[];
  connect(address: string): Channel;
  readonly events: ManagerRaftEvents;
}

type Done = (outcome: CommitOutcome) => void;

export class ManagerRaft implements Proposer, ChangeableRaft {
  readonly store: Store;
  readonly membership = new Membership();
  readonly ownId: RaftId;
  readonly #random: Random;
  readonly #disk: MemoryDisk;
  readonly #settings: Settings;
  readonly #events: ManagerRaftEvents;
  readonly #connect: (address: string) => Channel;
  readonly #node: RaftNode;
  readonly #transport: RaftTransport;
  readonly #pending = new PendingProposals<Done>();
  readonly #ticker: Timer;
  #isSignalled = false;
  #isAdvancing = false;
  #isStopped = false;
  /** Since it knows no leader. */
  #leaderlessTicks = 0;
  #snapshotIndex: number;

  constructor({ clock, random, raftId, disk, settings, members, connect, events }: ManagerRaftSettings) {
    this.ownId = raftId;
    this.#random = random.fork("requests");
    this.#disk = disk;
    this.#settings = settings;
    this.#events = events;
    this.#connect = connect;
    const stored = disk.load();
    // Snapshots are taken here, where the cluster's own interval is known.
    this.#node = new RaftNode(raftId, { ...settings, snapshotInterval: 0 }, random.fork("raft"), stored);
    this.store = new Store({ clock, proposer: this });
    this.#transport = new RaftTransport(clock, connect, {
      unreachable: (to) => this.#on(() => this.#node.reportUnreachable(to)),
      snapshotSent: (to, isDelivered) => this.#on(() => this.#node.reportSnapshot(to, isDelivered)),
      removed: () => events.removed(),
      activityChanged: () => events.membersChanged(),
    });
    this.#ticker = new Timer(clock, () => this.#tick());
    this.#snapshotIndex = stored?.snapshot?.index ?? 0;
    for (const member of members) this.#putMember(member);
    if (stored?.snapshot !== undefined) this.#restore(stored.snapshot);
  }

  /** Begins to tick; a manager that is alone leads at once. */
  start(): void {
    this.#ticker.set(TICK_NS);
    this.#advance();
    const isAlone = this.membership.size === 1 && this.membership.get(this.ownId) !== undefined;
    if (isAlone) this.#on(() => this.#node.campaign());
  }

  /** The power is off, or it is no manager any more. */
  stop(): void {
    if (this.#isStopped) return;
    this.#isStopped = true;
    this.#ticker.stop();
    this.#transport.stop();
    for (const { token } of this.#pending.settle([], false)) token("stopped");
  }

  // ---- What it knows

  get version(): number {
    return this.#node.commitIndex;
  }
  get term(): number {
    return this.#node.term;
  }
  get leader(): RaftId | undefined {
    return this.#isStopped ? undefined : this.#node.leader;
  }
  get isLeader(): boolean {
    return this.leader === this.ownId;
  }
  /** The leader's components may write. */
  get isReady(): boolean {
    return this.#isSignalled;
  }
  get leaderlessTicks(): number {
    return this.#leaderlessTicks;
  }
  isReachable(member: RaftId): boolean {
    return this.#transport.isActive(member);
  }
  /** The connection to a manager that answers. */
  activeChannel(member: RaftId): Channel | undefined {
    const peer = this.#transport.peer(member);
    return peer?.isActive === true ? peer.channel : undefined;
  }
  connect(address: string): Channel {
    return this.#connect(address);
  }

  // ---- What it is asked

  propose(actions: readonly StoreAction[], done: Done): void {
    if (this.#isStopped) {
      done("stopped");
      return;
    }
    if (!this.#isSignalled) {
      done("not-leader");
      return;
    }
    const id = (this.#random.u32().toString(16) + this.#random.u32().toString(16).padStart(8, "0")).padStart(16, "0");
    const bytes = internalRaftRequestShape.emit({ id, actions });
    if (bytes.length > MAX_PROPOSAL_BYTES) {
      done("too-large");
      return;
    }
    const proposed = this.#node.propose(bytes);
    if (typeof proposed === "string") {
      done(proposed);
      return;
    }
    this.#pending.wait(proposed, done);
    this.#advance();
  }

  proposeChange(change: MembershipChange, done: Done): void {
    if (this.#isStopped) {
      done("stopped");
      return;
    }
    const proposed = this.#node.proposeChange(change);
    if (typeof proposed === "string") {
      done(proposed);
      return;
    }
    this.#pending.wait(proposed, done);
    this.#advance();
  }

  /** Hands the leadership to the manager that has been reachable for the longest time; false: there is none. */
  transferLeadership(): boolean {
    const heir = this.#transport.longestActive;
    if (heir === undefined) return false;
    this.#on(() => this.#node.transferLeadership(heir.id));
    return true;
  }

  /** A message from another manager; `done` says what to answer, and with nothing that all is well. */
  process(message: Message | undefined, done: (problem: Status | undefined) => void): void {
    if (message === undefined) {
      done(undefined);
      return;
    }
    if (this.#isStopped) {
      done(status("Unavailable", "raft: failed to process the request: node is stopped"));
      return;
    }
    if (this.membership.isRemoved(message.from)) {
      done(MEMBER_REMOVED);
      return;
    }
    if (message.kind === "vote") this.#processVote(message, done);
    else {
      this.#step(message);
      done(undefined);
    }
  }

  /** One that we cannot reach shall not become the leader. */
  #processVote(message: Message, done: (problem: Status | undefined) => void): void {
    const peer = this.membership.get(message.from) === undefined ? undefined : this.#transport.peer(message.from);
    if (peer === undefined) {
      done(undefined);
      return;
    }
    peer.checkHealth((isServing) => {
      if (isServing && !this.#isStopped) this.#step(message);
      done(undefined);
    });
  }

  #step(message: Message): void {
    this.#on(() => this.#node.step(message));
  }

  #tick(): void {
    this.#ticker.set(TICK_NS);
    this.#on(() => this.#node.tick());
    this.#leaderlessTicks = this.#node.leader === undefined ? this.#leaderlessTicks + 1 : 0;
  }

  #on(act: () => void): void {
    if (this.#isStopped) return;
    act();
    this.#advance();
  }

  // ---- What comes out

  #advance(): void {
    if (this.#isAdvancing || this.#isStopped) return;
    this.#isAdvancing = true;
    for (let output = this.#node.takeOutput(); output !== undefined; output = this.#node.takeOutput()) {
      this.#disk.save(output.save);
      for (const message of output.messages) this.#transport.send(message);
      if (output.apply.snapshot !== undefined) this.#restore(output.apply.snapshot);
      for (const entry of output.apply.entries) this.#apply(entry);
      this.#settle();
      if (this.#isStopped) break;
      this.#maySnapshot();
    }
    this.#isAdvancing = false;
    this.#settle();
  }

  /** Says what has become of the leadership, and gives up what waits when it is lost. */
  #settle(): void {
    if (this.#isStopped) return;
    const isLeader = this.#node.role === "leader";
    if (!isLeader && this.#isSignalled) {
      this.#isSignalled = false;
      this.#events.leadershipChanged(false);
    }
    if (!isLeader) for (const { token } of this.#pending.settle([], false)) token("lost-leadership");
    if (this.#isSignalled || !this.#node.isReadyForProposals || this.#isStopped) return;
    this.#isSignalled = true;
    this.#events.leadershipChanged(true);
  }

  #apply(entry: Entry): void {
    const settled = this.#pending.settle([entry], true);
    if (entry.kind === "change") this.#applyChange(entry);
    else if (entry.data.length > 0 && !settled.some(({ outcome }) => outcome === "committed"))
      this.#applyForeign(entry);
    for (const { token, outcome } of settled) token(outcome);
  }

  #applyForeign(entry: Entry): void {
    const request = internalRaftRequestShape.parse(entry.data);
    if (request !== undefined) this.store.apply(request.actions);
  }

  #applyChange(entry: Entry): void {
    const change = parseChange(entry.data);
    if (change === "raft-malformed") return;
    if (change.kind !== "remove") {
      const member = raftMemberShape.parse(change.context);
      if (member !== undefined && member.raftId === change.member) this.#putMember(member);
    } else this.#removeMember(change.member);
    this.#events.membersChanged();
  }

  #putMember(member: RaftMember): void {
    if (this.membership.isRemoved(member.raftId)) return;
    this.membership.put(member);
    if (member.raftId !== this.ownId) this.#transport.put(member.raftId, member.address);
  }

  #removeMember(raftId: RaftId): void {
    // The leader has left: somebody has to be the next, and no heartbeat will say so.
    if (raftId === this.#node.leader && raftId !== this.ownId) this.#node.campaign();
    this.membership.remove(raftId);
    if (raftId === this.ownId) this.#events.removed();
    else this.#transport.remove(raftId);
  }

  #restore(snapshot: Snapshot): void {
    const parsed = parseManagerSnapshot(snapshot.data);
    assert(parsed !== undefined, "a manager's snapshot that cannot be read");
    this.#snapshotIndex = snapshot.index;
    const ids = new Set(parsed.members.map(({ raftId }) => raftId));
    for (const { raftId } of this.membership.members) if (!ids.has(raftId)) this.#transport.remove(raftId);
    this.membership.replace(parsed.members, parsed.removed);
    for (const member of parsed.members) this.#putMember(member);
    this.store.restore(parsed.objects);
    this.#events.membersChanged();
  }

  #maySnapshot(): void {
    const interval = this.store.cluster?.spec.raft.snapshotInterval ?? this.#settings.snapshotInterval;
    if (interval === 0 || this.#node.appliedIndex - this.#snapshotIndex < interval) return;
    const data = emitManagerSnapshot(this.membership.members, this.membership.removed, this.store.save());
    this.#snapshotIndex = this.#node.takeSnapshot(data).index;
  }
}
