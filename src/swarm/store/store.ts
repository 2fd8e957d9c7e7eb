/**
 * The managers' objects (swarmkit manager/state/store): tables in memory, the same on every manager. Writes are transactions that run one
 * after the other, on the leader; each is proposed to raft and takes effect when it is committed.
 */
import { assert } from "../../sim/assert.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Cluster, Service, Task } from "../api/objects.ts";
import { KINDS, type Kind, type StoreAction, storeActionShape } from "../api/store-action.ts";
import type { CommitOutcome, Proposer } from "./proposer.ts";
import { emitSnapshot, type SnapshotObjects } from "./snapshot.ts";
import { clearTables, newTables, type Tables } from "./tables.ts";
import { CommittedView, StoreTransaction } from "./transaction.ts";
import type { Change, ObjectOf, Referred, StoreView, Transaction } from "./view.ts";

export type { CommitOutcome, Proposer } from "./proposer.ts";
export { ImmediateProposer } from "./proposer.ts";
export type { Change, ObjectOf, Referred, Refused, StoreView, Transaction } from "./view.ts";

/** A batch is cut into transactions of at most so many changes. */
const MOST_CHANGES_PER_TRANSACTION = 200;

export interface StoreSettings {
  readonly clock: Clock;
  readonly proposer: Proposer;
}

interface Work {
  /** Fills the transaction; the answer says whether there is more to do in another one. */
  readonly fill: (transaction: StoreTransaction) => boolean;
  readonly done: ((outcome: CommitOutcome) => void) | undefined;
}

export class Store implements StoreView {
  readonly #clock: Clock;
  readonly #proposer: Proposer;
  readonly #tables: Tables = newTables();
  readonly #view: StoreView = new CommittedView(this.#tables);
  #listeners: readonly ((changes: readonly Change[]) => void)[] = [];
  readonly #queue: Work[] = [];
  #isProposing = false;
  #isDraining = false;

  constructor({ clock, proposer }: StoreSettings) {
    this.#clock = clock;
    this.#proposer = proposer;
  }

  /**
   * Queued; `write` runs in its turn on the committed state, perhaps at once. `done` is called after the commit, or when there can be
   * none; a write that changes nothing is done without one. The store sets `meta`.
   */
  update(write: (transaction: Transaction) => void, done?: (outcome: CommitOutcome) => void): void {
    const fill = (transaction: StoreTransaction) => {
      write(transaction);
      return false;
    };
    this.#queue.push({ fill, done });
    this.#drain();
  }

  /** Many small writes in as few transactions as swarmkit makes of them, in order. It ends with the first that is not committed. */
  batch(writes: readonly ((transaction: Transaction) => void)[], done?: (outcome: CommitOutcome) => void): void {
    let next = 0;
    const fill = (transaction: StoreTransaction) => {
      while (next < writes.length && transaction.changes.length < MOST_CHANGES_PER_TRANSACTION)
        writes[next++]!(transaction);
      return next < writes.length;
    };
    this.#queue.push({ fill, done });
    this.#drain();
  }

  #drain(): void {
    if (this.#isDraining) return;
    this.#isDraining = true;
    while (!this.#isProposing) {
      const work = this.#queue.shift();
      if (work === undefined) break;
      this.#start(work);
    }
    this.#isDraining = false;
  }

  #start(work: Work): void {
    const transaction = new StoreTransaction(this.#tables, this.#proposer.version, this.#clock.nowNs);
    const hasMore = work.fill(transaction);
    const { changes } = transaction;
    if (changes.length === 0) {
      work.done?.("committed");
      return;
    }
    this.#isProposing = true;
    this.#proposer.propose(changes.map(actionOf), (outcome) => {
      assert(this.#isProposing, "a transaction committed twice");
      this.#isProposing = false;
      if (outcome === "committed") {
        if (hasMore) this.#queue.unshift(work);
        this.#take(changes);
      }
      if (outcome !== "committed" || !hasMore) work.done?.(outcome);
      this.#drain();
    });
  }

  /** Takes in what another manager has written: the entry of the log comes from there. */
  apply(actions: readonly StoreAction[]): void {
    const changes: Change[] = [];
    for (const action of actions) {
      const change = this.#changeOf(action);
      if (change === undefined) continue;
      this.#put(change);
      changes.push(change);
    }
    this.#notify(changes);
  }

  #changeOf(action: StoreAction): Change | undefined {
    const kind = KINDS.find((each) => action[each] !== undefined);
    if (kind === undefined || action.action === "unknown") return undefined;
    const object = action[kind]!;
    const before = this.get(kind, object.id);
    if (action.action !== "remove") return { kind, action: action.action, object, before } as Change;
    return before === undefined ? undefined : ({ kind, action: "remove", object: before, before } as Change);
  }

  #take(changes: readonly Change[]): void {
    for (const change of changes) this.#put(change);
    this.#notify(changes);
  }

  #put(change: Change): void {
    const table: { put(object: ObjectOf[Kind]): unknown; remove(id: string): unknown } = this.#tables[change.kind];
    if (change.action === "remove") table.remove(change.object.id);
    else table.put(change.object);
  }

  #notify(changes: readonly Change[]): void {
    if (changes.length === 0) return;
    for (const listener of this.#listeners) listener(changes);
  }

  /** Called after every committed transaction, own or a leader's, once with all its changes in order. The answer ends it. */
  watch(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners = [...this.#listeners, listener];
    return () => {
      this.#listeners = this.#listeners.filter((other) => other !== listener);
    };
  }

  /** All objects as swarmkit's StoreSnapshot. */
  save(): Uint8Array {
    return emitSnapshot(this.#view);
  }

  /** Puts a snapshot's objects in the place of all there are; watchers hear of the differences. */
  restore(objects: SnapshotObjects): void {
    const before = new Map(KINDS.map((kind) => [kind, [...this.#view.all(kind)]]));
    clearTables(this.#tables);
    const changes: Change[] = [];
    for (const kind of KINDS) {
      const old = new Map(before.get(kind)!.map((object) => [object.id, object]));
      for (const object of objects[kind]) {
        const known = old.get(object.id);
        this.#put({ kind, action: "create", object, before: undefined } as Change);
        old.delete(object.id);
        if (known === undefined) changes.push({ kind, action: "create", object, before: undefined } as Change);
        else if (known.meta.version.index !== object.meta.version.index)
          changes.push({ kind, action: "update", object, before: known } as Change);
      }
      for (const object of old.values()) changes.push({ kind, action: "remove", object, before: object } as Change);
    }
    this.#notify(changes);
  }

  get<K extends Kind>(kind: K, id: string): ObjectOf[K] | undefined {
    return this.#view.get(kind, id);
  }
  all<K extends Kind>(kind: K): Iterable<ObjectOf[K]> {
    return this.#view.all(kind);
  }
  count(kind: Kind): number {
    return this.#view.count(kind);
  }
  byName<K extends Kind>(kind: K, name: string): ObjectOf[K] | undefined {
    return this.#view.byName(kind, name);
  }
  allByName<K extends Kind>(kind: K, name: string): readonly ObjectOf[K][] {
    return this.#view.allByName(kind, name);
  }
  byIdPrefix<K extends Kind>(kind: K, prefix: string): readonly ObjectOf[K][] {
    return this.#view.byIdPrefix(kind, prefix);
  }
  tasksOfService(serviceId: string): readonly Task[] {
    return this.#view.tasksOfService(serviceId);
  }
  tasksOfNode(nodeId: string): readonly Task[] {
    return this.#view.tasksOfNode(nodeId);
  }
  tasksOfSlot(serviceId: string, slot: number): readonly Task[] {
    return this.#view.tasksOfSlot(serviceId, slot);
  }
  servicesUsing(kind: Referred, id: string): readonly Service[] {
    return this.#view.servicesUsing(kind, id);
  }
  tasksUsing(kind: Referred, id: string): readonly Task[] {
    return this.#view.tasksUsing(kind, id);
  }
  get cluster(): Cluster | undefined {
    return this.#view.cluster;
  }
}

function actionOf(change: Change): StoreAction {
  return storeActionShape.make({ action: change.action, [change.kind]: change.object });
}
