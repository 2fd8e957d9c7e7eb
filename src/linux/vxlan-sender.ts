/**
 * The sending half of a VXLAN device: one frame to one remote (vxlan_xmit_one). What the outer header takes from the inner packet, which way
 * it goes, and what happens when the way is too narrow, is decided here.
 */
import { type Ipv4Address, isMulticastIpv4, type Vni } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { DropReason } from "./drop-reason.ts";
import { flowHash, sourcePortOf } from "./flow-hash.ts";
import { FRAME_FLAG_NO_LOOP } from "./frame-flags.ts";
import { type FrameId, type FrameStore, NO_FRAME } from "./frame-store.ts";
import type { NetworkNamespace } from "./namespace.ts";
import type { NetDevice } from "./net-device.ts";
import type { Path } from "./path.ts";
import { encapsulatedTypeOfService, innerDontFragment, innerTimeToLive, innerTypeOfService } from "./tunnel-ecn.ts";
import { encapsulate, OUTER_BYTES, type OuterHeader } from "./vxlan-encapsulation.ts";
import { fragmentationNeeded } from "./vxlan-path-mtu.ts";
import { vxlanPortsOf } from "./vxlan-port.ts";
import type { VxlanRemote } from "./vxlan-remotes.ts";
import { OVERHEAD_BYTES, type VxlanSettings } from "./vxlan-settings.ts";

const MAXIMUM_IPV4_BYTES = 65_535;

/** The device, as its sending half sees it. */
export interface VxlanOwner {
  readonly device: NetDevice;
  /** Where the device is now. */
  readonly namespace: NetworkNamespace;
  /** The frame comes in by the device once the sender's call has ended (netif_rx). Takes over the hold. */
  deliverSoon(frame: FrameId): void;
  dropSent(frame: FrameId, reason: DropReason): void;
  /** Takes off what the frame was in this namespace, before it enters the tunnel. */
  scrub(frame: FrameId): void;
  /** The remote is this very host: gives the frame to the device there, without a tunnel. False: there is none, the hold stays. */
  bypass(frame: FrameId, vni: Vni, port: number): boolean;
}

export class VxlanSender {
  readonly #owner: VxlanOwner;
  readonly #underlay: NetworkNamespace;
  readonly #settings: VxlanSettings;
  readonly #frames: FrameStore;
  readonly #hashKey: number;
  /** One header, filled for each packet: no object a packet. */
  readonly #outer: OuterHeader;

  constructor(owner: VxlanOwner, underlay: NetworkNamespace, settings: VxlanSettings) {
    this.#owner = owner;
    this.#underlay = underlay;
    this.#settings = settings;
    this.#frames = underlay.frames;
    this.#hashKey = vxlanPortsOf(underlay).hashKey;
    this.#outer = {
      source: 0,
      destination: 0,
      sourcePort: 0,
      destinationPort: settings.destinationPort,
      vni: settings.vni,
      typeOfService: 0,
      timeToLive: 0,
      identification: 0,
      dontFragment: false,
      checksum: settings.udpChecksum,
    };
  }

  /** Encapsulates for one remote and sends. Takes over the hold. */
  send(frame: FrameId, remote: VxlanRemote): void {
    const frames = this.#frames;
    if (remote.readyEpoch !== frames.shortcutEpoch || frames.length(frame) + OUTER_BYTES > remote.readyBytes) {
      this.#sendTheLongWay(frame, remote);
      return;
    }
    const own = frames.writable(frame);
    this.#fillOuter(own, remote, remote.readySource, this.#settings.dontFragment === "set");
    encapsulate(frames, own, this.#outer);
    this.#owner.scrub(own);
    remote.readyLink!.output(own);
  }

  #sendTheLongWay(frame: FrameId, remote: VxlanRemote): void {
    if (remote.address === 0) {
      this.#owner.dropSent(frame, "vxlan-no-remote");
      return;
    }
    const path = this.#pathTo(frame, remote);
    if (path === undefined) {
      this.#owner.dropSent(frame, "vxlan-no-route");
      return;
    }
    if (path.device === this.#owner.device) {
      this.#owner.dropSent(frame, "vxlan-loop");
      return;
    }
    if (path.kind === "local" && this.#settings.localBypass) {
      if (!this.#owner.bypass(frame, remote.vni, remote.port)) this.#owner.dropSent(frame, "vxlan-unknown-vni");
      return;
    }
    const frames = this.#frames;
    const at = frames.start(frame);
    const end = frames.end(frame);
    const settings = this.#settings;
    const dontFragment =
      settings.dontFragment === "set" ||
      (settings.dontFragment === "inherit" && innerDontFragment(frames.bytes, at, end));
    if (end - at + OUTER_BYTES > path.mtu() && !this.#mayExceed(frame, path.mtu(), dontFragment)) return;
    const own = frames.writable(frame);
    this.#fillOuter(own, remote, (settings.local ?? path.source) | 0, dontFragment);
    encapsulate(frames, own, this.#outer);
    this.#owner.scrub(own);
    if (path.kind === "multicast") frames.flags[own] = FRAME_FLAG_NO_LOOP;
    this.#underlay.ipv4.output(own, path);
    this.#shorten(remote, path);
  }

  /** The next packet to the remote goes straight to its neighbour, unless somebody on the way has to be asked about every packet. */
  #shorten(remote: VxlanRemote, path: Path): void {
    const { ipv4: ip } = this.#underlay;
    const settings = this.#settings;
    if (path.kind !== "unicast" || path !== remote.path || settings.dontFragment === "inherit") return;
    if (ip.hooks !== undefined || ip.transform !== undefined || ip.exceptions.size > 0) return;
    remote.readyLink = path.link;
    remote.readyBytes = path.mtu();
    remote.readySource = (settings.local ?? path.source) | 0;
    remote.readyEpoch = this.#frames.shortcutEpoch;
  }

  #fillOuter(frame: FrameId, remote: VxlanRemote, source: number, dontFragment: boolean): void {
    const frames = this.#frames;
    const bytes = frames.bytes;
    const at = frames.start(frame);
    const end = frames.end(frame);
    const settings = this.#settings;
    const outer = this.#outer;
    const inner = innerTypeOfService(bytes, at, end);
    const typeOfService = settings.typeOfService === "inherit" ? inner : settings.typeOfService;
    outer.source = source;
    outer.destination = remote.address | 0;
    outer.destinationPort = remote.port;
    outer.sourcePort = this.#sourcePort(flowHash(bytes, at, end, this.#hashKey));
    outer.vni = remote.vni;
    outer.typeOfService = encapsulatedTypeOfService(typeOfService, inner);
    outer.timeToLive = this.#timeToLive(bytes, at, end, outer.destination as Ipv4Address);
    outer.dontFragment = dontFragment;
    outer.identification = this.#underlay.ipv4.nextIdentification(
      source as Ipv4Address,
      outer.destination as Ipv4Address,
      ipv4.PROTOCOL_UDP,
    );
  }

  #timeToLive(bytes: Uint8Array, at: number, end: number, destination: Ipv4Address): number {
    const { timeToLive } = this.#settings;
    const wanted =
      timeToLive === "inherit"
        ? innerTimeToLive(bytes, at, end)
        : timeToLive === "auto"
          ? isMulticastIpv4(destination)
            ? 1
            : 0
          : timeToLive;
    return wanted || this.#underlay.sysctl.defaultTtl;
  }

  /** In the port range given, else in the ephemeral one of the device's namespace. */
  #sourcePort(hash: number): number {
    const { sourcePortLow, sourcePortHigh } = this.#settings;
    if (sourcePortLow < sourcePortHigh) return sourcePortOf(hash, sourcePortLow, sourcePortHigh);
    const { localPortLow, localPortHigh } = this.#owner.namespace.sysctl;
    return sourcePortOf(hash, localPortLow, localPortHigh);
  }

  /** The way to a remote, kept until routing changes; with a TOS that routing may look at, asked for each packet. */
  #pathTo(frame: FrameId, remote: VxlanRemote): Path | undefined {
    const settings = this.#settings;
    const underlay = this.#underlay;
    const kept = remote.path;
    if (kept !== undefined && kept.generation === underlay.ipv4.generation) return kept;
    let typeOfService = settings.typeOfService;
    if (typeOfService === "inherit") {
      const frames = this.#frames;
      typeOfService = innerTypeOfService(frames.bytes, frames.start(frame), frames.end(frame));
    }
    const path = underlay.ipv4.resolve({
      destination: remote.address,
      ...(settings.local === undefined ? {} : { source: settings.local }),
      ...(typeOfService === 0 ? {} : { typeOfService }),
      device: remote.device ?? settings.device,
    });
    if (typeof path === "string") return undefined;
    if (settings.typeOfService === 0) remote.path = path;
    return path;
  }

  /**
   * The outer packet is longer than the way allows. True: send it, it will be fragmented. A bridged packet that may not be fragmented
   * is answered by the tunnel itself; one of this host's own makes its sender remember the smaller MTU.
   */
  #mayExceed(frame: FrameId, mtu: number, dontFragment: boolean): boolean {
    const frames = this.#frames;
    const innerMtu = mtu - OVERHEAD_BYTES;
    if (frames.length(frame) + OUTER_BYTES > MAXIMUM_IPV4_BYTES) {
      this.#owner.dropSent(frame, "vxlan-mtu-exceeded");
      return false;
    }
    if (this.#owner.device.master !== undefined) {
      const answer = fragmentationNeeded(frames, frame, innerMtu);
      if (answer !== NO_FRAME) {
        this.#owner.deliverSoon(answer);
        this.#owner.dropSent(frame, "vxlan-mtu-exceeded");
        return false;
      }
    }
    if (dontFragment) {
      this.#owner.dropSent(frame, "vxlan-mtu-exceeded");
      return false;
    }
    this.#rememberMtu(frame, innerMtu);
    return true;
  }

  /** This host routes into the tunnel: its next packets to the same destination are made to fit. */
  #rememberMtu(frame: FrameId, innerMtu: number): void {
    const bytes = this.#frames.bytes;
    const at = this.#frames.start(frame);
    if (this.#owner.device.master !== undefined || ethernet.etherType(bytes, at) !== ethernet.ETHERTYPE_IPV4) return;
    this.#owner.namespace.ipv4.updatePathMtu(ipv4.destination(bytes, at + ethernet.HEADER_BYTES), innerMtu);
  }
}
