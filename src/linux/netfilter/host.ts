/** What the firewall asks of the namespace that it stands in, so that it knows no routing table, neighbour or socket. */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { FrameId, FrameStore, Place } from "../frame-store.ts";
import type { HookPoint } from "../hooks.ts";
import type { NetDevice } from "../net-device.ts";

/** What an address is to this host (RTN_… of rtnetlink(7)), as `-m addrtype` names it. */
export type AddressType =
  | "UNSPEC"
  | "UNICAST"
  | "LOCAL"
  | "BROADCAST"
  | "ANYCAST"
  | "MULTICAST"
  | "BLACKHOLE"
  | "UNREACHABLE"
  | "PROHIBIT"
  | "THROW"
  | "NAT"
  | "XRESOLVE";

export interface NetfilterHost extends Place {
  readonly clock: Clock;
  readonly frames: FrameStore;
  readonly random: Random;
  /** The first number of a sysctl that exists. */
  sysctl(key: string): number;
  /** With a device: as seen from that device alone. */
  addressType(address: Ipv4Address, device: NetDevice | undefined): AddressType;
  /** The address that packets leaving by `device` towards `destination` are given (inet_select_addr); undefined when it has none. */
  addressFor(device: NetDevice, destination: Ipv4Address): Ipv4Address | undefined;
  /** Routes a packet made here (it starts at its whole IPv4 header) and sends it through the output hooks. Takes over the hold. */
  send(frame: FrameId): void;
  /** Answers the packet with an ICMP error, by all the rules for such errors. The packet stays the caller's. */
  sendError(frame: FrameId, type: number, code: number, device: NetDevice | undefined): void;
  /** Puts fragments together: the whole, or `NO_FRAME` while parts are missing. Takes over the hold. */
  reassemble(frame: FrameId, user: HookPoint, ingress: NetDevice | undefined): FrameId;
}
