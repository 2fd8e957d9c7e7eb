/**
 * ICMP of a host, RFC 792 and RFC 1122 §3.2.2, as Linux does it (net/ipv4/icmp.c): echo and timestamp replies, errors sent and limited, errors
 * received and handed to the protocol that they are about, redirects.
 */
import type { Ipv4Address } from "../wire/address.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { DropReason } from "./drop-reason.ts";
import { FRAME_FLAG_GROUP } from "./frame-flags.ts";
import type { FrameId } from "./frame-store.ts";
import { msToJiffies } from "./inet-device.ts";
import type { Ipv4 } from "./ipv4.ts";
import type { IcmpErrors, Ipv4Core, ProtocolHandler } from "./ipv4-core.ts";
import { stampOptions } from "./ipv4-options.ts";
import type { NetDevice } from "./net-device.ts";
import type { Path } from "./path.ts";
import { GlobalLimit, Peers } from "./peers.ts";

/** RFC 1812 §4.3.2.3: an error is at most this long, headers included. */
const LONGEST_ERROR_BYTES = 576;
const TOS_MASK = 0x1e;
const TOS_INTERNETWORK_CONTROL = 0xc0;
const LAST_KNOWN_TYPE = 18;

/** A ping socket: echo replies with its identifier, and errors about its requests. */
export interface EchoListener {
  /** The frame starts at the IPv4 header and stays the caller's; the ICMP message stands at `at`. */
  reply(frame: FrameId, at: number): void;
  error(frame: FrameId, at: number, end: number, type: number, code: number, info: number): void;
}

export class Icmp implements ProtocolHandler, IcmpErrors {
  readonly #core: Ipv4Core;
  readonly #ipv4: Ipv4;
  #ofPeers: Peers | undefined = undefined;
  #ofHost: GlobalLimit | undefined = undefined;
  /** Ping sockets by identifier. */
  #listeners: Map<number, EchoListener> | undefined = undefined;

  constructor(core: Ipv4Core, ip: Ipv4) {
    this.#core = core;
    this.#ipv4 = ip;
    core.errors = this;
    ip.registerProtocol(ipv4.PROTOCOL_ICMP, this);
  }

  /** False when the identifier is taken. */
  listen(identifier: number, listener: EchoListener): boolean {
    this.#listeners ??= new Map();
    if (this.#listeners.has(identifier)) return false;
    this.#listeners.set(identifier, listener);
    return true;
  }

  unlisten(identifier: number): void {
    this.#listeners?.delete(identifier);
  }

  get #peers(): Peers {
    this.#ofPeers ??= new Peers(this.#core.clock);
    return this.#ofPeers;
  }

  get #global(): GlobalLimit {
    this.#ofHost ??= new GlobalLimit(this.#core.clock);
    return this.#ofHost;
  }

  receive(frame: FrameId, device: NetDevice): void {
    const { frames, sysctl } = this.#core;
    const bytes = frames.bytes;
    const start = frames.start(frame);
    const at = start + ipv4.headerBytes(bytes, start);
    const end = frames.end(frame);
    if (icmp.check(bytes, at, end) !== undefined) {
      this.#drop(frame, "icmp-malformed", device);
      return;
    }
    if (frames.checksumKnown[frame] === 0 && !icmp.checksumOk(frames, at, end)) {
      this.#drop(frame, "icmp-bad-checksum", device);
      return;
    }
    const type = icmp.type(bytes, at);
    const group = this.#isGroup(ipv4.destination(bytes, start));
    switch (type) {
      case icmp.TYPE_ECHO_REQUEST:
        if (sysctl.echoIgnoreAll || (group && sysctl.echoIgnoreBroadcasts)) {
          this.#drop(frame, "icmp-unhandled", device);
          return;
        }
        this.#reply(frame, at, icmp.TYPE_ECHO_REPLY, device);
        frames.consume(frame);
        return;
      case icmp.TYPE_TIMESTAMP_REQUEST:
        if (group && sysctl.echoIgnoreBroadcasts) {
          this.#drop(frame, "icmp-unhandled", device);
          return;
        }
        this.#reply(frame, at, icmp.TYPE_TIMESTAMP_REPLY, device);
        frames.consume(frame);
        return;
      case icmp.TYPE_ECHO_REPLY: {
        const listener = this.#listeners?.get(icmp.identifier(bytes, at));
        if (listener === undefined) {
          if (this.#core.rawListeners?.has(ipv4.PROTOCOL_ICMP) === true) frames.deliver(frame);
          else this.#drop(frame, "icmp-unhandled", device);
          return;
        }
        listener.reply(frame, at);
        frames.deliver(frame);
        return;
      }
      case icmp.TYPE_UNREACHABLE:
      case icmp.TYPE_TIME_EXCEEDED:
      case icmp.TYPE_PARAMETER_PROBLEM:
      case icmp.TYPE_SOURCE_QUENCH:
        if (this.#handError(frame, at, end, type)) frames.consume(frame);
        else this.#drop(frame, "icmp-malformed", device);
        return;
      case icmp.TYPE_REDIRECT:
        if (this.#acceptRedirect(frame, at, end, device)) frames.consume(frame);
        else this.#drop(frame, "icmp-unhandled", device);
        return;
      default:
        this.#drop(frame, "icmp-unhandled", device);
    }
  }

  /** An error about an ICMP message of ours: an echo request that a ping socket sent. */
  error(frame: FrameId, at: number, end: number, type: number, code: number, info: number): void {
    const bytes = this.#core.frames.bytes;
    if (type === icmp.TYPE_UNREACHABLE && code === icmp.CODE_FRAGMENTATION_NEEDED)
      this.#ipv4.updatePathMtu(ipv4.destination(bytes, at), info);
    const message = at + ipv4.headerBytes(bytes, at);
    if (end - message < icmp.HEADER_BYTES || icmp.type(bytes, message) !== icmp.TYPE_ECHO_REQUEST) return;
    this.#listeners?.get(icmp.identifier(bytes, message))?.error(frame, at, end, type, code, info);
  }

  sendError(frame: FrameId, type: number, code: number, info: number, device: NetDevice): void {
    const { frames, sysctl, routing, resolver } = this.#core;
    const bytes = frames.bytes;
    const at = frames.start(frame);
    if ((frames.flags[frame]! & FRAME_FLAG_GROUP) !== 0 || ipv4.fragmentOffsetBytes(bytes, at) !== 0) return;
    const to = ipv4.source(bytes, at);
    const about = ipv4.destination(bytes, at);
    const kind = routing.addressType(about);
    if (kind === "broadcast" || kind === "multicast" || routing.addressType(to) === "broadcast") return;
    const quoted = at + ipv4.headerBytes(bytes, at);
    if (ipv4.protocol(bytes, at) === ipv4.PROTOCOL_ICMP && frames.end(frame) > quoted) {
      const quotedType = icmp.type(bytes, quoted);
      if (quotedType > LAST_KNOWN_TYPE || icmp.isError(quotedType)) return;
    }
    const limited = this.#isLimited(type, code);
    const { icmpMessagesPerSecond: perSecond, icmpMessagesBurst: burst } = sysctl;
    if (limited && device.kind !== "loopback" && !this.#global.allows(perSecond, burst)) return;
    const source = kind === "local" ? about : this.#inboundAddress(device);
    const path = resolver.resolve(source === undefined ? { destination: to } : { destination: to, source });
    if (typeof path === "string" || path.kind === "broadcast" || path.kind === "multicast") return;
    if (limited && path.device.kind !== "loopback") {
      if (!this.#peers.allowsError(to, msToJiffies(sysctl.icmpRateLimitMs))) return;
      this.#global.take();
    }
    const headers = ipv4.HEADER_BYTES + icmp.HEADER_BYTES;
    const room = Math.min(path.mtu(), LONGEST_ERROR_BYTES) - headers;
    const quote = Math.min(frames.length(frame), room);
    const error = frames.make(headers + quote);
    frames.causedBy(error, frame);
    const start = frames.start(error);
    frames.bytes.copyWithin(start + headers, at, at + quote);
    icmp.write(frames.bytes, start + ipv4.HEADER_BYTES, type, code, info);
    const tos = (ipv4.typeOfService(frames.bytes, at) & TOS_MASK) | TOS_INTERNETWORK_CONTROL;
    this.#send(error, 0, source ?? path.source, to, tos, path);
  }

  sendNoRoute(frame: FrameId, error: string, device: NetDevice): void {
    const code = CODE_OF_ERROR.get(error);
    if (code === undefined) return;
    const { frames } = this.#core;
    if (!this.#peers.allowsRouteError(ipv4.source(frames.bytes, frames.start(frame)))) return;
    this.sendError(frame, icmp.TYPE_UNREACHABLE, code, 0, device);
  }

  sendRedirect(frame: FrameId, gateway: Ipv4Address, device: NetDevice): void {
    const { frames } = this.#core;
    const to = ipv4.source(frames.bytes, frames.start(frame));
    if (!this.#peers.allowsRedirect(to)) return;
    this.sendError(frame, icmp.TYPE_REDIRECT, icmp.CODE_REDIRECT_HOST, gateway, device);
    this.#peers.countRedirect(to);
  }

  /** The answer to an echo or timestamp request: the same data, back to where it came from. */
  #reply(request: FrameId, at: number, type: number, device: NetDevice): void {
    const { frames, resolver } = this.#core;
    const start = frames.start(request);
    const to = ipv4.source(frames.bytes, start);
    const about = ipv4.destination(frames.bytes, start);
    const tos = ipv4.typeOfService(frames.bytes, start);
    const from = this.#core.specificDestination(request, device);
    const path = resolver.resolve({ destination: to, source: from });
    if (typeof path === "string") return;
    const optionBytes = this.#core.isLocal(about) ? ipv4.headerBytes(frames.bytes, start) - ipv4.HEADER_BYTES : 0;
    const dataBytes = type === icmp.TYPE_TIMESTAMP_REPLY ? icmp.TIMESTAMP_BYTES : frames.end(request) - at;
    const reply = frames.make(ipv4.HEADER_BYTES + optionBytes + dataBytes);
    frames.causedBy(reply, request);
    const bytes = frames.bytes;
    const header = frames.start(reply);
    const message = header + ipv4.HEADER_BYTES + optionBytes;
    bytes.copyWithin(header + ipv4.HEADER_BYTES, start + ipv4.HEADER_BYTES, start + ipv4.HEADER_BYTES + optionBytes);
    bytes.copyWithin(message, at, at + dataBytes);
    bytes[message] = type;
    bytes[message + 1] = 0;
    if (type === icmp.TYPE_TIMESTAMP_REPLY) this.#stamp(message);
    this.#send(reply, optionBytes, from === 0 ? path.source : from, to, tos, path);
  }

  /** Milliseconds since midnight as receive and transmit time. */
  #stamp(message: number): void {
    const { frames } = this.#core;
    const now = this.#core.timeOfDayMs();
    for (const offset of [12, 16])
      for (let index = 0; index < 4; index++) frames.bytes[message + offset + index] = now >>> (24 - 8 * index);
  }

  /** Writes the IPv4 header of a whole ICMP message, around options that stand already, and the checksums, and sends it. */
  #send(
    frame: FrameId,
    optionBytes: number,
    source: Ipv4Address,
    destination: Ipv4Address,
    tos: number,
    path: Path,
  ): void {
    const { frames, sysctl } = this.#core;
    const at = frames.start(frame);
    const length = frames.length(frame);
    const id = this.#core.nextIdentification(source, destination, ipv4.PROTOCOL_ICMP);
    const ttl = sysctl.defaultTtl;
    ipv4.write(frames.bytes, at, length, id, 0, ttl, ipv4.PROTOCOL_ICMP, source, destination, tos);
    if (optionBytes > 0) {
      frames.bytes[at] = 0x45 + optionBytes / 4;
      stampOptions(frames.bytes, at, source, this.#core, this.#core.timeOfDayMs());
    }
    icmp.finishChecksum(frames, at + ipv4.HEADER_BYTES + optionBytes, at + length);
    frames.checksumKnown[frame] = 1;
    this.#ipv4.output(frame, path);
  }

  /** icmp_unreach and icmp_socket_deliver: false when the quote is no packet. */
  #handError(frame: FrameId, at: number, end: number, type: number): boolean {
    const bytes = this.#core.frames.bytes;
    const quoted = at + icmp.HEADER_BYTES;
    if (ipv4.checkHeader(bytes, quoted, end) !== undefined) return false;
    const code = icmp.code(bytes, at);
    let info = 0;
    if (type === icmp.TYPE_UNREACHABLE && code === icmp.CODE_FRAGMENTATION_NEEDED) info = icmp.mtu(bytes, at);
    else if (type === icmp.TYPE_PARAMETER_PROBLEM) info = bytes[at + 4]!;
    this.#core.handler(ipv4.protocol(bytes, quoted))?.error?.(frame, quoted, end, type, code, info);
    return true;
  }

  /** __ip_do_redirect: believed only from the gateway that is in use, and only for a new one that is known to be there. */
  #acceptRedirect(frame: FrameId, at: number, end: number, device: NetDevice): boolean {
    const { frames, devices, resolver, routing, neighbours, exceptions, sysctl } = this.#core;
    const bytes = frames.bytes;
    const quoted = at + icmp.HEADER_BYTES;
    if (ipv4.checkHeader(bytes, quoted, end) !== undefined || icmp.code(bytes, at) > 3) return false;
    const gateway = icmp.gateway(bytes, at);
    const destination = ipv4.destination(bytes, quoted);
    // Whoever pings is told, whether the redirect is believed or not.
    if (ipv4.protocol(bytes, quoted) === ipv4.PROTOCOL_ICMP)
      this.error(frame, quoted, end, icmp.TYPE_REDIRECT, icmp.code(bytes, at), gateway);
    const from = ipv4.source(bytes, frames.start(frame));
    const path = resolver.towards(destination);
    if (typeof path === "string" || path.kind !== "unicast" || path.device !== device) return false;
    if (!path.viaGateway || path.nextHop !== from || gateway === from) return false;
    if (!devices.of(device).settings.acceptRedirects || routing.addressType(gateway) !== "unicast") return false;
    const neighbour = neighbours.obtain(device, gateway);
    if (!neighbour.valid) {
      neighbour.resolve();
      return true;
    }
    exceptions.learnGateway(destination, gateway, sysctl.number("net.ipv4.route.gc_timeout"));
    return true;
  }

  /** Is the message one that icmp_ratemask limits? Path MTU discovery is never held back. */
  #isLimited(type: number, code: number): boolean {
    if (type > LAST_KNOWN_TYPE || (type === icmp.TYPE_UNREACHABLE && code === icmp.CODE_FRAGMENTATION_NEEDED))
      return false;
    return ((this.#core.sysctl.icmpRateMask >>> type) & 1) === 1;
  }

  #inboundAddress(device: NetDevice): Ipv4Address | undefined {
    if (this.#core.sysctl.number("net.ipv4.icmp_errors_use_inbound_ifaddr") === 0) return undefined;
    return this.#core.routing.selectAddress(device, 0 as Ipv4Address, "link");
  }

  #isGroup(address: Ipv4Address): boolean {
    if (this.#core.routing.hasAddress(address)) return false;
    const kind = this.#core.routing.addressType(address);
    return kind === "broadcast" || kind === "multicast";
  }

  #drop(frame: FrameId, reason: DropReason, device: NetDevice): void {
    this.#core.frames.drop(frame, reason, device);
  }
}

/** Blackholes are silent. */
const CODE_OF_ERROR: ReadonlyMap<string, number> = new Map([
  ["ENETUNREACH", icmp.CODE_NETWORK_UNREACHABLE],
  ["EHOSTUNREACH", icmp.CODE_HOST_UNREACHABLE],
  ["EACCES", icmp.CODE_PROHIBITED],
]);
