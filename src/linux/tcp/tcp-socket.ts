/**
 * A TCP socket as programs of a namespace use it (tcp(7)): bind, listen, accept, connect, write, read, shutdown, close, and their errors. Nothing
 * blocks: what cannot be done now says EAGAIN or nothing, and `changed` is woken when it may be tried again (blocking.ts does that).
 */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { Errno } from "../errno.ts";
import type { NetworkNamespace } from "../namespace.ts";
import type { NetDevice } from "../net-device.ts";
import { WaitQueue } from "../process.ts";
import { acknowledgeAfterRead } from "./acknowledging.ts";
import { abort, armKeepalive, awaitFin, close } from "./change-state.ts";
import { INFINITE_THRESHOLD } from "./congestion/congestion-control.ts";
import type { Connection, ConnectionOwner, TcpState } from "./connection-state.ts";
import { Listener, type ListenerOwner } from "./listener.ts";
import { makeConnection, openActively } from "./open.ts";
import { push, queueFin, write } from "./output.ts";
import type { PortHolder } from "./port-table.ts";
import { usOfJiffies } from "./rtt.ts";
import type { CongestionControlName } from "./settings.ts";
import { applyOptions, defaultOptions, type SocketOptions } from "./socket-options.ts";
import type { Tcp } from "./tcp.ts";
import { adjustSpace } from "./window.ts";

const ANY = 0 as Ipv4Address;
const LOOPBACK = 0x7f00_0001 as Ipv4Address;

/** What `ss -ti` shows. */
export interface TcpInformation {
  readonly congestionControl: string;
  readonly windowScales: readonly [send: number, receive: number];
  readonly rtoMs: number;
  readonly rttUs: number;
  readonly rttVariationUs: number;
  readonly minimumRttUs: number;
  readonly mss: number;
  readonly pathMtu: number;
  readonly receiveMss: number;
  readonly advertisedMss: number;
  readonly cwnd: number;
  /** Undefined: never reduced. */
  readonly ssthresh: number | undefined;
  readonly unacknowledged: number;
  readonly sacked: number;
  readonly lost: number;
  readonly retransmitting: number;
  readonly retransmitted: number;
  readonly bytesSent: number;
  readonly bytesAcknowledged: number;
  readonly bytesRetransmitted: number;
  readonly bytesReceived: number;
  readonly segmentsOut: number;
  readonly segmentsIn: number;
  readonly dataSegmentsOut: number;
  readonly dataSegmentsIn: number;
  readonly delivered: number;
  readonly sendWindow: number;
  readonly receiveWindow: number;
  readonly receiveThreshold: number;
}

/** States of a socket: those of its connection, and LISTEN. */
export type SocketState = TcpState | "listen";

export class TcpSocket implements PortHolder {
  readonly #namespace: NetworkNamespace;
  readonly #tcp: Tcp;
  /** Woken when a call that could not go on may be tried again: connected, readable, writable, acceptable, broken. */
  readonly changed = new WaitQueue();
  readonly options: SocketOptions;
  localAddress: Ipv4Address = ANY;
  localPort = 0;
  #connection: Connection | undefined = undefined;
  #listener: Listener | undefined = undefined;
  #holdsPort = false;
  #closed = false;
  readonly #owner: ConnectionOwner & ListenerOwner;

  constructor(namespace: NetworkNamespace, options: SocketOptions = defaultOptions()) {
    this.#namespace = namespace;
    this.#tcp = namespace.tcp;
    this.options = options;
    this.#owner = { changed: () => this.changed.wake(), ended: () => this.#ended() };
  }

  // ---- What it is

  get state(): SocketState {
    if (this.#listener !== undefined) return "listen";
    return this.#connection?.state ?? "closed";
  }

  get listening(): boolean {
    return this.#listener !== undefined;
  }

  get remoteAddress(): Ipv4Address {
    return this.#connection?.remoteAddress ?? ANY;
  }

  get remotePort(): number {
    return this.#connection?.remotePort ?? 0;
  }

  /** Why it broke, if nobody was told yet. */
  get error(): Errno | undefined {
    return this.#connection?.error;
  }

  /** SO_ERROR: the error, which is then forgotten. */
  takeError(): Errno | undefined {
    const c = this.#connection;
    const error = c?.error;
    if (c !== undefined) c.error = undefined;
    return error;
  }

  /** Bytes that can be read now; connections that can be accepted now for a listener. */
  get readableCount(): number {
    return this.#listener?.waiting ?? this.#connection?.receive.readable ?? 0;
  }

  /** Bytes written that the peer has not acknowledged. */
  get unacknowledgedBytes(): number {
    return this.#connection?.send.usedBytes ?? 0;
  }

  get backlog(): number {
    return this.#listener?.backlog ?? 0;
  }

  // ---- Options

  get reuseAddress(): boolean {
    return this.options.reuseAddress;
  }
  set reuseAddress(value: boolean) {
    this.options.reuseAddress = value;
  }

  get device(): NetDevice | undefined {
    return this.options.device;
  }
  set device(device: NetDevice | undefined) {
    this.options.device = device;
    const conversation = this.#connection?.conversation;
    if (conversation === undefined) return;
    conversation.device = device;
    conversation.path = undefined;
  }

  get mark(): number {
    return this.options.mark;
  }
  set mark(mark: number) {
    this.options.mark = mark;
    const conversation = this.#connection?.conversation;
    if (conversation === undefined) return;
    conversation.mark = mark;
    conversation.path = undefined;
  }

  get noDelay(): boolean {
    return this.options.noDelay;
  }
  /** TCP_NODELAY; what Nagle's rule held back goes at once. */
  set noDelay(value: boolean) {
    this.options.noDelay = value;
    const c = this.#connection;
    if (c === undefined) return;
    c.noDelay = value;
    if (value && c.synchronized) push(c, "push");
  }

  /** SO_KEEPALIVE with TCP_KEEPIDLE, TCP_KEEPINTVL and TCP_KEEPCNT; what is not given stays the host's default. */
  setKeepalive(on: boolean, idleNs?: Nanoseconds, intervalNs?: Nanoseconds, count?: number): void {
    this.options.keepalive = on;
    this.options.keepaliveIdleNs = idleNs ?? this.options.keepaliveIdleNs;
    this.options.keepaliveIntervalNs = intervalNs ?? this.options.keepaliveIntervalNs;
    this.options.keepaliveCount = count ?? this.options.keepaliveCount;
    const c = this.#connection;
    if (c === undefined) return;
    applyOptions(c, this.options);
    if (on && c.synchronized && c.state !== "time-wait") armKeepalive(c, c.keepaliveIdleNs);
  }

  /** SO_RCVBUF; the kernel doubles it, and tunes no more. */
  set receiveBufferBytes(bytes: number) {
    this.options.receiveBufferBytes = bytes;
    if (this.#connection !== undefined) applyOptions(this.#connection, this.options);
  }

  /** SO_SNDBUF. */
  set sendBufferBytes(bytes: number) {
    this.options.sendBufferBytes = bytes;
    if (this.#connection !== undefined) applyOptions(this.#connection, this.options);
  }

  /** TCP_USER_TIMEOUT; 0: the host's rules. */
  set userTimeoutNs(timeoutNs: Nanoseconds) {
    this.options.userTimeoutNs = timeoutNs;
    if (this.#connection !== undefined) this.#connection.userTimeoutNs = timeoutNs;
  }

  /** TCP_CONGESTION, before connecting. */
  set congestionControl(name: CongestionControlName) {
    this.options.congestionControl = name;
  }

  /** SO_LINGER with 0 s: `close` resets. */
  set abortOnClose(value: boolean) {
    this.options.abortOnClose = value;
  }

  // ---- Calls

  /** Port 0: any free one. EADDRNOTAVAIL: not an address of this host; EADDRINUSE; EINVAL: bound already. */
  bind(address: Ipv4Address, port: number): Errno | undefined {
    if (this.#closed) return "EBADF";
    if (this.localPort !== 0) return "EINVAL";
    const anywhere = this.#namespace.sysctl.number("net.ipv4.ip_nonlocal_bind") !== 0;
    if (address !== 0 && !anywhere && !this.#tcp.isLocal(address)) return "EADDRNOTAVAIL";
    const ports = this.#tcp.ports;
    const chosen = port === 0 ? ports.findForBind(this, address, this.#namespace.socketRandom.u32()) : port;
    if (chosen === 0 || !ports.isFree(this, address, chosen)) return "EADDRINUSE";
    this.localAddress = address;
    this.#takePort(chosen);
    return undefined;
  }

  /** `backlog` is cut to net.core.somaxconn. Again on a listener: changes the backlog. */
  listen(backlog: number): Errno | undefined {
    if (this.#closed) return "EBADF";
    if (this.#connection !== undefined && this.#connection.state !== "closed") return "EINVAL";
    const limit = Math.min(Math.max(backlog, 0), this.#tcp.settings.maxListenBacklog);
    if (this.#listener !== undefined) {
      this.#listener.backlog = limit;
      return undefined;
    }
    if (this.localPort === 0) {
      const problem = this.bind(this.localAddress, 0);
      if (problem !== undefined) return problem;
    }
    const listener = new Listener(this.#tcp, this.#owner, this.localAddress, this.localPort, this.options, limit);
    this.#listener = listener;
    if (!this.#tcp.ports.isFree(this, this.localAddress, this.localPort)) {
      this.#listener = undefined;
      return "EADDRINUSE";
    }
    this.#tcp.listen(listener);
    return undefined;
  }

  /** The oldest connection that waits; EAGAIN: there is none. */
  accept(): TcpSocket | Errno {
    if (this.#closed) return "EBADF";
    if (this.#listener === undefined) return "EINVAL";
    const connection = this.#listener.accept();
    if (connection === undefined) return "EAGAIN";
    const socket = new TcpSocket(this.#namespace, { ...this.options });
    socket.#take(connection);
    return socket;
  }

  /** Sends a SYN. EINPROGRESS: `changed` tells when `state` is no longer "syn-sent". */
  connect(address: Ipv4Address, port: number): Errno {
    if (this.#closed) return "EBADF";
    if (this.#listener !== undefined) return "EISCONN";
    const old = this.#connection;
    if (old !== undefined && old.state !== "closed") return old.state === "syn-sent" ? "EALREADY" : "EISCONN";
    const pending = this.takeError();
    if (pending !== undefined) return pending;
    const remote = address === 0 ? LOOPBACK : address;
    const path = this.#tcp.route(this.localAddress, remote, this.options);
    if (typeof path === "string") return path;
    if (path.kind === "broadcast" || path.kind === "multicast") return "ENETUNREACH";
    const local = this.localAddress === 0 ? path.source : this.localAddress;
    let localPort = this.localPort;
    if (localPort === 0) {
      const found = this.#tcp.freePortTowards(local, remote, port);
      if (typeof found === "string") return found;
      localPort = found;
    } else if (this.#tcp.flows.find(local, localPort, remote, port) !== undefined) {
      return "EADDRNOTAVAIL";
    }
    this.localAddress = local;
    this.localPort = localPort;
    const connection = makeConnection(this.#tcp, {
      localAddress: local,
      localPort,
      remoteAddress: remote,
      remotePort: port,
    });
    applyOptions(connection, this.options);
    if (this.options.congestionControl !== undefined) connection.congestionName = this.options.congestionControl;
    connection.owner = this.#owner;
    this.#connection = connection;
    this.#tcp.adopt(connection, this.options);
    openActively(connection);
    return "EINPROGRESS";
  }

  /** Takes what there is room for, at least one byte; EAGAIN: no room now. EPIPE: closed for writing. */
  write(bytes: Uint8Array): number | Errno {
    if (this.#closed) return "EBADF";
    const error = this.takeError();
    if (error !== undefined) return error;
    const c = this.#connection;
    if (c === undefined) return "ENOTCONN";
    if (c.writeShut) return "EPIPE";
    if (c.state === "syn-sent" || c.state === "syn-received") return this.#waitForRoom(c);
    if (c.state !== "established" && c.state !== "close-wait") return "EPIPE";
    if (bytes.length === 0) return 0;
    const count = write(c, bytes, 0, bytes.length);
    if (count < bytes.length) this.#waitForRoom(c);
    return count === 0 ? "EAGAIN" : count;
  }

  /** At most `max` bytes; undefined: nothing yet; "end": the peer has closed. */
  read(max: number): Uint8Array | undefined | "end" | Errno {
    if (this.#closed) return "EBADF";
    const c = this.#connection;
    if (c === undefined) return "ENOTCONN";
    if (c.receive.readable > 0 && max > 0) {
      const bytes = new Uint8Array(Math.min(max, c.receive.readable));
      c.receive.read(bytes);
      adjustSpace(c);
      if (c.synchronized && c.state !== "time-wait") acknowledgeAfterRead(c, bytes.length);
      return bytes;
    }
    const error = this.takeError();
    if (error !== undefined) return error;
    if (c.finReceived || c.readShut || c.state === "closed" || c.state === "time-wait") return "end";
    return undefined;
  }

  /** "write": FIN follows the data; "read": what comes is thrown away. */
  shutdown(direction: "write" | "read" | "both"): Errno | undefined {
    const c = this.#connection;
    if (this.#closed) return "EBADF";
    if (c === undefined || !c.synchronized) return "ENOTCONN";
    if (direction !== "write") {
      c.readShut = true;
      c.receive.discard();
      this.changed.wake();
    }
    if (direction !== "read") finish(c);
    return undefined;
  }

  /** Gives the socket up; the kernel goes on alone. Unread data, or `abortOnClose`, resets (RFC 9293 §3.6, RFC 2525 §2.17). */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.#listener !== undefined) this.#tcp.unlisten(this.#listener);
    const c = this.#connection;
    if (c === undefined || c.state === "closed") {
      this.#giveBackPort();
      c?.receive.clear();
    } else {
      this.#orphan(c);
    }
    this.changed.wake();
  }

  /** What `ss -ti` shows of the connection. */
  information(): TcpInformation | undefined {
    const c = this.#connection;
    return c === undefined ? undefined : informationOf(c);
  }

  #orphan(c: Connection): void {
    const unread = c.receive.readable > 0;
    c.orphaned = true;
    c.receive.discard();
    if (c.state === "syn-sent") close(c);
    else if (unread || this.options.abortOnClose) abort(c);
    else if (c.state === "fin-wait-2") awaitFin(c);
    else finish(c);
  }

  #waitForRoom(c: Connection): "EAGAIN" {
    c.writerWaits = true;
    return "EAGAIN";
  }

  /** A connection that a listener has made. */
  #take(connection: Connection): void {
    this.#connection = connection;
    this.localAddress = connection.localAddress;
    this.#takePort(connection.localPort);
    if (connection.state === "closed") this.#giveBackPort();
    else connection.owner = this.#owner;
  }

  #takePort(port: number): void {
    this.localPort = port;
    this.#holdsPort = true;
    this.#tcp.ports.add(this, port);
  }

  #giveBackPort(): void {
    if (!this.#holdsPort) return;
    this.#holdsPort = false;
    this.#tcp.ports.remove(this, this.localPort);
  }

  #ended(): void {
    if (this.#connection !== undefined) this.#tcp.release(this.#connection);
    if (this.#closed) this.#giveBackPort();
    this.changed.wake();
  }
}

/** Ends our direction, once. */
function finish(c: Connection): void {
  if (c.writeShut) return;
  c.writeShut = true;
  switch (c.state) {
    case "established":
    case "syn-received":
      c.state = "fin-wait-1";
      queueFin(c);
      break;
    case "close-wait":
      c.state = "last-ack";
      queueFin(c);
      break;
    default:
      break;
  }
}

export function informationOf(c: Connection): TcpInformation {
  return {
    congestionControl: c.congestionName,
    windowScales: [c.sndScale, c.rcvScale],
    rtoMs: usOfJiffies(c.rtt.rtoJiffies) / 1_000,
    rttUs: c.rtt.smoothedUs,
    rttVariationUs: c.rtt.deviationUs,
    minimumRttUs: c.rtt.minimumUs,
    mss: c.mss,
    pathMtu: c.pathMtu,
    receiveMss: c.rcvMss,
    advertisedMss: c.advertisedMss,
    cwnd: c.cwnd.segments,
    ssthresh: c.cwnd.threshold >= INFINITE_THRESHOLD ? undefined : c.cwnd.threshold,
    unacknowledged: c.packetsOut,
    sacked: c.sackedOut,
    lost: c.lostOut,
    retransmitting: c.retransmittedOut,
    retransmitted: c.retransmittedSegments,
    bytesSent: c.bytesSent,
    bytesAcknowledged: c.bytesAcknowledged,
    bytesRetransmitted: c.bytesRetransmitted,
    bytesReceived: c.bytesReceived,
    segmentsOut: c.segmentsSent,
    segmentsIn: c.segmentsReceived,
    dataSegmentsOut: c.dataSegmentsSent,
    dataSegmentsIn: c.dataSegmentsReceived,
    delivered: c.delivered,
    sendWindow: c.sndWnd,
    receiveWindow: c.rcvWnd,
    receiveThreshold: c.receiveThreshold,
  };
}
