/** What the halves of IPv4, input and output, share: the namespace's parts, and those that other rooms of the kernel plug in. */
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import { MILLISECOND } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { FrameId, FrameStore, Place } from "./frame-store.ts";
import type { PacketHooks } from "./hooks.ts";
import type { InetDevices } from "./inet-device.ts";
import type { NeighbourTable } from "./neighbour-table.ts";
import type { NetDevice } from "./net-device.ts";
import type { Path } from "./path.ts";
import { PathExceptions } from "./path-exceptions.ts";
import { Resolver } from "./resolver.ts";
import type { Routing } from "./routing.ts";
import type { Sysctl } from "./sysctl.ts";

/** A protocol above IPv4, by its number. */
export interface ProtocolHandler {
  /** A packet for this host. The frame starts at the IPv4 header and ends with the packet. Takes over the hold. */
  receive(frame: FrameId, device: NetDevice): void;
  /**
   * An ICMP error about a packet of this protocol that this host sent: the quoted IPv4 header stands at `at` in `frames.bytes`, the quote ends at
   * `end`. `info` is the next hop's MTU for "fragmentation needed". The frame, the ICMP message, stays the caller's.
   */
  error?(frame: FrameId, at: number, end: number, type: number, code: number, info: number): void;
}

/** A raw socket: sees every packet of its protocol for this host, and changes none. */
export interface RawListener {
  /** The frame starts at the IPv4 header; it stays the caller's. */
  packet(frame: FrameId, device: NetDevice): void;
}

/** IPsec, as IPv4 sees it. */
export interface OutputTransform {
  /**
   * A packet that is routed and has passed postrouting, before it is fragmented. The answer is the frame to go on with, or `NO_FRAME`: it was
   * dropped, or wrapped and sent by `Ipv4.output` as a packet of its own.
   */
  output(frame: FrameId, path: Path): FrameId;
  /** May this packet be taken in by its protocol, or (`forward`) go on its way? When not, it has dropped it. */
  admits(frame: FrameId, device: NetDevice, forward: boolean): boolean;
}

/** Sends ICMP errors; they fail silently, as Linux's icmp_send. */
export interface IcmpErrors {
  /** About `frame`, which starts at its IPv4 header and stays the caller's. `info` is the message's second word. */
  sendError(frame: FrameId, type: number, code: number, info: number, device: NetDevice): void;
  /** ip_error: no way for a packet that came in; `error` as routing says. */
  sendNoRoute(frame: FrameId, error: string, device: NetDevice): void;
  /** A redirect to `gateway`, as often as Linux sends them. */
  sendRedirect(frame: FrameId, gateway: Ipv4Address, device: NetDevice): void;
}

/** Group memberships of this host. */
export interface Groups {
  isMember(device: NetDevice, group: Ipv4Address): boolean;
}

/** What the protocols of a namespace stand on. */
export interface Ipv4Parts {
  readonly place: Place;
  readonly clock: Clock;
  readonly frames: FrameStore;
  readonly sysctl: Sysctl;
  readonly devices: InetDevices;
  readonly routing: Routing;
  readonly neighbours: NeighbourTable;
  readonly random: Random;
  readonly packetListeners: readonly object[];
  readonly host: { readonly loopback: NetDevice };
}

export class Ipv4Core {
  readonly place: Place;
  readonly clock: Clock;
  readonly frames: FrameStore;
  readonly sysctl: Sysctl;
  readonly devices: InetDevices;
  readonly routing: Routing;
  readonly neighbours: NeighbourTable;
  readonly resolver: Resolver;
  readonly exceptions: PathExceptions;
  readonly random: Random;
  /** The namespace's packet sockets: while there is one, every frame goes the long way past it. */
  readonly packetListeners: readonly object[];
  #hooks: PacketHooks | undefined = undefined;
  #transform: OutputTransform | undefined = undefined;
  errors: IcmpErrors | undefined = undefined;
  groups: Groups | undefined = undefined;
  // The protocols that every host has, and those of a few.
  #icmp: ProtocolHandler | undefined = undefined;
  #igmp: ProtocolHandler | undefined = undefined;
  #tcp: ProtocolHandler | undefined = undefined;
  #udp: ProtocolHandler | undefined = undefined;
  #otherProtocols: Map<number, ProtocolHandler> | undefined = undefined;
  /** Undefined: there has never been one. */
  rawListeners: Map<number, RawListener[]> | undefined = undefined;
  #identifications: Uint16Array | undefined = undefined;
  #identificationKey = 0;

  constructor(parts: Ipv4Parts) {
    this.place = parts.place;
    this.clock = parts.clock;
    this.frames = parts.frames;
    this.sysctl = parts.sysctl;
    this.devices = parts.devices;
    this.routing = parts.routing;
    this.neighbours = parts.neighbours;
    this.exceptions = new PathExceptions(parts.clock, parts.routing);
    this.resolver = new Resolver(parts.routing, parts.neighbours, this.exceptions, parts.host);
    this.random = parts.random;
    this.packetListeners = parts.packetListeners;
  }

  get hooks(): PacketHooks | undefined {
    return this.#hooks;
  }
  set hooks(hooks: PacketHooks | undefined) {
    this.#hooks = hooks;
    this.frames.forgetShortcuts();
  }

  get transform(): OutputTransform | undefined {
    return this.#transform;
  }
  set transform(transform: OutputTransform | undefined) {
    this.#transform = transform;
    this.frames.forgetShortcuts();
  }

  /** Who takes packets of this protocol for the host. */
  handler(protocol: number): ProtocolHandler | undefined {
    switch (protocol) {
      case ipv4.PROTOCOL_UDP:
        return this.#udp;
      case ipv4.PROTOCOL_TCP:
        return this.#tcp;
      case ipv4.PROTOCOL_ICMP:
        return this.#icmp;
      case ipv4.PROTOCOL_IGMP:
        return this.#igmp;
      default:
        return this.#otherProtocols?.get(protocol);
    }
  }

  setHandler(protocol: number, handler: ProtocolHandler): void {
    switch (protocol) {
      case ipv4.PROTOCOL_UDP:
        this.#udp = handler;
        break;
      case ipv4.PROTOCOL_TCP:
        this.#tcp = handler;
        break;
      case ipv4.PROTOCOL_ICMP:
        this.#icmp = handler;
        break;
      case ipv4.PROTOCOL_IGMP:
        this.#igmp = handler;
        break;
      default:
        this.#otherProtocols ??= new Map();
        this.#otherProtocols.set(protocol, handler);
    }
  }

  /** Is it an address of this host? */
  isLocal(address: Ipv4Address): boolean {
    return this.routing.addressType(address) === "local";
  }

  /** fib_compute_spec_dst: the address that a packet was meant for, or the device's own when that is a group. */
  specificDestination(frame: FrameId, device: NetDevice): Ipv4Address {
    const at = this.frames.start(frame);
    const destination = ipv4.destination(this.frames.bytes, at);
    if (this.isLocal(destination)) return destination;
    const source = ipv4.source(this.frames.bytes, at);
    return this.routing.selectAddress(device, source, "link") ?? NO_ADDRESS;
  }

  /** Milliseconds since midnight, as timestamps of ICMP and of IPv4 options count. */
  timeOfDayMs(): number {
    return Math.floor(this.clock.nowNs / MILLISECOND) % DAY_MS;
  }

  /** The identification of a packet that no connected socket sends: counters shared by hash of addresses and protocol (RFC 7739, Linux's ip_idents). */
  nextIdentification(source: Ipv4Address, destination: Ipv4Address, protocol: number): number {
    const counters = this.#identifications ?? this.#drawIdentifications();
    const mixed = Math.imul(source ^ Math.imul(destination, 0x9e37_79b1) ^ protocol, this.#identificationKey);
    const index = (mixed ^ (mixed >>> 15)) & (IDENTIFICATION_COUNTERS - 1);
    const identification = (counters[index]! + 1) & 0xffff;
    counters[index] = identification;
    return identification === 0 ? this.nextIdentification(source, destination, protocol) : identification;
  }

  #drawIdentifications(): Uint16Array {
    const random = this.random.fork("IPv4 identification");
    const counters = new Uint16Array(IDENTIFICATION_COUNTERS);
    this.#identificationKey = random.u32() | 1;
    for (let index = 0; index < IDENTIFICATION_COUNTERS; index++) counters[index] = random.u32();
    this.#identifications = counters;
    return counters;
  }
}

const IDENTIFICATION_COUNTERS = 64;
const NO_ADDRESS = 0 as Ipv4Address;
const DAY_MS = 86_400_000;
