/**
 * IPv4 on its way in: checks, the prerouting hook, the decision between this host and the way on, delivery to protocols (net/ipv4/ip_input.c,
 * route.c: ip_route_input). Forwarding is ipv4-forward.ts.
 */
import type { Ipv4Address } from "../wire/address.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { DropReason } from "./drop-reason.ts";
import { FRAME_FLAG_GROUP, FRAME_FLAG_REDIRECT } from "./frame-flags.ts";
import { type FrameId, NO_FRAME } from "./frame-store.ts";
import type { Ipv4Core } from "./ipv4-core.ts";
import type { Ipv4Forward } from "./ipv4-forward.ts";
import { checkOptions, stampOptions } from "./ipv4-options.ts";
import type { NetDevice } from "./net-device.ts";
import type { NoPath } from "./path.ts";
import { Reassembly } from "./reassembly.ts";
import { validateSource } from "./source-validation.ts";

const BROADCAST = 0xffff_ffff;
/** Version and header length of a packet without options. */
const WITHOUT_OPTIONS = 0x45;

export class Ipv4Input {
  readonly #core: Ipv4Core;
  readonly #forward: Ipv4Forward;
  #reassembly: Reassembly | undefined = undefined;
  // The source that was found good last: conversations come in trains.
  #goodSource = -1;
  #goodDevice: NetDevice | undefined = undefined;
  #goodGeneration = -1;

  constructor(core: Ipv4Core, forward: Ipv4Forward) {
    this.#core = core;
    this.#forward = forward;
  }

  /** Made for the first fragment: most containers never see one. */
  get reassembly(): Reassembly {
    this.#reassembly ??= this.#makeReassembly();
    return this.#reassembly;
  }

  #makeReassembly(): Reassembly {
    const core = this.#core;
    const settings = () => ({
      timeoutSeconds: core.sysctl.number("net.ipv4.ipfrag_time"),
      limitBytes: core.sysctl.number("net.ipv4.ipfrag_high_thresh"),
    });
    return new Reassembly(core.clock, core.frames, core.place, settings, (first, device) =>
      core.errors?.sendError(first, icmp.TYPE_TIME_EXCEEDED, icmp.CODE_REASSEMBLY_EXCEEDED, 0, device),
    );
  }

  /** A packet that has come in by `device`: it starts at its IPv4 header, and this is its last holder. Takes over the hold. */
  receivePacket(frame: FrameId, device: NetDevice): void {
    const core = this.#core;
    const frames = core.frames;
    const at = frames.start(frame);
    const bytes = frames.bytes;
    if (ipv4.check(bytes, at, frames.end(frame)) !== undefined) {
      this.#drop(frame, "ipv4-malformed", device);
      return;
    }
    // A checksum known to be good covers nothing that a link may have corrupted: the header is as it was made.
    if (frames.checksumKnown[frame] === 0 && !ipv4.checksumOk(frames, at)) {
      this.#drop(frame, "ipv4-bad-checksum", device);
      return;
    }
    const length = ipv4.totalLength(bytes, at);
    if (length !== frames.length(frame)) frames.resize(frame, length);
    let next = frame;
    if (core.hooks !== undefined) {
      next = core.hooks.run("prerouting", next, device, undefined);
      if (next === NO_FRAME) return;
    }
    this.#route(next, device);
  }

  /** A packet for this host: reassembly, the input hook, its protocol. Takes over the hold. */
  deliverLocally(frame: FrameId, device: NetDevice): void {
    const core = this.#core;
    const frames = core.frames;
    let next = frame;
    if (ipv4.isFragment(frames.bytes, frames.start(next))) {
      next = this.reassembly.add(next, device);
      if (next === NO_FRAME) return;
    }
    if (core.hooks !== undefined) {
      next = core.hooks.run("input", next, device, undefined);
      if (next === NO_FRAME) return;
    }
    const protocol = ipv4.protocol(frames.bytes, frames.start(next));
    let heard = false;
    if (core.rawListeners !== undefined) {
      const listeners = core.rawListeners.get(protocol);
      if (listeners !== undefined) {
        for (const listener of [...listeners]) listener.packet(next, device);
        heard = listeners.length > 0;
      }
    }
    if (core.transform !== undefined && !core.transform.admits(next, device, false)) return;
    const handler = core.handler(protocol);
    if (handler !== undefined) {
      handler.receive(next, device);
    } else if (heard) {
      frames.deliver(next);
    } else {
      core.errors?.sendError(next, icmp.TYPE_UNREACHABLE, icmp.CODE_PROTOCOL_UNREACHABLE, 0, device);
      this.#drop(next, "protocol-unknown", device);
    }
  }

  /** ip_route_input: for this host, for another, or from nowhere that it could have come from. */
  #route(frame: FrameId, device: NetDevice): void {
    const { frames, routing } = this.#core;
    const at = frames.start(frame);
    const bytes = frames.bytes;
    const destination = ipv4.destination(bytes, at);
    const source = ipv4.source(bytes, at);
    // What crosses the loopback device was routed when it was sent.
    if (device.kind === "loopback") {
      this.#routeLooped(frame, destination, device);
      return;
    }
    if (destination >>> 28 === 0xe && destination !== BROADCAST) {
      this.#routeMulticast(frame, destination, source, device);
      return;
    }
    const settings = this.#core.devices.of(device).settings;
    if (source >>> 28 === 0xe || source === BROADCAST) {
      this.#drop(frame, "ipv4-martian-source", device);
      return;
    }
    if (destination === BROADCAST || (source === 0 && destination === 0)) {
      this.#routeBroadcast(frame, source, device);
      return;
    }
    if (source >>> 24 === 0) {
      this.#drop(frame, "ipv4-martian-source", device);
      return;
    }
    if (destination >>> 24 === 0) {
      this.#drop(frame, "ipv4-martian-destination", device);
      return;
    }
    if (!settings.routeLocalnet) {
      if (destination >>> 24 === 127) {
        this.#drop(frame, "ipv4-martian-destination", device);
        return;
      }
      if (source >>> 24 === 127) {
        this.#drop(frame, "ipv4-martian-source", device);
        return;
      }
    }
    if (routing.hasAddress(destination)) {
      if (this.#admitsSource(frame, source, destination, device)) this.#deliverWithOptions(frame, device);
      return;
    }
    const path = this.#core.resolver.resolveTransit(destination, source, frames.mark[frame]!, device);
    if (typeof path === "string") {
      this.#noRoute(frame, path, device);
      return;
    }
    if (path.kind === "broadcast") {
      this.#routeBroadcast(frame, source, device);
      return;
    }
    if (path.kind === "local") {
      if (this.#admitsSource(frame, source, destination, device)) this.#deliverWithOptions(frame, device);
      return;
    }
    if (!settings.forwarding) {
      this.#drop(frame, "ipv4-not-local", device);
      return;
    }
    const verdict = validateSource(this.#core, source, destination, frames.mark[frame]!, device, path.device);
    if (verdict === "martian") {
      this.#drop(frame, "ipv4-martian-source", device);
      return;
    }
    if (verdict === "reverse-path") {
      this.#drop(frame, "ipv4-reverse-path", device);
      return;
    }
    if (path.device === device && verdict === "on-link" && settings.sendRedirects && settings.sharedMedia)
      frames.flags[frame] = frames.flags[frame]! | FRAME_FLAG_REDIRECT;
    if (!this.#optionsHold(frame, device)) return;
    this.#forward.forward(frame, path, device);
  }

  #routeLooped(frame: FrameId, destination: Ipv4Address, device: NetDevice): void {
    const path = this.#core.resolver.towards(destination);
    const group = destination >>> 28 === 0xe || destination === BROADCAST;
    if (group || (typeof path !== "string" && (path.kind === "local" || path.kind === "broadcast")))
      this.#deliverWithOptions(frame, device);
    else if (typeof path === "string" || !this.#core.devices.of(device).settings.forwarding)
      this.#drop(frame, "ipv4-not-local", device);
    else if (this.#optionsHold(frame, device)) this.#forward.forward(frame, path, device);
  }

  #routeMulticast(frame: FrameId, group: Ipv4Address, source: Ipv4Address, device: NetDevice): void {
    if (this.#core.groups?.isMember(device, group) !== true) {
      this.#drop(frame, "ipv4-not-unicast", device);
      return;
    }
    const local = group >>> 8 === 0xe0_0000;
    if (source >>> 28 === 0xe || source === BROADCAST || source >>> 24 === 127 || (source === 0 && !local)) {
      this.#drop(frame, "ipv4-martian-source", device);
      return;
    }
    if (source !== 0 && !this.#isLooped(frame, source) && !this.#admitsSource(frame, source, group, device)) return;
    this.#deliverWithOptions(frame, device);
  }

  #routeBroadcast(frame: FrameId, source: Ipv4Address, device: NetDevice): void {
    const looped = this.#isLooped(frame, source);
    if (source !== 0 && !looped && !this.#admitsSource(frame, source, 0 as Ipv4Address, device)) return;
    this.#deliverWithOptions(frame, device);
  }

  /** A copy of this host's own broadcast or multicast, which never left it. */
  #isLooped(frame: FrameId, source: Ipv4Address): boolean {
    return (this.#core.frames.flags[frame]! & FRAME_FLAG_GROUP) !== 0 && this.#core.routing.hasAddress(source);
  }

  #admitsSource(frame: FrameId, source: Ipv4Address, destination: Ipv4Address, device: NetDevice): boolean {
    const core = this.#core;
    if (
      source === this.#goodSource &&
      device === this.#goodDevice &&
      core.routing.generation === this.#goodGeneration &&
      !core.routing.hasCustomRules
    )
      return true;
    const verdict = validateSource(core, source, destination, core.frames.mark[frame]!, device, undefined);
    if (verdict === "martian" || verdict === "reverse-path") {
      this.#drop(frame, verdict === "martian" ? "ipv4-martian-source" : "ipv4-reverse-path", device);
      return false;
    }
    this.#goodSource = source;
    this.#goodDevice = device;
    this.#goodGeneration = core.routing.generation;
    return true;
  }

  #deliverWithOptions(frame: FrameId, device: NetDevice): void {
    if (!this.#optionsHold(frame, device)) return;
    const { frames } = this.#core;
    const at = frames.start(frame);
    if (frames.bytes[at] !== WITHOUT_OPTIONS)
      stampOptions(
        frames.bytes,
        at,
        this.#core.specificDestination(frame, device),
        this.#core,
        this.#core.timeOfDayMs(),
      );
    this.deliverLocally(frame, device);
  }

  /** False: the options were bad, and the packet has ended. */
  #optionsHold(frame: FrameId, device: NetDevice): boolean {
    const frames = this.#core.frames;
    const at = frames.start(frame);
    if (frames.bytes[at] === WITHOUT_OPTIONS) return true;
    const problem = checkOptions(frames.bytes, at);
    if (problem === undefined) return true;
    if (problem !== "source-route")
      this.#core.errors?.sendError(frame, icmp.TYPE_PARAMETER_PROBLEM, 0, problem * 0x100_0000, device);
    this.#drop(frame, "ipv4-options-invalid", device);
    return false;
  }

  /** ip_error: a router says so, a host keeps silent. */
  #noRoute(frame: FrameId, error: NoPath, device: NetDevice): void {
    if (!this.#core.devices.of(device).settings.forwarding) {
      this.#drop(frame, "ipv4-not-local", device);
      return;
    }
    this.#core.errors?.sendNoRoute(frame, error, device);
    this.#drop(frame, REASON_OF_ERROR[error], device);
  }

  #drop(frame: FrameId, reason: DropReason, device: NetDevice): void {
    this.#core.frames.drop(frame, reason, device);
  }
}

const REASON_OF_ERROR: Record<NoPath, DropReason> = {
  ENETUNREACH: "ipv4-no-route",
  EHOSTUNREACH: "ipv4-route-unreachable",
  EACCES: "ipv4-route-prohibit",
  EINVAL: "ipv4-route-blackhole",
};
