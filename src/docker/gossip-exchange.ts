/**
 * Gossip over TCP, memberlist net.go and net_transport.go: a connection for each exchange, one message each way at most. Who dialled writes,
 * reads the reply if one is awaited, and closes; who was dialled reads, answers, and closes. Go's sockets: no Nagle, keepalives each 15 s.
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { Waiter } from "../linux/process.ts";
import { TcpSocket } from "../linux/tcp/tcp-socket.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";

const KEEPALIVE_NS = 15 * SECOND;
/** memberlist's TCPTimeout, for each step of who was dialled. */
const STEP_NS = 10 * SECOND;
const READ_BYTES = 0x1_0000;

/** A connection that somebody has to attend to when its socket changed. */
export interface Exchange {
  progress(): void;
  /** Closed without a word of gossip. */
  abandon(): void;
}

/** How many bytes the message that begins `bytes` takes; undefined: not known yet; a string: it is none. */
export type Measure = (bytes: Uint8Array) => number | string | undefined;

export interface Dialled {
  readonly to: { readonly address: TcpSocket["remoteAddress"]; readonly port: number };
  readonly bytes: Uint8Array;
  readonly awaitsReply: boolean;
  readonly timeoutNs: Nanoseconds;
  readonly timeoutCovers: "connecting" | "each-step" | "exchange";
}

/** The reply; that all was sent, where none is awaited; or that it came to nothing. */
export type DialOutcome = Uint8Array | "sent" | "failed";

/** An exchange that this node began. `ended` is called once, `attend` whenever `progress` should be. */
export class DiallingExchange implements Exchange, Waiter {
  readonly #socket: TcpSocket;
  readonly #message: Dialled;
  readonly #heard: Heard;
  readonly #attend: (exchange: Exchange) => void;
  readonly #ended: (exchange: Exchange, outcome: DialOutcome) => void;
  readonly #timer: Timer;
  #isConnected = false;
  #sentBytes = 0;
  #isOver = false;

  constructor(
    namespace: NetworkNamespace,
    message: Dialled,
    measure: Measure,
    attend: (exchange: Exchange) => void,
    ended: (exchange: Exchange, outcome: DialOutcome) => void,
  ) {
    this.#socket = goSocket(new TcpSocket(namespace));
    this.#message = message;
    this.#heard = new Heard(measure);
    this.#attend = attend;
    this.#ended = ended;
    this.#timer = new Timer(namespace.clock, () => this.#end("failed"));
  }

  /** Sends the SYN. */
  dial(): void {
    this.#socket.changed.add(this);
    this.#timer.set(this.#message.timeoutNs);
    const { address, port } = this.#message.to;
    if (this.#socket.connect(address, port) !== "EINPROGRESS") this.#end("failed");
  }

  wake(): void {
    this.#attend(this);
  }

  progress(): void {
    if (this.#isOver || this.#socket.state === "syn-sent") return;
    if (!this.#isConnected) {
      if (this.#socket.error !== undefined || this.#socket.state === "closed") {
        this.#end("failed");
        return;
      }
      this.#isConnected = true;
      if (this.#message.timeoutCovers === "each-step") this.#timer.set(this.#message.timeoutNs);
      else if (this.#message.timeoutCovers === "connecting") this.#timer.stop();
    }
    if (this.#sentBytes < this.#message.bytes.length && !this.#write()) return;
    if (!this.#message.awaitsReply) this.#end("sent");
    else this.#read();
  }

  abandon(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
  }

  /** Whether all has been handed to TCP. */
  #write(): boolean {
    const sent = writeSome(this.#socket, this.#message.bytes, this.#sentBytes);
    if (sent === undefined) {
      this.#end("failed");
      return false;
    }
    this.#sentBytes = sent;
    if (sent < this.#message.bytes.length) return false;
    if (this.#message.timeoutCovers === "each-step") this.#timer.set(this.#message.timeoutNs);
    return true;
  }

  #read(): void {
    const state = this.#heard.read(this.#socket);
    if (state === "more") return;
    this.#end(state === "ended" ? "failed" : this.#heard.bytes);
  }

  #end(outcome: DialOutcome): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#close();
    this.#ended(this, outcome);
  }

  #close(): void {
    this.#timer.stop();
    this.#socket.changed.remove(this);
    this.#socket.close();
  }
}

/** An exchange that another node began. `receive` gets the message, or what is none, and says what to answer. */
export class AcceptedExchange implements Exchange, Waiter {
  readonly #socket: TcpSocket;
  readonly #heard: Heard;
  readonly #receive: (bytes: Uint8Array) => Uint8Array | undefined;
  readonly #attend: (exchange: Exchange) => void;
  readonly #ended: (exchange: Exchange) => void;
  readonly #timer: Timer;
  #reply: Uint8Array | undefined = undefined;
  #sentBytes = 0;
  #isOver = false;

  /** `socket` has just been accepted. */
  constructor(
    namespace: NetworkNamespace,
    socket: TcpSocket,
    measure: Measure,
    receive: (bytes: Uint8Array) => Uint8Array | undefined,
    attend: (exchange: Exchange) => void,
    ended: (exchange: Exchange) => void,
  ) {
    this.#socket = goSocket(socket);
    this.#heard = new Heard(measure);
    this.#receive = receive;
    this.#attend = attend;
    this.#ended = ended;
    this.#timer = new Timer(namespace.clock, () => this.#end());
    this.#timer.set(STEP_NS);
    socket.changed.add(this);
  }

  wake(): void {
    this.#attend(this);
  }

  progress(): void {
    if (this.#isOver) return;
    if (this.#reply === undefined) {
      const state = this.#heard.read(this.#socket);
      if (state === "more") return;
      const isSilence = state === "ended" && this.#heard.bytes.length === 0;
      this.#reply = isSilence ? undefined : this.#receive(this.#heard.bytes);
      if (this.#reply === undefined) {
        this.#end();
        return;
      }
      this.#timer.set(STEP_NS);
    }
    const sent = writeSome(this.#socket, this.#reply, this.#sentBytes);
    this.#sentBytes = sent ?? this.#reply.length;
    if (this.#sentBytes === this.#reply.length) this.#end();
  }

  abandon(): void {
    this.#isOver = true;
    this.#timer.stop();
    this.#socket.changed.remove(this);
    this.#socket.close();
  }

  #end(): void {
    if (this.#isOver) return;
    this.abandon();
    this.#ended(this);
  }
}

/** What came on a connection so far: one message, in whatever portions. */
class Heard {
  readonly #measure: Measure;
  #buffer = new Uint8Array(0);
  #length = 0;

  constructor(measure: Measure) {
    this.#measure = measure;
  }

  /** Of the message when there is a whole one; else all. */
  get bytes(): Uint8Array {
    const length = this.#measure(this.#buffer.subarray(0, this.#length));
    return this.#buffer.slice(0, typeof length === "number" ? Math.min(length, this.#length) : this.#length);
  }

  /** "whole": as much as there is to be, be it sense or nonsense; "ended": the connection ended before that. */
  read(socket: TcpSocket): "more" | "whole" | "ended" {
    for (;;) {
      const some = socket.read(READ_BYTES);
      if (some === undefined) return "more";
      if (typeof some === "string") return "ended";
      this.#append(some);
      const length = this.#measure(this.#buffer.subarray(0, this.#length));
      if (typeof length === "string" || (length !== undefined && length <= this.#length)) return "whole";
    }
  }

  #append(some: Uint8Array): void {
    const length = this.#length + some.length;
    if (length > this.#buffer.length) {
      const wider = new Uint8Array(Math.max(length, this.#buffer.length * 2));
      wider.set(this.#buffer.subarray(0, this.#length));
      this.#buffer = wider;
    }
    this.#buffer.set(some, this.#length);
    this.#length = length;
  }
}

/** How many of `bytes` have been handed over, `at` of them before; undefined: the connection is broken. */
function writeSome(socket: TcpSocket, bytes: Uint8Array, at: number): number | undefined {
  while (at < bytes.length) {
    const written = socket.write(bytes.subarray(at));
    if (written === "EAGAIN") return at;
    if (typeof written === "string") return undefined;
    at += written;
  }
  return at;
}

function goSocket(socket: TcpSocket): TcpSocket {
  socket.noDelay = true;
  socket.setKeepalive(true, KEEPALIVE_NS, KEEPALIVE_NS);
  return socket;
}
