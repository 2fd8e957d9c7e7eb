/**
 * The IPv4 packet in hand while a hook runs: its frame, and the header fields that rules ask for, read once. One object a
 * nesting level serves all packets.
 */
import type { Ipv4Address } from "../../wire/address.ts";
import { getU16 } from "../../wire/bytes.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { DropReason } from "../drop-reason.ts";
import type { FrameId, FrameStore } from "../frame-store.ts";
import { NO_FRAME } from "../frame-store.ts";
import type { HookPoint } from "../hooks.ts";
import type { NetDevice } from "../net-device.ts";
import type { ConnectionTable } from "./conntrack/connection-table.ts";
import type { NetfilterHost } from "./host.ts";
import type { IpsecView } from "./ipsec-view.ts";
import type { IpvsHooks } from "./ipvs-hooks.ts";
import type { KernelLog } from "./kernel-log.ts";
import type { Manipulation, NatRange } from "./nat-range.ts";
import type { Verdict } from "./verdict.ts";

/** What matches and targets reach through the packet: the parts of the firewall it is in. */
export interface PacketServices {
  readonly host: NetfilterHost;
  readonly connections: ConnectionTable;
  readonly log: KernelLog;
  readonly ipvs: IpvsHooks | undefined;
  readonly ipsec: IpsecView | undefined;
  /** Decides what the tuple of the packet's connection becomes. */
  bind(packet: Packet, manipulation: Manipulation, range: NatRange): Verdict;
}

export class Packet {
  readonly services: PacketServices;
  readonly host: NetfilterHost;
  readonly connections: ConnectionTable;
  readonly frames: FrameStore;
  point: HookPoint = "prerouting";
  frame: FrameId = NO_FRAME;
  ingress: NetDevice | undefined = undefined;
  egress: NetDevice | undefined = undefined;
  /** Bridge ports, when br_netfilter shows a bridged packet; `ingress` and `egress` are the bridge then. */
  physicalIngress: NetDevice | undefined = undefined;
  physicalEgress: NetDevice | undefined = undefined;

  bytes: Uint8Array;
  /** Offset of the IPv4 header, of the payload, and behind the last byte of the packet (not of the padding). */
  at = 0;
  transportAt = 0;
  end = 0;
  protocol = 0;
  source = 0 as Ipv4Address;
  destination = 0 as Ipv4Address;
  fragmentOffsetBytes = 0;
  /** Why the packet ends, when it does. */
  dropReason: DropReason = "netfilter-drop";

  constructor(services: PacketServices) {
    this.services = services;
    this.host = services.host;
    this.connections = services.connections;
    this.frames = services.host.frames;
    this.bytes = this.frames.bytes;
  }

  /** Takes a frame that starts at a whole IPv4 header. */
  load(point: HookPoint, frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): void {
    this.point = point;
    this.ingress = ingress;
    this.egress = egress;
    this.physicalIngress = undefined;
    this.physicalEgress = undefined;
    this.replace(frame);
  }

  /** Goes on with another frame: a copy, or a packet put together from fragments. */
  replace(frame: FrameId): void {
    const at = this.frames.start(frame);
    const bytes = this.frames.bytes;
    this.frame = frame;
    this.bytes = bytes;
    this.at = at;
    this.transportAt = at + ipv4.headerBytes(bytes, at);
    const end = at + ipv4.totalLength(bytes, at);
    const limit = this.frames.end(frame);
    this.end = end < limit ? end : limit;
    this.protocol = ipv4.protocol(bytes, at);
    this.source = ipv4.source(bytes, at);
    this.destination = ipv4.destination(bytes, at);
    this.fragmentOffsetBytes = ipv4.fragmentOffsetBytes(bytes, at);
  }

  /** Makes the bytes and what is known of the packet the caller's own, before the first change. */
  own(): void {
    if (this.frames.holders(this.frame) !== 1) this.replace(this.frames.writable(this.frame));
  }

  get mark(): number {
    return this.frames.mark[this.frame]! >>> 0;
  }

  setMark(mark: number): void {
    this.own();
    this.frames.mark[this.frame] = mark | 0;
  }

  /** The connection's number and the packet's part in it, packed: see conntrack/connection-info.ts. */
  get connection(): number {
    return this.frames.connection[this.frame]!;
  }

  get lengthBytes(): number {
    return this.end - this.at;
  }

  /** Does the transport header's first `count` bytes lie in this packet? Not in later fragments. */
  hasTransport(count: number): boolean {
    return this.fragmentOffsetBytes === 0 && this.end - this.transportAt >= count;
  }

  /** Of TCP, UDP, SCTP, DCCP, UDP-Lite; `hasTransport(4)` holds. */
  get sourcePort(): number {
    return getU16(this.bytes, this.transportAt);
  }

  get destinationPort(): number {
    return getU16(this.bytes, this.transportAt + 2);
  }
}
