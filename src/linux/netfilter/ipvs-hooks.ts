/**
 * Where the IP load balancer stands among the hooks (net/netfilter/ipvs/ip_vs_core.c): LOCAL_IN behind nat's 100 - 2 and - 1, FORWARD at
 * 99 and 100, LOCAL_OUT at -99 and -98. Declared here so that the firewall knows no virtual service.
 */
import type { FrameId } from "../frame-store.ts";
import type { NetDevice } from "../net-device.ts";

/** What `-m ipvs` may ask about a packet that the load balancer handled. */
export interface IpvsConnectionView {
  readonly protocol: number;
  readonly virtualAddress: number;
  readonly virtualPort: number;
  readonly method: "GATE" | "IPIP" | "MASQ";
  readonly direction: "ORIGINAL" | "REPLY";
}

/** Each answers like `PacketHooks.run`: the frame to go on with, or `NO_FRAME`. */
export interface IpvsHooks {
  /** Packets for this host: replies of servers (98), then requests to be given to a server (99). */
  input(frame: FrameId, ingress: NetDevice | undefined): FrameId;
  /** Packets on their way through: ICMP errors (99), replies of servers (100). */
  forward(frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): FrameId;
  /** Packets made here: replies (-99), requests (-98). */
  output(frame: FrameId, egress: NetDevice | undefined): FrameId;
  /** undefined when it knows nothing of the packet. */
  connectionOf(frame: FrameId): IpvsConnectionView | undefined;
}
