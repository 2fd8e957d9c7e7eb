/** One TCP connection of a client of the embedded resolver, RFC 1035 §4.2.2 and RFC 7766: queries with their length in front, answered in whatever order. */
import type { Waiter } from "../../linux/process.ts";
import type { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import type { Clock } from "../../sim/simulation.ts";
import { SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { getU16, putU16 } from "../../wire/bytes.ts";
import * as dns from "../../wire/dns.ts";
import { WAKE_UP_NS } from "./exchange.ts";

/** miekg/dns: two seconds for the first query, eight for each that follows, 128 in all. */
const FIRST_QUERY_NS = 2 * SECOND;
const NEXT_QUERY_NS = 8 * SECOND;
const MAXIMUM_QUERIES = 128;
const LENGTH_BYTES = 2;

export class StreamClient implements Waiter {
  readonly #socket: TcpSocket;
  readonly #query: (bytes: Uint8Array, client: StreamClient) => void;
  readonly #closed: (client: StreamClient) => void;
  readonly #idle: Timer;
  readonly #wakeUp: Timer;
  #received = new Uint8Array(0);
  #unsent = new Uint8Array(0);
  #queries = 0;
  #open = true;

  constructor(
    clock: Clock,
    socket: TcpSocket,
    query: (bytes: Uint8Array, client: StreamClient) => void,
    closed: (client: StreamClient) => void,
  ) {
    this.#socket = socket;
    this.#query = query;
    this.#closed = closed;
    this.#idle = new Timer(clock, () => this.close());
    this.#wakeUp = new Timer(clock, () => this.#step());
    this.#idle.set(FIRST_QUERY_NS);
    socket.changed.add(this);
    this.wake();
  }

  wake(): void {
    if (this.#open && !this.#wakeUp.armed) this.#wakeUp.set(WAKE_UP_NS);
  }

  /** Sends an answer; nothing happens when the client has gone. */
  send(bytes: Uint8Array): void {
    if (!this.#open) return;
    const framed = new Uint8Array(this.#unsent.length + LENGTH_BYTES + bytes.length);
    framed.set(this.#unsent);
    putU16(framed, this.#unsent.length, bytes.length);
    framed.set(bytes, this.#unsent.length + LENGTH_BYTES);
    this.#unsent = framed;
    this.#flush();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#idle.stop();
    this.#wakeUp.stop();
    this.#socket.changed.remove(this);
    this.#socket.close();
    this.#closed(this);
  }

  #flush(): void {
    while (this.#unsent.length > 0) {
      const count = this.#socket.write(this.#unsent);
      if (count === "EAGAIN") return;
      if (typeof count === "string") {
        this.close();
        return;
      }
      this.#unsent = this.#unsent.slice(count);
    }
  }

  #step(): void {
    this.#flush();
    while (this.#open) {
      const bytes = this.#socket.read(LENGTH_BYTES + dns.MAXIMUM_BYTES);
      if (bytes === undefined) return;
      if (typeof bytes === "string") {
        this.close();
        return;
      }
      const joined = new Uint8Array(this.#received.length + bytes.length);
      joined.set(this.#received);
      joined.set(bytes, this.#received.length);
      this.#received = joined;
      this.#takeQueries();
    }
  }

  #takeQueries(): void {
    while (this.#open && this.#received.length >= LENGTH_BYTES) {
      const end = LENGTH_BYTES + getU16(this.#received, 0);
      if (this.#received.length < end) return;
      const query = this.#received.slice(LENGTH_BYTES, end);
      this.#received = this.#received.slice(end);
      this.#idle.set(NEXT_QUERY_NS);
      if (++this.#queries > MAXIMUM_QUERIES) this.close();
      else this.#query(query, this);
    }
  }
}
