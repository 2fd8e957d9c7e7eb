/** One try of a channel to connect, and the connection that comes of it. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import type { ByteStreamEvents } from "./byte-stream.ts";
import { type ConnectionEvents, Http2Connection } from "./http2-connection.ts";
import type { StreamEvents } from "./http2-stream.ts";
import type { KeepaliveSettings } from "./keepalive.ts";
import { type SecuredStream, type Security, secureClient } from "./security.ts";

export interface AttemptOwner {
  /** The server's SETTINGS are here. */
  ready(attempt: ConnectAttempt): void;
  /** It never became ready, in grpc-go's words. */
  failed(attempt: ConnectAttempt, error: string): void;
  /** The server takes no new calls. */
  draining(attempt: ConnectAttempt): void;
  /** It was ready and is gone. */
  lost(attempt: ConnectAttempt): void;
}

export class ConnectAttempt implements ByteStreamEvents, ConnectionEvents {
  readonly stream: SecuredStream;
  connection: Http2Connection | undefined;
  readonly #owner: AttemptOwner;
  readonly #namespace: NetworkNamespace;
  readonly #target: string;
  readonly #keepalive: KeepaliveSettings | undefined;
  #ready = false;

  constructor(
    owner: AttemptOwner,
    settings: {
      readonly namespace: NetworkNamespace;
      readonly address: Ipv4Address;
      readonly port: number;
      readonly keepalive?: KeepaliveSettings;
    },
    security: Security,
  ) {
    const { namespace, address, port } = settings;
    this.#owner = owner;
    this.#namespace = namespace;
    this.#target = `${formatIpv4(address)}:${port}`;
    this.#keepalive = settings.keepalive;
    this.stream = secureClient(namespace, address, port, security, this);
  }

  /** It has taken too long. */
  timeOut(): void {
    const reason = this.stream.dialed ? "context deadline exceeded" : "i/o timeout";
    if (this.connection !== undefined) {
      this.connection.close(reason);
      return;
    }
    this.stream.close();
    this.closed(reason);
  }

  close(reason: string): void {
    if (this.connection === undefined) this.stream.close();
    else this.connection.close(reason);
  }

  // ---- From the transport

  opened(): void {
    this.connection = new Http2Connection({
      role: "client",
      clock: this.#namespace.clock,
      transport: this.stream,
      events: this,
      keepalive: this.#keepalive,
    });
  }

  received(bytes: Uint8Array): void {
    this.connection?.received(bytes);
  }

  drained(): void {
    this.connection?.drained();
  }

  closed(reason: string): void {
    if (this.connection !== undefined) this.connection.close(reason);
    else if (this.stream.dialed) this.#owner.failed(this, `transport: authentication handshake failed: ${reason}`);
    else this.#owner.failed(this, `transport: Error while dialing: dial tcp ${this.#target}: ${reason}`);
  }

  // ---- From the connection

  ready(): void {
    this.#ready = true;
    this.#owner.ready(this);
  }

  /** The connection lets no server begin one. */
  requested(): StreamEvents {
    return { headers() {}, data() {}, reset() {}, lost() {} };
  }

  goingAway(): void {
    if (this.#ready) this.#owner.draining(this);
  }

  ended(reason: string): void {
    if (this.#ready) this.#owner.lost(this);
    else this.#owner.failed(this, `error reading server preface: ${reason}`);
  }
}
