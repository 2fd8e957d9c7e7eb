/** ARP, RFC 826, as a Linux host speaks it (net/ipv4/arp.c): whom it answers, what it learns, from which address it asks. */
import {
  contains,
  type Ipv4Address,
  isMulticastIpv4,
  MAC_BROADCAST,
  MAC_ZERO,
  type MacAddress,
} from "../wire/address.ts";
import * as arp from "../wire/arp.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import { FRAME_FLAG_FOR_HOST } from "./frame-flags.ts";
import type { FrameId } from "./frame-store.ts";
import type { Ipv4Core } from "./ipv4-core.ts";
import type { Neighbour } from "./neighbour.ts";
import type { NeighbourResolver } from "./neighbour-table.ts";
import type { NetDevice } from "./net-device.ts";
import { validateSource } from "./source-validation.ts";

const NO_ADDRESS = 0 as Ipv4Address;

export class Arp implements NeighbourResolver {
  readonly #core: Ipv4Core;

  constructor(core: Ipv4Core) {
    this.#core = core;
  }

  /** An ARP frame; it starts at its Ethernet header. Takes over the hold. */
  receive(frame: FrameId, device: NetDevice): void {
    const { frames } = this.#core;
    const at = frames.start(frame) + ethernet.HEADER_BYTES;
    if (device.noArp || device.kind === "loopback") {
      frames.drop(frame, "arp-ignored", device);
      return;
    }
    if (this.#concernsOthers(at, frames.end(frame), device)) {
      frames.drop(frame, "arp-ignored", device);
      return;
    }
    const packet = arp.parse(frames.bytes, at, frames.end(frame));
    if (typeof packet === "string") {
      frames.drop(frame, "arp-malformed", device);
      return;
    }
    if (packet.operation !== arp.OPERATION_REQUEST && packet.operation !== arp.OPERATION_REPLY) {
      frames.drop(frame, "arp-ignored", device);
      return;
    }
    const target = packet.targetProtocolAddress;
    const settings = this.#core.devices.of(device).settings;
    if (isMulticastIpv4(target) || (target >>> 24 === 127 && !settings.routeLocalnet)) {
      frames.drop(frame, "arp-ignored", device);
      return;
    }
    if (settings.dropGratuitousArp && packet.senderProtocolAddress === target) {
      frames.drop(frame, "arp-ignored", device);
      return;
    }
    const forHost =
      !ethernet.isGroupDestination(frames.bytes, frames.start(frame)) ||
      (frames.flags[frame]! & FRAME_FLAG_FOR_HOST) !== 0;
    const handled = this.#process(packet, frame, device, forHost);
    if (handled) frames.consume(frame);
    else frames.drop(frame, "arp-ignored", device);
  }

  /** A request for another host from one that is not known here: all but one of a bridge's hosts get such, and the usual answer is silence. */
  #concernsOthers(at: number, end: number, device: NetDevice): boolean {
    const { frames, devices, routing, neighbours } = this.#core;
    const { bytes } = frames;
    if (arp.check(bytes, at, end) !== undefined || arp.operation(bytes, at) !== arp.OPERATION_REQUEST) return false;
    const { settings } = devices.of(device);
    if (settings.proxyArp || settings.arpAccept !== 0) return false;
    if (neighbours.get(device, arp.senderProtocolAddress(bytes, at)) !== undefined) return false;
    return routing.addressType(arp.targetProtocolAddress(bytes, at)) !== "local";
  }

  /** Asks for a neighbour: arp_solicit. */
  solicit(neighbour: Neighbour, target: MacAddress | undefined, because: FrameId | undefined): void {
    const { device } = neighbour;
    const sender = this.#announcedAddress(neighbour, because);
    if (sender === undefined) return;
    this.send(device, arp.OPERATION_REQUEST, {
      senderProtocolAddress: sender,
      targetHardwareAddress: MAC_ZERO,
      targetProtocolAddress: neighbour.address,
      to: target ?? MAC_BROADCAST,
      because,
    });
  }

  /** Nobody has answered: arp_error_report. */
  unreachable(frame: FrameId, device: NetDevice): void {
    this.#core.errors?.sendError(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_HOST_UNREACHABLE, 0, device);
  }

  /** Sends one ARP packet with the device's own address as sender. */
  send(
    device: NetDevice,
    operation: number,
    fields: {
      senderProtocolAddress: Ipv4Address;
      targetHardwareAddress: MacAddress;
      targetProtocolAddress: Ipv4Address;
      to: MacAddress;
      because?: FrameId | undefined;
    },
  ): void {
    const { frames } = this.#core;
    const frame = frames.make(ethernet.HEADER_BYTES + arp.HEADER_BYTES);
    if (fields.because !== undefined) frames.causedBy(frame, fields.because);
    const at = frames.start(frame);
    ethernet.write(frames.bytes, at, fields.to, device.address, ethernet.ETHERTYPE_ARP);
    arp.write(
      frames.bytes,
      at + ethernet.HEADER_BYTES,
      operation,
      device.address,
      fields.senderProtocolAddress,
      fields.targetHardwareAddress,
      fields.targetProtocolAddress,
    );
    device.transmit(frame);
  }

  /** arp_process: true when the packet was of use. */
  #process(packet: arp.Arp, frame: FrameId, device: NetDevice, forHost: boolean): boolean {
    const { routing, neighbours } = this.#core;
    const sender = packet.senderProtocolAddress;
    const target = packet.targetProtocolAddress;
    const request = packet.operation === arp.OPERATION_REQUEST;
    // Duplicate address detection, RFC 5227 §2.1.1: an answer, but nothing to learn.
    if (sender === 0) {
      if (!request || routing.addressType(target) !== "local" || this.#ignores(device, sender, target)) return false;
      this.#reply(packet, frame, device);
      return true;
    }
    if (request && this.#reaches(sender, target, device)) {
      if (routing.addressType(target) === "local") {
        if (this.#ignores(device, sender, target) || this.#filters(device, sender)) return false;
        const neighbour = neighbours.obtain(device, sender);
        neighbour.update(packet.senderHardwareAddress, "STALE", { override: true });
        this.#reply(packet, frame, device);
        return true;
      }
      if (this.#proxies(device, target)) {
        neighbours.obtain(device, sender).update(packet.senderHardwareAddress, "STALE", { override: true });
        this.#reply(packet, frame, device);
        return true;
      }
    }
    return this.#learn(packet, device, forHost);
  }

  /** Updates an entry that is there; makes one only where arp_accept asks for it. */
  #learn(packet: arp.Arp, device: NetDevice, forHost: boolean): boolean {
    const { neighbours, devices, routing } = this.#core;
    const sender = packet.senderProtocolAddress;
    const reply = packet.operation === arp.OPERATION_REPLY;
    const gratuitous =
      sender === packet.targetProtocolAddress &&
      (!reply || packet.targetHardwareAddress === packet.senderHardwareAddress) &&
      routing.addressType(sender) === "unicast";
    let neighbour = neighbours.get(device, sender);
    const accept = devices.of(device).settings.arpAccept;
    if (
      neighbour === undefined &&
      accept !== 0 &&
      (gratuitous || (reply && routing.addressType(sender) === "unicast"))
    ) {
      const inSubnet = device.addresses.some((own) => contains(own, sender));
      if (accept === 1 || inSubnet) neighbour = neighbours.obtain(device, sender);
    }
    if (neighbour === undefined) return false;
    const state = reply && forHost ? "REACHABLE" : "STALE";
    neighbour.update(packet.senderHardwareAddress, state, { override: !neighbour.locked || gratuitous });
    return true;
  }

  #reply(packet: arp.Arp, because: FrameId, device: NetDevice): void {
    this.send(device, arp.OPERATION_REPLY, {
      senderProtocolAddress: packet.targetProtocolAddress,
      targetHardwareAddress: packet.senderHardwareAddress,
      targetProtocolAddress: packet.senderProtocolAddress,
      to: packet.senderHardwareAddress,
      because,
    });
  }

  /** The request passes the same checks as a packet from sender to target would. */
  #reaches(sender: Ipv4Address, target: Ipv4Address, device: NetDevice): boolean {
    if (isMulticastIpv4(sender) || sender === 0xffff_ffff || sender >>> 24 === 0 || target >>> 24 === 0) return false;
    const verdict = validateSource(this.#core, sender, target, 0, device, undefined);
    return verdict === "ok" || verdict === "on-link";
  }

  /** arp_ignore: 0 answers for any local address; 1 for the device's own; 2 also wants the sender in its subnet; 3 not scope host; 8 never. */
  #ignores(device: NetDevice, sender: Ipv4Address, target: Ipv4Address): boolean {
    const mode = this.#core.devices.of(device).settings.arpIgnore;
    switch (mode) {
      case 0:
        return false;
      case 1:
        return !device.addresses.some((own) => own.address === target);
      case 2:
        return !device.addresses.some((own) => own.address === target && contains(own, sender));
      case 3:
        return device.addresses.some((own) => own.address === target && own.scope === "host");
      default:
        return mode === 8;
    }
  }

  /** arp_filter: only the device that the answer would be routed to answers. */
  #filters(device: NetDevice, sender: Ipv4Address): boolean {
    if (!this.#core.devices.of(device).settings.arpFilter) return false;
    const path = this.#core.resolver.towards(sender);
    return typeof path === "string" || path.device !== device;
  }

  /** proxy_arp, RFC 1027: the target is routed to another device. */
  #proxies(device: NetDevice, target: Ipv4Address): boolean {
    const { settings } = this.#core.devices.of(device);
    if (!settings.forwarding || !settings.proxyArp) return false;
    const path = this.#core.resolver.towards(target);
    return typeof path !== "string" && path.kind === "unicast" && path.device !== device;
  }

  /** The address that a request names as its sender: that of the packet which waits, if it is ours and arp_announce allows it. */
  #announcedAddress(neighbour: Neighbour, because: FrameId | undefined): Ipv4Address | undefined {
    const { frames, routing, devices } = this.#core;
    const { device, address } = neighbour;
    const mode = devices.of(device).settings.arpAnnounce;
    if (because !== undefined && mode < 2) {
      const source = ipv4.source(frames.bytes, frames.start(because));
      const inSubnet = device.addresses.some((own) => contains(own, address) && contains(own, source));
      if (routing.addressType(source) === "local" && (mode === 0 || inSubnet)) return source;
    }
    return routing.selectAddress(device, address, "link") ?? (device.addresses.length === 0 ? undefined : NO_ADDRESS);
  }
}
