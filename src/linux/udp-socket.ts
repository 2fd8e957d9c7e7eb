/**
 * A UDP socket as programs of a namespace use it: bind, connect, send, receive, and what ICMP says about it (net/ipv4/udp.c, ip(7)). `sendFrame` and
 * `sink` are the way without allocation, for traffic generators and kernel users.
 */
import type { Nanoseconds } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as udp from "../wire/udp.ts";
import type { Errno } from "./errno.ts";
import { FRAME_FLAG_NO_LOOP } from "./frame-flags.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import type { NetworkNamespace } from "./namespace.ts";
import type { NetDevice } from "./net-device.ts";
import type { LinkOutput, Path } from "./path.ts";
import { WaitQueue } from "./process.ts";
import type { UdpEndpoint } from "./udp.ts";

export interface Datagram {
  readonly source: Ipv4Address;
  readonly sourcePort: number;
  readonly destination: Ipv4Address;
  readonly bytes: Uint8Array;
  readonly timeToLive: number;
  readonly typeOfService: number;
  readonly receivedNs: Nanoseconds;
  readonly device: NetDevice;
}

/** What the error queue holds (IP_RECVERR). */
export interface SocketError {
  readonly errno: Errno;
  /** Who sent the ICMP message. */
  readonly offender: Ipv4Address;
  readonly type: number;
  readonly code: number;
  /** Next-hop MTU of "fragmentation needed". */
  readonly info: number;
  /** Where the datagram was sent that it is about. */
  readonly destination: Ipv4Address;
  readonly destinationPort: number;
  /** What of the datagram's payload was quoted. */
  readonly payload: Uint8Array;
  /** Of the ICMP message, as it came: how far away the offender is. */
  readonly timeToLive: number;
  readonly receivedNs: Nanoseconds;
}

/** Takes datagrams at once, in place of the receive queue. The payload lies from `at` to `end`; the frame stays the socket's. */
export interface DatagramSink {
  datagram(frame: FrameId, at: number, end: number): void;
}

const ANY = 0 as Ipv4Address;
const HEADERS = ipv4.HEADER_BYTES + udp.HEADER_BYTES;
const MAXIMUM_PAYLOAD_BYTES = 0xffff - HEADERS;
const MAXIMUM_ERRORS = 64;
/** struct sk_buff, its shared end, and the room in front, which count against the receive buffer. */
const SKB_BYTES = 256;
const SKB_DATA_EXTRA_BYTES = 384;

export class UdpSocket implements UdpEndpoint {
  // What every datagram touches stands together, see NetDevice.
  readonly #frames: FrameStore;
  sink: DatagramSink | undefined = undefined;
  /** While it is `FrameStore.shortcutEpoch`, datagrams up to `#readyBytes` go straight to `#readyLink`. */
  #readyEpoch = -1;
  #readyBytes = 0;
  #readyTtl = 0;
  #readyLink: LinkOutput | undefined = undefined;
  #identification: number;
  /** The address that datagrams come from: bound, or found when connecting. */
  #source: Ipv4Address = ANY;
  remoteAddress: Ipv4Address = ANY;
  remotePort = 0;
  localPort = 0;
  dontFragment: "do" | "want" | "dont" = "want";
  /** Undefined: ip_default_ttl. */
  ttl: number | undefined = undefined;
  tos = 0;
  #mark = 0;

  readonly #namespace: NetworkNamespace;
  readonly readable = new WaitQueue();
  localAddress: Ipv4Address = ANY;
  reuseAddress = false;
  broadcast = false;
  multicastTtl = 1;
  multicastLoop = true;
  multicastDevice: NetDevice | undefined = undefined;
  receiveBufferBytes: number;
  /** IP_RECVERR: every ICMP error is kept for `nextError`, and reported also when the socket is not connected. */
  receiveErrors = false;
  /** Datagrams lost because the receive buffer was full. */
  dropped = 0;

  #device: NetDevice | undefined = undefined;
  #path: Path | undefined = undefined;
  readonly #queue: Datagram[] = [];
  #queueHead = 0;
  #queuedBytes = 0;
  #pendingError: Errno | undefined = undefined;
  readonly #errors: SocketError[] = [];
  readonly #groups: { group: Ipv4Address; device: NetDevice }[] = [];
  #closed = false;

  constructor(namespace: NetworkNamespace) {
    this.#namespace = namespace;
    this.#frames = namespace.frames;
    this.#identification = namespace.socketRandom.below(0x1_0000);
    this.receiveBufferBytes = namespace.sysctl.number("net.core.rmem_default");
  }

  get device(): NetDevice | undefined {
    return this.#device;
  }
  /** SO_BINDTODEVICE. */
  set device(device: NetDevice | undefined) {
    this.#device = device;
    this.#forgetPath();
  }

  get mark(): number {
    return this.#mark;
  }
  /** SO_MARK. */
  set mark(mark: number) {
    this.#mark = mark;
    this.#forgetPath();
  }

  get connected(): boolean {
    return this.remoteAddress !== 0;
  }

  /** Bytes in the receive queue, overhead included. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Port 0: any free one. EADDRNOTAVAIL: not an address of this host; EADDRINUSE; EINVAL: bound already. */
  bind(address: Ipv4Address, port: number): Errno | undefined {
    const { routes, udp: demux, sysctl } = this.#namespace;
    if (this.#closed) return "EBADF";
    if (this.localPort !== 0) return "EINVAL";
    const kind = routes.addressType(address);
    if (address !== 0 && kind === "unicast" && sysctl.number("net.ipv4.ip_nonlocal_bind") === 0) return "EADDRNOTAVAIL";
    const chosen = port === 0 ? this.#freePort(address) : port;
    if (chosen === 0) return "EADDRINUSE";
    const problem = demux.bind(this, address, chosen);
    if (problem !== undefined) return problem;
    this.localAddress = address;
    this.localPort = chosen;
    this.#source = kind === "local" ? address : ANY;
    return undefined;
  }

  /** Sets the peer, binds if need be, and finds the own address. EACCES: a broadcast without leave. */
  connect(address: Ipv4Address, port: number): Errno | undefined {
    if (this.#closed) return "EBADF";
    this.#forgetPath();
    const path = this.#route(address);
    if (typeof path === "string") return path;
    if (path.kind === "broadcast" && !this.broadcast) return "EACCES";
    const problem = this.#ensureBound();
    if (problem !== undefined) return problem;
    if (this.localAddress === 0) this.localAddress = path.source;
    if (this.#source === 0) this.#source = path.source;
    this.remoteAddress = path.destination;
    this.remotePort = port;
    return undefined;
  }

  /** Sends to `address`, or to the peer; the number of bytes, or why not. A pending error is reported once, in place of sending. */
  sendTo(bytes: Uint8Array, address?: Ipv4Address, port?: number): number | Errno {
    const { frames } = this.#namespace;
    if (this.#closed) return "EBADF";
    const pending = this.takeError();
    if (pending !== undefined) return pending;
    const to = address ?? this.remoteAddress;
    const toPort = port ?? this.remotePort;
    if (address === undefined && !this.connected) return "EDESTADDRREQ";
    if (toPort === 0) return "EINVAL";
    if (bytes.length > MAXIMUM_PAYLOAD_BYTES) return "EMSGSIZE";
    const path = this.#pathTo(to);
    if (typeof path === "string") return path;
    if (path.kind === "broadcast" && !this.broadcast) return "EACCES";
    const problem = this.#ensureBound();
    if (problem !== undefined) return problem;
    if (this.dontFragment === "do" && bytes.length + HEADERS > path.mtu()) return "EMSGSIZE";
    // The headers' room is part of the frame from the start: a long datagram needs a large slot.
    const frame = frames.make(HEADERS + bytes.length);
    frames.bytes.set(bytes, frames.start(frame) + HEADERS);
    this.#transmit(frame, path, to, toPort);
    return bytes.length;
  }

  /**
   * Sends a frame that holds only the payload to the peer of a connected socket, without allocating. Takes over the hold; false: it could not be
   * sent, and has been dropped.
   */
  sendFrame(frame: FrameId): boolean {
    const frames = this.#frames;
    if (this.#readyEpoch === frames.shortcutEpoch && frames.length(frame) <= this.#readyBytes) {
      frames.push(frame, HEADERS);
      this.#writeHeaders(frame, this.#source, this.remoteAddress, this.remotePort, this.#readyTtl, true);
      this.#readyLink!.output(frame);
      return true;
    }
    return this.#sendTheLongWay(frame);
  }

  #sendTheLongWay(frame: FrameId): boolean {
    const { frames, ipv4: ip } = this.#namespace;
    let path = this.#path;
    if (path === undefined || path.generation !== ip.generation || path.destination !== this.remoteAddress) {
      const found = this.connected && !this.#closed ? this.#pathTo(this.remoteAddress) : "ENOTCONN";
      if (typeof found === "string") {
        frames.drop(frame, "ipv4-no-route", this.#namespace);
        return false;
      }
      path = found;
    }
    frames.push(frame, HEADERS);
    this.#transmit(frame, path, this.remoteAddress, this.remotePort);
    this.#shorten(path);
    return true;
  }

  /** The next datagram to the peer goes straight to its neighbour, unless somebody on the way out has to be asked about every packet. */
  #shorten(path: Path): void {
    const { frames, ipv4: ip, sysctl } = this.#namespace;
    if (path.kind !== "unicast" || path.generation !== ip.generation || this.#source === 0) return;
    if (ip.hooks !== undefined || ip.transform !== undefined || ip.exceptions.size > 0) return;
    this.#readyLink = path.link;
    this.#readyBytes = path.mtu() - HEADERS;
    this.#readyTtl = sysctl.defaultTtl;
    this.#readyEpoch = frames.shortcutEpoch;
  }

  #forgetPath(): void {
    this.#path = undefined;
    this.#frames.forgetShortcuts();
  }

  /** The oldest datagram; a pending error first; undefined: nothing yet. */
  receive(): Datagram | Errno | undefined {
    const pending = this.takeError();
    if (pending !== undefined) return pending;
    const datagram = this.#queue[this.#queueHead];
    if (datagram === undefined) return undefined;
    this.#queueHead++;
    this.#queuedBytes -= truesize(datagram.bytes.length);
    if (this.#queueHead > 64 && this.#queueHead * 2 > this.#queue.length) {
      this.#queue.splice(0, this.#queueHead);
      this.#queueHead = 0;
    }
    return datagram;
  }

  /** SO_ERROR: the pending error, which is then forgotten. */
  takeError(): Errno | undefined {
    const error = this.#pendingError;
    this.#pendingError = undefined;
    return error;
  }

  /** The oldest entry of the error queue. */
  nextError(): SocketError | undefined {
    return this.#errors.shift();
  }

  /** IP_ADD_MEMBERSHIP. Without a device: the one that the group is routed to. */
  joinGroup(group: Ipv4Address, device?: NetDevice): Errno | undefined {
    const on = device ?? this.#groupDevice(group);
    if (on === undefined) return "ENODEV";
    if (this.#groups.some((other) => other.group === group && other.device === on)) return "EADDRINUSE";
    const problem = this.#namespace.igmp.join(on, group);
    if (problem === undefined) this.#groups.push({ group, device: on });
    return problem;
  }

  /** IP_DROP_MEMBERSHIP. */
  leaveGroup(group: Ipv4Address, device?: NetDevice): Errno | undefined {
    const index = this.#groups.findIndex(
      (other) => other.group === group && (device === undefined || other.device === device),
    );
    const membership = this.#groups[index];
    if (membership === undefined) return "EADDRNOTAVAIL";
    this.#groups.splice(index, 1);
    return this.#namespace.igmp.leave(membership.device, group);
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    if (this.localPort !== 0) this.#namespace.udp.unbind(this, this.localPort);
    for (const { group, device } of this.#groups.splice(0)) this.#namespace.igmp.leave(device, group);
    this.#queue.length = 0;
    this.readable.wake();
  }

  /** IP_MULTICAST_ALL is on, as by default: a socket hears whatever group its host is a member of. */
  hears(group: Ipv4Address, device: NetDevice): boolean {
    return this.#groups.length === 0 || this.#groups.some((own) => own.group === group && own.device === device);
  }

  datagram(frame: FrameId, at: number, device: NetDevice): void {
    const frames = this.#frames;
    const bytes = frames.bytes;
    const payload = at + udp.HEADER_BYTES;
    const end = at + udp.length(bytes, at);
    if (this.sink !== undefined) {
      this.sink.datagram(frame, payload, end);
      frames.deliver(frame);
      return;
    }
    this.#queueDatagram(frame, at, payload, end, device);
  }

  #queueDatagram(frame: FrameId, at: number, payload: number, end: number, device: NetDevice): void {
    const { frames, clock } = this.#namespace;
    const bytes = frames.bytes;
    const size = truesize(end - payload);
    if (this.#queuedBytes + size > this.receiveBufferBytes) {
      this.dropped++;
      frames.drop(frame, "socket-buffer-full", device);
      return;
    }
    const start = frames.start(frame);
    this.#queuedBytes += size;
    this.#queue.push({
      source: ipv4.source(bytes, start),
      sourcePort: udp.sourcePort(bytes, at),
      destination: ipv4.destination(bytes, start),
      bytes: bytes.slice(payload, end),
      timeToLive: ipv4.timeToLive(bytes, start),
      typeOfService: ipv4.typeOfService(bytes, start),
      receivedNs: clock.nowNs,
      device,
    });
    frames.deliver(frame);
    this.readable.wake();
  }

  /** __udp4_lib_err: hard errors break a connected socket's next call; soft ones are heard by error queues alone. */
  error(frame: FrameId, at: number, end: number, type: number, code: number, info: number): void {
    const meaning = errorMeaning(type, code, this.dontFragment);
    if (meaning === undefined) return;
    if (this.receiveErrors) this.#queueError(frame, at, end, type, code, info, meaning.errno);
    else if (!meaning.hard || !this.connected) return;
    this.#pendingError = meaning.errno;
    this.readable.wake();
  }

  #queueError(frame: FrameId, at: number, end: number, type: number, code: number, info: number, errno: Errno): void {
    const { frames, clock } = this.#namespace;
    const bytes = frames.bytes;
    if (this.#errors.length >= MAXIMUM_ERRORS) return;
    const header = at + ipv4.headerBytes(bytes, at);
    this.#errors.push({
      errno,
      offender: ipv4.source(bytes, frames.start(frame)),
      type,
      code,
      info,
      destination: ipv4.destination(bytes, at),
      destinationPort: udp.destinationPort(bytes, header),
      payload: bytes.slice(Math.min(header + udp.HEADER_BYTES, end), end),
      timeToLive: ipv4.timeToLive(bytes, frames.start(frame)),
      receivedNs: clock.nowNs,
    });
  }

  /** Writes both headers and sends. */
  #transmit(frame: FrameId, path: Path, to: Ipv4Address, toPort: number): void {
    const { frames, sysctl, ipv4: ip } = this.#namespace;
    const source = this.#source === 0 ? path.source : this.#source;
    const multicast = path.kind === "multicast";
    const ttl = multicast ? this.multicastTtl : sysctl.defaultTtl;
    this.#writeHeaders(frame, source, to, toPort, ttl, frames.length(frame) <= path.mtu(), multicast);
    if (multicast && !this.multicastLoop) frames.flags[frame] = FRAME_FLAG_NO_LOOP;
    ip.output(frame, path);
  }

  /** Writes UDP and IPv4 in front of the payload. `ttl` holds unless the socket has one of its own, for single hosts. */
  #writeHeaders(
    frame: FrameId,
    source: Ipv4Address,
    to: Ipv4Address,
    toPort: number,
    ttl: number,
    fits: boolean,
    multicast = false,
  ): void {
    const frames = this.#frames;
    const at = frames.start(frame);
    const length = frames.length(frame);
    const bytes = frames.bytes;
    udp.write(bytes, at + ipv4.HEADER_BYTES, this.localPort, toPort, length - ipv4.HEADER_BYTES);
    udp.finishChecksum(frames, at + ipv4.HEADER_BYTES, source, to);
    const dontFragment = this.dontFragment === "do" || (this.dontFragment === "want" && fits);
    const flags = dontFragment ? ipv4.DONT_FRAGMENT : 0;
    const id = this.#nextIdentification(source, to);
    const hops = multicast || this.ttl === undefined ? ttl : this.ttl;
    ipv4.write(bytes, at, length, id, flags, hops, ipv4.PROTOCOL_UDP, source, to, this.tos);
    frames.checksumKnown[frame] = 1;
    frames.mark[frame] = this.#mark;
  }

  /** ip_select_ident: a connected socket counts by itself; else DF set by force needs none. */
  #nextIdentification(source: Ipv4Address, to: Ipv4Address): number {
    if (this.remoteAddress !== 0) {
      this.#identification = (this.#identification + 1) & 0xffff;
      return this.#identification;
    }
    if (this.dontFragment === "do") return 0;
    return this.#namespace.ipv4.nextIdentification(source, to, ipv4.PROTOCOL_UDP);
  }

  #pathTo(to: Ipv4Address): Path | Errno {
    const kept = this.#path;
    if (kept !== undefined && kept.destination === to && kept.generation === this.#namespace.ipv4.generation)
      return kept;
    return this.#route(to);
  }

  #route(to: Ipv4Address): Path | Errno {
    const multicast = to >>> 28 === 0xe;
    const path = this.#namespace.ipv4.resolve({
      destination: to,
      source: this.#source,
      mark: this.#mark,
      typeOfService: this.tos,
      device: this.#device ?? (multicast ? this.multicastDevice : undefined),
    });
    this.#path = typeof path === "string" ? undefined : path;
    return path;
  }

  #ensureBound(): Errno | undefined {
    if (this.localPort !== 0) return undefined;
    const port = this.#freePort(this.localAddress);
    if (port === 0) return "EAGAIN";
    const problem = this.#namespace.udp.bind(this, this.localAddress, port);
    if (problem === undefined) this.localPort = port;
    return problem;
  }

  #freePort(address: Ipv4Address): number {
    const { udp: demux, sysctl, socketRandom } = this.#namespace;
    return demux.freePort(this, address, socketRandom.below(sysctl.localPortHigh - sysctl.localPortLow + 1));
  }

  #groupDevice(group: Ipv4Address): NetDevice | undefined {
    const path = this.#namespace.ipv4.resolve({ destination: group });
    return typeof path === "string" ? undefined : path.device;
  }
}

/** What a datagram costs of the receive buffer: its data in a slab of the next power of two, and the sk_buff. */
function truesize(payloadBytes: number): number {
  const data = payloadBytes + HEADERS + SKB_DATA_EXTRA_BYTES;
  let slab = 512;
  while (slab < data) slab *= 2;
  return slab + SKB_BYTES;
}

/** icmp_err_convert and the rest of __udp4_lib_err; undefined: not for sockets. */
export function errorMeaning(
  type: number,
  code: number,
  dontFragment: "do" | "want" | "dont",
): { errno: Errno; hard: boolean } | undefined {
  if (type === icmp.TYPE_TIME_EXCEEDED) return { errno: "EHOSTUNREACH", hard: false };
  if (type === icmp.TYPE_PARAMETER_PROBLEM) return { errno: "EPROTO", hard: true };
  if (type !== icmp.TYPE_UNREACHABLE) return undefined;
  if (code === icmp.CODE_FRAGMENTATION_NEEDED)
    return dontFragment === "dont" ? undefined : { errno: "EMSGSIZE", hard: true };
  return UNREACHABLE_MEANING[code] ?? { errno: "EHOSTUNREACH", hard: true };
}

const UNREACHABLE_MEANING: readonly ({ errno: Errno; hard: boolean } | undefined)[] = [
  { errno: "ENETUNREACH", hard: false },
  { errno: "EHOSTUNREACH", hard: false },
  { errno: "ENOPROTOOPT", hard: true },
  { errno: "ECONNREFUSED", hard: true },
  undefined,
  { errno: "EOPNOTSUPP", hard: false },
  { errno: "ENETUNREACH", hard: true },
  { errno: "EHOSTDOWN", hard: true },
  { errno: "EHOSTUNREACH", hard: true },
  { errno: "ENETUNREACH", hard: true },
  { errno: "EHOSTUNREACH", hard: true },
  { errno: "ENETUNREACH", hard: false },
  { errno: "EHOSTUNREACH", hard: false },
  { errno: "EHOSTUNREACH", hard: true },
  { errno: "EHOSTUNREACH", hard: true },
  { errno: "EHOSTUNREACH", hard: true },
];
