/** Who makes a transaction's changes binding: raft among the managers; at once where there is nobody to agree with. */

import type { Refusal } from "../../raft/node.ts";
import type { Outcome } from "../../raft/proposals.ts";
import type { StoreAction } from "../api/store-action.ts";

/** "stopped": the manager is shutting down. */
export type CommitOutcome = Outcome | Refusal | "stopped";

export interface Proposer {
  /** What `meta.version` of an object written now is to be: the index up to which raft's log is committed. */
  readonly version: number;
  /** `done` is called once, perhaps at once. "committed": the store is to take the changes in, before any entry that comes later. */
  propose(actions: readonly StoreAction[], done: (outcome: CommitOutcome) => void): void;
}

/** Commits at once: a store without raft. */
export class ImmediateProposer implements Proposer {
  #version = 1;

  get version(): number {
    return this.#version;
  }

  propose(_actions: readonly StoreAction[], done: (outcome: CommitOutcome) => void): void {
    this.#version++;
    done("committed");
  }
}
