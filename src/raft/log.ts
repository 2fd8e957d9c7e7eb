/**
 * One node's log (Raft §5.3, §7): the entries after the last compaction, how far they are committed, how far handed out to be applied
 * and to be saved. Index 0 with term 0 stands before the first entry.
 */
import type { Entry, Snapshot } from "./messages.ts";
import { isConsistent } from "./rules.ts";
import { entryBytes } from "./wire.ts";

export class RaftLog {
  #entries: Entry[] = []; // the first has index #compactedIndex + 1
  #compactedIndex: number;
  #compactedTerm: number;
  #snapshot: Snapshot | undefined;
  #commitIndex: number;
  #appliedIndex: number;
  #savedIndex: number;

  /** Of what the disk held: entries after the snapshot's index, or from 1 when there is none. */
  constructor(snapshot: Snapshot | undefined, entries: readonly Entry[], commit: number) {
    this.#snapshot = snapshot;
    this.#compactedIndex = snapshot?.index ?? 0;
    this.#compactedTerm = snapshot?.term ?? 0;
    this.#entries = [...entries];
    this.#commitIndex = Math.max(this.#compactedIndex, Math.min(commit, this.lastIndex));
    this.#appliedIndex = this.#compactedIndex; // the state machine starts from the snapshot
    this.#savedIndex = this.lastIndex;
  }

  get lastIndex(): number {
    return this.#compactedIndex + this.#entries.length;
  }

  get lastTerm(): number {
    return this.#entries[this.#entries.length - 1]?.term ?? this.#compactedTerm;
  }

  get commitIndex(): number {
    return this.#commitIndex;
  }

  get appliedIndex(): number {
    return this.#appliedIndex;
  }

  /** The latest snapshot, taken here or received. */
  get snapshot(): Snapshot | undefined {
    return this.#snapshot;
  }

  /** The first index whose entry is still here, or would be. */
  get firstIndex(): number {
    return this.#compactedIndex + 1;
  }

  /** Undefined beyond either end. */
  term(index: number): number | undefined {
    if (index === this.#compactedIndex) return this.#compactedTerm;
    return this.#entries[index - this.firstIndex]?.term;
  }

  /** Entries from `index` on, as many as fit into `maxBytes`, at least one. `index` is not before `firstIndex`. */
  from(index: number, maxBytes: number): Entry[] {
    const taken: Entry[] = [];
    let bytes = 0;
    for (let at = index - this.firstIndex; at < this.#entries.length; at++) {
      const entry = this.#entries[at]!;
      bytes += entryBytes(entry);
      if (taken.length > 0 && bytes > maxBytes) break;
      taken.push(entry);
    }
    return taken;
  }

  /** Entries `from` to `to`, both included, as far as they are here. */
  between(from: number, to: number): Entry[] {
    return this.#entries.slice(Math.max(0, from - this.firstIndex), Math.max(0, to + 1 - this.firstIndex));
  }

  /**
   * Takes over entries that follow `index` (§5.3): what is here already stays, the first that contradicts goes with all behind it.
   * The last index that now matches the sender's log; "inconsistent" when the entry before is another or missing;
   * "contradicts-committed" when the sender breaks Raft's rules.
   */
  accept(index: number, logTerm: number, entries: readonly Entry[]): number | "inconsistent" | "contradicts-committed" {
    if (!isConsistent(this.term(index), logTerm)) return "inconsistent";
    for (let at = 0; at < entries.length; at++) {
      const entry = entries[at]!;
      if (this.term(entry.index) === entry.term) continue;
      if (entry.index <= this.#commitIndex) return "contradicts-committed";
      this.#entries.length = entry.index - this.firstIndex;
      this.#savedIndex = Math.min(this.#savedIndex, entry.index - 1);
      for (const rest of entries.slice(at)) this.#entries.push(rest);
      break;
    }
    return index + entries.length;
  }

  /** A leader's own entry, at the end. */
  append(entry: Entry): void {
    this.#entries.push(entry);
  }

  commitTo(index: number): void {
    this.#commitIndex = Math.max(this.#commitIndex, Math.min(index, this.lastIndex));
  }

  /**
   * The last index up to `index` whose term is at most `term`: where two logs may agree at best, so that a conflict costs one round trip a
   * term rather than one an entry (§5.3, its last paragraphs). Before the first entry that is here, nothing is known: that index is the answer.
   */
  lastAtMost(index: number, term: number): number {
    let at = Math.min(index, this.lastIndex);
    while (at > this.#compactedIndex && (this.term(at) ?? 0) > term) at--;
    return at;
  }

  /** What is not yet on its way to the disk; afterwards it counts as being there. */
  takeUnsaved(): Entry[] {
    const unsaved = this.#entries.slice(Math.max(0, this.#savedIndex - this.#compactedIndex));
    this.#savedIndex = this.lastIndex;
    return unsaved;
  }

  /** Committed entries that have not been handed to the state machine. */
  takeCommitted(): Entry[] {
    const committed = this.between(this.#appliedIndex + 1, this.#commitIndex);
    this.#appliedIndex = this.#commitIndex;
    return committed;
  }

  /** Committed entries not yet applied. */
  pending(): Entry[] {
    return this.between(this.#appliedIndex + 1, this.#commitIndex);
  }

  /** §7: the leader's snapshot takes the place of the whole log. */
  install(snapshot: Snapshot): void {
    this.#snapshot = snapshot;
    this.#entries = [];
    this.#compactedIndex = snapshot.index;
    this.#compactedTerm = snapshot.term;
    this.#commitIndex = snapshot.index;
    this.#appliedIndex = snapshot.index;
    this.#savedIndex = snapshot.index;
  }

  /** §7: the state machine's own snapshot, of what has been applied; the entries go, but for the last `kept` before it. */
  compact(snapshot: Snapshot, kept: number): void {
    this.#snapshot = snapshot;
    const index = snapshot.index - kept;
    if (index <= this.#compactedIndex) return;
    this.#compactedTerm = this.term(index) ?? this.#compactedTerm;
    this.#entries = this.#entries.slice(index - this.#compactedIndex);
    this.#compactedIndex = index;
  }
}
