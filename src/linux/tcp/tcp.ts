/**
 * TCP of a namespace: whom a segment is for, the answers to segments for nobody (RFC 9293 §3.10.7.1), ICMP errors (RFC 1122 §4.2.3.9,
 * RFC 1191), ports, and the way of segments into IPv4. Sockets are tcp-socket.ts; the state machine knows nothing of all this.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { SECOND } from "../../sim/time.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { getU32 } from "../../wire/bytes.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import type { Errno } from "../errno.ts";
import { FRAME_FLAG_GROUP } from "../frame-flags.ts";
import { type FrameId, NO_FRAME } from "../frame-store.ts";
import type { Ipv4 } from "../ipv4.ts";
import type { Ipv4Core, ProtocolHandler } from "../ipv4-core.ts";
import type { NetDevice } from "../net-device.ts";
import type { NoPath, Path } from "../path.ts";
import { breakOff, close } from "./change-state.ts";
import type { Connection, TcpHost } from "./connection-state.ts";
import { Conversation } from "./conversation.ts";
import { FlowTable } from "./flow-table.ts";
import { meaningOf } from "./icmp-meaning.ts";
import { receive, type Verdict } from "./input.ts";
import type { Listener, ListenerHost } from "./listener.ts";
import type { Addresses } from "./open.ts";
import { setPathMtu } from "./output.ts";
import { PendingConnection } from "./pending-connection.ts";
import { PortTable } from "./port-table.ts";
import { retransmitTooLong } from "./recovery.ts";
import { IncomingSegment, OutgoingSegment } from "./segment.ts";
import { after, before } from "./sequence.ts";
import type { TcpSettings } from "./settings.ts";
import type { SocketOptions } from "./socket-options.ts";
import { settingsOf } from "./sysctl-settings.ts";
import { receiveInTimeWait, reopenedIss } from "./time-wait.ts";
import { TimerTable } from "./timers.ts";

/** Used until routing has an answer again. */
const FALLBACK_MTU = 576;

export class Tcp implements ProtocolHandler, TcpHost, ListenerHost {
  readonly clock: Clock;
  readonly random: Random;
  readonly settings: TcpSettings;
  readonly timers: TimerTable;
  readonly segment = new OutgoingSegment();
  readonly ports: PortTable;
  readonly flows = new FlowTable<Connection | PendingConnection>();
  readonly #core: Ipv4Core;
  readonly #ipv4: Ipv4;
  readonly #incoming = new IncomingSegment();
  readonly #listeners = new Map<number, Listener[]>();
  readonly #listenerOf = new Map<PendingConnection, Listener>();
  /** The frame being handled: what is sent meanwhile is caused by it. */
  #inHand: FrameId = NO_FRAME;
  #challengeSecond = -1;
  #challenges = 0;

  constructor(core: Ipv4Core, ip: Ipv4) {
    this.#core = core;
    this.#ipv4 = ip;
    this.clock = core.clock;
    this.random = core.random.fork("tcp");
    this.settings = settingsOf(core.sysctl);
    this.timers = new TimerTable(core.clock);
    this.ports = new PortTable(core.sysctl);
    ip.registerProtocol(ipv4.PROTOCOL_TCP, this);
  }

  get tcp(): TcpHost {
    return this;
  }

  // ---- Segments that come

  receive(frame: FrameId, device: NetDevice): void {
    const { frames } = this.#core;
    const bytes = frames.bytes;
    const start = frames.start(frame);
    const at = start + ipv4.headerBytes(bytes, start);
    const end = frames.end(frame);
    if ((frames.flags[frame]! & FRAME_FLAG_GROUP) !== 0) {
      frames.drop(frame, "tcp-no-socket", device);
      return;
    }
    if (tcp.check(bytes, at, end) !== undefined) {
      frames.drop(frame, "tcp-malformed", device);
      return;
    }
    const source = ipv4.source(bytes, start);
    const destination = ipv4.destination(bytes, start);
    if (frames.checksumKnown[frame] === 0 && !tcp.checksumOk(frames, at, end, source, destination)) {
      frames.drop(frame, "tcp-bad-checksum", device);
      return;
    }
    const segment = this.#incoming;
    segment.read(bytes, at, end);
    this.#inHand = frame;
    const remotePort = tcp.sourcePort(bytes, at);
    const verdict = this.#dispatch(destination, tcp.destinationPort(bytes, at), source, remotePort, segment, device);
    this.#inHand = NO_FRAME;
    if (verdict === "deliver") frames.deliver(frame);
    else if (verdict === "consume") frames.consume(frame);
    else frames.drop(frame, verdict, device);
  }

  #dispatch(
    localAddress: Ipv4Address,
    localPort: number,
    remoteAddress: Ipv4Address,
    remotePort: number,
    segment: IncomingSegment,
    device: NetDevice,
  ): Verdict {
    const holder = this.flows.find(localAddress, localPort, remoteAddress, remotePort);
    if (holder === undefined) {
      const addresses = { localAddress, localPort, remoteAddress, remotePort };
      return this.#forNobody(addresses, segment, device, undefined);
    }
    if (holder instanceof PendingConnection) return this.#listenerOf.get(holder)!.receivePending(holder, segment);
    if (holder.state !== "time-wait") return receive(holder, segment);
    const verdict = receiveInTimeWait(holder, segment);
    if (verdict !== "reopen") return verdict;
    const iss = reopenedIss(holder);
    close(holder);
    return this.#forNobody({ localAddress, localPort, remoteAddress, remotePort }, segment, device, iss);
  }

  /** A segment of no connection: for a listener, else refused. */
  #forNobody(addresses: Addresses, segment: IncomingSegment, device: NetDevice, iss: number | undefined): Verdict {
    const listener = this.#listener(addresses.localAddress, addresses.localPort, device);
    const verdict = listener === undefined ? "refuse" : listener.receive(addresses, segment, iss);
    if (verdict !== "refuse") return verdict;
    this.#refuse(addresses, segment);
    return listener === undefined ? "tcp-no-socket" : "tcp-invalid";
  }

  #listener(address: Ipv4Address, port: number, device: NetDevice): Listener | undefined {
    let best: Listener | undefined;
    for (const listener of this.#listeners.get(port) ?? []) {
      if (listener.localAddress !== 0 && listener.localAddress !== address) continue;
      if (listener.options.device !== undefined && listener.options.device !== device) continue;
      if (best === undefined || weight(listener) > weight(best)) best = listener;
    }
    return best;
  }

  /** RFC 9293 §3.5.2 group 1: never a reset for a reset; its number is one that the sender must believe. */
  #refuse(addresses: Addresses, segment: IncomingSegment): void {
    if (segment.has(tcp.RST)) return;
    if (segment.has(tcp.ACK)) this.segment.reset(tcp.RST, segment.acknowledgement, 0);
    else this.segment.reset(tcp.RST | tcp.ACK, 0, segment.end);
    const conversation = new Conversation(addresses.localAddress, addresses.remoteAddress, 0);
    this.#send(conversation, addresses.localPort, addresses.remotePort, false);
  }

  // ---- ICMP errors

  error(_frame: FrameId, at: number, end: number, type: number, code: number, info: number): void {
    const bytes = this.#core.frames.bytes;
    const header = at + ipv4.headerBytes(bytes, at);
    if (end - header < 8) return;
    const holder = this.flows.find(
      ipv4.source(bytes, at),
      tcp.sourcePort(bytes, header),
      ipv4.destination(bytes, at),
      tcp.destinationPort(bytes, header),
    );
    const tooLong = type === icmp.TYPE_UNREACHABLE && code === icmp.CODE_FRAGMENTATION_NEEDED;
    const sequence = getU32(bytes, header + 4) | 0;
    if (holder instanceof PendingConnection) {
      const meaning = meaningOf(type, code);
      if (tooLong) this.#ipv4.updatePathMtu(holder.remoteAddress, info);
      else if (sequence === holder.iss && meaning?.hard === true) this.forget(holder);
      return;
    }
    if (holder === undefined || holder.state === "closed" || holder.state === "time-wait") return;
    if (before(sequence, holder.sndUna) || after(sequence, holder.sndNxt)) return; // somebody guesses
    if (tooLong) this.#pathShrank(holder, info);
    else this.#unreachable(holder, type, code);
  }

  #pathShrank(c: Connection, mtu: number): void {
    this.#ipv4.updatePathMtu(c.remoteAddress, mtu);
    const now = this.pathMtu(c);
    if (now >= c.pathMtu) return;
    setPathMtu(c, now);
    retransmitTooLong(c);
  }

  #unreachable(c: Connection, type: number, code: number): void {
    const meaning = meaningOf(type, code);
    if (meaning === undefined) return;
    if (c.state === "syn-sent" || c.state === "syn-received") breakOff(c, meaning.errno);
    else c.softError = meaning.errno;
  }

  // ---- Segments that go (TcpHost)

  transmit(connection: Connection): void {
    this.#send(connection.conversation!, connection.localPort, connection.remotePort, true);
  }

  transmitFor(pending: PendingConnection): void {
    this.#send(pending.conversation!, pending.localPort, pending.remotePort, false);
  }

  #send(conversation: Conversation, localPort: number, remotePort: number, counted: boolean): void {
    const path = this.#path(conversation);
    if (typeof path === "string") return; // as if the network had lost it: the timers go on
    const { frames } = this.#core;
    const segment = this.segment;
    const headerBytes = segment.headerBytes;
    const length = ipv4.HEADER_BYTES + headerBytes + segment.payloadBytes;
    const frame = frames.make(length);
    const bytes = frames.bytes;
    const at = frames.start(frame);
    ipv4.write(
      bytes,
      at,
      length,
      counted ? conversation.takeIdentification() : 0,
      ipv4.DONT_FRAGMENT,
      conversation.timeToLive === 0 ? this.settings.timeToLive : conversation.timeToLive,
      ipv4.PROTOCOL_TCP,
      conversation.localAddress,
      conversation.remoteAddress,
      conversation.typeOfService,
    );
    const header = at + ipv4.HEADER_BYTES;
    segment.write(bytes, header, localPort, remotePort);
    tcp.finishChecksum(frames, header, at + length, conversation.localAddress, conversation.remoteAddress);
    frames.checksumKnown[frame] = 1;
    frames.mark[frame] = conversation.mark;
    if (this.#inHand !== NO_FRAME) frames.causedBy(frame, this.#inHand);
    this.#ipv4.output(frame, path);
  }

  #path(conversation: Conversation): Path | NoPath {
    const known = conversation.path;
    if (known !== undefined && known.generation === this.#ipv4.generation) return known;
    const found = this.#ipv4.resolve({
      destination: conversation.remoteAddress,
      source: conversation.localAddress,
      typeOfService: conversation.typeOfService,
      mark: conversation.mark,
      device: conversation.device,
    });
    conversation.path = typeof found === "string" ? undefined : found;
    return found;
  }

  pathMtu(connection: Connection): number {
    const path = this.#path(connection.conversation!);
    if (typeof path === "string") return connection.pathMtu === 0 ? FALLBACK_MTU : connection.pathMtu;
    return path.mtu();
  }

  mtuTowards(local: Ipv4Address, remote: Ipv4Address, options: SocketOptions): number {
    const path = this.#path(this.#converse(local, remote, options));
    return typeof path === "string" ? FALLBACK_MTU : path.mtu();
  }

  challengeAllowed(): boolean {
    const second = Math.floor(this.clock.nowNs / SECOND);
    if (second !== this.#challengeSecond) {
      this.#challengeSecond = second;
      this.#challenges = 0;
    }
    return this.#challenges++ < this.settings.challengeAckLimit;
  }

  confirmNeighbour(connection: Connection): void {
    connection.conversation!.path?.link.confirm();
  }

  doubtPath(connection: Connection): void {
    connection.conversation!.path = undefined;
  }

  // ---- Connections and listeners

  /** How packets between two addresses are to be sent. */
  #converse(local: Ipv4Address, remote: Ipv4Address, options: SocketOptions): Conversation {
    const conversation = new Conversation(local, remote, this.random.below(0x1_0000));
    conversation.mark = options.mark;
    conversation.device = options.device;
    conversation.typeOfService = options.typeOfService;
    conversation.timeToLive = options.timeToLive ?? 0;
    return conversation;
  }

  /** The way to a peer, or why there is none. */
  route(local: Ipv4Address, remote: Ipv4Address, options: SocketOptions): Path | NoPath {
    return this.#ipv4.resolve({
      destination: remote,
      source: local,
      typeOfService: options.typeOfService,
      mark: options.mark,
      device: options.device,
    });
  }

  /** Is it an address of this host, so that one may bind to it? */
  isLocal(address: Ipv4Address): boolean {
    return this.#core.routing.addressType(address) === "local";
  }

  /** From now on segments find the connection. */
  adopt(connection: Connection, options: SocketOptions): void {
    connection.conversation = this.#converse(connection.localAddress, connection.remoteAddress, options);
    this.flows.add(connection);
  }

  /** The connection's ports are free. */
  release(connection: Connection): void {
    this.flows.remove(connection);
  }

  listen(listener: Listener): void {
    const others = this.#listeners.get(listener.localPort);
    if (others === undefined) this.#listeners.set(listener.localPort, [listener]);
    else others.push(listener);
  }

  unlisten(listener: Listener): void {
    const left = this.#listeners.get(listener.localPort)?.filter((other) => other !== listener) ?? [];
    if (left.length > 0) this.#listeners.set(listener.localPort, left);
    else this.#listeners.delete(listener.localPort);
    listener.close();
  }

  /** All listeners, by port: for `ss -l`. */
  listeners(): Listener[] {
    return [...this.#listeners.keys()].sort((a, b) => a - b).flatMap((port) => this.#listeners.get(port) ?? []);
  }

  remember(pending: PendingConnection, listener: Listener): void {
    pending.conversation = this.#converse(pending.localAddress, pending.remoteAddress, listener.options);
    this.#listenerOf.set(pending, listener);
    this.flows.add(pending);
  }

  replace(pending: PendingConnection, connection: Connection): void {
    this.#listenerOf.delete(pending);
    this.flows.remove(pending);
    connection.conversation = pending.conversation;
    connection.owner = new Unaccepted(this, connection);
    this.flows.add(connection);
  }

  forget(pending: PendingConnection): void {
    const listener = this.#listenerOf.get(pending);
    this.#listenerOf.delete(pending);
    this.flows.remove(pending);
    listener?.drop(pending);
  }

  refuse(pending: PendingConnection, segment: IncomingSegment): void {
    this.#refuse(pending, segment);
  }

  /** A free port for a connection from `local` to the peer; EADDRNOTAVAIL: all are taken. */
  freePortTowards(local: Ipv4Address, remote: Ipv4Address, remotePort: number): number | Errno {
    return this.ports.findForPeer(
      this.random.u32(),
      (port) => this.flows.find(local, port, remote, remotePort) === undefined,
    );
  }
}

/** Owns a connection until a program accepts it. */
class Unaccepted {
  readonly #tcp: Tcp;
  readonly #connection: Connection;

  constructor(host: Tcp, connection: Connection) {
    this.#tcp = host;
    this.#connection = connection;
  }

  changed(): void {}

  ended(): void {
    this.#tcp.release(this.#connection);
  }
}

/** A listener that is bound to more is preferred. */
function weight(listener: Listener): number {
  return (listener.localAddress === 0 ? 0 : 1) + (listener.options.device === undefined ? 0 : 1);
}
