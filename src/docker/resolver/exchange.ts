/**
 * One question to one name server, and its answer, over UDP or TCP (RFC 1035 §4.2): what a resolver does that has no program of its own to block. Datagrams
 * that are no answer to the question are passed over, as a stub resolver must (RFC 5452 §9.1).
 */
import type { Errno } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Waiter } from "../../linux/process.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { IPV4_ANY, type Ipv4Address } from "../../wire/address.ts";
import { getU16, putU16 } from "../../wire/bytes.ts";
import * as dns from "../../wire/dns.ts";

/** From a socket's wake-up to the program's next step, as processes have it (linux/process.ts). */
export const WAKE_UP_NS: Nanoseconds = 20_000;
const LENGTH_BYTES = 2;

export type Transport = "udp" | "tcp";

export type ExchangeResult =
  | { readonly kind: "answer"; readonly bytes: Uint8Array; readonly message: dns.Dns }
  | { readonly kind: "malformed"; readonly reason: dns.Malformed }
  /** "end": the server closed the connection. */
  | { readonly kind: "error"; readonly error: Errno | "end" }
  | { readonly kind: "timeout" };

export interface ExchangeSettings {
  readonly namespace: NetworkNamespace;
  readonly transport: Transport;
  readonly server: Ipv4Address;
  readonly port: number;
  /** 0 or absent: any. */
  readonly source?: { readonly address: Ipv4Address; readonly port: number } | undefined;
  /** The query, its identifier first. */
  readonly bytes: Uint8Array;
  readonly timeoutNs: Nanoseconds;
}

export class Exchange implements Waiter {
  readonly #settings: ExchangeSettings;
  readonly #done: (result: ExchangeResult) => void;
  readonly #deadline: Timer;
  readonly #wakeUp: Timer;
  #udp: UdpSocket | undefined;
  #tcp: TcpSocket | undefined;
  #unsent: Uint8Array;
  #received = new Uint8Array(0);
  #early: ExchangeResult | undefined;
  #ended = false;

  /** `done` is called once, and never before the constructor has returned. */
  constructor(settings: ExchangeSettings, done: (result: ExchangeResult) => void) {
    const { namespace, transport, bytes } = settings;
    this.#settings = settings;
    this.#done = done;
    this.#deadline = new Timer(namespace.clock, () => this.#finish({ kind: "timeout" }));
    this.#wakeUp = new Timer(namespace.clock, () => this.#step());
    this.#unsent = bytes;
    this.#deadline.set(settings.timeoutNs);
    const problem = transport === "udp" ? this.#sendDatagram() : this.#connect();
    if (problem === undefined) return;
    this.#early = { kind: "error", error: problem };
    this.#wakeUp.set(0);
  }

  wake(): void {
    if (!this.#ended && !this.#wakeUp.armed) this.#wakeUp.set(WAKE_UP_NS);
  }

  /** Ends it without an answer. */
  cancel(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#deadline.stop();
    this.#wakeUp.stop();
    this.#udp?.readable.remove(this);
    this.#tcp?.changed.remove(this);
    this.#udp?.close();
    this.#tcp?.close();
  }

  #finish(result: ExchangeResult): void {
    if (this.#ended) return;
    this.cancel();
    this.#done(result);
  }

  #sendDatagram(): Errno | undefined {
    const { namespace, server, port, source, bytes } = this.#settings;
    const socket = new UdpSocket(namespace);
    this.#udp = socket;
    const problem =
      (source === undefined ? undefined : socket.bind(source.address, source.port)) ?? socket.connect(server, port);
    if (problem !== undefined) return problem;
    socket.readable.add(this);
    const sent = socket.sendTo(bytes);
    return typeof sent === "string" ? sent : undefined;
  }

  #connect(): Errno | undefined {
    const { namespace, server, port, source, bytes } = this.#settings;
    this.#unsent = new Uint8Array(LENGTH_BYTES + bytes.length);
    putU16(this.#unsent, 0, bytes.length);
    this.#unsent.set(bytes, LENGTH_BYTES);
    const socket = new TcpSocket(namespace);
    this.#tcp = socket;
    const problem = source === undefined ? undefined : socket.bind(source.address || IPV4_ANY, source.port);
    if (problem !== undefined) return problem;
    socket.changed.add(this);
    const connecting = socket.connect(server, port);
    return connecting === "EINPROGRESS" ? undefined : connecting;
  }

  #step(): void {
    if (this.#early !== undefined) this.#finish(this.#early);
    else if (this.#udp !== undefined) this.#receiveDatagrams(this.#udp);
    else if (this.#tcp !== undefined) this.#continueStream(this.#tcp);
  }

  #receiveDatagrams(socket: UdpSocket): void {
    for (;;) {
      const datagram = socket.receive();
      if (datagram === undefined) return;
      if (typeof datagram === "string") {
        this.#finish({ kind: "error", error: datagram });
        return;
      }
      if (isAnswerTo(this.#settings.bytes, datagram.bytes)) {
        this.#finish(read(datagram.bytes));
        return;
      }
    }
  }

  #continueStream(socket: TcpSocket): void {
    if (socket.state === "syn-sent" || socket.state === "syn-received") return;
    while (this.#unsent.length > 0) {
      const count = socket.write(this.#unsent);
      if (count === "EAGAIN") break;
      if (typeof count === "string") {
        this.#finish({ kind: "error", error: count });
        return;
      }
      this.#unsent = this.#unsent.subarray(count);
    }
    for (;;) {
      const bytes = socket.read(LENGTH_BYTES + dns.MAXIMUM_BYTES);
      if (bytes === undefined) return;
      if (typeof bytes === "string") {
        this.#finish({ kind: "error", error: bytes });
        return;
      }
      const joined = new Uint8Array(this.#received.length + bytes.length);
      joined.set(this.#received);
      joined.set(bytes, this.#received.length);
      this.#received = joined;
      const whole = joined.length >= LENGTH_BYTES ? LENGTH_BYTES + getU16(joined, 0) : Number.POSITIVE_INFINITY;
      if (joined.length < whole) continue;
      this.#finish(read(joined.slice(LENGTH_BYTES, whole)));
      return;
    }
  }
}

/** An answer bears the query's identifier. */
function isAnswerTo(query: Uint8Array, bytes: Uint8Array): boolean {
  return bytes.length >= dns.HEADER_BYTES && getU16(bytes, 0) === getU16(query, 0) && bytes[2]! >= 0x80;
}

function read(bytes: Uint8Array): ExchangeResult {
  const message = dns.parse(bytes, 0, bytes.length);
  return typeof message === "string" ? { kind: "malformed", reason: message } : { kind: "answer", bytes, message };
}
