/**
 * The way of a frame through a bridge, IEEE 802.1D-2004 §7.7: learn, look up, forward or flood (net/bridge/br_input.c, br_forward.c,
 * br_device.c).
 *
 * Ports are walked the newest first, as the kernel's list has them. A flood shares one frame among all ports; the host comes last.
 */
import type { Clock } from "../sim/simulation.ts";
import { MAC_BROADCAST } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as stp from "../wire/stp.ts";
import type { BridgeHooks } from "./bridge-hooks.ts";
import type { MulticastSnooping } from "./bridge-multicast.ts";
import type { BridgePort, FrameRelay } from "./bridge-port.ts";
import type { SpanningTree } from "./bridge-stp.ts";
import { classify, dress, VLAN_REFUSED, type VlanGroup } from "./bridge-vlan.ts";
import type { DropReason } from "./drop-reason.ts";
import type { FilteringDatabase } from "./filtering-database.ts";
import { FRAME_FLAG_FOR_HOST } from "./frame-flags.ts";
import { type FrameId, type FrameStore, NO_FRAME } from "./frame-store.ts";
import { NO_ROW } from "./mac-rows.ts";
import type { Driver, NetDevice } from "./net-device.ts";
import type { StormGuard } from "./storm-guard.ts";

/** The bridge that a frame passes. */
export interface RelayBridge {
  readonly device: NetDevice;
  readonly ports: readonly BridgePort[];
  readonly fdb: FilteringDatabase;
  readonly tree: SpanningTree;
  readonly multicast: MulticastSnooping;
  readonly filtersVlans: boolean;
  /** VLANs of the bridge's own device. */
  readonly vlans: VlanGroup;
  readonly groupForwardMask: number;
}

/** Where the bridge stands. */
export interface RelayHost {
  readonly clock: Clock;
  readonly frames: FrameStore;
  /** br_netfilter, while `net.bridge.bridge-nf-call-iptables` is 1. */
  readonly netfilterBridge?: BridgeHooks | undefined;
  /** Ends the run when a frame goes round and round. */
  readonly stormGuard?: StormGuard | undefined;
}

/** An Ethernet header and one VLAN tag: how much longer than the MTU a frame may be, tagged or not (is_skb_forwardable). */
const HEADER_ALLOWANCE_BYTES = 18;

/** 01:80:c2:00:00:00 to :0f, 802.1D-2004 §7.12.6. */
const RESERVED_HIGH = 0x0180;
const RESERVED_LOW = 0xc200_0000 | 0;
const PAUSE = 1;

/**
 * Up to here a frame is not counted by bridge: the guard's table was 2 to 3 % of W1's profile, and no loop is missed, for a frame that loops comes by
 * again.
 */
const HONEST_RELAYS = 32;

/** Whom a frame is for that goes to several ports; "members": of a group whose members are known. */
type Cast = "unicast" | "multicast" | "broadcast" | "members";

export class BridgeRelay implements Driver, FrameRelay {
  readonly #bridge: RelayBridge;
  readonly #host: RelayHost;
  readonly #frames: FrameStore;
  readonly #fdb: FilteringDatabase;
  #stormNumber = 0;

  constructor(bridge: RelayBridge, host: RelayHost) {
    this.#bridge = bridge;
    this.#host = host;
    this.#frames = host.frames;
    this.#fdb = bridge.fdb;
  }

  /** A port received a frame: br_handle_frame. */
  relay(ingress: BridgePort, received: FrameId): void {
    const frames = this.#frames;
    const bridge = this.#bridge;
    let frame = received;
    let bytes = frames.bytes;
    let at = frames.start(frame);
    if (frames.length(frame) < ethernet.HEADER_BYTES) {
      this.#drop(frame, "frame-truncated", ingress);
      return;
    }
    const sourceHigh = ethernet.sourceHigh(bytes, at);
    const sourceLow = ethernet.sourceLow(bytes, at);
    if ((sourceHigh & 0x0100) !== 0 || (sourceHigh | sourceLow) === 0) {
      this.#drop(frame, "bridge-invalid-source", ingress);
      return;
    }
    if (ethernet.destinationHigh(bytes, at) === RESERVED_HIGH) {
      const low = ethernet.destinationLow(bytes, at);
      if ((low & ~15) === RESERVED_LOW && !this.#forwardsReserved(ingress, low & 15)) {
        this.#takeReserved(ingress, frame);
        return;
      }
    }
    const state = ingress.state;
    if (state !== "forwarding" && state !== "learning") {
      this.#drop(frame, "bridge-port-not-forwarding", ingress);
      return;
    }
    const guard = this.#host.stormGuard;
    const relays = frames.relays[frame]!;
    if (relays < HONEST_RELAYS) {
      frames.relays[frame] = relays + 1;
    } else if (guard !== undefined && !this.#guarded(guard, frame)) {
      this.#drop(frame, "bridge-storm", ingress);
      return;
    }

    const hooks = this.#host.netfilterBridge;
    if (hooks !== undefined) {
      frame = hooks.run("prerouting", frame, ingress.device, undefined);
      if (frame === NO_FRAME) return;
      bytes = frames.bytes;
      at = frames.start(frame);
    }
    let vlan = 0;
    if (bridge.filtersVlans) {
      vlan = classify(frames, frame, ingress.vlans);
      if (vlan === VLAN_REFUSED) {
        this.#drop(frame, "bridge-vlan-filtered", ingress);
        return;
      }
    }
    // A source that is a local address is not learnt, but the frame goes on: Linux warns in its log, no more.
    if (ingress.learning) this.#fdb.learn(sourceHigh, sourceLow, vlan, ingress);
    if (state === "learning") {
      this.#drop(frame, "bridge-port-not-forwarding", ingress);
      return;
    }
    if (ethernet.isGroupDestination(bytes, at)) {
      this.#relayGroup(ingress, frame, vlan);
      return;
    }

    const destinationHigh = ethernet.destinationHigh(bytes, at);
    const destinationLow = ethernet.destinationLow(bytes, at);
    let row = this.#fdb.lookup(destinationHigh, destinationLow, vlan);
    if (row === NO_ROW && vlan !== 0) row = this.#localIn(destinationHigh, destinationLow);
    if (row === NO_ROW) {
      if (bridge.device.promiscuous) this.#showTap(frame);
      this.#flood(ingress, frame, "unicast", vlan, false);
    } else if (this.#fdb.isLocal(row)) {
      this.#takeIn(ingress, frame, vlan, destinationHigh, destinationLow);
    } else {
      if (bridge.device.promiscuous) this.#showTap(frame);
      this.#forward(ingress, this.#fdb.port(row), frame, vlan);
    }
  }

  /** The host sends by the bridge's own device: br_dev_xmit. */
  transmit(frame: FrameId): void {
    const frames = this.#frames;
    if (frames.length(frame) < ethernet.HEADER_BYTES) {
      this.#drop(frame, "frame-truncated", undefined);
      return;
    }
    let vlan = 0;
    if (this.#bridge.filtersVlans) {
      vlan = classify(frames, frame, this.#bridge.vlans);
      if (vlan === VLAN_REFUSED) {
        this.#drop(frame, "bridge-vlan-filtered", undefined);
        return;
      }
    }
    const bytes = frames.bytes;
    const at = frames.start(frame);
    if (ethernet.isGroupDestination(bytes, at)) {
      this.#relayGroup(undefined, frame, vlan);
      return;
    }
    const row = this.#fdb.lookup(ethernet.destinationHigh(bytes, at), ethernet.destinationLow(bytes, at), vlan);
    if (row === NO_ROW) this.#flood(undefined, frame, "unicast", vlan, false);
    else this.#forward(undefined, this.#fdb.port(row), frame, vlan);
  }

  #relayGroup(ingress: BridgePort | undefined, frame: FrameId, vlan: number): void {
    const bytes = this.#frames.bytes;
    const at = this.#frames.start(frame);
    if (ethernet.destination(bytes, at) === MAC_BROADCAST) {
      this.#flood(ingress, frame, "broadcast", vlan, ingress !== undefined);
      return;
    }
    const verdict = this.#bridge.multicast.inspect(frame, ingress, vlan);
    if (verdict === "malformed") {
      this.#drop(frame, "igmp-malformed", ingress);
    } else if (verdict === "flood") {
      this.#flood(ingress, frame, "multicast", vlan, ingress !== undefined);
    } else {
      const forHost = ingress !== undefined && this.#bridge.multicast.hostWants;
      if (!forHost && ingress !== undefined && this.#bridge.device.promiscuous) this.#showTap(frame);
      this.#flood(ingress, frame, "members", vlan, forHost);
    }
  }

  /** To the one port where the destination was seen: br_forward. */
  #forward(ingress: BridgePort | undefined, egress: BridgePort | undefined, frame: FrameId, vlan: number): void {
    if (egress === undefined) {
      this.#drop(frame, "bridge-no-port", ingress);
      return;
    }
    const refusal = this.#refusal(ingress, egress, vlan);
    if (refusal === undefined) this.#send(ingress, egress, frame, vlan);
    else this.#drop(frame, refusal, ingress);
  }

  /** To every port that may have it, then to the host: br_flood. */
  #flood(ingress: BridgePort | undefined, frame: FrameId, cast: Cast, vlan: number, forHost: boolean): void {
    const frames = this.#frames;
    const ports = this.#bridge.ports;
    let last: BridgePort | undefined;
    let reason: DropReason = "bridge-no-port";
    for (let index = 0; index < ports.length; index++) {
      const port = ports[index]!;
      const refusal = this.#wantsFlood(port, ingress, cast) ? this.#refusal(ingress, port, vlan) : "bridge-flood-off";
      if (refusal !== undefined) {
        if (port !== ingress) reason = refusal;
        continue;
      }
      if (last !== undefined) {
        frames.hold(frame);
        this.#send(ingress, last, frame, vlan);
      }
      last = port;
    }
    if (last !== undefined) {
      if (forHost) frames.hold(frame);
      this.#send(ingress, last, frame, vlan);
    }
    if (forHost) this.#passUp(ingress, frame, vlan);
    else if (last === undefined) this.#drop(frame, reason, ingress);
  }

  #wantsFlood(port: BridgePort, ingress: BridgePort | undefined, cast: Cast): boolean {
    switch (cast) {
      case "unicast":
        return port.flood;
      case "multicast":
        return port.multicastFlood || ingress === undefined; // what the host sends itself always leaves
      case "broadcast":
        return port.broadcastFlood || ingress === undefined;
      case "members":
        return this.#bridge.multicast.wants(port);
    }
  }

  /** Why a frame from `ingress` may not leave by `egress`, or undefined: should_deliver. */
  #refusal(ingress: BridgePort | undefined, egress: BridgePort, vlan: number): DropReason | undefined {
    if (egress === ingress && !egress.hairpin) return "bridge-same-port";
    if (egress.state !== "forwarding") return "bridge-port-not-forwarding";
    if (vlan !== 0 && !egress.vlans.has(vlan)) return "bridge-vlan-filtered";
    if (egress.isolated && ingress !== undefined && ingress.isolated) return "bridge-port-isolated";
    return undefined;
  }

  #send(ingress: BridgePort | undefined, egress: BridgePort, relayed: FrameId, vlan: number): void {
    const frames = this.#frames;
    const device = egress.device;
    let frame = relayed;
    if (vlan !== 0) frame = dress(frames, frame, egress.vlans, vlan);
    const hooks = this.#host.netfilterBridge;
    if (hooks !== undefined) {
      frame = hooks.run(ingress === undefined ? "output" : "forward", frame, ingress?.device, device);
      if (frame === NO_FRAME) return;
      frame = hooks.run("postrouting", frame, ingress?.device, device);
      if (frame === NO_FRAME) return;
    }
    if (frames.length(frame) > device.mtu + HEADER_ALLOWANCE_BYTES) frames.drop(frame, "device-mtu-exceeded", device);
    else device.transmit(frame);
  }

  /** A unicast frame to a local address. */
  #takeIn(ingress: BridgePort, frame: FrameId, vlan: number, high: number, low: number): void {
    // Only its own address and the ingress port's make it the host's; what comes to another port's reaches the device, and IP refuses it.
    const own = ingress.device;
    const device = this.#bridge.device;
    if (
      (low === own.addressLow && high === own.addressHigh) ||
      (low === device.addressLow && high === device.addressHigh)
    )
      this.#frames.flags[frame] = this.#frames.flags[frame]! | FRAME_FLAG_FOR_HOST;
    this.#passUp(ingress, frame, vlan);
  }

  /** The bridge's own device receives: br_pass_frame_up. */
  #passUp(ingress: BridgePort | undefined, passed: FrameId, vlan: number): void {
    let frame = passed;
    if (vlan !== 0) {
      if (this.#bridge.vlans.has(vlan)) frame = dress(this.#frames, frame, this.#bridge.vlans, vlan);
      else if (!this.#bridge.device.promiscuous) {
        this.#drop(frame, "bridge-vlan-filtered", ingress);
        return;
      }
    }
    const hooks = this.#host.netfilterBridge;
    if (hooks !== undefined) {
      frame = hooks.run("input", frame, ingress?.device, undefined);
      if (frame === NO_FRAME) return;
    }
    this.#bridge.device.receive(frame);
  }

  /** A promiscuous capture on the bridge's device sees what is relayed past it, too. */
  #showTap(frame: FrameId): void {
    const device = this.#bridge.device;
    device.rxPackets++;
    device.rxBytes += this.#frames.length(frame);
    if (device.tap !== undefined) device.tap.frame(frame, "in");
  }

  /** With VLAN filtering, local addresses are kept once, for all VLANs. */
  #localIn(high: number, low: number): number {
    const row = this.#fdb.lookup(high, low, 0);
    return row !== NO_ROW && this.#fdb.isLocal(row) ? row : NO_ROW;
  }

  /** Is a frame to 01:80:c2:00:00:0x forwarded like any other? Without spanning tree, BPDUs are, so that others notice a loop. */
  #forwardsReserved(ingress: BridgePort, last: number): boolean {
    if (last === 0 && !this.#bridge.tree.enabled) return true;
    if (last === PAUSE) return false;
    return (((this.#bridge.groupForwardMask & ~7) | ingress.groupForwardMask) & (1 << last)) !== 0;
  }

  #takeReserved(ingress: BridgePort, frame: FrameId): void {
    const frames = this.#frames;
    const bytes = frames.bytes;
    const at = frames.start(frame);
    const isBpdu = ethernet.destination(bytes, at) === stp.BRIDGE_GROUP_ADDRESS;
    if (!isBpdu || ingress.state === "disabled") {
      this.#drop(frame, "bridge-reserved-address", ingress);
      return;
    }
    const length = ethernet.llcLength(bytes, at);
    const message = stp.parse(bytes, at + ethernet.HEADER_BYTES, frames.end(frame));
    if (length === undefined || typeof message === "string") {
      this.#drop(frame, "bridge-reserved-address", ingress);
      return;
    }
    frames.consume(frame);
    if (ingress.guard) this.#bridge.tree.disablePort(ingress);
    else this.#bridge.tree.receive(ingress, message);
  }

  #guarded(guard: StormGuard, frame: FrameId): boolean {
    const frames = this.#frames;
    if (this.#stormNumber === 0) this.#stormNumber = guard.enlist();
    const at = frames.start(frame);
    const { device } = this.#bridge;
    return guard.allows(frames.packetId[frame]!, this.#stormNumber, device, frames.bytes, at, frames.end(frame));
  }

  #drop(frame: FrameId, reason: DropReason, ingress: BridgePort | undefined): void {
    this.#frames.drop(frame, reason, ingress === undefined ? this.#bridge.device : ingress.device);
  }
}
