/**
 * The gossip of one engine, moby networkdb/cluster.go on memberlist's net_transport.go: a `NetworkDb` on the sockets of its host, UDP and TCP
 * 7946. What comes malformed is counted and forgotten, as a real engine logs it.
 */

import { EventPool } from "../gossip/event-pool.ts";
import { Keyring } from "../gossip/keyring.ts";
import type { Member } from "../gossip/member-table.ts";
import { type Malformed, NetworkDb, type Output, type Refusal } from "../gossip/networkdb.ts";
import type { NetworkDbSettings } from "../gossip/networkdb-settings.ts";
import type { Endpoint } from "../gossip/outbox.ts";
import type { NodeChange } from "../gossip/replica.ts";
import { type GossipKey, isKey } from "../gossip/seal.ts";
import type { Settings } from "../gossip/settings.ts";
import type { Entry, TableChange } from "../gossip/table-store.ts";
import type { Errno } from "../linux/errno.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import { TcpSocket } from "../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../linux/udp-socket.ts";
import { assert } from "../sim/assert.ts";
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import { Timer } from "../sim/timer.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { toHex } from "../wire/bytes.ts";
import { AcceptedExchange, DiallingExchange, type DialOutcome, type Exchange } from "./gossip-exchange.ts";

export const GOSSIP_PORT = 7_946;
/** Digits of a node's name, of which an engine draws a new one whenever it starts. */
const NAME_DIGITS = 12;
/** Go listens with what net.core.somaxconn says. */
const BACKLOG = 4_096;
/** memberlist asks for 2 MiB, of which the host's rmem_max is given; the kernel doubles that. */
const RECEIVE_BUFFER_BYTES = 2 * 1_024 * 1_024;
/** From a packet's arrival to the engine's hearing of it: as other processes, it runs after the network's soft interrupts. */
const WAKE_UP_NS = 20_000;

/** By the world's clock: its nodes know the same events, and share them. */
const POOLS = new WeakMap<Clock, EventPool>();

export interface GossipAgentOptions {
  readonly namespace: NetworkNamespace;
  /** 0.0.0.0 for all. */
  readonly listenAddress: Ipv4Address;
  readonly advertiseAddress: Ipv4Address;
  /** Twelve hexadecimal digits; drawn when absent. */
  readonly nodeName?: string;
  /** Undefined: gossip in clear. Else the primary key first. */
  readonly keyring: Keyring | readonly GossipKey[] | undefined;
  readonly random: Random;
  /** Others' entries that came, changed and went. */
  readonly onTables: (changes: readonly TableChange[]) => void;
  readonly onNodes: (changes: readonly NodeChange[]) => void;
  readonly settings?: { readonly memberlist?: Settings; readonly networkDb?: NetworkDbSettings };
}

export class GossipAgent {
  readonly nodeName: string;
  /** How often bytes that came were no gossip, and why. */
  readonly malformed = new Map<Malformed, number>();
  readonly #namespace: NetworkNamespace;
  readonly #listenAddress: Ipv4Address;
  readonly #keyring: Keyring | undefined;
  readonly #onTables: (changes: readonly TableChange[]) => void;
  readonly #onNodes: (changes: readonly NodeChange[]) => void;
  readonly #db: NetworkDb;
  readonly #datagrams: UdpSocket;
  readonly #listener: TcpSocket;
  readonly #exchanges = new Set<Exchange>();
  /** What has changed since the last waking, in the order of changing. */
  readonly #stirred = new Set<Exchange>();
  /** Every key that was ever in the ring, in hex. */
  readonly #keyLog: string[] = [];
  readonly #due: Timer;
  readonly #soon: Timer;
  #state: "new" | "running" | "stopped" = "new";
  #isHandlingOutput = false;
  /** The others were told that this node leaves: to be called when it has stopped. */
  #left: (() => void) | undefined = undefined;

  constructor(options: GossipAgentOptions) {
    const { namespace, advertiseAddress, keyring, random, settings } = options;
    this.#namespace = namespace;
    this.#listenAddress = options.listenAddress;
    this.nodeName = options.nodeName ?? drawName(random.fork("gossip node name"));
    this.#keyring = keyring === undefined || keyring instanceof Keyring ? keyring : new Keyring(keyring);
    this.#logKeys();
    this.#onTables = options.onTables;
    this.#onNodes = options.onNodes;
    this.#db = new NetworkDb({
      identity: { name: this.nodeName, address: advertiseAddress, port: GOSSIP_PORT },
      keyring: this.#keyring,
      random: random.fork("gossip"),
      nowNs: namespace.clock.nowNs,
      pool: poolOf(namespace.clock),
      ...settings,
    });
    this.#datagrams = new UdpSocket(namespace);
    this.#datagrams.broadcast = true; // as Go sets it on every UDP socket
    this.#listener = new TcpSocket(namespace);
    this.#listener.reuseAddress = true;
    this.#due = new Timer(namespace.clock, () => this.#do(() => {}));
    this.#soon = new Timer(namespace.clock, () => this.#attendAll());
  }

  /** The cluster as memberlist has it. */
  get members(): readonly Member[] {
    return this.#db.members;
  }

  /** 0 is well; above, this node gives others more time. */
  get healthScore(): number {
    return this.#db.healthScore;
  }

  /** Visible entries, in the order of tables and keys. */
  entries(network: string): readonly Entry[] {
    return this.#db.entries(network);
  }

  /** Names of the nodes that have the network. */
  peers(network: string): readonly string[] {
    return this.#db.peers(network);
  }

  isInSync(network: string): boolean {
    return this.#db.isInSync(network);
  }

  /** For Wireshark: every key there was, one in a line; empty in clear. */
  keysText(): string {
    return this.#keyLog.map((key) => `${key}\n`).join("");
  }

  /** Opens the sockets: a cluster of one from now on. The error when the port is taken or the address not the host's. */
  start(): Errno | undefined {
    assert(this.#state === "new", "a gossip agent started twice");
    const problem = this.#listen();
    if (problem !== undefined) {
      this.#close();
      return problem;
    }
    this.#state = "running";
    this.#do(() => this.#db.start());
    return undefined;
  }

  /** Joins the cluster of the managers at `addresses`; they are tried again whenever none of them is a live member. */
  join(addresses: readonly Ipv4Address[]): void {
    this.#do(() => this.#db.join(addresses.map(endpointAt)));
  }

  /** The managers' addresses changed: where to go when none of them is a live member. */
  setBootstrap(addresses: readonly Ipv4Address[]): void {
    this.#do(() => this.#db.setBootstrap(addresses.map(endpointAt)));
  }

  /** Says goodbye; `done` when the others were told, a few seconds later at the latest. Then it is stopped. */
  leave(done: () => void): void {
    if (this.#state !== "running") {
      this.stop();
      done();
      return;
    }
    this.#do(() =>
      this.#db.leave(() => {
        this.#left = done; // the last farewells are in the outbox still
      }),
    );
  }

  /** Without a word of gossip: the engine was killed, and the kernel closes its sockets. When the host lost its power its links are down first. */
  stop(): void {
    if (this.#state === "stopped") return;
    this.#state = "stopped";
    this.#close();
  }

  joinNetwork(network: string): void {
    this.#do(() => this.#db.joinNetwork(network));
  }

  leaveNetwork(network: string): void {
    this.#do(() => this.#db.leaveNetwork(network));
  }

  createEntry(network: string, table: string, key: string, value: Uint8Array): Refusal | undefined {
    return this.#do(() => this.#db.createEntry(network, table, key, value));
  }

  updateEntry(network: string, table: string, key: string, value: Uint8Array): Refusal | undefined {
    return this.#do(() => this.#db.updateEntry(network, table, key, value));
  }

  deleteEntry(network: string, table: string, key: string): Refusal | undefined {
    return this.#do(() => this.#db.deleteEntry(network, table, key));
  }

  /** The ring is these from now on, the primary first: see `inOrderOfUse`. An agent that gossips in clear stays so. */
  setKeys(keys: readonly GossipKey[]): void {
    assert(keys.every(isKey), "a gossip key of 16, 24 or 32 bytes");
    this.#keyring?.replace(keys);
    this.#logKeys();
  }

  #listen(): Errno | undefined {
    const datagrams = this.#datagrams;
    const problem =
      this.#listener.bind(this.#listenAddress, GOSSIP_PORT) ??
      this.#listener.listen(BACKLOG) ??
      datagrams.bind(this.#listenAddress, GOSSIP_PORT);
    if (problem !== undefined) return problem;
    datagrams.receiveBufferBytes = receiveBufferBytes(this.#namespace);
    datagrams.readable.add(this.#waiter);
    this.#listener.changed.add(this.#waiter);
    return undefined;
  }

  #close(): void {
    this.#due.stop();
    this.#soon.stop();
    this.#stirred.clear();
    this.#datagrams.readable.remove(this.#waiter);
    this.#listener.changed.remove(this.#waiter);
    for (const exchange of this.#exchanges) exchange.abandon();
    this.#exchanges.clear();
    this.#datagrams.close();
    this.#listener.close();
  }

  readonly #waiter = { wake: (): void => this.#wake() };

  #wake(): void {
    if (!this.#soon.armed) this.#soon.set(WAKE_UP_NS);
  }

  readonly #attend = (exchange: Exchange): void => {
    this.#stirred.add(exchange);
    this.#wake();
  };

  /** Everything that has come since it was last looked at. */
  #attendAll(): void {
    this.#do(() => {
      for (;;) {
        const datagram = this.#datagrams.receive();
        if (datagram === undefined) break;
        if (typeof datagram === "string") continue;
        const from = { address: datagram.source, port: datagram.sourcePort };
        this.#count(this.#db.receiveDatagram(from, datagram.bytes));
      }
      this.#accept();
      const stirred = [...this.#stirred];
      this.#stirred.clear();
      for (const exchange of stirred) exchange.progress();
    });
  }

  #accept(): void {
    for (;;) {
      const socket = this.#listener.accept();
      if (typeof socket === "string") return;
      const exchange = new AcceptedExchange(
        this.#namespace,
        socket,
        this.#measure,
        (bytes) => {
          const { reply, refusal } = this.#db.receiveStream(bytes);
          this.#count(refusal);
          return reply;
        },
        this.#attend,
        (ended) => this.#exchanges.delete(ended),
      );
      this.#exchanges.add(exchange);
      this.#stirred.add(exchange); // its data may be there already
    }
  }

  readonly #measure = (bytes: Uint8Array): number | string | undefined => this.#db.measureStream(bytes);

  /** Every call of the database goes through here: time is told before it, and what it wants done is done after it. */
  #do<Result>(work: () => Result): Result {
    this.#db.advance(this.#namespace.clock.nowNs);
    const result = work();
    this.#handleOutput();
    return result;
  }

  /** What is called from here may wish for more: the outermost call does it all, in order. */
  #handleOutput(): void {
    if (this.#isHandlingOutput) return;
    this.#isHandlingOutput = true;
    for (;;) {
      const output = this.#state === "running" ? this.#db.takeOutput() : undefined;
      if (output === undefined) break;
      for (const send of output.sends) this.#send(send);
      if (output.tables.length > 0) this.#onTables(output.tables);
      if (output.nodes.length > 0) this.#onNodes(output.nodes);
    }
    this.#isHandlingOutput = false;
    const left = this.#left;
    if (left !== undefined) {
      this.#left = undefined;
      this.stop();
      left();
    }
    const nextNs = this.#db.nextNs;
    if (this.#state === "running" && nextNs !== undefined) this.#due.set(nextNs - this.#namespace.clock.nowNs);
  }

  #send(send: Output["sends"][number]): void {
    if (send.kind === "datagram") {
      this.#datagrams.sendTo(send.bytes, send.to.address, send.to.port); // an error is logged by memberlist, no more
      return;
    }
    const exchange = new DiallingExchange(this.#namespace, send, this.#measure, this.#attend, (ended, outcome) => {
      this.#exchanges.delete(ended);
      this.#do(() => this.#streamEnded(send.stream, outcome));
    });
    this.#exchanges.add(exchange);
    exchange.dial();
  }

  #streamEnded(id: number, outcome: DialOutcome): void {
    if (outcome === "sent") this.#db.streamSent(id);
    else if (outcome === "failed") this.#db.streamFailed(id);
    else this.#count(this.#db.streamReplied(id, outcome));
  }

  #count(refusal: Malformed | undefined): void {
    if (refusal !== undefined) this.malformed.set(refusal, (this.malformed.get(refusal) ?? 0) + 1);
  }

  #logKeys(): void {
    for (const key of this.#keyring?.keys ?? []) {
      const hex = toHex(key);
      if (!this.#keyLog.includes(hex)) this.#keyLog.push(hex);
    }
  }
}

function poolOf(clock: Clock): EventPool {
  let pool = POOLS.get(clock);
  if (pool === undefined) {
    pool = new EventPool();
    POOLS.set(clock, pool);
  }
  return pool;
}

function endpointAt(address: Ipv4Address): Endpoint {
  return { address, port: GOSSIP_PORT };
}

function drawName(random: Random): string {
  let name = "";
  while (name.length < NAME_DIGITS) name += random.below(16).toString(16);
  return name;
}

/** What SO_RCVBUF makes of memberlist's wish. */
function receiveBufferBytes(namespace: NetworkNamespace): number {
  return 2 * Math.min(RECEIVE_BUFFER_BYTES, namespace.sysctl.number("net.core.rmem_max"));
}
