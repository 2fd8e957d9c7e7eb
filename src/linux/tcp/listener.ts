/**
 * LISTEN, RFC 9293 §3.10.7.2: answers SYNs, holds the handshakes under way and the connections that wait to be accepted. A full backlog
 * drops SYNs and final ACKs silently, so that the peer tries again (`tcp_abort_on_overflow` 0); there are no SYN cookies.
 */
import type { Ipv4Address } from "../../wire/address.ts";
import { ACK, FIN, RST, SYN } from "../../wire/tcp.ts";
import type { DropReason } from "../drop-reason.ts";
import { abort, establish } from "./change-state.ts";
import type { Connection, TcpHost } from "./connection-state.ts";
import { receive, type Verdict } from "./input.ts";
import { type Addresses, begin, makeConnection, mssOf } from "./open.ts";
import { PendingConnection, type PendingOwner } from "./pending-connection.ts";
import type { IncomingSegment } from "./segment.ts";
import { add } from "./sequence.ts";
import { applyOptions, receiveLimitOf, type SocketOptions } from "./socket-options.ts";
import { initialScale, initialWindow, selectInitialWindow } from "./window.ts";

/** What a listener asks of its host beside the connections' needs. */
export interface ListenerHost extends PendingOwner {
  readonly tcp: TcpHost;
  /** The longest packet towards a peer. */
  mtuTowards(local: Ipv4Address, remote: Ipv4Address, options: SocketOptions): number;
  /** Makes segments with these addresses find the pending connection, the connection in its place. */
  remember(pending: PendingConnection, listener: Listener): void;
  replace(pending: PendingConnection, connection: Connection): void;
  /** A reset that answers `segment` of the pending connection (RFC 9293 §3.5.2). */
  refuse(pending: PendingConnection, segment: IncomingSegment): void;
}

/** Somebody who waits for connections. */
export interface ListenerOwner {
  /** One more may be accepted. */
  changed(): void;
}

const EXTRA_TIMER_SHARE = 4;

export class Listener {
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly options: SocketOptions;
  readonly owner: ListenerOwner;
  backlog: number;
  readonly #host: ListenerHost;
  readonly #pending = new Set<PendingConnection>();
  readonly #accepted: Connection[] = [];

  constructor(
    host: ListenerHost,
    owner: ListenerOwner,
    localAddress: Ipv4Address,
    localPort: number,
    options: SocketOptions,
    backlog: number,
  ) {
    this.#host = host;
    this.owner = owner;
    this.localAddress = localAddress;
    this.localPort = localPort;
    this.options = options;
    this.backlog = backlog;
  }

  /** Connections that wait to be accepted. */
  get waiting(): number {
    return this.#accepted.length;
  }

  get handshakes(): number {
    return this.#pending.size;
  }

  /** The oldest connection that waits, or undefined. */
  accept(): Connection | undefined {
    return this.#accepted.shift();
  }

  /** A segment that belongs to no connection came to this port. `"refuse"`: it wants a reset. */
  receive(addresses: Addresses, segment: IncomingSegment, iss?: number): Verdict | "refuse" {
    if (segment.has(RST)) return "tcp-invalid";
    if (segment.has(ACK)) return "refuse";
    if (!segment.has(SYN) || segment.has(FIN)) return "tcp-invalid";
    if (this.#pending.size >= Math.max(this.backlog, 1) || this.#accepted.length > this.backlog)
      return "tcp-backlog-full";
    const host = this.#host.tcp;
    const most = host.settings.maxSynBacklog;
    // The last quarter is kept for peers that are known to live; nobody is known here.
    if (most - this.#pending.size < Math.floor(most / EXTRA_TIMER_SHARE)) return "tcp-backlog-full";
    const mss = mssOf(this.#host.mtuTowards(addresses.localAddress, addresses.remoteAddress, this.options));
    const timestamps = host.settings.timestamps && segment.hasTimestamp;
    const receiveLimit = receiveLimitOf(this.options, host.settings.receiveMemory[1], host.settings.receiveMemoryLimit);
    const pending = new PendingConnection(host, this.#host, addresses, segment, {
      iss: iss ?? host.random.u32() | 0,
      timestampOffset: host.random.u32() | 0,
      mss,
      window: initialWindow(receiveLimit, timestamps ? mss - 12 : mss),
      scale: initialScale(host.settings, receiveLimit),
      receiveLimit,
    });
    this.#pending.add(pending);
    this.#host.remember(pending, this);
    pending.start();
    return "consume";
  }

  /** A segment for a handshake under way. */
  receivePending(pending: PendingConnection, segment: IncomingSegment): Verdict {
    switch (pending.judge(segment)) {
      case "complete":
        return this.#complete(pending, segment);
      case "refuse":
        this.#host.refuse(pending, segment);
        return "tcp-invalid";
      case "reset":
        this.#host.forget(pending);
        return "consume";
      case "repeated":
        return "consume";
      case "unacceptable":
        return "tcp-out-of-window";
      case "wait":
        return "tcp-invalid";
    }
  }

  /** The handshake is over, one way or another. */
  drop(pending: PendingConnection): void {
    this.#pending.delete(pending);
    pending.end();
  }

  /** Nobody listens any more: handshakes are forgotten, waiting connections reset. */
  close(): void {
    for (const pending of [...this.#pending]) this.#host.forget(pending);
    for (const connection of this.#accepted.splice(0)) abort(connection);
  }

  #complete(pending: PendingConnection, segment: IncomingSegment): Verdict {
    if (this.#accepted.length > this.backlog) {
      if (pending.host.settings.abortOnOverflow) {
        this.#host.refuse(pending, segment);
        this.#host.forget(pending);
      } else {
        pending.acknowledged = true;
      }
      return "tcp-backlog-full";
    }
    const connection = this.#grownUp(pending, segment);
    this.#host.replace(pending, connection);
    this.drop(pending);
    this.#accepted.push(connection);
    const verdict = receive(connection, segment);
    this.owner.changed();
    return verdict satisfies Verdict | DropReason;
  }

  #grownUp(pending: PendingConnection, segment: IncomingSegment): Connection {
    const c = makeConnection(pending.host, pending);
    c.conversation = pending.conversation;
    applyOptions(c, this.options);
    if (this.options.congestionControl !== undefined) c.congestionName = this.options.congestionControl;
    begin(c, pending.iss, pending.timestampOffset);
    c.sndUna = add(pending.iss, 1);
    c.sndNxt = c.sndUna;
    c.writeSequence = c.sndUna;
    c.recoveryPoint = c.sndUna;
    c.irs = pending.irs;
    c.rcvNxt = add(pending.irs, 1);
    c.rcvWup = c.rcvNxt;
    c.receive.begin(c.rcvNxt);
    c.timestamps = pending.timestamps;
    c.recentTimestamp = pending.recentTimestamp;
    c.recentTimestampNs = pending.timestamps ? Math.max(1, pending.host.clock.nowNs) : 0;
    c.sackEnabled = pending.sack;
    c.windowScaling = pending.windowScaling;
    c.sndScale = pending.peerScale;
    c.peerMss = pending.peerMss;
    c.advertisedMss = pending.mss - (pending.timestamps ? 12 : 0);
    selectInitialWindow(c, pending.timestamps ? pending.mss - 12 : pending.mss);
    c.rcvWnd = pending.window;
    c.rcvScale = pending.scale;
    c.sndWnd = segment.window * 2 ** c.sndScale;
    c.maximumWindow = c.sndWnd;
    c.sndWl1 = segment.sequence;
    if (pending.retransmissions === 0) {
      const rttUs = Math.max(c.nowUs - pending.sentUs, 1);
      c.rtt.noteMinimum(rttUs, c.nowUs);
      c.rtt.sample(rttUs, c.sndUna, c.sndNxt);
      c.rtt.resetTimeout();
    }
    establish(c);
    return c;
  }
}
