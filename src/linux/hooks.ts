/**
 * Where other parts of the kernel may look at a packet, change it, or end it: netfilter's five points of IPv4, in Linux's order of
 * priorities (raw, conntrack, mangle, nat, filter, IPVS), and xfrm. What IPv4 needs from the floors of the firewall is declared here, so
 * that the IPv4 code knows no table.
 */
import type { FrameId } from "./frame-store.ts";
import type { NetDevice } from "./net-device.ts";

export type HookPoint = "prerouting" | "input" | "forward" | "output" | "postrouting";

/**
 * A frame starts at its IPv4 header when a hook is called. The answer is the frame to go on with (a copy, if a shared one
 * had to be changed), or `NO_FRAME`: it was dropped, or taken to be sent on another way; its hold is then no longer the caller's.
 */
export interface PacketHooks {
  run(point: HookPoint, frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): FrameId;
}
