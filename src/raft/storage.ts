/**
 * What a node must find again after a crash, and in which order it is written (Raft figure 2; swarmkit's WAL and snapshot files). The
 * caller's duty, for each `Output` of a node in turn: (1) save the snapshot, then entries and hard state as one record, and
 * wait until they are on the disk; (2) only then send the messages; (3) apply. A crash may lose an output from any of
 * these points on, never an earlier part of it.
 */
import type { Entry, HardState, Snapshot } from "./messages.ts";

/** What is to be written: only what changed. Entries take the place of all that the disk holds from the first one's index on. */
export interface Save {
  readonly snapshot: Snapshot | undefined;
  readonly entries: readonly Entry[];
  readonly hardState: HardState | undefined;
}

/** What was found on the disk. */
export interface Stored {
  readonly snapshot: Snapshot | undefined;
  /** After the snapshot's index, without gaps. */
  readonly entries: readonly Entry[];
  readonly hardState: HardState;
}

export interface Disk {
  save(save: Save): void;
  /** Undefined when nothing was ever saved. */
  load(): Stored | undefined;
}

/** A disk of the emulated world: it outlives the node that wrote to it. */
export class MemoryDisk implements Disk {
  #snapshot: Snapshot | undefined;
  #entries: Entry[] = [];
  #hardState: HardState | undefined;

  save(save: Save): void {
    if (save.snapshot !== undefined) this.saveSnapshot(save.snapshot);
    this.saveRecord(save);
  }

  /** Step one of `save`: a file of its own. */
  saveSnapshot(snapshot: Snapshot): void {
    if (snapshot.index === this.#snapshot?.index) return;
    const known = this.#entries.find((entry) => entry.index === snapshot.index);
    // What follows a snapshot of our own stays; a leader's snapshot contradicts what we have.
    this.#entries = known?.term === snapshot.term ? this.#entries.filter((entry) => entry.index > snapshot.index) : [];
    this.#snapshot = snapshot;
  }

  /** Step two: one record. */
  saveRecord(save: Save): void {
    const first = save.entries[0];
    if (first !== undefined) {
      const last = this.#entries.at(-1);
      if (last !== undefined && last.index >= first.index)
        this.#entries = this.#entries.filter((entry) => entry.index < first.index);
      for (const entry of save.entries) if (entry.index > (this.#snapshot?.index ?? 0)) this.#entries.push(entry);
    }
    if (save.hardState !== undefined) this.#hardState = save.hardState;
  }

  load(): Stored | undefined {
    if (this.#snapshot === undefined && this.#hardState === undefined && this.#entries.length === 0) return undefined;
    const hardState = this.#hardState ?? { term: 0, vote: undefined, commit: 0 };
    const entries = [...this.#entries];
    // A crash between the two steps leaves an older hard state than the snapshot's.
    const term = Math.max(hardState.term, this.#snapshot?.term ?? 0);
    const vote = term === hardState.term ? hardState.vote : undefined;
    return { snapshot: this.#snapshot, entries, hardState: { term, vote, commit: hardState.commit } };
  }
}
