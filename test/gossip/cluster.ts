/** Nodes that gossip over a network in memory, in virtual time: with delay, loss, splits and silent nodes. */
import type { Keyring } from "../../src/gossip/keyring.ts";
import { NetworkDb, type NetworkDbOptions, type Output } from "../../src/gossip/networkdb.ts";
import type { Endpoint } from "../../src/gossip/outbox.ts";
import { Random } from "../../src/sim/random.ts";
import { MILLISECOND, type Nanoseconds } from "../../src/sim/time.ts";
import type { Ipv4Address } from "../../src/wire/address.ts";
import { toHex } from "../../src/wire/bytes.ts";

export interface ClusterOptions {
  readonly nodes: number;
  readonly seed?: string | number;
  readonly keyring?: Keyring | undefined;
  /** Of datagrams, parts per million. */
  readonly loss?: number;
  readonly options?: Partial<NetworkDbOptions>;
}

export interface TestNode {
  readonly name: string;
  readonly endpoint: Endpoint;
  readonly db: NetworkDb;
  /** What it was told of tables and nodes, in order. */
  readonly heard: string[];
  isUp: boolean;
}

interface Arrival {
  readonly atNs: Nanoseconds;
  readonly order: number;
  readonly run: () => void;
}

export class Cluster {
  nowNs: Nanoseconds = 0;
  loss: number;
  /** Bytes of everything sent, in order: the trace of a run. */
  readonly sent: string[] = [];
  readonly nodes: TestNode[] = [];
  /** Whether a packet from one node (its index) to another arrives. */
  isReachable: (from: number, to: number) => boolean = () => true;
  /** The same for datagrams alone. */
  passesDatagrams: (from: number, to: number) => boolean = () => true;
  readonly #random: Random;
  #arrivals: Arrival[] = [];
  #order = 0;

  constructor(options: ClusterOptions) {
    this.#random = new Random(options.seed ?? 1);
    this.loss = options.loss ?? 0;
    for (let index = 0; index < options.nodes; index++) {
      const name = `node${String(index).padStart(8, "0")}`;
      const address = (0xc0a8_320b + index) as Ipv4Address;
      const db = new NetworkDb({
        identity: { name, address, port: 7946 },
        keyring: options.keyring,
        random: this.#random.fork(name),
        nowNs: 0,
        ...options.options,
      });
      this.nodes.push({ name, endpoint: { address, port: 7946 }, db, heard: [], isUp: true });
    }
  }

  /** All start at their own moments and join the first one, then the cluster settles. */
  form(settleNs: Nanoseconds): void {
    for (const [index, node] of this.nodes.entries()) {
      this.run(this.nowNs + (17 + index) * MILLISECOND);
      node.db.advance(this.nowNs);
      node.db.start();
      if (index > 0) node.db.join([this.nodes[0]!.endpoint]);
      this.#drain(index);
    }
    this.run(this.nowNs + settleNs);
  }

  /** A wish of the node's own engine. */
  act<T>(index: number, work: (db: NetworkDb) => T): T {
    const node = this.nodes[index]!;
    node.db.advance(this.nowNs);
    const result = work(node.db);
    this.#drain(index);
    return result;
  }

  run(endNs: Nanoseconds, until?: () => boolean): boolean {
    for (;;) {
      if (until?.() === true) return true;
      const arrival = this.#arrivals[0];
      let nextNs = arrival?.atNs ?? Number.POSITIVE_INFINITY;
      let due: number | undefined;
      for (const [index, node] of this.nodes.entries()) {
        if (!node.isUp) continue;
        const ownNs = node.db.nextNs;
        if (ownNs !== undefined && ownNs < nextNs) {
          nextNs = ownNs;
          due = index;
        }
      }
      if (nextNs > endNs) break;
      this.nowNs = Math.max(this.nowNs, nextNs);
      if (due === undefined) {
        this.#arrivals.shift();
        arrival!.run();
      } else {
        this.nodes[due]!.db.advance(this.nowNs);
        this.#drain(due);
      }
    }
    this.nowNs = endNs;
    return until?.() ?? false;
  }

  /** The state that `index` believes `other` to be in. */
  belief(index: number, other: number): string | undefined {
    return this.nodes[index]!.db.members.find((member) => member.name === this.nodes[other]!.name)?.state;
  }

  /** Visible entries as text. */
  table(index: number, network: string): string[] {
    return this.nodes[index]!.db.entries(network).map(
      (entry) => `${entry.table}/${entry.key}=${toHex(entry.value)}@${entry.node}`,
    );
  }

  #drain(index: number): void {
    const node = this.nodes[index]!;
    for (let output = node.db.takeOutput(); output !== undefined; output = node.db.takeOutput()) {
      for (const change of output.tables)
        node.heard.push(`${change.operation} ${change.network} ${change.table} ${change.key}`);
      for (const change of output.nodes) node.heard.push(`${change.standing} ${change.node}`);
      for (const send of output.sends) this.#send(index, send);
    }
  }

  #send(from: number, send: Output["sends"][number]): void {
    const sender = this.nodes[from]!;
    const to = this.nodes.findIndex((node) => node.endpoint.address === send.to.address);
    this.sent.push(`${this.nowNs} ${from}>${to} ${send.kind} ${toHex(send.bytes)}`);
    const delayNs = this.#random.between(100_000, 900_000);
    const open = (): boolean => to >= 0 && sender.isUp && this.nodes[to]!.isUp && this.isReachable(from, to);
    if (send.kind === "datagram") {
      if (this.#random.chance(this.loss)) return;
      this.#later(delayNs, () => {
        if (!open() || !this.passesDatagrams(from, to)) return;
        this.nodes[to]!.db.advance(this.nowNs);
        this.nodes[to]!.db.receiveDatagram(sender.endpoint, send.bytes);
        this.#drain(to);
      });
      return;
    }
    if (!open()) {
      this.#later(send.timeoutNs, () => this.#end(from, (db) => db.streamFailed(send.stream)));
      return;
    }
    this.#later(delayNs, () => {
      const receiver = this.nodes[to]!;
      if (!open() || receiver.db.measureStream(send.bytes) !== send.bytes.length) {
        this.#later(send.timeoutNs, () => this.#end(from, (db) => db.streamFailed(send.stream)));
        return;
      }
      receiver.db.advance(this.nowNs);
      const { reply } = receiver.db.receiveStream(send.bytes);
      this.#drain(to);
      if (reply !== undefined) this.sent.push(`${this.nowNs} ${to}>${from} reply ${toHex(reply)}`);
      this.#later(delayNs, () =>
        this.#end(from, (db) => {
          if (!send.awaitsReply) db.streamSent(send.stream);
          else if (reply === undefined || !open()) db.streamFailed(send.stream);
          else db.streamReplied(send.stream, reply);
        }),
      );
    });
  }

  #end(index: number, tell: (db: NetworkDb) => void): void {
    const node = this.nodes[index]!;
    if (!node.isUp) return;
    node.db.advance(this.nowNs);
    tell(node.db);
    this.#drain(index);
  }

  #later(delayNs: Nanoseconds, run: () => void): void {
    const arrival = { atNs: this.nowNs + delayNs, order: this.#order++, run };
    const place = this.#arrivals.findIndex((other) => other.atNs > arrival.atNs);
    if (place < 0) this.#arrivals.push(arrival);
    else this.#arrivals.splice(place, 0, arrival);
  }
}
