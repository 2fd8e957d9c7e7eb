/**
 * A raft cluster of two or three whose messages come in any order, or never: elections, proposals, deliveries. Held against figure 3 of the Raft paper (Ongaro,
 * Ousterhout 2014): election safety, log matching, leader completeness, state machine safety.
 */
import { firstSave } from "../../raft/bootstrap.ts";
import { type Entry, idOf, type Message, type RaftId } from "../../raft/messages.ts";
import { RaftNode } from "../../raft/node.ts";
import { SWARM_SETTINGS } from "../../raft/settings.ts";
import { MemoryDisk } from "../../raft/storage.ts";
import { emit, parse } from "../../raft/wire.ts";
import { Random } from "../../sim/random.ts";
import { toHex } from "../../wire/bytes.ts";
import type { SmallWorld } from "./scope.ts";

/** Without the leader's lease: votes are given as soon as Raft's own rules allow. */
const SETTINGS = { ...SWARM_SETTINGS, checkQuorum: false };
const NO_DATA = new Uint8Array(0);
/** Two nodes stand, at most so often in all; proposals likewise. */
const MOST_CAMPAIGNS = 2;
const MOST_PROPOSALS = 1;

export class RaftScope implements SmallWorld {
  readonly #nodes: RaftNode[] = [];
  readonly #disks: MemoryDisk[] = [];
  readonly #inflight: Message[] = [];
  readonly #leaders = new Map<number, RaftId>();
  /** By index, and in which term it was first known to be committed. */
  readonly #committed = new Map<number, { readonly content: string; inTerm: number }>();
  readonly #contents = new Map<string, string>();
  #campaigns = 0;
  #proposals = 0;
  #broken: string | undefined;

  constructor(size: number) {
    const random = new Random("small scope");
    for (let number = 1; number <= size; number++) {
      const id = idOf(0, number);
      const disk = new MemoryDisk();
      const entries = Array.from({ length: size }, (_, at) => ({
        ...firstSave(idOf(0, at + 1), NO_DATA).entries[0]!,
        index: at + 1,
      }));
      disk.save({ snapshot: undefined, entries, hardState: { term: 1, vote: undefined, commit: size } });
      this.#disks.push(disk);
      this.#nodes.push(new RaftNode(id, SETTINGS, random.fork(id), disk.load()));
      this.#carryOut(number - 1);
    }
  }

  /** First the messages under way, then who may stand, then who may propose. */
  get choices(): number {
    return this.#inflight.length + this.#candidates.length + this.#proposers.length;
  }

  take(choice: number): string | undefined {
    const candidates = this.#candidates;
    const proposers = this.#proposers;
    const standing = choice - this.#inflight.length;
    if (standing < 0) this.#deliver(choice);
    else if (standing < candidates.length) {
      this.#campaigns++;
      this.#act(candidates[standing]!, (node) => node.campaign());
    } else {
      this.#proposals++;
      this.#act(proposers[standing - candidates.length]!, (node) => node.propose(Uint8Array.of(this.#proposals)));
    }
    return this.#broken;
  }

  get state(): string {
    const nodes = this.#nodes.map((node) => {
      const log = node.entries(node.firstIndex, node.lastIndex).map(({ term, data }) => `${term}${toHex(data)}`);
      const vote = this.#disks[this.#nodes.indexOf(node)]!.load()?.hardState.vote ?? "";
      return `${node.role} ${node.term} ${vote} ${node.commitIndex} ${log.join(",")}`;
    });
    const messages = this.#inflight.map((message) => toHex(emit(message))).sort();
    return [...nodes, ...messages, this.#campaigns, this.#proposals].join("|");
  }

  get #candidates(): number[] {
    if (this.#campaigns === MOST_CAMPAIGNS) return [];
    return [0, 1].filter((index) => this.#nodes[index]!.role !== "leader");
  }

  get #proposers(): number[] {
    if (this.#proposals === MOST_PROPOSALS) return [];
    return [...this.#nodes.keys()].filter((index) => this.#nodes[index]!.role === "leader");
  }

  #deliver(at: number): void {
    const [message] = this.#inflight.splice(at, 1);
    const parsed = parse(emit(message!)); // through the bytes, as on the wire
    if (typeof parsed === "string") {
      this.#broken = `a message does not come back from its bytes: ${parsed}`;
      return;
    }
    const receiver = this.#nodes.findIndex(({ id }) => id === message!.to);
    if (receiver >= 0) this.#act(receiver, (node) => node.step(parsed));
    else this.#broken = `a message to ${message!.to}, which nobody is`;
  }

  #act(index: number, act: (node: RaftNode) => void): void {
    act(this.#nodes[index]!);
    this.#carryOut(index);
  }

  #carryOut(index: number): void {
    const node = this.#nodes[index]!;
    for (let output = node.takeOutput(); output !== undefined; output = node.takeOutput()) {
      this.#disks[index]!.save(output.save);
      this.#inflight.push(...output.messages);
      for (const entry of output.apply.entries)
        if (entry.index > this.#nodes.length) this.#observeCommitted(node, entry);
    }
    this.#observe(node);
  }

  #observeCommitted(node: RaftNode, entry: Entry): void {
    const known = this.#committed.get(entry.index);
    if (known === undefined) this.#committed.set(entry.index, { content: contentOf(entry), inTerm: node.term });
    else if (known.content !== contentOf(entry))
      this.#broken ??= `state machine safety: ${node.id} committed another entry at ${entry.index}`;
    else known.inTerm = Math.min(known.inTerm, node.term);
  }

  #observe(node: RaftNode): void {
    if (node.fault !== undefined) this.#broken ??= `${node.id} halted: ${node.fault}`;
    for (const entry of node.entries(node.firstIndex, node.lastIndex)) {
      const key = `${entry.index}:${entry.term}`;
      const content = `${node.termAt(entry.index - 1)} ${contentOf(entry)}`;
      const known = this.#contents.get(key);
      if (known === undefined) this.#contents.set(key, content);
      else if (known !== content) this.#broken ??= `log matching: ${node.id} has another entry at ${key}`;
    }
    for (const entry of node.entries(this.#nodes.length + 1, node.commitIndex)) this.#observeCommitted(node, entry);
    if (node.role !== "leader") return;
    const leader = this.#leaders.get(node.term);
    if (leader !== undefined && leader !== node.id)
      this.#broken ??= `election safety: ${leader} and ${node.id} lead term ${node.term}`;
    if (leader === undefined)
      for (const [index, { content, inTerm }] of this.#committed) {
        if (inTerm >= node.term) continue; // a leader of an older term need not know it
        const own = node.entries(index, index)[0];
        if (own === undefined || contentOf(own) !== content)
          this.#broken ??= `leader completeness: ${node.id} leads term ${node.term} without entry ${index}`;
      }
    this.#leaders.set(node.term, node.id);
  }
}

function contentOf({ term, kind, data }: Entry): string {
  return `${term} ${kind} ${toHex(data)}`;
}
