/** Routes and rules as `ip route` and `ip rule` name them. */
import { formatIpv4, formatPrefix, type Ipv4Address, type Prefix } from "../wire/address.ts";
import type { Errno } from "./errno.ts";
import type { NetDevice } from "./net-device.ts";

export type RouteType = "unicast" | "local" | "broadcast" | "unreachable" | "prohibit" | "blackhole" | "throw";
/** How far the destination is: RT_SCOPE_HOST, LINK, UNIVERSE. */
export type RouteScope = "host" | "link" | "global";
export type RouteProtocol = "kernel" | "boot" | "static" | "redirect" | "dhcp";

export const TABLE_LOCAL = 255;
export const TABLE_MAIN = 254;
export const TABLE_DEFAULT = 253;

export interface Route {
  readonly table: number;
  readonly type: RouteType;
  readonly destination: Prefix;
  readonly scope: RouteScope;
  readonly protocol: RouteProtocol;
  /** The smaller wins. */
  readonly metric: number;
  readonly gateway: Ipv4Address | undefined;
  /** Undefined for unreachable, prohibit, blackhole and throw. */
  readonly device: NetDevice | undefined;
  /** Preferred source. */
  readonly source: Ipv4Address | undefined;
  readonly mtu: number | undefined;
  /** The gateway is taken to be on the link, whatever the tables say. */
  readonly onLink: boolean;
}

/** What `ip route add` gives; the rest is worked out. */
export interface RouteRequest {
  readonly destination: Prefix;
  readonly table?: number | undefined;
  readonly type?: RouteType | undefined;
  readonly scope?: RouteScope | undefined;
  readonly protocol?: RouteProtocol | undefined;
  readonly metric?: number | undefined;
  readonly gateway?: Ipv4Address | undefined;
  readonly device?: NetDevice | undefined;
  readonly source?: Ipv4Address | undefined;
  readonly mtu?: number | undefined;
  readonly onLink?: boolean | undefined;
}

/** Why a request was refused: the error number, and the kernel's own words where it has some ("Error: ..."). */
export interface RouteProblem {
  readonly errno: Errno;
  readonly message?: string;
}

export interface Rule {
  readonly priority: number;
  readonly table: number;
  /** Absent: any. */
  readonly from?: Prefix | undefined;
  readonly to?: Prefix | undefined;
  readonly mark?: number | undefined;
  readonly markMask?: number | undefined;
  readonly ingressName?: string | undefined;
  readonly egressName?: string | undefined;
  readonly action?: "lookup" | "unreachable" | "prohibit" | "blackhole" | undefined;
  readonly inverted?: boolean | undefined;
}

/** `10.0.0.0/24`, `10.0.0.1`, `default`. */
export function formatDestination(prefix: Prefix): string {
  if (prefix.length === 0 && prefix.address === 0) return "default";
  return prefix.length === 32 ? formatIpv4(prefix.address) : formatPrefix(prefix);
}
