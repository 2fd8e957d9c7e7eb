/**
 * br_netfilter: shows the IPv4 packets that a bridge carries to the iptables rules (net/bridge/br_netfilter_hooks.c). Rules see the bridge as the
 * interface and its ports as physical ones; fragments are put together for them and leave as they came.
 */
import type { MacAddress } from "../../wire/address.ts";
import { putU48 } from "../../wire/bytes.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { BridgeHooks } from "../bridge-hooks.ts";
import { fragment } from "../fragment.ts";
import { FRAME_FLAG_BRIDGED } from "../frame-flags.ts";
import { type FrameId, type FrameStore, NO_FRAME } from "../frame-store.ts";
import type { HookPoint } from "../hooks.ts";
import type { NetDevice } from "../net-device.ts";
import type { Netfilter } from "./netfilter.ts";

/** Where a packet goes whose destination was translated while it was bridged. */
export interface BridgedRouting {
  /** Would the packet, now for `destination`, leave by `bridge` again? Then a bridged neighbour is meant. */
  staysOn(bridge: NetDevice, frame: FrameId): boolean;
  /** The neighbour's MAC address, if it may be used; asking for it begins its resolution. */
  macOf(frame: FrameId): MacAddress | undefined;
  /** Sends it there, with the neighbour's MAC address. The frame starts at its IPv4 header. Takes over the hold. */
  sendOn(bridge: NetDevice, frame: FrameId): void;
}

export class BridgeNetfilter implements BridgeHooks {
  readonly #netfilter: Netfilter;
  readonly #frames: FrameStore;
  readonly #enabled: () => boolean;
  readonly #routing: BridgedRouting;
  readonly #header = new Uint8Array(ethernet.HEADER_BYTES);

  /** `enabled` tells whether `net.bridge.bridge-nf-call-iptables` is 1. */
  constructor(netfilter: Netfilter, enabled: () => boolean, routing: BridgedRouting) {
    this.#netfilter = netfilter;
    this.#frames = netfilter.host.frames;
    this.#enabled = enabled;
    this.#routing = routing;
  }

  run(point: HookPoint, frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): FrameId {
    // What this host sends or takes in passes the hooks of IPv4 itself.
    if (ingress?.master === undefined || point === "input" || point === "output") return frame;
    const frames = this.#frames;
    const at = frames.start(frame);
    if (frames.length(frame) < ethernet.HEADER_BYTES + ipv4.HEADER_BYTES) return frame;
    if (ethernet.etherType(frames.bytes, at) !== ethernet.ETHERTYPE_IPV4) return frame;
    switch (point) {
      case "prerouting":
        return this.#enabled() ? this.#prerouting(frame, ingress, ingress.master) : frame;
      case "forward":
        return this.#wasShown(frame) && egress !== undefined ? this.#forward(frame, ingress, egress) : frame;
      case "postrouting":
        return this.#wasShown(frame) && egress !== undefined ? this.#postrouting(frame, ingress, egress) : frame;
    }
  }

  #wasShown(frame: FrameId): boolean {
    return (this.#frames.flags[frame]! & FRAME_FLAG_BRIDGED) !== 0;
  }

  #prerouting(frame: FrameId, port: NetDevice, bridge: NetDevice): FrameId {
    const frames = this.#frames;
    const packet = this.#open(frame);
    const at = frames.start(packet);
    if (ipv4.check(frames.bytes, at, frames.end(packet)) !== undefined) {
      frames.drop(packet, "ipv4-malformed", port);
      return NO_FRAME;
    }
    if (frames.checksumKnown[packet] === 0 && !ipv4.checksumOk(frames, at)) {
      frames.drop(packet, "ipv4-bad-checksum", port);
      return NO_FRAME;
    }
    const length = ipv4.totalLength(frames.bytes, at);
    if (length !== frames.length(packet)) frames.resize(packet, length);
    frames.flags[packet] = frames.flags[packet]! & ~FRAME_FLAG_BRIDGED;
    const destination = ipv4.destination(frames.bytes, at);
    const next = this.#netfilter.runBridged("prerouting", packet, bridge, undefined, port, undefined);
    if (next === NO_FRAME) return NO_FRAME;
    frames.flags[next] = frames.flags[next]! | FRAME_FLAG_BRIDGED;
    if (ipv4.destination(frames.bytes, frames.start(next)) !== destination) {
      if (this.#routing.staysOn(bridge, next)) {
        const mac = this.#routing.macOf(next);
        if (mac !== undefined) {
          // Back into the bridge, which relays it to the neighbour: through FORWARD and POSTROUTING (br_nf_pre_routing_finish_bridge).
          const shut = this.#close(next);
          putU48(frames.bytes, frames.start(shut), mac);
          return shut;
        }
        this.#routing.sendOn(bridge, next);
        return NO_FRAME;
      }
      // Another network's: up to this host's IPv4, which forwards it.
      const shut = this.#close(next);
      putU48(frames.bytes, frames.start(shut), bridge.address);
      return shut;
    }
    return this.#close(next);
  }

  #forward(frame: FrameId, ingress: NetDevice, egress: NetDevice): FrameId {
    const packet = this.#open(frame);
    const bridge = ingress.master;
    const next = this.#netfilter.runBridged("forward", packet, bridge, bridge, ingress, egress);
    return next === NO_FRAME ? NO_FRAME : this.#close(next);
  }

  #postrouting(frame: FrameId, ingress: NetDevice, egress: NetDevice): FrameId {
    const frames = this.#frames;
    const packet = this.#open(frame);
    const bridge = ingress.master;
    const next = this.#netfilter.runBridged("postrouting", packet, bridge, bridge, ingress, egress);
    if (next === NO_FRAME) return NO_FRAME;
    frames.flags[next] = frames.flags[next]! & ~FRAME_FLAG_BRIDGED;
    const limit = frames.fragmentLimit[next]!;
    if (limit === 0 && frames.length(next) <= egress.mtu) return this.#close(next);
    if (limit > egress.mtu) {
      frames.drop(next, "ipv4-fragmentation-needed", egress);
      return NO_FRAME;
    }
    // In the sizes in which the fragments came.
    const pieces = fragment(frames, next, egress.mtu);
    frames.consume(next);
    for (const piece of pieces) egress.transmit(this.#close(piece));
    return NO_FRAME;
  }

  /** Takes the Ethernet header off and keeps it; the frame is the caller's own from here on. */
  #open(frame: FrameId): FrameId {
    const frames = this.#frames;
    const own = frames.writable(frame);
    const at = frames.start(own);
    for (let index = 0; index < ethernet.HEADER_BYTES; index++) this.#header[index] = frames.bytes[at + index]!;
    frames.pull(own, ethernet.HEADER_BYTES);
    return own;
  }

  /** Puts the header that was kept in front again. */
  #close(frame: FrameId): FrameId {
    const frames = this.#frames;
    const own = frames.writable(frame);
    frames.push(own, ethernet.HEADER_BYTES);
    frames.bytes.set(this.#header, frames.start(own));
    return own;
  }
}
