/** The Raft paper's figure 3, watched over a whole cluster: throws a `Violation` at the first step after which a property no longer holds. */
import type { Entry } from "../../src/raft/messages.ts";
import type { RaftNode } from "../../src/raft/node.ts";
import { toHex } from "../../src/wire/bytes.ts";

export type Property =
  | "election-safety"
  | "log-matching"
  | "leader-completeness"
  | "state-machine-safety"
  | "no-fault"
  | "durability";

export class Violation extends Error {
  readonly property: Property;
  constructor(property: Property, what: string) {
    super(`${property}: ${what}`);
    this.property = property;
  }
}

interface Committed {
  readonly entry: Entry;
  /** The lowest term in which it is known to have been committed. */
  readonly inTerm: number;
}

export class Safety {
  /** The only property to watch, or undefined for all. */
  readonly #only: Property | undefined;
  readonly #leaders = new Map<number, string>(); // term -> id
  readonly #entries = new Map<string, string>(); // "index:term" -> its content and the term before
  readonly #committed = new Map<number, Committed>();
  readonly #seen = new Map<string, number>(); // id -> commit index looked at

  constructor(only?: Property) {
    this.#only = only;
  }

  #violated(property: Property, what: string): void {
    if (this.#only === undefined || this.#only === property) throw new Violation(property, what);
  }

  /** A node that was restarted is looked at anew. */
  forget(id: string): void {
    this.#seen.delete(id);
  }

  /** Everything that can be said of one node after its step. */
  observe(node: RaftNode): void {
    if (node.fault !== undefined) this.#violated("no-fault", `${node.id} halted: ${node.fault}`);
    this.#observeLog(node);
    this.#observeCommit(node);
    if (node.role === "leader") this.#observeLeader(node);
  }

  /** An entry reached a state machine. */
  apply(id: string, entry: Entry): void {
    const known = this.#committed.get(entry.index);
    if (known === undefined) this.#violated("state-machine-safety", `${id} applied ${entry.index} uncommitted`);
    else if (!isSame(known.entry, entry))
      this.#violated("state-machine-safety", `${id} applied another entry at ${entry.index}`);
  }

  #observeLog(node: RaftNode): void {
    for (const entry of node.entries(node.firstIndex, node.lastIndex)) {
      const key = `${entry.index}:${entry.term}`;
      const content = `${node.termAt(entry.index - 1)} ${entry.kind} ${toHex(entry.data)}`;
      const known = this.#entries.get(key);
      if (known === undefined) this.#entries.set(key, content);
      else if (known !== content) this.#violated("log-matching", `${node.id} at ${key}: ${content}, not ${known}`);
    }
  }

  #observeCommit(node: RaftNode): void {
    const from = Math.max(this.#seen.get(node.id) ?? 0, node.firstIndex - 1) + 1;
    for (const entry of node.entries(from, node.commitIndex)) {
      const known = this.#committed.get(entry.index);
      if (known === undefined) this.#committed.set(entry.index, { entry, inTerm: node.term });
      else if (!isSame(known.entry, entry))
        this.#violated("state-machine-safety", `${node.id} committed another entry at ${entry.index}`);
      else if (node.term < known.inTerm) this.#committed.set(entry.index, { entry, inTerm: node.term });
    }
    this.#seen.set(node.id, node.commitIndex);
  }

  #observeLeader(node: RaftNode): void {
    const known = this.#leaders.get(node.term);
    if (known === node.id) return;
    if (known !== undefined) this.#violated("election-safety", `${known} and ${node.id} lead term ${node.term}`);
    this.#leaders.set(node.term, node.id);
    for (const { entry, inTerm } of this.#committed.values()) {
      if (inTerm >= node.term || entry.index < node.firstIndex) continue;
      if (node.termAt(entry.index) !== entry.term)
        this.#violated("leader-completeness", `${node.id} leads term ${node.term} without entry ${entry.index}`);
    }
  }
}

function isSame(a: Entry, b: Entry): boolean {
  return a.term === b.term && a.kind === b.kind && toHex(a.data) === toHex(b.data);
}
