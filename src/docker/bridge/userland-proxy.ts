/**
 * docker-proxy: the process that listens on a published port of the host. It serves what the firewall does not redirect: connections to 127.0.0.1, and those of
 * containers of the same network. The server sees the bridge's own address as the client. A TCP client is connected before the server
 * is asked, for the proxy's own socket answers it. Without the userland proxy the engine holds the port all the same, and nobody accepts.
 */
import type { Errno } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Waiter } from "../../linux/process.ts";
import { TcpSocket } from "../../linux/tcp/tcp-socket.ts";
import { UdpSocket } from "../../linux/udp-socket.ts";
import { SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { ProxyStream } from "./proxy-stream.ts";
import type { PublishedPort } from "./published-port.ts";

const BACKLOG = 4_096;
const WAKE_UP_NS = 20_000;
/** A client that sends nothing for so long is forgotten. */
const CONVERSATION_NS = 90 * SECOND;

export interface UserlandProxy {
  close(): void;
}

export interface ProxyTarget {
  readonly namespace: NetworkNamespace;
  readonly port: PublishedPort;
  /** The container's. */
  readonly address: Ipv4Address;
  /** False: the port is held, and that is all. */
  readonly relays: boolean;
}

/** Listens; the error when the port or the address is not to be had. SCTP is not relayed. */
export function openProxy(target: ProxyTarget): UserlandProxy | Errno {
  switch (target.port.protocol) {
    case "tcp":
      return openTcp(target);
    case "udp":
      return openUdp(target);
    case "sctp":
      return { close: () => undefined };
  }
}

function openTcp(target: ProxyTarget): UserlandProxy | Errno {
  const listener = new TcpSocket(target.namespace);
  listener.reuseAddress = true;
  const problem = listener.bind(target.port.hostAddress, target.port.hostPort) ?? listener.listen(BACKLOG);
  if (problem === undefined) return new TcpProxy(target, listener);
  listener.close();
  return problem;
}

function openUdp(target: ProxyTarget): UserlandProxy | Errno {
  const socket = new UdpSocket(target.namespace);
  const problem = socket.bind(target.port.hostAddress, target.port.hostPort);
  if (problem === undefined) return new UdpProxy(target, socket);
  socket.close();
  return problem;
}

class TcpProxy implements UserlandProxy, Waiter {
  readonly #target: ProxyTarget;
  readonly #listener: TcpSocket;
  readonly #streams = new Set<ProxyStream>();
  readonly #soon: Timer;

  constructor(target: ProxyTarget, listener: TcpSocket) {
    this.#target = target;
    this.#listener = listener;
    this.#soon = new Timer(target.namespace.clock, () => this.#accept());
    if (target.relays) listener.changed.add(this);
  }

  wake(): void {
    if (!this.#soon.armed) this.#soon.set(WAKE_UP_NS);
  }

  close(): void {
    this.#soon.stop();
    this.#listener.changed.remove(this);
    this.#listener.close();
    for (const stream of [...this.#streams]) stream.close();
  }

  #accept(): void {
    const { namespace, address, port } = this.#target;
    for (;;) {
      const client = this.#listener.accept();
      if (typeof client === "string") return;
      const stream = new ProxyStream({
        namespace,
        client,
        address,
        port: port.containerPort,
        ended: (ended) => this.#streams.delete(ended),
      });
      if (!stream.closed) this.#streams.add(stream);
    }
  }
}

/** What one client has said, and is answered. */
class Conversation implements Waiter {
  readonly #front: UdpSocket;
  readonly #clientAddress: Ipv4Address;
  readonly #clientPort: number;
  readonly #back: UdpSocket;
  readonly #soon: Timer;
  readonly #end: Timer;
  readonly #ended: () => void;

  constructor(
    target: ProxyTarget,
    front: UdpSocket,
    client: { address: Ipv4Address; port: number },
    ended: () => void,
  ) {
    const { clock } = target.namespace;
    this.#front = front;
    this.#clientAddress = client.address;
    this.#clientPort = client.port;
    this.#ended = ended;
    this.#back = new UdpSocket(target.namespace);
    this.#back.connect(target.address, target.port.containerPort);
    this.#soon = new Timer(clock, () => this.#answer());
    this.#end = new Timer(clock, () => this.close());
    this.#end.set(CONVERSATION_NS);
    this.#back.readable.add(this);
  }

  send(bytes: Uint8Array): void {
    // An error of an earlier datagram is reported in place of sending: the proxy tries once more, as Go's does on ECONNREFUSED.
    if (this.#back.sendTo(bytes) === "ECONNREFUSED") this.#back.sendTo(bytes);
  }

  wake(): void {
    if (!this.#soon.armed) this.#soon.set(WAKE_UP_NS);
  }

  close(): void {
    this.#soon.stop();
    this.#end.stop();
    this.#back.readable.remove(this);
    this.#back.close();
    this.#ended();
  }

  #answer(): void {
    for (;;) {
      const datagram = this.#back.receive();
      if (datagram === undefined) return;
      if (typeof datagram === "string") continue;
      this.#end.set(CONVERSATION_NS);
      this.#front.sendTo(datagram.bytes, this.#clientAddress, this.#clientPort);
    }
  }
}

class UdpProxy implements UserlandProxy, Waiter {
  readonly #target: ProxyTarget;
  readonly #socket: UdpSocket;
  /** By the client's address and port. */
  readonly #conversations = new Map<number, Conversation>();
  readonly #soon: Timer;

  constructor(target: ProxyTarget, socket: UdpSocket) {
    this.#target = target;
    this.#socket = socket;
    this.#soon = new Timer(target.namespace.clock, () => this.#relay());
    if (target.relays) socket.readable.add(this);
  }

  wake(): void {
    if (!this.#soon.armed) this.#soon.set(WAKE_UP_NS);
  }

  close(): void {
    this.#soon.stop();
    this.#socket.readable.remove(this);
    for (const conversation of [...this.#conversations.values()]) conversation.close();
    this.#socket.close();
  }

  #relay(): void {
    for (;;) {
      const datagram = this.#socket.receive();
      if (datagram === undefined) return;
      if (typeof datagram === "string") continue;
      const key = datagram.source * 0x1_0000 + datagram.sourcePort;
      let conversation = this.#conversations.get(key);
      if (conversation === undefined) {
        const client = { address: datagram.source, port: datagram.sourcePort };
        conversation = new Conversation(this.#target, this.#socket, client, () => this.#conversations.delete(key));
        this.#conversations.set(key, conversation);
      }
      conversation.send(datagram.bytes);
    }
  }
}
