/**
 * Where the firewall may look at a frame that crosses a bridge: br_netfilter, which shows bridged IPv4 packets to the iptables rules
 * when `net.bridge.bridge-nf-call-iptables` is 1. What a bridge needs from netfilter is declared here, so that it knows no table.
 */
import type { FrameId } from "./frame-store.ts";
import type { HookPoint } from "./hooks.ts";
import type { NetDevice } from "./net-device.ts";

/**
 * As `PacketHooks`, but the frame starts at its Ethernet header, and the devices are bridge ports (`device.master` is the bridge, which
 * rules know as the interface, the port as physdev). A port is missing where the frame begins or ends at the bridge's own device: `output`
 * (and the `postrouting` behind it) has no ingress, `input` no egress. The answer is the frame to go on with, or `NO_FRAME`: dropped, held back (a
 * fragment), or sent on another way; at `postrouting` the hook may itself give several frames to `egress.transmit`.
 */
export interface BridgeHooks {
  run(point: HookPoint, frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): FrameId;
}
