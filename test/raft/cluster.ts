/** A cluster whose network and disks do what a test says: any message may be late, lost, doubled; any node may crash at any point. */
import { firstSave } from "../../src/raft/bootstrap.ts";
import { type Entry, idOf, type Message, type RaftId } from "../../src/raft/messages.ts";
import { type Output, RaftNode } from "../../src/raft/node.ts";
import { type Outcome, PendingProposals } from "../../src/raft/proposals.ts";
import { type Settings, SWARM_SETTINGS } from "../../src/raft/settings.ts";
import { MemoryDisk } from "../../src/raft/storage.ts";
import { emit, parse, parseChange } from "../../src/raft/wire.ts";
import { Random } from "../../src/sim/random.ts";
import { type Property, Safety, Violation } from "./safety.ts";

/** Where a crash cuts the next output. */
export type CrashPoint = "before-save" | "after-snapshot" | "after-save" | "after-send";

export const id = (number: number): RaftId => idOf(0, number);
const encoder = new TextEncoder();
const decoder = new TextDecoder();

export class Member {
  readonly id: RaftId;
  readonly disk = new MemoryDisk();
  readonly proposals = new PendingProposals<string>();
  node: RaftNode | undefined;
  /** The state machine: the proposals applied, in order. */
  applied: string[] = [];
  /** Members that it has seen removed: swarmkit refuses their messages. */
  readonly removed = new Set<RaftId>();
  crashAt: CrashPoint | undefined;
  starts = 0;
  constructor(id: RaftId) {
    this.id = id;
  }
}

export class Cluster {
  readonly members = new Map<RaftId, Member>();
  readonly safety: Safety;
  /** In the order of sending. */
  inflight: Message[] = [];
  /** What proposers were told. */
  readonly outcomes = new Map<string, Outcome>();
  readonly settings: Settings;
  readonly #random: Random;
  #proposals = 0;

  /** `size` members that know of each other from the start. */
  constructor(size: number, settings: Partial<Settings> = {}, seed: string | number = 1, watched?: Property) {
    this.safety = new Safety(watched);
    this.settings = { ...SWARM_SETTINGS, ...settings };
    this.#random = new Random(seed);
    for (let number = 1; number <= size; number++) {
      const member = this.#addMember(id(number));
      // Logs that begin alike: the changes that made the cluster, committed in term 1.
      const entries = Array.from({ length: size }, (_, at) => {
        const first = firstSave(id(at + 1), encoder.encode(`10.0.0.${at + 1}:2377`)).entries[0]!;
        return { ...first, index: at + 1 };
      });
      member.disk.save({ snapshot: undefined, entries, hardState: { term: 1, vote: undefined, commit: size } });
      this.start(member.id);
    }
  }

  #addMember(id: RaftId): Member {
    const member = new Member(id);
    this.members.set(id, member);
    return member;
  }

  get running(): RaftNode[] {
    return [...this.members.values()].flatMap(({ node }) => (node === undefined ? [] : [node]));
  }

  get leader(): RaftNode | undefined {
    return this.running.filter((node) => node.role === "leader").sort((a, b) => b.term - a.term)[0];
  }

  node(id: RaftId): RaftNode {
    const node = this.members.get(id)?.node;
    if (node === undefined) throw new Error(`${id} does not run`);
    return node;
  }

  start(id: RaftId): void {
    const member = this.members.get(id);
    if (member === undefined || member.node !== undefined) return;
    const stored = member.disk.load();
    const snapshot = stored?.snapshot;
    member.applied = snapshot === undefined ? [] : stateOf(snapshot.data);
    member.node = new RaftNode(id, this.settings, this.#random.fork(`${id} ${member.starts++}`), stored);
    this.safety.forget(id);
    this.#carryOut(member);
  }

  crash(id: RaftId): void {
    const member = this.members.get(id);
    if (member !== undefined) member.node = undefined;
  }

  tick(id: RaftId, ticks = 1): void {
    for (let tick = 0; tick < ticks; tick++) this.#on(id, (node) => node.tick());
  }

  tickAll(ticks = 1): void {
    for (let tick = 0; tick < ticks; tick++) for (const { id } of this.running) this.tick(id);
  }

  campaign(id: RaftId): void {
    this.#on(id, (node) => node.campaign());
  }

  transfer(from: RaftId, to: RaftId): void {
    this.#on(from, (node) => node.transferLeadership(to));
  }

  /** Proposes a text of its own, if `id` leads; the text. */
  propose(id: RaftId, text = `p${++this.#proposals}`): string {
    this.#on(id, (node, member) => {
      const proposed = node.propose(encoder.encode(text));
      if (typeof proposed !== "string") member.proposals.wait(proposed, text);
    });
    return text;
  }

  proposeChange(by: RaftId, kind: "add" | "remove", member: RaftId): void {
    this.#on(by, (node) => {
      const request = idOf(0, 0);
      const context = encoder.encode("10.0.0.9:2377");
      const proposed = node.proposeChange({ kind, member, request, context });
      if (typeof proposed !== "string" && kind === "add" && !this.members.has(member)) this.#addMember(member);
    });
    this.start(member);
  }

  takeSnapshot(id: RaftId): void {
    this.#on(id, (node, member) => node.takeSnapshot(encoder.encode(member.applied.join(" "))));
  }

  /** Delivers the message at `position`; it stays under way when it is `doubled`. */
  deliver(position: number, doubled = false): void {
    const message = this.inflight[position];
    if (message === undefined) return;
    if (!doubled) this.inflight.splice(position, 1);
    this.#receive(message);
  }

  /** Delivers messages among `nodes`, oldest first, at most `most`; what concerns others stays where it is. */
  exchange(nodes: readonly RaftId[] = [...this.members.keys()], most = 10_000): void {
    for (let count = 0; count < most; count++) {
      const position = this.inflight.findIndex(({ from, to }) => nodes.includes(from) && nodes.includes(to));
      if (position < 0) return;
      this.deliver(position);
    }
  }

  /** `candidate` asks for the votes of `electorate`, up to three times; nothing more is delivered once it leads. */
  elect(candidate: RaftId, electorate: readonly RaftId[]): void {
    const nodes = [candidate, ...electorate];
    if (this.members.get(candidate)?.node?.role === "leader") this.crash(candidate); // it would not stand again
    this.start(candidate);
    for (let attempt = 0; attempt < 3; attempt++) {
      this.campaign(candidate);
      for (let count = 0; count < 2 * nodes.length; count++) {
        if (this.members.get(candidate)?.node?.role === "leader") return;
        this.exchange(nodes, 1);
      }
      this.lose();
    }
  }

  lose(): void {
    const lost = this.inflight;
    this.inflight = [];
    for (const message of lost) this.#reportSnapshot(message, false);
  }

  /** The transport's duty: the fate of a snapshot is told, always. */
  #reportSnapshot(message: Message, isDelivered: boolean): void {
    if (message.kind === "snapshot") this.#on(message.from, (node) => node.reportSnapshot(message.to, isDelivered));
  }

  #receive(message: Message): void {
    const receiver = this.members.get(message.to);
    if (receiver?.node === undefined) {
      this.#reportSnapshot(message, false);
      return;
    }
    if (receiver.removed.has(message.from)) {
      this.crash(message.from); // swarmkit: "member removed", and the manager stops
      return;
    }
    // Through the bytes, as on the wire.
    const parsed = parse(emit(message));
    if (typeof parsed === "string") throw new Error(parsed);
    this.#on(message.to, (node) => node.step(parsed));
    this.#reportSnapshot(message, true);
  }

  #on(id: RaftId, act: (node: RaftNode, member: Member) => void): void {
    const member = this.members.get(id);
    if (member?.node === undefined) return;
    act(member.node, member);
    this.#carryOut(member);
  }

  #carryOut(member: Member): void {
    for (;;) {
      const node = member.node;
      if (node === undefined) return;
      const output = node.takeOutput();
      if (output === undefined) {
        this.safety.observe(node);
        this.#settle(member, [], node);
        return;
      }
      if (!this.#carryOutOne(member, node, output)) {
        member.crashAt = undefined;
        this.crash(member.id);
      }
    }
  }

  #settle(member: Member, applied: readonly Entry[], node: RaftNode): void {
    for (const { token, outcome } of member.proposals.settle(applied, node.role === "leader"))
      this.outcomes.set(token, outcome);
  }

  /** False when the node crashed on the way. */
  #carryOutOne(member: Member, node: RaftNode, { save, messages, apply }: Output): boolean {
    if (member.crashAt === "before-save") return false;
    if (save.snapshot !== undefined) member.disk.saveSnapshot(save.snapshot);
    if (member.crashAt === "after-snapshot") return false;
    member.disk.saveRecord(save);
    this.safety.observe(node); // only now: what a crash takes from a node before it said a word of it has never been
    if (member.crashAt === "after-save") return false;
    this.inflight.push(...messages);
    if (member.crashAt === "after-send") return false;
    if (apply.snapshot !== undefined) member.applied = stateOf(apply.snapshot.data);
    for (const entry of apply.entries) {
      this.safety.apply(member.id, entry);
      if (entry.kind === "normal" && entry.data.length > 0) member.applied.push(decoder.decode(entry.data));
      const change = entry.kind === "change" ? parseChange(entry.data) : "raft-malformed";
      if (change !== "raft-malformed" && change.kind === "remove") member.removed.add(change.member);
    }
    this.#settle(member, apply.entries, node);
    return true;
  }

  /**
   * Faults end: everyone runs, every message arrives in order. Ticks until there is a leader under whom a new proposal reached every
   * member; how many ticks that took. Afterwards every proposal that was acknowledged must be there.
   */
  heal(mostTicks: number): number {
    for (const member of this.members.values()) {
      member.crashAt = undefined;
      this.start(member.id);
    }
    for (let tick = 1; tick <= mostTicks; tick++) {
      this.tickAll();
      this.exchange();
      const leader = this.leader;
      if (leader === undefined || !leader.isReadyForProposals) continue;
      const text = this.propose(leader.id);
      this.exchange();
      this.tickAll(); // tells the followers what is committed
      this.exchange();
      const all = leader.voters.map((voter) => this.members.get(voter));
      const expected = this.members.get(leader.id)?.applied.join(" ") ?? "";
      if (this.outcomes.get(text) !== "committed") continue;
      if (!all.every((member) => member?.node !== undefined && member.applied.join(" ") === expected)) continue;
      for (const [proposal, outcome] of this.outcomes)
        if (outcome === "committed" && !expected.split(" ").includes(proposal))
          throw new Violation("durability", `${proposal} was acknowledged and is gone`);
      return tick;
    }
    throw new Error(`no agreement within ${mostTicks} ticks`);
  }
}

function stateOf(data: Uint8Array): string[] {
  return data.length === 0 ? [] : decoder.decode(data).split(" ");
}
