/**
 * The connections of a load balancer, found by the client's side of a packet or by the server's, and ended by their timers. A connection has at most
 * one event in the simulation's queue that counts; moving its end to a later time leaves the event where it is.
 */
import type { Clock, Receiver, ReceiverId } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import type { ConnectionEnds, IpvsConnection } from "./connection.ts";

export class IpvsConnectionTable implements Receiver {
  count = 0;
  readonly #clock: Clock;
  readonly #receiver: ReceiverId;
  readonly #expired: (connection: IpvsConnection) => void;
  readonly #byClient = new Map<number, IpvsConnection>();
  readonly #byServer = new Map<number, IpvsConnection>();
  readonly #templates = new Map<number, IpvsConnection>();
  readonly #byId: (IpvsConnection | undefined)[] = [];
  readonly #freeIds: number[] = [];

  /** `expired` is told of a connection that has just left the table. */
  constructor(clock: Clock, expired: (connection: IpvsConnection) => void) {
    this.#clock = clock;
    this.#receiver = clock.register(this);
    this.#expired = expired;
  }

  /** The connection of a packet from this client to this virtual address. */
  findByClient(
    protocol: number,
    client: number,
    clientPort: number,
    address: number,
    port: number,
  ): IpvsConnection | undefined {
    if (this.count === 0) return undefined;
    return find(this.#byClient, protocol, client, clientPort, address, port);
  }

  findTemplate(ends: ConnectionEnds): IpvsConnection | undefined {
    const { protocol, clientAddress, clientPort, virtualAddress, virtualPort } = ends;
    return find(this.#templates, protocol, clientAddress, clientPort, virtualAddress, virtualPort);
  }

  /** The connection of a packet from this server to this client. */
  findByServer(
    protocol: number,
    server: number,
    serverPort: number,
    client: number,
    clientPort: number,
  ): IpvsConnection | undefined {
    if (this.count === 0) return undefined;
    let connection = this.#byServer.get(hashOf(protocol, server, serverPort, client, clientPort));
    while (
      connection !== undefined &&
      (connection.server.address !== server ||
        connection.serverPort !== serverPort ||
        connection.clientAddress !== client ||
        connection.clientPort !== clientPort ||
        connection.protocol !== protocol)
    )
      connection = connection.nextByServer;
    return connection;
  }

  add(connection: IpvsConnection): void {
    const id = this.#freeIds.pop() ?? this.#byId.length;
    connection.id = id;
    this.#byId[id] = connection;
    this.count++;
    const client = clientHash(connection);
    const map = connection.template ? this.#templates : this.#byClient;
    connection.nextByClient = map.get(client);
    map.set(client, connection);
    if (!connection.template) {
      const server = serverHash(connection);
      connection.nextByServer = this.#byServer.get(server);
      this.#byServer.set(server, connection);
    }
    this.touch(connection);
  }

  /** A packet has passed: it lives its whole timeout from now on. */
  touch(connection: IpvsConnection): void {
    this.#setEnd(connection, this.#clock.nowNs + connection.timeoutNs);
  }

  /** Ends it now: `expired` is told. */
  remove(connection: IpvsConnection): void {
    if (connection.id < 0) return;
    this.#byId[connection.id] = undefined;
    this.#freeIds.push(connection.id);
    connection.id = -1;
    this.count--;
    unlink(connection.template ? this.#templates : this.#byClient, clientHash(connection), connection, "nextByClient");
    if (!connection.template) unlink(this.#byServer, serverHash(connection), connection, "nextByServer");
    this.#expired(connection);
  }

  /** All of them, in the order of their numbers. */
  list(): IpvsConnection[] {
    return this.#byId.filter((connection) => connection !== undefined);
  }

  receive(id: number): void {
    const connection = this.#byId[id];
    const nowNs = this.#clock.nowNs;
    if (connection === undefined || connection.eventNs !== nowNs) return; // an event that counts no longer
    connection.eventNs = -1;
    if (connection.expiresNs > nowNs) this.#schedule(connection);
    else if (connection.controlled > 0) {
      // A template stays while connections of its live: it is asked again in a minute.
      connection.timeoutNs = 60_000_000_000;
      this.touch(connection);
    } else this.remove(connection);
  }

  #setEnd(connection: IpvsConnection, expiresNs: Nanoseconds): void {
    connection.expiresNs = expiresNs;
    if (connection.eventNs >= 0 && connection.eventNs <= expiresNs) return;
    this.#schedule(connection);
  }

  #schedule(connection: IpvsConnection): void {
    connection.eventNs = connection.expiresNs;
    this.#clock.schedule(connection.expiresNs - this.#clock.nowNs, this.#receiver, connection.id);
  }
}

function find(
  map: ReadonlyMap<number, IpvsConnection>,
  protocol: number,
  client: number,
  clientPort: number,
  address: number,
  port: number,
): IpvsConnection | undefined {
  let connection = map.get(hashOf(protocol, client, clientPort, address, port));
  while (
    connection !== undefined &&
    (connection.clientAddress !== client ||
      connection.clientPort !== clientPort ||
      connection.virtualAddress !== address ||
      connection.virtualPort !== port ||
      connection.protocol !== protocol)
  )
    connection = connection.nextByClient;
  return connection;
}

function unlink(
  map: Map<number, IpvsConnection>,
  hash: number,
  connection: IpvsConnection,
  next: "nextByClient" | "nextByServer",
): void {
  let before: IpvsConnection | undefined;
  let at = map.get(hash);
  while (at !== undefined && at !== connection) {
    before = at;
    at = at[next];
  }
  const after = connection[next];
  if (before !== undefined) before[next] = after;
  else if (after !== undefined) map.set(hash, after);
  else map.delete(hash);
  connection[next] = undefined;
}

function clientHash(ends: ConnectionEnds): number {
  return hashOf(ends.protocol, ends.clientAddress, ends.clientPort, ends.virtualAddress, ends.virtualPort);
}

function serverHash(connection: IpvsConnection): number {
  const { protocol, server, serverPort, clientAddress, clientPort } = connection;
  return hashOf(protocol, server.address, serverPort, clientAddress, clientPort);
}

function hashOf(protocol: number, a: number, aPort: number, b: number, bPort: number): number {
  let hash = Math.imul(a, 0x9e37_79b1) ^ protocol;
  hash = Math.imul(hash ^ (hash >>> 15) ^ b, 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13) ^ (aPort << 16) ^ bPort, 0xc2b2_ae35);
  return hash ^ (hash >>> 16);
}
