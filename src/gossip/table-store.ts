/**
 * The tables of all networks that a node has, networkdb.go: entries with their owner and Lamport time; a deleted one stays as a tombstone
 * until it is reaped, so that an old rumour cannot bring it back.
 */
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
  /** Its owner failed; it comes back with the owner. */
  isHidden: boolean;
  /** Of a deleted or hidden one: how long it is still kept. */
  reapSeconds: number;
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

export class TableStore {
  readonly #self: string;
  readonly #changed: (change: TableChange) => void;
  /** By network, then by table and key with a zero between. */
  readonly #networks = new Map<string, Map<string, Entry>>();

  /** `changed` hears of the entries of other nodes than `self`. */
  constructor(self: string, changed: (change: TableChange) => void) {
    this.#self = self;
    this.#changed = changed;
  }

  get(network: string, table: string, key: string): Entry | undefined {
    return this.#networks.get(network)?.get(path(table, key));
  }

  /** All of a network, tombstones too, in the order of tables and keys. */
  entries(network: string): Entry[] {
    const entries = [...(this.#networks.get(network)?.entries() ?? [])];
    return entries.sort(([one], [other]) => (one < other ? -1 : 1)).map(([, entry]) => entry);
  }

  put(entry: Entry): void {
    let network = this.#networks.get(entry.network);
    if (network === undefined) {
      network = new Map();
      this.#networks.set(entry.network, network);
    }
    const old = network.get(path(entry.table, entry.key));
    network.set(path(entry.table, entry.key), entry);
    const wasVisible = old !== undefined && isVisible(old);
    if (isVisible(entry)) this.#tell(wasVisible ? "update" : "create", entry);
    else if (wasVisible) this.#tell("delete", old);
  }

  remove(entry: Entry): void {
    if (!this.#networks.get(entry.network)?.delete(path(entry.table, entry.key))) return;
    if (isVisible(entry)) this.#tell("delete", entry);
  }

  /** All entries that `node` wrote, in the order of networks, tables and keys. */
  ofNode(node: string): Entry[] {
    const networks = [...this.#networks.keys()].sort();
    return networks.flatMap((network) => this.entries(network).filter((entry) => entry.node === node));
  }

  hide(entry: Entry, keptSeconds: number): void {
    if (entry.isDeleted || entry.isHidden) return;
    entry.isHidden = true;
    entry.reapSeconds = keptSeconds;
    this.#tell("delete", entry);
  }

  show(entry: Entry): void {
    if (!entry.isHidden) return;
    entry.isHidden = false;
    entry.reapSeconds = 0;
    this.#tell("create", entry);
  }

  /** `seconds` have gone by: forgets what was kept long enough. */
  reap(seconds: number): void {
    for (const network of this.#networks.values()) {
      for (const [name, entry] of network) {
        if (isVisible(entry)) continue;
        if (entry.reapSeconds > 0) entry.reapSeconds = Math.max(0, entry.reapSeconds - seconds);
        else network.delete(name);
      }
    }
  }

  #tell(operation: TableOperation, entry: Entry): void {
    if (entry.node === this.#self) return;
    const { network, table, key, node, value } = entry;
    this.#changed({ operation, network, table, key, node, value });
  }
}

/** Neither deleted nor hidden. */
export function isVisible(entry: Entry): boolean {
  return !entry.isDeleted && !entry.isHidden;
}

function path(table: string, key: string): string {
  return `${table}\0${key}`;
}
