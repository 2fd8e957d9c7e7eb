/**
 * Queries that nobody here can answer go to the outer servers, one after the other (libnetwork's resolver.go, forwardExtDNS): at most three, four seconds
 * each; the next one on silence, an error, SERVFAIL or REFUSED. So many at a time; who waits too long for a place is refused.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import * as dns from "../../wire/dns.ts";
import { Exchange, type ExchangeResult, type Transport } from "./exchange.ts";
import { MAXIMUM_SERVERS, type OuterServer } from "./resolv-conf.ts";

const TIMEOUT_NS: Nanoseconds = 4 * SECOND;
const MAXIMUM_IN_FLIGHT = 1_024;
/** Beyond that a query is refused at once: each would hold memory for four seconds. */
const MAXIMUM_WAITING = 4_096;

/** An answer, bytes as they came; "refused": no place was free; "failed": no server had an answer. */
export type Forwarded =
  | { readonly kind: "answer"; readonly bytes: Uint8Array; readonly message: dns.Dns }
  | { readonly kind: "refused" | "failed" };

interface Query {
  readonly bytes: Uint8Array;
  readonly transport: Transport;
  readonly done: (result: Forwarded) => void;
  /** The server to ask next. */
  next: number;
  /** SERVFAIL or REFUSED of the server asked last. */
  failure: Forwarded | undefined;
  untilNs: Nanoseconds;
}

export interface ForwarderSettings {
  /** Where the container is; servers at the machine's loopback are asked from `machine`. */
  readonly namespace: NetworkNamespace;
  readonly machine: NetworkNamespace;
  readonly servers: readonly OuterServer[];
  /** Docker 20.10 passes the last server's failure on, and says nothing when all were silent. */
  readonly passesFailuresOn: boolean;
}

export class Forwarder {
  readonly #settings: ForwarderSettings;
  readonly #inFlight = new Set<Exchange>();
  readonly #waiting: Query[] = [];
  readonly #patience: Timer;

  constructor(settings: ForwarderSettings) {
    this.#settings = settings;
    this.#patience = new Timer(settings.namespace.clock, () => this.#refuseTheImpatient());
  }

  get inFlight(): number {
    return this.#inFlight.size;
  }

  /** `done` is called once, unless the forwarder is stopped before. */
  forward(bytes: Uint8Array, transport: Transport, done: (result: Forwarded) => void): void {
    this.#tryNext({ bytes, transport, done, next: 0, failure: undefined, untilNs: 0 });
  }

  stop(): void {
    for (const exchange of this.#inFlight) exchange.cancel();
    this.#inFlight.clear();
    this.#waiting.length = 0;
    this.#patience.stop();
  }

  #tryNext(query: Query): void {
    const server = query.next < MAXIMUM_SERVERS ? this.#settings.servers[query.next] : undefined;
    if (server === undefined) {
      query.done(query.failure ?? { kind: "failed" });
    } else if (this.#inFlight.size < MAXIMUM_IN_FLIGHT) {
      query.next++;
      this.#ask(query, server);
    } else if (this.#waiting.length < MAXIMUM_WAITING) {
      query.untilNs = this.#settings.namespace.clock.nowNs + TIMEOUT_NS;
      this.#waiting.push(query);
      if (!this.#patience.armed) this.#patience.set(TIMEOUT_NS);
    } else {
      query.done({ kind: "refused" });
    }
  }

  #ask(query: Query, server: OuterServer): void {
    const { namespace, machine } = this.#settings;
    const exchange = new Exchange(
      {
        namespace: server.hostLoopback ? machine : namespace,
        transport: query.transport,
        server: server.address,
        port: dns.UDP_PORT,
        bytes: query.bytes,
        timeoutNs: TIMEOUT_NS,
      },
      (result) => {
        this.#inFlight.delete(exchange);
        this.#letOneIn(); // before this query asks for a place again
        this.#take(query, result);
      },
    );
    this.#inFlight.add(exchange);
  }

  #take(query: Query, result: ExchangeResult): void {
    if (result.kind === "answer") {
      const { responseCode } = result.message;
      if (responseCode !== dns.RCODE_SERVER_FAILURE && responseCode !== dns.RCODE_REFUSED) {
        query.done(result);
        return;
      }
      if (this.#settings.passesFailuresOn) query.failure = result;
    }
    this.#tryNext(query);
  }

  #letOneIn(): void {
    const query = this.#waiting.shift();
    if (query !== undefined) this.#tryNext(query);
  }

  #refuseTheImpatient(): void {
    const nowNs = this.#settings.namespace.clock.nowNs;
    while (this.#waiting.length > 0 && this.#waiting[0]!.untilNs <= nowNs)
      this.#waiting.shift()!.done({ kind: "refused" });
    if (this.#waiting.length > 0) this.#patience.set(this.#waiting[0]!.untilNs - nowNs);
  }
}
