/** One client's connection to a gRPC server. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { ByteStreamEvents } from "./byte-stream.ts";
import { type ConnectionEvents, Http2Connection } from "./http2-connection.ts";
import type { Http2Stream, StreamEvents } from "./http2-stream.ts";
import type { KeepaliveSettings } from "./keepalive.ts";
import { type SecuredStream, type Security, secureServer } from "./security.ts";
import { IncomingCall, type ServerCallOwner, type StreamHandler } from "./server-call.ts";
import type { Status } from "./status.ts";

export interface ServerConnectionOwner {
  readonly namespace: NetworkNamespace;
  readonly security: Security;
  readonly maximumMessageBytes: number;
  readonly keepalive: KeepaliveSettings;
  readonly greetingTimeoutNs: Nanoseconds;
  handler(method: string): StreamHandler | Status;
  ended(connection: ServerConnection): void;
}

export class ServerConnection implements ByteStreamEvents, ConnectionEvents, ServerCallOwner {
  readonly peerAddress: Ipv4Address;
  readonly peerPort: number;
  readonly maximumMessageBytes: number;
  readonly clock: Clock;
  readonly #owner: ServerConnectionOwner;
  readonly #stream: SecuredStream;
  readonly #greeting: Timer;
  #connection: Http2Connection | undefined;

  constructor(owner: ServerConnectionOwner, socket: TcpSocket) {
    this.#owner = owner;
    this.clock = owner.namespace.clock;
    this.maximumMessageBytes = owner.maximumMessageBytes;
    this.peerAddress = socket.remoteAddress;
    this.peerPort = socket.remotePort;
    this.#greeting = new Timer(this.clock, () => this.close());
    this.#greeting.set(owner.greetingTimeoutNs);
    this.#stream = secureServer(owner.namespace, socket, owner.security, this);
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#stream.peerCertificate;
  }

  close(): void {
    if (this.#connection !== undefined) {
      this.#connection.close("the server stops");
      return;
    }
    this.#stream.close();
    this.ended();
  }

  shutdown(): void {
    if (this.#connection === undefined) this.close();
    else this.#connection.shutdown();
  }

  handler(method: string): StreamHandler | Status {
    return this.#owner.handler(method);
  }

  // ---- From the transport

  opened(): void {
    this.#connection = new Http2Connection({
      role: "server",
      clock: this.clock,
      transport: this.#stream,
      events: this,
      keepalive: this.#owner.keepalive,
    });
  }

  received(bytes: Uint8Array): void {
    this.#connection?.received(bytes);
  }

  drained(): void {
    this.#connection?.drained();
  }

  closed(reason: string): void {
    if (this.#connection === undefined) this.ended();
    else this.#connection.close(reason);
  }

  // ---- From the connection

  ready(): void {
    this.#greeting.stop();
  }

  requested(stream: Http2Stream): StreamEvents {
    return new IncomingCall(this, stream);
  }

  goingAway(): void {}

  ended(): void {
    this.#greeting.stop();
    this.#owner.ended(this);
  }
}
