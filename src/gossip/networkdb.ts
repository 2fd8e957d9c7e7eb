/**
 * networkdb, moby networkdb/cluster.go: tables shared by the nodes that have a network, gossiped on top of memberlist. Time, datagrams, streams
 * and local wishes come in; `takeOutput` gives what is to be sent and what has changed.
 */
import type { Random } from "../sim/random.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { Agenda } from "./agenda.ts";
import { BulkSyncs } from "./bulk-syncs.ts";
import { EventPool, pathOf } from "./event-pool.ts";
import type { Keyring } from "./keyring.ts";
import type { Malformed as MalformedGossip } from "./malformed.ts";
import type { Member } from "./member-table.ts";
import { type Delegate, Memberlist } from "./memberlist.ts";
import type { Identity } from "./membership.ts";
import { emit, type NodeEvent, parse } from "./networkdb-messages.ts";
import { NETWORKDB, type NetworkDbSettings } from "./networkdb-settings.ts";
import { type DatagramOutput, type Endpoint, Outbox, type StreamOutput } from "./outbox.ts";
import { type NodeChange, Replica } from "./replica.ts";
import { LAN, type Settings } from "./settings.ts";
import * as stream from "./stream.ts";
import { type Entry, isVisible, type TableChange } from "./table-store.ts";
import { Ticker } from "./ticker.ts";

/** What networkdb counts for itself in a datagram of table events, and for each event. */
const TABLE_HEADER_BYTES = 5;
const TABLE_EVENT_BYTES = 4;
/** Compounds hold events and nothing deeper; a bulk sync holds a compound. */
const DEEPEST = 3;

export interface NetworkDbOptions {
  readonly identity: Identity;
  /** Undefined: gossip in clear. */
  readonly keyring: Keyring | undefined;
  readonly random: Random;
  readonly nowNs: Nanoseconds;
  readonly memberlist?: Settings;
  readonly networkDb?: NetworkDbSettings;
  /** Events that other nodes of the same world know; one of its own when absent. */
  readonly pool?: EventPool;
}

export interface Output {
  readonly sends: readonly (DatagramOutput | StreamOutput)[];
  /** Entries of other nodes that appeared, changed or vanished, in order. */
  readonly tables: readonly TableChange[];
  readonly nodes: readonly NodeChange[];
}

export type Refusal = "networkdb-no-network" | "networkdb-entry-exists" | "networkdb-no-entry";
export type Malformed = MalformedGossip;

export class NetworkDb {
  readonly #settings: NetworkDbSettings;
  readonly #gossip: Settings;
  readonly #keyring: Keyring | undefined;
  readonly #random: Random;
  readonly #agenda: Agenda;
  readonly #outbox: Outbox;
  readonly #memberlist: Memberlist;
  readonly #replica: Replica;
  readonly #pool: EventPool;
  readonly #bulkSyncs: BulkSyncs;
  #bootstrap: readonly Endpoint[] = [];
  #tables: TableChange[] = [];
  #nodes: NodeChange[] = [];

  constructor(options: NetworkDbOptions) {
    const { identity, keyring, random } = options;
    const memberlist = options.memberlist ?? LAN;
    this.#settings = options.networkDb ?? NETWORKDB;
    this.#gossip = memberlist;
    this.#keyring = keyring;
    this.#random = random.fork("networkdb");
    this.#agenda = new Agenda(options.nowNs);
    this.#outbox = new Outbox(random.fork("nonce"), keyring, memberlist.packetBytes);
    this.#pool = options.pool ?? new EventPool();
    this.#replica = new Replica(
      identity.name,
      this.#settings,
      memberlist.retransmitMultiplier,
      this.#agenda,
      this.#pool,
      (change) => this.#tables.push(change),
      (change) => this.#nodes.push(change),
    );
    this.#bulkSyncs = new BulkSyncs(
      this.#agenda,
      this.#settings.bulkSyncTimeoutNs,
      (node, networks, ended) => this.#sendBulk(node, networks, true, ended),
      (node) => this.#replica.attachments.common(identity.name, node),
    );
    this.#memberlist = new Memberlist(
      identity,
      memberlist,
      keyring,
      random.fork("memberlist"),
      this.#agenda,
      this.#outbox,
      this.#delegate(),
    );
  }

  /** When time should be advanced next at the latest. */
  get nextNs(): Nanoseconds | undefined {
    return this.#agenda.nextNs;
  }

  /** The cluster as memberlist has it. */
  get members(): readonly Member[] {
    return this.#memberlist.members;
  }

  /** 0 is well; above, this node gives others more time. */
  get healthScore(): number {
    return this.#memberlist.healthScore;
  }

  /** Whether the network's first bulk syncs are over. */
  isInSync(network: string): boolean {
    return this.#replica.networks.get(network)?.isInSync ?? false;
  }

  /** The nodes known to have the network. */
  peers(network: string): readonly string[] {
    return this.#replica.attachments.nodesOf(network);
  }

  /** Visible entries, in the order of tables and keys. */
  entries(network: string): readonly Entry[] {
    return this.#replica.store.entries(network).filter(isVisible);
  }

  /** What there is to do since the last call; undefined when there is nothing. */
  takeOutput(): Output | undefined {
    const sends = this.#outbox.take();
    if (sends.length === 0 && this.#tables.length === 0 && this.#nodes.length === 0) return undefined;
    const output = { sends, tables: this.#tables, nodes: this.#nodes };
    this.#tables = [];
    this.#nodes = [];
    return output;
  }

  /** Runs all that is due until `nowNs`. Every other input of that time comes after it. */
  advance(nowNs: Nanoseconds): void {
    this.#agenda.advance(nowNs);
  }

  /** The engine starts: the node is a cluster of one, until it joins others. */
  start(): void {
    const settings = this.#settings;
    this.#memberlist.start();
    this.#agenda.every(settings.reapIntervalNs, () => this.#reap());
    this.#agenda.every(this.#gossip.gossipIntervalNs, () => this.#gossipTables());
    new Ticker(this.#agenda, this.#gossip.pushPullIntervalNs, (done) => this.#syncAllNetworks(done));
    new Ticker(this.#agenda, settings.reconnectIntervalNs, (done) => this.#reconnect(done));
    this.#agenda.every(settings.goneNodeCheckNs, () =>
      this.#replica.nodes.reap(this.#agenda.nowNs - settings.goneNodeKeptNs),
    );
    new Ticker(this.#agenda, settings.rejoinIntervalNs, (done) => this.#rejoin(done));
  }

  /** Joins the cluster by the managers at `bootstrap`, which are tried again whenever none of them is a live member. */
  join(bootstrap: readonly Endpoint[]): void {
    this.#bootstrap = bootstrap;
    this.#joinCluster(bootstrap, () => {});
  }

  /** The managers are at other addresses now; nobody is joined until it is needed. */
  setBootstrap(bootstrap: readonly Endpoint[]): void {
    this.#bootstrap = bootstrap;
  }

  /** Says goodbye; `left` when the others were told, or a few seconds later. Nothing happens on its own after that. */
  leave(left: () => void): void {
    let isTold = false;
    const told = (): void => {
      if (isTold) return;
      isTold = true;
      this.#memberlist.leave(() => {
        this.#agenda.clear();
        left();
      });
    };
    this.#tellOfSelf("leave", told);
    if (this.#replica.nodes.activeCount > 1) this.#agenda.after(this.#settings.nodeEventTimeoutNs, told);
    else told();
  }

  joinNetwork(network: string): void {
    const replica = this.#replica;
    if (replica.networks.has(network)) return;
    replica.joinNetwork(network);
    const rumours = replica.networks.get(network);
    const others = replica.attachments.nodesOf(network).filter((node) => node !== replica.self);
    this.#bulkSyncs.withAll(others, () => {
      if (rumours !== undefined) rumours.isInSync = true;
    });
  }

  leaveNetwork(network: string): void {
    if (this.#replica.networks.has(network)) this.#replica.leaveNetwork(network);
  }

  createEntry(network: string, table: string, key: string, value: Uint8Array): Refusal | undefined {
    if (!this.#replica.networks.has(network)) return "networkdb-no-network";
    const old = this.#replica.store.get(network, pathOf(table, key));
    if (old !== undefined && !old.isDeleted) return "networkdb-entry-exists";
    this.#replica.write("create", network, table, key, value);
    return undefined;
  }

  updateEntry(network: string, table: string, key: string, value: Uint8Array): Refusal | undefined {
    if (!this.#replica.networks.has(network)) return "networkdb-no-network";
    const old = this.#replica.store.get(network, pathOf(table, key));
    if (old === undefined || old.isDeleted) return "networkdb-no-entry";
    this.#replica.write("update", network, table, key, value);
    return undefined;
  }

  deleteEntry(network: string, table: string, key: string): Refusal | undefined {
    if (!this.#replica.networks.has(network)) return "networkdb-no-network";
    const old = this.#replica.store.get(network, pathOf(table, key));
    if (old === undefined || old.isDeleted) return "networkdb-no-entry";
    this.#replica.write("delete", network, table, key, old.value);
    return undefined;
  }

  /** `bytes` are the node's from now on. */
  receiveDatagram(from: Endpoint, bytes: Uint8Array): Malformed | undefined {
    return this.#memberlist.receiveDatagram(from, bytes);
  }

  /** How many bytes of a stream its message takes: undefined while they do not tell yet. */
  measureStream(bytes: Uint8Array): number | undefined | Malformed {
    return stream.measure(bytes, this.#keyring);
  }

  /** A whole message on a stream that another opened (or what `measureStream` refuses), and what to answer on it. */
  receiveStream(bytes: Uint8Array): { reply: Uint8Array | undefined; refusal: Malformed | undefined } {
    return this.#memberlist.receiveStream(bytes);
  }

  /** The ends of the streams of `takeOutput`, see `StreamOutput`. */
  streamReplied(id: number, bytes: Uint8Array): Malformed | undefined {
    return this.#memberlist.streamReplied(id, bytes);
  }
  streamSent(id: number): void {
    this.#outbox.end(id, "sent");
  }
  streamFailed(id: number): void {
    this.#outbox.end(id, "failed");
  }

  #delegate(): Delegate {
    const replica = this.#replica;
    return {
      joined: (member) => replica.nodeJoined(member.name, member),
      gone: (member) => replica.nodeGone(member.name),
      receive: (payload) => this.#receive(payload, false, 0),
      rumours: (overheadBytes, limitBytes) => {
        const rumours = replica.networkRumours.take(overheadBytes, limitBytes);
        const usedBytes = rumours.reduce((sum, rumour) => sum + rumour.length + overheadBytes, 0);
        return [...rumours, ...replica.nodeRumours.take(overheadBytes, limitBytes - usedBytes)];
      },
      localState: () => emit(replica.pushPull()),
      mergeState: (state) => {
        const message = parse(state);
        if (typeof message !== "string" && message.kind === "network-push-pull") replica.merge(message);
      },
    };
  }

  /** Bytes that are no message are nobody's news. */
  #receive(payload: Uint8Array, isFromSync: boolean, depth: number): void {
    if (depth > DEEPEST) return;
    const message = this.#pool.parse(payload);
    if (typeof message === "string") return;
    switch (message.kind) {
      case "node-event":
        this.#replica.nodeEvent(message);
        return;
      case "network-event":
        this.#replica.networkEvent(message);
        return;
      case "table-event":
        this.#replica.tableEvent(message, isFromSync);
        return;
      case "compound":
        for (const inner of message.messages) this.#receive(inner, isFromSync, depth + 1);
        return;
      case "bulk-sync":
        this.#replica.tableClock.witness(message.time);
        this.#receive(message.payload, true, depth + 1);
        if (message.isUnsolicited) this.#sendBulk(message.node, message.networks, false, () => {});
        else this.#bulkSyncs.answered(message.node);
        return;
      case "network-push-pull":
        return; // in push-pulls alone
    }
  }

  #tellOfSelf(operation: NodeEvent["operation"], told?: () => void): void {
    const { networkClock, nodeRumours, self } = this.#replica;
    nodeRumours.add(undefined, emit({ kind: "node-event", operation, time: networkClock.next(), node: self }), told);
  }

  #joinCluster(addresses: readonly Endpoint[], done: (isJoined: boolean) => void): void {
    this.#memberlist.join(addresses, (reached) => {
      if (reached > 0) this.#tellOfSelf("join");
      done(reached > 0);
    });
  }

  #sendBulk(name: string, networks: readonly string[], isUnsolicited: boolean, ended: (isSent: boolean) => void): void {
    const member = this.#memberlist.member(name);
    if (member === undefined || !this.#replica.nodes.isActive(name)) {
      ended(false);
      return;
    }
    const { tableClock, self } = this.#replica;
    const payload = this.#replica.compoundOf(networks);
    const message = emit({ kind: "bulk-sync", time: tableClock.time, isUnsolicited, node: self, networks, payload });
    this.#memberlist.sendReliable(member, message, ended);
  }

  /** Each network's table events to three of its nodes: own ones first, relayed ones in the room that is left. */
  #gossipTables(): void {
    const replica = this.#replica;
    for (const [network, rumours] of replica.networks) {
      if (rumours.own.length === 0 && rumours.relayed.length === 0) continue;
      const limitBytes = this.#gossip.packetBytes - TABLE_HEADER_BYTES;
      const others = replica.attachments.nodesOf(network).filter((node) => node !== replica.self);
      const receivers = this.#random.shuffle(others).slice(0, this.#gossip.gossipNodes);
      const own = rumours.own.take(TABLE_EVENT_BYTES, limitBytes);
      const usedBytes = own.reduce((sum, event) => sum + event.length + TABLE_EVENT_BYTES, 0);
      const messages = [...own, ...rumours.relayed.take(TABLE_EVENT_BYTES, limitBytes - usedBytes)];
      if (messages.length === 0) continue;
      const payload = emit({ kind: "compound", messages });
      const members = receivers.flatMap(
        (name) => (replica.nodes.isActive(name) ? this.#memberlist.member(name) : undefined) ?? [],
      );
      this.#memberlist.sendBestEffort(members, payload);
    }
  }

  /** With one random node of each network; networks that two nodes share are done together. */
  #syncAllNetworks(done: () => void): void {
    const replica = this.#replica;
    const next = (networks: readonly string[]): void => {
      const network = networks[0];
      if (network === undefined) {
        done();
        return;
      }
      const others = replica.attachments.nodesOf(network).filter((node) => node !== replica.self);
      const candidates = this.#random.shuffle(others).slice(0, 2);
      this.#bulkSyncs.withFirst(candidates, (covered) =>
        next(networks.slice(1).filter((other) => !covered.includes(other))),
      );
    };
    next([...replica.networks.keys()]);
  }

  #reap(): void {
    const seconds = Math.round(this.#settings.reapIntervalNs / 1e9);
    this.#replica.store.reap(seconds);
    this.#replica.attachments.reap(seconds);
  }

  /** Tries one random node of those that failed. */
  #reconnect(done: () => void): void {
    const failed = this.#replica.nodes.with("failed");
    if (failed.length === 0) {
      done();
      return;
    }
    const node = failed[this.#random.below(failed.length)]!;
    this.#memberlist.join([node], (reached) => {
      if (reached === 0) {
        done();
        return;
      }
      this.#tellOfSelf("join");
      this.#bulkSyncs.withAll([node.name], done);
    });
  }

  /** Back to the managers when none of them is a live member, each second for ten: after a long split. */
  #rejoin(done: () => void): void {
    const active = this.#replica.nodes.with("active").filter((node) => node.name !== this.#replica.self);
    const isReachable = active.some((node) => this.#bootstrap.some((address) => address.address === node.address));
    if (this.#bootstrap.length === 0 || isReachable) {
      done();
      return;
    }
    const endNs = this.#agenda.nowNs + this.#settings.rejoinTimeoutNs;
    const attempt = (): void =>
      this.#joinCluster(this.#bootstrap, (isJoined) => {
        if (isJoined || this.#agenda.nowNs >= endNs) done();
        else this.#agenda.after(this.#settings.rejoinRetryNs, attempt);
      });
    attempt();
  }
}
