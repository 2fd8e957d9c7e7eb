/**
 * One node's copy of networkdb, moby networkdb/{delegate,event_delegate,nodemgmt}.go: nodes, who has which network, the tables of its own
 * networks; and what each kind of news does to them. News that was fresh is told on.
 */
import type { Agenda } from "./agenda.ts";
import { Attachments } from "./attachments.ts";
import { BroadcastQueue } from "./broadcast-queue.ts";
import type { EventPool, PooledEvent } from "./event-pool.ts";
import { LamportClock } from "./lamport-clock.ts";
import {
  emit,
  type NetworkDbMessage,
  type NetworkEvent,
  type NetworkPushPull,
  type NodeEvent,
  type TableOperation,
} from "./networkdb-messages.ts";
import type { NetworkDbSettings } from "./networkdb-settings.ts";
import { NodeRegistry, type Standing } from "./node-registry.ts";
import type { Endpoint } from "./outbox.ts";
import { StoredEntry, type TableChange, TableStore } from "./table-store.ts";

/** A node came or went. */
export interface NodeChange {
  readonly node: string;
  readonly standing: Standing;
}

/** The rumours of a network that this node has. */
export interface NetworkRumours {
  readonly own: BroadcastQueue;
  readonly relayed: BroadcastQueue;
  /** Its first bulk syncs are over: news is told on. */
  isInSync: boolean;
}

export class Replica {
  readonly self: string;
  readonly nodes = new NodeRegistry();
  readonly attachments = new Attachments();
  readonly store: TableStore;
  /** Of node and network events; the other one is of table events. */
  readonly networkClock = new LamportClock();
  readonly tableClock = new LamportClock();
  readonly networkRumours: BroadcastQueue;
  readonly nodeRumours: BroadcastQueue;
  readonly networks = new Map<string, NetworkRumours>();
  readonly #settings: NetworkDbSettings;
  readonly #multiplier: number;
  readonly #agenda: Agenda;
  readonly #pool: EventPool;
  readonly #nodeChanged: (change: NodeChange) => void;

  constructor(
    self: string,
    settings: NetworkDbSettings,
    retransmitMultiplier: number,
    agenda: Agenda,
    pool: EventPool,
    tableChanged: (change: TableChange) => void,
    nodeChanged: (change: NodeChange) => void,
  ) {
    this.self = self;
    this.store = new TableStore(self, tableChanged);
    this.#settings = settings;
    this.#multiplier = retransmitMultiplier;
    this.#agenda = agenda;
    this.#pool = pool;
    this.#nodeChanged = nodeChanged;
    const countActive = (): number => this.nodes.activeCount;
    this.networkRumours = new BroadcastQueue(retransmitMultiplier, countActive);
    this.nodeRumours = new BroadcastQueue(retransmitMultiplier, countActive);
  }

  /** This node takes part in a network from now on. */
  joinNetwork(network: string): void {
    const time = this.networkClock.next();
    this.attachments.join(this.self, network, time);
    const countNodes = (): number => this.attachments.countOf(network);
    this.networks.set(network, {
      own: new BroadcastQueue(this.#multiplier, countNodes),
      relayed: new BroadcastQueue(this.#multiplier, countNodes),
      isInSync: false,
    });
    this.tellNetwork({ kind: "network-event", operation: "join", time, node: this.self, network });
  }

  /** Others' entries go, its own become tombstones. */
  leaveNetwork(network: string): void {
    const time = this.networkClock.next();
    this.tellNetwork({ kind: "network-event", operation: "leave", time, node: this.self, network });
    this.attachments.leave(this.self, network, time, this.#settings.leftNetworkKeptSeconds);
    for (const entry of this.store.entries(network)) {
      if (entry.node !== this.self) this.store.remove(entry);
      else if (!entry.isDeleted) this.store.put(this.#tombstone(entry, entry.time + 1));
    }
    this.networks.delete(network);
  }

  /** A new event of this node on an entry: stored, and told to the network's nodes. */
  write(operation: TableOperation, network: string, table: string, key: string, value: Uint8Array): void {
    const rumours = this.networks.get(network);
    if (rumours === undefined) return;
    const time = this.tableClock.next();
    const keptSeconds = operation === "delete" ? this.#settings.deletedEntryKeptSeconds : 0;
    const event = this.#pool.of({
      kind: "table-event",
      operation,
      time,
      node: this.self,
      network,
      table,
      key,
      value,
      residualReapSeconds: keptSeconds,
    });
    this.store.put(new StoredEntry(this.#asCreation(event, time), operation === "delete", keptSeconds));
    rumours.own.addShared(event.path, event.bytes);
  }

  tellNetwork(event: NetworkEvent): void {
    this.networkRumours.add(`${event.network} ${event.node}`, emit(event));
  }

  /** memberlist found a node alive. */
  nodeJoined(name: string, endpoint: Endpoint): void {
    const known = this.nodes.get(name);
    if (known !== undefined) {
      this.nodes.move(known, endpoint.address, endpoint.port);
      this.#change(name, "active");
      return;
    }
    this.#retireNamesakeOf(name, endpoint);
    this.nodes.add(name, endpoint.address, endpoint.port);
    this.#nodeChanged({ node: name, standing: "active" });
  }

  /** memberlist lost a node: had it left, it would have said so before. */
  nodeGone(name: string): void {
    if (this.nodes.isActive(name)) this.#change(name, "failed");
  }

  nodeEvent(event: NodeEvent): void {
    this.networkClock.witness(event.time);
    const node = this.nodes.get(event.node);
    if (node === undefined || event.node === this.self || node.time >= event.time) return;
    node.time = event.time;
    const isNews = this.#change(event.node, event.operation === "join" ? "active" : "left");
    if (isNews) this.nodeRumours.add(undefined, emit(event));
  }

  networkEvent(event: NetworkEvent): void {
    this.networkClock.witness(event.time);
    // Only of nodes that memberlist knows: of others nobody would tell when they die.
    if (event.node === this.self || !this.nodes.isActive(event.node)) return;
    const known = this.attachments.get(event.node, event.network);
    if (known !== undefined && known.time >= event.time) return;
    if (event.operation === "join") {
      this.attachments.join(event.node, event.network, event.time);
      for (const entry of this.store.entries(event.network)) if (entry.node === event.node) this.store.show(entry);
    } else {
      if (known === undefined) return;
      this.attachments.leave(event.node, event.network, event.time, this.#settings.leftNetworkKeptSeconds);
      for (const entry of this.store.entries(event.network))
        if (entry.node === event.node && !entry.isDeleted) this.store.put(this.#tombstone(entry, entry.time));
    }
    this.tellNetwork(event);
  }

  /** `isFromSync`: it came by a bulk sync. */
  tableEvent(event: PooledEvent, isFromSync: boolean): void {
    if (event.node === this.self) return;
    this.tableClock.witness(event.time);
    const rumours = this.networks.get(event.network);
    if (rumours === undefined || !this.attachments.has(event.node, event.network)) return;
    const old = this.store.get(event.network, event.path);
    if (old !== undefined && old.time >= event.time) return;
    const isDeleted = event.operation === "delete";
    const keptSeconds = this.#settings.deletedEntryKeptSeconds;
    const residualSeconds = isDeleted ? event.residualReapSeconds || keptSeconds : event.residualReapSeconds;
    this.store.put(new StoredEntry(this.#asCreation(event, event.time), isDeleted, residualSeconds));
    // Tombstones of what was never known go round only while they are fresh, else they would go round for ever.
    const isWorthTelling = old !== undefined || !isDeleted || (isFromSync && residualSeconds > keptSeconds / 6);
    if (!rumours.isInSync || !isWorthTelling) return;
    if (isFromSync && rumours.relayed.length > this.#settings.mostQueuedOnSync) return;
    rumours.relayed.addShared(event.path, event.bytes);
  }

  /** What another node told in a push-pull. */
  merge(heard: NetworkPushPull): void {
    this.networkClock.witness(heard.time);
    this.nodeEvent({ kind: "node-event", operation: "join", time: heard.time, node: heard.node });
    for (const { network, time, node, isLeaving } of heard.networks)
      this.networkEvent({ kind: "network-event", operation: isLeaving ? "leave" : "join", time, node, network });
  }

  pushPull(): NetworkDbMessage {
    const networks = this.attachments.list();
    return { kind: "network-push-pull", time: this.networkClock.time, networks, node: this.self };
  }

  /** The payload of a bulk sync: all entries of `networks`, tombstones with the time they have left. */
  compoundOf(networks: readonly string[]): Uint8Array {
    const messages: Uint8Array[] = [];
    for (const network of networks)
      for (const entry of this.store.entries(network)) {
        if (entry.isHidden) continue;
        messages.push(entry.isDeleted ? deletionOf(entry) : entry.event.bytes);
      }
    return emit({ kind: "compound", messages });
  }

  #change(name: string, standing: Standing): boolean {
    const node = this.nodes.get(name);
    if (node === undefined || !this.nodes.change(node, standing, this.#agenda.nowNs)) return false;
    if (standing !== "active") {
      this.attachments.forget(name);
      const hides = standing === "failed" && this.#settings.failedNodeEntries === "hide";
      for (const entry of this.store.ofNode(name)) {
        if (hides) this.store.hide(entry, this.#settings.deletedEntryKeptSeconds);
        else this.store.remove(entry);
      }
    }
    this.#nodeChanged({ node: name, standing });
    return true;
  }

  /** A restarted engine has a new name: whoever was at its address before is gone. */
  #retireNamesakeOf(name: string, endpoint: Endpoint): void {
    // What is still told of this node's own life before its restart does not end the present one.
    for (const node of [...this.nodes.at(endpoint.address, endpoint.port)])
      if (node.name !== name && node.name !== this.self) this.#change(node.name, "left");
  }

  #tombstone(entry: StoredEntry, time: number): StoredEntry {
    return new StoredEntry(this.#asCreation(entry.event, time), true, this.#settings.deletedEntryKeptSeconds);
  }

  /** The event as a bulk sync would tell of the entry. */
  #asCreation(event: PooledEvent, time: number): PooledEvent {
    if (event.operation === "create" && event.time === time && event.residualReapSeconds === 0) return event;
    return this.#pool.of({ ...event, operation: "create", time, residualReapSeconds: 0 });
  }
}

function deletionOf(entry: StoredEntry): Uint8Array {
  return emit({ ...entry.event, operation: "delete", residualReapSeconds: entry.reapSeconds });
}
