/**
 * A way to a destination, as routing decided it: what Linux calls a dst entry. Sockets and tunnels keep the one they got and
 * ask again only when `generation` is no longer the routing tables' (a route, rule, address or link has changed).
 */
import type { Ipv4Address } from "../wire/address.ts";
import type { FrameId } from "./frame-store.ts";
import type { NetDevice } from "./net-device.ts";

/** Puts an Ethernet header in front of an IPv4 packet and sends it, now or when ARP has answered. Takes over the hold. */
export interface LinkOutput {
  output(frame: FrameId): void;
  /** Upper layers know that the neighbour lives (MSG_CONFIRM, TCP progress): RFC 4861 §7.3.1 as Linux applies it to ARP. */
  confirm(): void;
}

export type PathKind = "unicast" | "local" | "broadcast" | "multicast";

export interface Path {
  readonly kind: PathKind;
  readonly device: NetDevice;
  readonly destination: Ipv4Address;
  /** The gateway, or the destination itself. */
  readonly nextHop: Ipv4Address;
  /** The source address that a packet without one gets. */
  readonly source: Ipv4Address;
  /** The routing tables' generation when this was decided. */
  readonly generation: number;
  readonly link: LinkOutput;
  /** The longest IPv4 packet for this way: the device's MTU, the route's, or what path MTU discovery has learnt (RFC 1191). */
  mtu(): number;
}

/** Why there is no way, as the system call says it. */
export type NoPath = "ENETUNREACH" | "EHOSTUNREACH" | "EACCES" | "EINVAL";

/** What routing decides on. Zero means "not given". */
export interface FlowKey {
  readonly destination: Ipv4Address;
  readonly source?: Ipv4Address;
  readonly typeOfService?: number;
  readonly mark?: number;
  /** Bound to a device (SO_BINDTODEVICE, `dev` of a tunnel). */
  readonly device?: NetDevice | undefined;
}
