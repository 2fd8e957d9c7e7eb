/**
 * The name server at 127.0.0.11 of one sandbox: two sockets on random ports of the container's own namespace, and the rules that lead port 53 to them. All
 * of it is made when the first query is sent, or somebody looks at the firewall: most of 100 000 containers never ask. Sources: libnetwork's resolver.go
 * and sandbox_dns_unix.go.
 */

import type { NetworkNamespace } from "../../linux/namespace.ts";
import { deferRules } from "../../linux/netfilter/attach.ts";
import type { Waiter } from "../../linux/process.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { assert } from "../../sim/assert.ts";
import type { Random } from "../../sim/random.ts";
import { Timer } from "../../sim/timer.ts";
import * as dns from "../../wire/dns.ts";
import { answer, type Ignored, readQuery, reply, toLimitedBytes } from "./answer.ts";
import { type Transport, WAKE_UP_NS } from "./exchange.ts";
import { type Forwarded, Forwarder } from "./forwarder.ts";
import type { NameSource } from "./name-source.ts";
import { EMBEDDED_RESOLVER, type OuterServer } from "./resolv-conf.ts";
import { redirectQueries } from "./resolver-rules.ts";
import { StreamClient } from "./stream-client.ts";

const BACKLOG = 4_096;

/** What all sandboxes of one engine have in common. */
export interface ResolverEnvironment {
  /** The machine's own namespace: servers at its loopback are asked from there. */
  readonly machine: NetworkNamespace;
  readonly release: "current" | "20.10";
  readonly random: Random;
}

export interface EmbeddedResolverSettings {
  readonly environment: ResolverEnvironment;
  readonly namespace: NetworkNamespace;
  readonly names: NameSource;
  readonly outerServers: readonly OuterServer[];
  /** The user has set ndots: a short name goes through the client's search list, not to outer servers. */
  readonly ndotsSet: boolean;
  /** Has the sandbox a way out? Without one (internal networks alone) nothing is forwarded. */
  readonly reachesOutside: () => boolean;
}

type Respond = (bytes: Uint8Array) => void;

export class EmbeddedResolver implements Waiter {
  readonly #settings: EmbeddedResolverSettings;
  #udp: UdpSocket | undefined = undefined;
  #listener: TcpSocket | undefined = undefined;
  #wakeUp: Timer | undefined = undefined;
  #random: Random | undefined = undefined;
  #forwarder: Forwarder | undefined = undefined;
  #clients: Set<StreamClient> | undefined = undefined;
  #ignored: Map<Ignored, number> | undefined = undefined;
  #running = false;

  constructor(settings: EmbeddedResolverSettings) {
    this.#settings = settings;
  }

  /** 0 before the first query. */
  get udpPort(): number {
    return this.#udp?.localPort ?? 0;
  }

  get tcpPort(): number {
    return this.#listener?.localPort ?? 0;
  }

  /** How many datagrams went unanswered because they were no queries, by reason. */
  get ignored(): ReadonlyMap<Ignored, number> {
    return this.#ignored ?? NOTHING_IGNORED;
  }

  /** Queries are answered from now on. */
  start(): void {
    this.#running = true;
    deferRules(this.#settings.namespace, EMBEDDED_RESOLVER, () => this.#open());
  }

  /** The sandbox ends: sockets are closed; the rules go with the namespace. */
  stop(): void {
    this.#running = false;
    this.#udp?.close();
    this.#listener?.close();
    this.#wakeUp?.stop();
    this.#forwarder?.stop();
    for (const client of [...(this.#clients ?? [])]) client.close();
  }

  #open(): void {
    const { namespace } = this.#settings;
    if (!this.#running) return;
    const udp = new UdpSocket(namespace);
    const listener = new TcpSocket(namespace);
    const problem = udp.bind(EMBEDDED_RESOLVER, 0) ?? listener.bind(EMBEDDED_RESOLVER, 0) ?? listener.listen(BACKLOG);
    assert(problem === undefined, `no port for a resolver in ${namespace.name}: ${problem}`);
    udp.readable.add(this);
    listener.changed.add(this);
    redirectQueries(namespace, udp.localPort, listener.localPort);
    this.#udp = udp;
    this.#listener = listener;
  }

  wake(): void {
    this.#wakeUp ??= new Timer(this.#settings.namespace.clock, () => this.#step());
    if (this.#running && !this.#wakeUp.armed) this.#wakeUp.set(WAKE_UP_NS);
  }

  #step(): void {
    const udp = this.#udp;
    const listener = this.#listener;
    if (udp === undefined || listener === undefined) return;
    for (let datagram = udp.receive(); datagram !== undefined; datagram = udp.receive()) {
      // An error here is about an answer sent before: its client is gone.
      if (typeof datagram === "string") continue;
      const { bytes, source, sourcePort } = datagram;
      this.#handle(bytes, "udp", (response) => udp.sendTo(response, source, sourcePort));
    }
    for (;;) {
      const socket = listener.accept();
      if (typeof socket === "string") return;
      this.#clients ??= new Set();
      this.#clients.add(
        new StreamClient(
          this.#settings.namespace.clock,
          socket,
          (bytes, client) => this.#handle(bytes, "tcp", (response) => client.send(response)),
          (client) => this.#clients?.delete(client),
        ),
      );
    }
  }

  #handle(bytes: Uint8Array, transport: Transport, respond: Respond): void {
    const read = readQuery(bytes);
    if (typeof read === "string") {
      this.#ignored ??= new Map();
      this.#ignored.set(read, (this.#ignored.get(read) ?? 0) + 1);
      return;
    }
    if ("refusal" in read) {
      respond(dns.toBytes(read.refusal));
      return;
    }
    const { query } = read;
    this.#random ??= this.#settings.environment.random.fork(`resolver of ${this.#settings.namespace.name}`);
    const own = answer(query, this.#settings.names, this.#random);
    if (own !== undefined)
      respond(toLimitedBytes(own, transport === "tcp" ? dns.MAXIMUM_BYTES : dns.udpLimitBytes(query)));
    else this.#forward(query, bytes, transport, respond);
  }

  #forward(query: dns.Dns, bytes: Uint8Array, transport: Transport, respond: Respond): void {
    const { environment, namespace, reachesOutside, outerServers, ndotsSet } = this.#settings;
    const old = environment.release === "20.10";
    const { name, type } = query.questions[0]!;
    const address = old || type === dns.TYPE_A || type === dns.TYPE_AAAA;
    if (!reachesOutside()) {
      respond(dns.toBytes(reply(query, dns.RCODE_SERVER_FAILURE)));
    } else if (address && ndotsSet && !name.includes(".")) {
      // The client has a search list and will come again with a longer name.
      respond(dns.toBytes(reply(query, dns.RCODE_NO_ERROR)));
    } else {
      this.#forwarder ??= new Forwarder({
        namespace,
        machine: environment.machine,
        servers: outerServers,
        passesFailuresOn: old,
      });
      this.#forwarder.forward(bytes, transport, (result) => this.#passOn(query, result, respond));
    }
  }

  #passOn(query: dns.Dns, result: Forwarded, respond: Respond): void {
    if (result.kind === "answer") {
      for (const { name, data } of result.message.answers)
        if (data.kind === "a") this.#settings.names.resolvedOutside(name, data.address);
      respond(result.bytes);
    } else if (result.kind === "refused") {
      respond(dns.toBytes(reply(query, dns.RCODE_REFUSED)));
    } else if (this.#settings.environment.release === "current") {
      respond(dns.toBytes(reply(query, dns.RCODE_SERVER_FAILURE)));
    }
  }
}

const NOTHING_IGNORED: ReadonlyMap<Ignored, number> = new Map();
