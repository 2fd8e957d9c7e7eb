/**
 * The tables of all networks that a node has, networkdb.go: entries with their owner and Lamport time; a deleted one stays as a tombstone
 * until it is reaped, so that an old rumour cannot bring it back.
 */
import type { PooledEvent } from "./event-pool.ts";
import type { TableOperation } from "./networkdb-messages.ts";

export interface Entry {
  readonly network: string;
  readonly table: string;
  readonly key: string;
  /** The node that wrote it. */
  readonly node: string;
  readonly time: number;
  readonly value: Uint8Array;
  readonly isDeleted: boolean;
}

/** An entry in its store: what all nodes know of it is one event for all of them. */
export class StoredEntry implements Entry {
  /** Tells of the entry as of a new one; a deleted one's is of its last value, at the time of the deletion. */
  readonly event: PooledEvent;
  readonly isDeleted: boolean;
  /** Its owner failed; it comes back with the owner. */
  isHidden = false;
  /** Of a deleted or hidden one: how long it is still kept. */
  reapSeconds: number;

  constructor(event: PooledEvent, isDeleted: boolean, reapSeconds: number) {
    this.event = event;
    this.isDeleted = isDeleted;
    this.reapSeconds = reapSeconds;
  }

  get network(): string {
    return this.event.network;
  }
  get table(): string {
    return this.event.table;
  }
  get key(): string {
    return this.event.key;
  }
  get node(): string {
    return this.event.node;
  }
  get time(): number {
    return this.event.time;
  }
  get value(): Uint8Array {
    return this.event.value;
  }
}

/** What others' entries did: what a driver or a resolver wants to know. */
export interface TableChange {
  readonly operation: TableOperation;
  readonly network: string;
  readonly table: string;
  readonly key: string;
  readonly node: string;
  /** Of a deletion: the last value. */
  readonly value: Uint8Array;
}

interface Network {
  readonly byPath: Map<string, StoredEntry>;
  /** Undefined: to be put in order when it is asked for. */
  inOrder: StoredEntry[] | undefined;
}

export class TableStore {
  readonly #self: string;
  readonly #changed: (change: TableChange) => void;
  readonly #networks = new Map<string, Network>();

  /** `changed` hears of the entries of other nodes than `self`. */
  constructor(self: string, changed: (change: TableChange) => void) {
    this.#self = self;
    this.#changed = changed;
  }

  get(network: string, path: string): StoredEntry | undefined {
    return this.#networks.get(network)?.byPath.get(path);
  }

  /** All of a network, tombstones too, in the order of tables and keys. */
  entries(network: string): readonly StoredEntry[] {
    const found = this.#networks.get(network);
    if (found === undefined) return [];
    found.inOrder ??= [...found.byPath.values()].sort((one, other) => (one.event.path < other.event.path ? -1 : 1));
    return found.inOrder;
  }

  put(entry: StoredEntry): void {
    const { path } = entry.event;
    let network = this.#networks.get(entry.network);
    if (network === undefined) {
      network = { byPath: new Map(), inOrder: undefined };
      this.#networks.set(entry.network, network);
    }
    const old = network.byPath.get(path);
    network.byPath.set(path, entry);
    network.inOrder = undefined;
    const wasVisible = old !== undefined && isVisible(old);
    if (isVisible(entry)) this.#tell(wasVisible ? "update" : "create", entry);
    else if (wasVisible) this.#tell("delete", old);
  }

  remove(entry: StoredEntry): void {
    const network = this.#networks.get(entry.network);
    if (!network?.byPath.delete(entry.event.path)) return;
    network.inOrder = undefined;
    if (isVisible(entry)) this.#tell("delete", entry);
  }

  /** All entries that `node` wrote, in the order of networks, tables and keys. */
  ofNode(node: string): StoredEntry[] {
    const networks = [...this.#networks.keys()].sort();
    return networks.flatMap((network) => this.entries(network).filter((entry) => entry.node === node));
  }

  hide(entry: StoredEntry, keptSeconds: number): void {
    if (entry.isDeleted || entry.isHidden) return;
    entry.isHidden = true;
    entry.reapSeconds = keptSeconds;
    this.#tell("delete", entry);
  }

  show(entry: StoredEntry): void {
    if (!entry.isHidden) return;
    entry.isHidden = false;
    entry.reapSeconds = 0;
    this.#tell("create", entry);
  }

  /** `seconds` have gone by: forgets what was kept long enough. */
  reap(seconds: number): void {
    for (const network of this.#networks.values()) {
      for (const [path, entry] of network.byPath) {
        if (isVisible(entry)) continue;
        if (entry.reapSeconds > 0) entry.reapSeconds = Math.max(0, entry.reapSeconds - seconds);
        else {
          network.byPath.delete(path);
          network.inOrder = undefined;
        }
      }
    }
  }

  #tell(operation: TableOperation, entry: StoredEntry): void {
    if (entry.node === this.#self) return;
    const { network, table, key, node, value } = entry;
    this.#changed({ operation, network, table, key, node, value });
  }
}

/** Neither deleted nor hidden. */
export function isVisible(entry: StoredEntry): boolean {
  return !entry.isDeleted && !entry.isHidden;
}
