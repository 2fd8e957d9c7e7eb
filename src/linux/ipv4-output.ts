/** IPv4 on its way out: hooks, IPsec, fragmentation, the link (net/ipv4/ip_output.c). */
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import { fragment } from "./fragment.ts";
import { FRAME_FLAG_FORWARDED, FRAME_FLAG_GROUP, FRAME_FLAG_NO_LOOP } from "./frame-flags.ts";
import { type FrameId, NO_FRAME } from "./frame-store.ts";
import type { Ipv4Core } from "./ipv4-core.ts";
import type { NetDevice } from "./net-device.ts";
import type { Path } from "./path.ts";
import { RoutedPath } from "./resolver.ts";

/** Where copies of a host's own broadcasts and multicasts come back in. */
export interface LoopedBack {
  receivePacket(frame: FrameId, device: NetDevice): void;
}

/** The shortest MTU that a packet can be cut for: the longest header and 8 bytes. */
const SHORTEST_MTU = 68;

export class Ipv4Output {
  readonly #core: Ipv4Core;
  /** The input half. */
  loopedBack: LoopedBack | undefined = undefined;

  constructor(core: Ipv4Core) {
    this.#core = core;
  }

  /** Sends a packet that this host made. It starts at a complete IPv4 header. Takes over the hold. */
  output(frame: FrameId, path: Path): void {
    const hooks = this.#core.hooks;
    if (hooks === undefined) {
      this.finish(frame, path, undefined);
      return;
    }
    const frames = this.#core.frames;
    const mark = frames.mark[frame]!;
    const before = frames.start(frame);
    const source = ipv4.source(frames.bytes, before);
    const destination = ipv4.destination(frames.bytes, before);
    const next = hooks.run("output", frame, undefined, path.device);
    if (next === NO_FRAME) return;
    const at = frames.start(next);
    const changed =
      ipv4.destination(frames.bytes, at) !== destination ||
      ipv4.source(frames.bytes, at) !== source ||
      frames.mark[next] !== mark;
    const way = changed ? this.#reroute(next) : path;
    if (way !== undefined) this.finish(next, way, undefined);
  }

  /** From postrouting on: for packets of this host and for forwarded ones (`ingress`). Takes over the hold. */
  finish(frame: FrameId, path: Path, ingress: NetDevice | undefined): void {
    const core = this.#core;
    const frames = core.frames;
    if (path.kind === "multicast" || path.kind === "broadcast") {
      this.#loopBack(frame, path);
      if (path.kind === "multicast" && ipv4.timeToLive(frames.bytes, frames.start(frame)) === 0) {
        frames.drop(frame, "ipv4-ttl-exceeded", path.device);
        return;
      }
    }
    let next = frame;
    if (core.hooks !== undefined) {
      next = core.hooks.run("postrouting", next, ingress, path.device);
      if (next === NO_FRAME) return;
    }
    if (core.transform !== undefined) {
      next = core.transform.output(next, path);
      if (next === NO_FRAME) return;
    }
    const forwarded = (frames.flags[next]! & FRAME_FLAG_FORWARDED) !== 0;
    const mtu = forwarded && path instanceof RoutedPath ? path.forwardMtu() : path.mtu();
    if (frames.length(next) > mtu || frames.fragmentLimit[next] !== 0) this.#fragment(next, path, mtu);
    else path.link.output(next);
  }

  #fragment(frame: FrameId, path: Path, mtu: number): void {
    const { frames, errors } = this.#core;
    const at = frames.start(frame);
    const limit = frames.fragmentLimit[frame]!;
    const refuses = ipv4.dontFragment(frames.bytes, at) && (limit === 0 || limit > mtu);
    if (refuses || mtu < SHORTEST_MTU) {
      errors?.sendError(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_FRAGMENTATION_NEEDED, mtu, path.device);
      frames.drop(frame, "ipv4-fragmentation-needed", path.device);
      return;
    }
    const pieces = fragment(frames, frame, mtu);
    frames.consume(frame);
    for (const piece of pieces) path.link.output(piece);
  }

  /** ip_mc_output: this host hears its own broadcasts, and multicasts to groups that it is a member of. */
  #loopBack(frame: FrameId, path: Path): void {
    const { frames, groups } = this.#core;
    if (this.loopedBack === undefined || (frames.flags[frame]! & FRAME_FLAG_FORWARDED) !== 0) return;
    if (path.kind === "multicast") {
      if (groups?.isMember(path.device, path.destination) !== true) return;
      if ((frames.flags[frame]! & FRAME_FLAG_NO_LOOP) !== 0) return;
    }
    const copy = frames.clone(frame);
    frames.flags[copy] = FRAME_FLAG_GROUP;
    this.loopedBack.receivePacket(copy, path.device);
  }

  /** ip_route_me_harder: a hook has changed what the way was decided by. */
  #reroute(frame: FrameId): Path | undefined {
    const { frames, resolver, routing } = this.#core;
    const at = frames.start(frame);
    const source = ipv4.source(frames.bytes, at);
    const path = resolver.resolve({
      destination: ipv4.destination(frames.bytes, at),
      ...(routing.addressType(source) === "local" ? { source } : {}),
      mark: frames.mark[frame]!,
    });
    if (typeof path !== "string") return path;
    frames.drop(frame, "ipv4-no-route", this.#core.place);
    return undefined;
  }
}
