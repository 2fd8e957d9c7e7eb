/**
 * Proposals that wait to be committed. Raft promises linearizability only to a proposer who waits: the entry that comes to be applied at the
 * proposal's index is the proposal if its term is the same, and another leader's if not (Raft §8, swarmkit's "wait").
 */
import type { Entry } from "./messages.ts";
import type { Proposed } from "./node.ts";

export type Outcome = "committed" | "lost-leadership";

/** `Token` is whatever the caller wants back. */
export class PendingProposals<Token> {
  #waiting: { readonly proposed: Proposed; readonly token: Token }[] = [];

  get size(): number {
    return this.#waiting.length;
  }

  wait(proposed: Proposed, token: Token): void {
    this.#waiting.push({ proposed, token });
  }

  /**
   * What has been decided after a step of the node: `applied` are the entries that its output, if there was one, had to apply. `isLeader`: the
   * node leads still; when it does not, all that wait are given up: "lost-leadership" means that nobody knows, they may be committed yet.
   */
  settle(applied: readonly Entry[], isLeader: boolean): { readonly token: Token; readonly outcome: Outcome }[] {
    const settled: { token: Token; outcome: Outcome }[] = [];
    const termOf = new Map(applied.map((entry) => [entry.index, entry.term]));
    this.#waiting = this.#waiting.filter(({ proposed, token }) => {
      const term = termOf.get(proposed.index);
      if (term === undefined && isLeader) return true;
      settled.push({ token, outcome: term === proposed.term ? "committed" : "lost-leadership" });
      return false;
    });
    return settled;
  }
}
