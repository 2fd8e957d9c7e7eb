/** IPv4 on its way through: net/ipv4/ip_forward.c, RFC 1812 §5.2. */
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import type { DropReason } from "./drop-reason.ts";
import { FRAME_FLAG_FORWARDED, FRAME_FLAG_GROUP, FRAME_FLAG_REDIRECT } from "./frame-flags.ts";
import { type FrameId, NO_FRAME } from "./frame-store.ts";
import type { Ipv4Core } from "./ipv4-core.ts";
import { stampOptions } from "./ipv4-options.ts";
import type { Ipv4Output } from "./ipv4-output.ts";
import type { NetDevice } from "./net-device.ts";
import type { RoutedPath } from "./resolver.ts";

export class Ipv4Forward {
  readonly #core: Ipv4Core;
  readonly #output: Ipv4Output;

  constructor(core: Ipv4Core, output: Ipv4Output) {
    this.#core = core;
    this.#output = output;
  }

  /** Sends on a packet that came by `ingress`. Takes over the hold. */
  forward(frame: FrameId, path: RoutedPath, ingress: NetDevice): void {
    const core = this.#core;
    const frames = core.frames;
    if ((frames.flags[frame]! & FRAME_FLAG_GROUP) !== 0) {
      this.#drop(frame, "ipv4-not-unicast", ingress);
      return;
    }
    if (core.transform !== undefined && !core.transform.admits(frame, ingress, true)) return;
    const at = frames.start(frame);
    if (ipv4.timeToLive(frames.bytes, at) <= 1) {
      core.errors?.sendError(frame, icmp.TYPE_TIME_EXCEEDED, icmp.CODE_TTL_EXCEEDED, 0, ingress);
      this.#drop(frame, "ipv4-ttl-exceeded", ingress);
      return;
    }
    const mtu = path.forwardMtu();
    const limit = frames.fragmentLimit[frame]!;
    const tooLong = frames.length(frame) > mtu && (limit === 0 || limit > mtu);
    if (tooLong && ipv4.dontFragment(frames.bytes, at)) {
      core.errors?.sendError(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_FRAGMENTATION_NEEDED, mtu, ingress);
      this.#drop(frame, "ipv4-fragmentation-needed", ingress);
      return;
    }
    let next = frames.writable(frame);
    const header = frames.start(next);
    ipv4.decrementTtl(frames.bytes, header);
    if (ipv4.headerBytes(frames.bytes, header) > ipv4.HEADER_BYTES)
      stampOptions(frames.bytes, header, path.source, core, core.timeOfDayMs());
    if ((frames.flags[next]! & FRAME_FLAG_REDIRECT) !== 0) core.errors?.sendRedirect(next, path.nextHop, ingress);
    frames.flags[next] = (frames.flags[next]! & ~FRAME_FLAG_REDIRECT) | FRAME_FLAG_FORWARDED;
    if (core.hooks !== undefined) {
      next = core.hooks.run("forward", next, ingress, path.device);
      if (next === NO_FRAME) return;
    }
    this.#output.finish(next, path, ingress);
  }

  #drop(frame: FrameId, reason: DropReason, device: NetDevice): void {
    this.#core.frames.drop(frame, reason, device);
  }
}
