/**
 * UDP of a namespace, RFC 768: whom a datagram is for. Sockets are udp-socket.ts; tunnels (VXLAN) take whole packets by port. Rules are those of
 * net/ipv4/udp.c.
 */
import type { Ipv4Address } from "../wire/address.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as udp from "../wire/udp.ts";
import type { DropReason } from "./drop-reason.ts";
import { allowsEarlyDemux, type DatagramTaker, EarlyDemux } from "./early-demux.ts";
import type { Errno } from "./errno.ts";
import { FRAME_FLAG_GROUP } from "./frame-flags.ts";
import type { FrameId } from "./frame-store.ts";
import type { Ipv4 } from "./ipv4.ts";
import type { Ipv4Core, ProtocolHandler } from "./ipv4-core.ts";
import type { NetDevice } from "./net-device.ts";

/** A socket, as the demultiplexer sees it. Zero: any. */
export interface UdpEndpoint extends DatagramTaker {
  readonly localAddress: Ipv4Address;
  readonly localPort: number;
  readonly remoteAddress: Ipv4Address;
  readonly remotePort: number;
  readonly device: NetDevice | undefined;
  readonly reuseAddress: boolean;
  /** Does it hear this group, come in by `device`? */
  hears(group: Ipv4Address, device: NetDevice): boolean;
  /** An ICMP error about a datagram that it sent; `at` is the quoted IPv4 header. The frame stays the caller's. */
  error(frame: FrameId, at: number, end: number, type: number, code: number, info: number): void;
}

export class Udp implements ProtocolHandler {
  readonly #core: Ipv4Core;
  readonly #ipv4: Ipv4;
  #byPort: Map<number, UdpEndpoint[]> = NO_ENDPOINTS;
  #tunnels: Map<number, DatagramTaker> = NO_TUNNELS;
  // The port that was asked for last: trains of datagrams go to one.
  #lastPort = -1;
  #lastEndpoints: readonly UdpEndpoint[] = NONE;

  constructor(core: Ipv4Core, ip: Ipv4) {
    this.#core = core;
    this.#ipv4 = ip;
    ip.registerProtocol(ipv4.PROTOCOL_UDP, this);
  }

  /** `taker` gets the port's whole packets, their UDP checksum verified. EADDRINUSE: somebody has the port. */
  registerTunnel(port: number, taker: DatagramTaker): Errno | undefined {
    if (this.#tunnels.has(port) || this.#byPort.has(port)) return "EADDRINUSE";
    if (this.#tunnels === NO_TUNNELS) this.#tunnels = new Map();
    this.#tunnels.set(port, taker);
    this.#core.frames.forgetShortcuts();
    return undefined;
  }

  unregisterTunnel(port: number): void {
    this.#tunnels.delete(port);
    this.#core.frames.forgetShortcuts();
  }

  /** Ports that tunnels have, for lists of sockets. */
  get tunnelPorts(): number[] {
    return [...this.#tunnels.keys()].sort((a, b) => a - b);
  }

  /** All sockets, by port. */
  endpoints(): UdpEndpoint[] {
    return [...this.#byPort.keys()].sort((a, b) => a - b).flatMap((port) => this.#byPort.get(port) ?? []);
  }

  /** Takes a port for a socket; EADDRINUSE: another has it and they do not share. */
  bind(endpoint: UdpEndpoint, address: Ipv4Address, port: number): Errno | undefined {
    if (this.#conflicts(endpoint, address, port)) return "EADDRINUSE";
    if (this.#byPort === NO_ENDPOINTS) this.#byPort = new Map();
    const others = this.#byPort.get(port);
    // The newest is found first.
    if (others === undefined) this.#byPort.set(port, [endpoint]);
    else others.unshift(endpoint);
    this.#forgetLast();
    return undefined;
  }

  unbind(endpoint: UdpEndpoint, port: number): void {
    const left = this.#byPort.get(port)?.filter((other) => other !== endpoint) ?? [];
    if (left.length > 0) this.#byPort.set(port, left);
    else this.#byPort.delete(port);
    this.#forgetLast();
  }

  /** A free port of ip_local_port_range, from a random start upwards; 0: there is none. */
  freePort(endpoint: UdpEndpoint, address: Ipv4Address, draw: number): number {
    const { localPortLow: low, localPortHigh: high } = this.#core.sysctl;
    const span = high - low + 1;
    for (let step = 0; step < span; step++) {
      const port = low + ((draw + step) % span);
      if (!this.#conflicts(endpoint, address, port)) return port;
    }
    return 0;
  }

  receive(frame: FrameId, device: NetDevice): void {
    const { frames } = this.#core;
    const bytes = frames.bytes;
    const start = frames.start(frame);
    const at = start + ipv4.headerBytes(bytes, start);
    if (udp.check(bytes, at, frames.end(frame)) !== undefined) {
      this.#drop(frame, "udp-malformed", device);
      return;
    }
    const source = ipv4.source(bytes, start);
    const destination = ipv4.destination(bytes, start);
    if (frames.checksumKnown[frame] === 0 && !udp.checksumOk(frames, at, source, destination)) {
      this.#drop(frame, "udp-bad-checksum", device);
      return;
    }
    const port = udp.destinationPort(bytes, at);
    if (this.#tunnels.size > 0) {
      const tunnel = this.#tunnels.get(port);
      if (tunnel !== undefined) {
        this.#shorten(frame, device, tunnel, false);
        tunnel.datagram(frame, at, device);
        return;
      }
    }
    const endpoints = this.#atPort(port);
    const group = destination >>> 28 === 0xe || (frames.flags[frame]! & FRAME_FLAG_GROUP) !== 0;
    if (group && this.#isGroup(destination)) {
      this.#deliverToAll(frame, at, device, endpoints, source, destination);
      return;
    }
    const endpoint = bestMatch(endpoints, source, udp.sourcePort(bytes, at), destination, device);
    if (endpoint !== undefined) {
      // Sockets that share a port have to be weighed against each other for every datagram.
      if (endpoints.length === 1) this.#shorten(frame, device, endpoint, endpoint.remoteAddress !== 0);
      endpoint.datagram(frame, at, device);
      return;
    }
    this.#core.errors?.sendError(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_PORT_UNREACHABLE, 0, device);
    this.#drop(frame, "udp-no-socket", device);
  }

  error(frame: FrameId, at: number, end: number, type: number, code: number, info: number): void {
    const bytes = this.#core.frames.bytes;
    const header = at + ipv4.headerBytes(bytes, at);
    if (end - header < 4) return;
    const remote = ipv4.destination(bytes, at);
    if (type === icmp.TYPE_UNREACHABLE && code === icmp.CODE_FRAGMENTATION_NEEDED)
      this.#ipv4.updatePathMtu(remote, info);
    const local = ipv4.source(bytes, at);
    const endpoints = this.#atPort(udp.sourcePort(bytes, header));
    bestMatch(endpoints, remote, udp.destinationPort(bytes, header), local, undefined)?.error(
      frame,
      at,
      end,
      type,
      code,
      info,
    );
  }

  /** The next datagram like this one goes from the device straight to `taker`. */
  #shorten(frame: FrameId, device: NetDevice, taker: DatagramTaker, connected: boolean): void {
    const core = this.#core;
    if (!allowsEarlyDemux(core, device)) return;
    let shortcut = device.shortcut;
    if (!(shortcut instanceof EarlyDemux)) {
      shortcut = new EarlyDemux(core.frames, device);
      device.shortcut = shortcut;
    }
    (shortcut as EarlyDemux).remember(frame, core, taker, connected);
  }

  #forgetLast(): void {
    this.#lastPort = -1;
    this.#core.frames.forgetShortcuts();
  }

  #atPort(port: number): readonly UdpEndpoint[] {
    if (port !== this.#lastPort) {
      this.#lastEndpoints = this.#byPort.get(port) ?? NONE;
      this.#lastPort = port;
    }
    return this.#lastEndpoints;
  }

  /** Every socket that hears the group or broadcast gets it. */
  #deliverToAll(
    frame: FrameId,
    at: number,
    device: NetDevice,
    endpoints: readonly UdpEndpoint[],
    source: Ipv4Address,
    destination: Ipv4Address,
  ): void {
    const { frames } = this.#core;
    const port = udp.sourcePort(frames.bytes, at);
    const multicast = destination >>> 28 === 0xe;
    const takers = endpoints.filter(
      (endpoint) =>
        score(endpoint, source, port, destination, device) > 0 && (!multicast || endpoint.hears(destination, device)),
    );
    const offset = at - frames.start(frame);
    takers.forEach((taker, index) => {
      const copy = index === takers.length - 1 ? frame : frames.clone(frame);
      taker.datagram(copy, frames.start(copy) + offset, device);
    });
    if (takers.length === 0) this.#drop(frame, "udp-no-socket", device);
  }

  #isGroup(destination: Ipv4Address): boolean {
    const kind = this.#core.routing.addressType(destination);
    return kind === "multicast" || kind === "broadcast";
  }

  #conflicts(endpoint: UdpEndpoint, address: Ipv4Address, port: number): boolean {
    if (this.#tunnels.has(port)) return true;
    const others = this.#byPort.get(port);
    if (others === undefined) return false;
    return others.some(
      (other) =>
        other !== endpoint &&
        !(other.reuseAddress && endpoint.reuseAddress) &&
        (other.device === undefined || endpoint.device === undefined || other.device === endpoint.device) &&
        (address === 0 || other.localAddress === 0 || other.localAddress === address),
    );
  }

  #drop(frame: FrameId, reason: DropReason, device: NetDevice): void {
    this.#core.frames.drop(frame, reason, device);
  }
}

// Of hosts without sockets: shared by all, never written.
const NONE: readonly UdpEndpoint[] = [];
const NO_ENDPOINTS = new Map<number, UdpEndpoint[]>();
const NO_TUNNELS = new Map<number, DatagramTaker>();

/** The socket that says most about the datagram: bound address, connected peer, device count one each; among equals the newest. */
function bestMatch(
  endpoints: readonly UdpEndpoint[],
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  device: NetDevice | undefined,
): UdpEndpoint | undefined {
  let best: UdpEndpoint | undefined;
  let bestScore = 0;
  for (let index = 0; index < endpoints.length; index++) {
    const endpoint = endpoints[index]!;
    const reached = score(endpoint, source, sourcePort, destination, device);
    if (reached > bestScore) {
      best = endpoint;
      bestScore = reached;
    }
  }
  return best;
}

/** 0: it does not match. */
function score(
  endpoint: UdpEndpoint,
  source: Ipv4Address,
  sourcePort: number,
  destination: Ipv4Address,
  device: NetDevice | undefined,
): number {
  let points = 1;
  if (endpoint.localAddress !== 0) {
    if (endpoint.localAddress !== destination) return 0;
    points++;
  }
  if (endpoint.remoteAddress !== 0) {
    if (endpoint.remoteAddress !== source || endpoint.remotePort !== sourcePort) return 0;
    points += 2;
  }
  if (endpoint.device !== undefined) {
    if (device !== undefined && endpoint.device !== device) return 0;
    points++;
  }
  return points;
}
