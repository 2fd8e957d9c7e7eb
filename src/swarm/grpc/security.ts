/**
 * What lies between TCP and HTTP/2 on port 2377: nothing, or TLS. In a real Swarm it is always TLS with certificates on both sides; in clear, for captures
 * that can be read, each side still has its certificate, and the two know each other's as if TLS had told them.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { ClientHandshake } from "../tls/client-handshake.ts";
import type { HandshakeHost } from "../tls/handshake.ts";
import { ServerHandshake } from "../tls/server-handshake.ts";
import type { TlsSecurity } from "../tls/tls-security.ts";
import { TlsStream } from "../tls/tls-stream.ts";
import type { ByteStream, ByteStreamEvents } from "./byte-stream.ts";
import { TcpStream } from "./tcp-stream.ts";

/** The certificates (DER) that programs would show at the ends of connections in clear, by address and port: one table for a cluster. */
export class ShownCertificates {
  readonly #certificates = new Map<string, Uint8Array>();

  show(address: Ipv4Address, port: number, certificate: Uint8Array | undefined): void {
    if (certificate === undefined) this.#certificates.delete(`${address}:${port}`);
    else this.#certificates.set(`${address}:${port}`, certificate);
  }

  of(address: Ipv4Address, port: number): Uint8Array | undefined {
    return this.#certificates.get(`${address}:${port}`);
  }
}

export interface ClearSecurity {
  readonly kind: "clear";
  /** Ours, asked for at every new connection. */
  readonly certificate?: Uint8Array | undefined;
  readonly shown?: ShownCertificates;
}

export type Security = ClearSecurity | TlsSecurity;
export const CLEAR: Security = { kind: "clear" };

/** A stream between two programs of which each may know who the other is. */
export interface SecuredStream extends ByteStream {
  /** The peer's certificate, once the stream stands. */
  readonly peerCertificate: Uint8Array | undefined;
  /** Does TCP's connection stand? */
  readonly dialed: boolean;
}

/** Connects. */
export function secureClient(
  namespace: NetworkNamespace,
  address: Ipv4Address,
  port: number,
  security: Security,
  events: ByteStreamEvents,
): SecuredStream {
  const open = (inner: ByteStreamEvents) => TcpStream.connect(namespace, address, port, inner);
  if (security.kind === "clear") return new ClearStream(security, events, open);
  const handshake = (host: HandshakeHost) => new ClientHandshake(security, host);
  return new TlsStream({ events, keyLog: security.keyLog, open, handshake });
}

/** Takes a connection that a listener has accepted. */
export function secureServer(
  namespace: NetworkNamespace,
  socket: TcpSocket,
  security: Security,
  events: ByteStreamEvents,
): SecuredStream {
  const open = (inner: ByteStreamEvents) => TcpStream.accepted(namespace, socket, inner);
  if (security.kind === "clear") return new ClearStream(security, events, open);
  const handshake = (host: HandshakeHost) => new ServerHandshake(security, host);
  // Before the client does, so that a capture has the keys in front of what they open.
  return new TlsStream({ events, keyLog: security.keyLog, open, handshake });
}

/** TCP itself, with the certificates shown beside it. */
class ClearStream implements SecuredStream, ByteStreamEvents {
  readonly #security: ClearSecurity;
  readonly #events: ByteStreamEvents;
  readonly #tcp: TcpStream;
  dialed = false;

  constructor(security: ClearSecurity, events: ByteStreamEvents, open: (events: ByteStreamEvents) => TcpStream) {
    this.#security = security;
    this.#events = events;
    this.#tcp = open(this);
    this.#show(security.certificate);
  }

  get peerCertificate(): Uint8Array | undefined {
    const { remoteAddress, remotePort } = this.#tcp.socket;
    return this.#security.shown?.of(remoteAddress, remotePort);
  }

  get unsentBytes(): number {
    return this.#tcp.unsentBytes;
  }

  write(bytes: Uint8Array): void {
    this.#tcp.write(bytes);
  }

  close(): void {
    this.#tcp.close();
  }

  opened(): void {
    this.dialed = true;
    this.#events.opened();
  }

  received(bytes: Uint8Array): void {
    this.#events.received(bytes);
  }

  drained(): void {
    this.#events.drained();
  }

  closed(reason: string): void {
    this.#events.closed(reason);
  }

  #show(certificate: Uint8Array | undefined): void {
    const { localAddress, localPort } = this.#tcp.socket;
    this.#security.shown?.show(localAddress, localPort, certificate);
  }
}
