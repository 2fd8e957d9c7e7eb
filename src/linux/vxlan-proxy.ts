/**
 * ARP suppression on a VXLAN device (`proxy`; arp_reduce): a request that reaches the device is answered from its namespace's
 * neighbour table, as if the asked host had replied, or consumed; ARP never enters the tunnel. Docker's overlay lives by this.
 */
import { type Ipv4Address, isLoopbackIpv4, isMulticastIpv4, type MacAddress } from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import { type FrameId, type FrameStore, NO_FRAME } from "./frame-store.ts";

/** What the proxy asks of its device. */
export interface VxlanProxyTable {
  /** The MAC address of a neighbour that is known for certain (reachable, permanent or noarp); "unsure": an entry in another state. */
  neighbour(address: Ipv4Address): MacAddress | "unsure" | undefined;
  /** Does the FDB say that this MAC address is behind this very host's bridge (a remote of 0.0.0.0)? */
  isLocal(address: MacAddress): boolean;
  /** l3miss: nobody knows the address. */
  missed(address: Ipv4Address): void;
}

/** The reply to the ARP frame, as a frame of its own, or `NO_FRAME`. The request is still the caller's to end. */
export function proxyReply(frames: FrameStore, request: FrameId, table: VxlanProxyTable): FrameId {
  const bytes = frames.bytes;
  const at = frames.start(request) + ethernet.HEADER_BYTES;
  if (arp.check(bytes, at, frames.end(request)) !== undefined) return NO_FRAME;
  if (arp.operation(bytes, at) !== arp.OPERATION_REQUEST) return NO_FRAME;
  const target = arp.targetProtocolAddress(bytes, at);
  if (isLoopbackIpv4(target) || isMulticastIpv4(target)) return NO_FRAME;
  const answer = table.neighbour(target);
  if (answer === undefined) table.missed(target);
  if (answer === undefined || answer === "unsure" || table.isLocal(answer)) return NO_FRAME;
  const asker = arp.senderHardwareAddress(bytes, at);
  const askerAddress = arp.senderProtocolAddress(bytes, at);
  const reply = frames.make(ethernet.HEADER_BYTES + arp.HEADER_BYTES);
  const start = frames.start(reply);
  ethernet.write(bytes, start, asker, answer, ethernet.ETHERTYPE_ARP);
  arp.write(
    bytes,
    start + ethernet.HEADER_BYTES,
    arp.OPERATION_REPLY,
    answer,
    target as Ipv4Address,
    asker,
    askerAddress,
  );
  frames.causedBy(reply, request);
  return reply;
}
