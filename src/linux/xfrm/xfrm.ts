/**
 * IPsec of a namespace (net/xfrm): policies say which packets must be protected, associations protect them with ESP in transport mode. It stands in IPv4's way at
 * two places: behind POSTROUTING on the way out, in front of the protocols on the way in; ESP packets for this host it takes itself, and what
 * they carry comes in once more from PREROUTING on, as in Linux.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import * as esp from "../../wire/esp.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { DropReason } from "../drop-reason.ts";
import type { Errno } from "../errno.ts";
import { FRAME_FLAG_SECURED } from "../frame-flags.ts";
import { type FrameId, type FrameStore, NO_FRAME, type Place } from "../frame-store.ts";
import type { Ipv4 } from "../ipv4.ts";
import type { OutputTransform, ProtocolHandler } from "../ipv4-core.ts";
import type { NetDevice } from "../net-device.ts";
import type { IpsecStep, IpsecView } from "../netfilter/ipsec-view.ts";
import type { Path } from "../path.ts";
import type { SysctlListener } from "../sysctl.ts";
import { mtuInside, unwrap, wrap, wrappedLength } from "./esp-packet.ts";
import { Expiry } from "./expiry.ts";
import type { Policy, PolicyDirection, PolicyRequest, PolicyType, Template } from "./policy.ts";
import { PolicyTable } from "./policy-table.ts";
import { type Mark, makeFlow, readFlow, selects } from "./selector.ts";
import { type StateRequest, XfrmState } from "./state.ts";
import { StateTable } from "./state-table.ts";
import { type XfrmCounter, XfrmStatistics } from "./statistics.ts";
import { isUsable, stepOf, wasProtected } from "./templates.ts";

/** What IPsec needs of the namespace that it stands in. */
export interface XfrmHost extends Place {
  readonly clock: Clock;
  readonly frames: FrameStore;
  readonly random: Random;
  readonly ipv4: Ipv4;
  readonly icmp: { sendError(frame: FrameId, type: number, code: number, info: number, device: NetDevice): void };
  readonly sysctl: { number(key: string): number; readonly listeners: SysctlListener[] };
}

/** Devices whose traffic IPsec leaves alone: net.ipv4.conf.*.disable_xfrm on the way out, disable_policy on the way in. */
interface Exemption {
  readonly out: boolean;
  readonly in: boolean;
}

export class Xfrm implements OutputTransform, ProtocolHandler, IpsecView {
  readonly states = new StateTable();
  readonly policies = new PolicyTable();
  readonly statistics = new XfrmStatistics();
  readonly #host: XfrmHost;
  readonly #random: Random;
  readonly #flow = makeFlow();
  readonly #expiry: Expiry;
  /** By the device's name; forgotten when a sysctl changes. */
  readonly #exemptions = new Map<string, Exemption>();
  /** The ESP packet that is on its way through `Ipv4.output`: it is not protected once more. */
  #wrappedSpi = 0;
  #wrappedSequence = 0;
  /** Whose protection was taken off the packet that is being received, outermost first. */
  #path: readonly XfrmState[] = [];
  #pathPacket = 0;

  /** Takes its places in the namespace's IPv4. */
  constructor(host: XfrmHost) {
    this.#host = host;
    this.#random = host.random.fork("xfrm");
    this.#expiry = new Expiry(host.clock, this.states, this.policies);
    host.sysctl.listeners.push({ sysctlChanged: () => this.#exemptions.clear() });
    host.ipv4.transform = this;
    host.ipv4.registerProtocol(ipv4.PROTOCOL_ESP, this);
  }

  /** `ip xfrm state add`, or `update`. EEXIST: it is there; ESRCH: there is none to update. */
  addState(request: StateRequest, update = false): Errno | undefined {
    const random = this.#random.fork(`${request.source} ${request.destination} ${request.spi}`);
    const state = new XfrmState(request, random, this.#host.clock.nowNs);
    if (update) {
      const old = this.states.findExactly(request.destination, request.spi, request.mark);
      if (old === undefined) return "ESRCH";
      this.states.remove(old);
    }
    const problem = this.states.add(state);
    if (problem === undefined) this.#expiry.changed();
    return problem;
  }

  deleteState(destination: Ipv4Address, spi: number, mark: Mark): Errno | undefined {
    const state = this.states.findExactly(destination, spi, mark);
    if (state === undefined) return "ESRCH";
    this.states.remove(state);
    return undefined;
  }

  addPolicy(request: PolicyRequest, update = false): Errno | undefined {
    const problem = this.policies.add(request, this.#host.clock.nowNs, update);
    if (problem === undefined) this.#expiry.changed();
    return problem;
  }

  deletePolicy(policy: Policy): void {
    this.policies.remove(policy);
  }

  flushPolicies(type: PolicyType): void {
    this.policies.flush(type);
  }

  // On the way out

  output(frame: FrameId, path: Path): FrameId {
    const { frames } = this.#host;
    const { device } = path;
    if (this.#isWrapped(frame) || this.#exemption(device).out) return frame;
    const policy = this.#lookup("out", frame, device);
    if (policy === undefined) return frame;
    if (policy.action === "block") return this.#refuse(frame, "xfrm-policy", "XfrmOutPolBlock", device);
    const states = this.#statesFor(policy.templates);
    if (states === undefined) return this.#refuse(frame, "xfrm-no-state", "XfrmOutNoStates", device);
    if (states.length === 0) return frame;
    this.#touch(policy, frames.length(frame));
    const last = this.#fits(frame, states, path) ? this.#wrapAll(frame, states, device) : NO_FRAME;
    if (last === NO_FRAME) return NO_FRAME;
    const at = frames.start(last);
    const header = at + ipv4.headerBytes(frames.bytes, at);
    const spi = this.#wrappedSpi;
    const sequence = this.#wrappedSequence;
    this.#wrappedSpi = esp.spi(frames.bytes, header);
    this.#wrappedSequence = esp.sequence(frames.bytes, header);
    frames.connection[last] = 0; // nf_reset_ct: the ESP packet is a packet of its own
    this.#host.ipv4.output(last, path);
    this.#wrappedSpi = spi;
    this.#wrappedSequence = sequence;
    return NO_FRAME;
  }

  /** What the output policies ask for: `-m policy --dir out`. */
  outbound(frame: FrameId, egress: NetDevice | undefined): readonly IpsecStep[] {
    if (this.#isWrapped(frame) || (egress !== undefined && this.#exemption(egress).out)) return [];
    const policy = this.#lookup("out", frame, egress);
    if (policy === undefined || policy.action === "block") return [];
    return (this.#statesFor(policy.templates) ?? []).map(stepOf);
  }

  /** The associations for a policy's templates, innermost first; undefined: one that is required is missing. The flow has been read. */
  #statesFor(templates: readonly Template[]): XfrmState[] | undefined {
    const states: XfrmState[] = [];
    for (const template of templates) {
      const state = isUsable(template) ? this.states.findFor(template, this.#flow) : undefined;
      if (state !== undefined) states.push(state);
      else if (!template.optional) return undefined;
    }
    return states;
  }

  /** Protection takes room: a packet that must not be cut and would not fit is sent back to its sender with the MTU that is left. */
  #fits(frame: FrameId, states: readonly XfrmState[], path: Path): boolean {
    const { frames } = this.#host;
    const at = frames.start(frame);
    if (!ipv4.dontFragment(frames.bytes, at) || frames.fragmentLimit[frame] !== 0) return true;
    const headerBytes = ipv4.headerBytes(frames.bytes, at);
    let length = frames.length(frame);
    let inside = path.mtu();
    for (const state of states) length = wrappedLength(length, headerBytes, state.cipher.icvBytes);
    if (length <= inside) return true;
    for (const state of states) inside = mtuInside(inside, state.cipher.icvBytes);
    this.#host.icmp.sendError(frame, icmp.TYPE_UNREACHABLE, icmp.CODE_FRAGMENTATION_NEEDED, inside, path.device);
    frames.drop(frame, "ipv4-fragmentation-needed", path.device);
    return false;
  }

  #wrapAll(frame: FrameId, states: readonly XfrmState[], device: NetDevice): FrameId {
    const { frames } = this.#host;
    let next = frame;
    for (const state of states) {
      if (state.exhausted) {
        this.states.remove(state);
        return this.#refuse(next, "xfrm-no-state", "XfrmOutStateExpired", device);
      }
      const sequence = state.takeSequence();
      if (sequence === 0) return this.#refuse(next, "xfrm-sequence-exhausted", "XfrmOutStateSeqError", device);
      next = frames.writable(next);
      const at = frames.start(next);
      const payloadBytes = frames.length(next) - ipv4.headerBytes(frames.bytes, at);
      if (!wrap(frames, next, state, sequence))
        return this.#refuse(next, "ipv4-fragmentation-needed", "XfrmOutStateProtoError", device);
      this.#use(state, payloadBytes);
      frames.mark[next] = state.markAfter(frames.mark[next]!) | 0;
    }
    return next;
  }

  #isWrapped(frame: FrameId): boolean {
    if (this.#wrappedSpi === 0) return false;
    const { frames } = this.#host;
    const at = frames.start(frame);
    if (ipv4.protocol(frames.bytes, at) !== ipv4.PROTOCOL_ESP) return false;
    const header = at + ipv4.headerBytes(frames.bytes, at);
    return (
      esp.spi(frames.bytes, header) === this.#wrappedSpi && esp.sequence(frames.bytes, header) === this.#wrappedSequence
    );
  }

  // On the way in

  /** An ESP packet for this host: xfrm_input. */
  receive(frame: FrameId, device: NetDevice): void {
    const { frames } = this.#host;
    const at = frames.start(frame);
    const header = at + ipv4.headerBytes(frames.bytes, at);
    if (esp.check(frames.bytes, header, frames.end(frame)) !== undefined) {
      this.#refuse(frame, "xfrm-malformed", "XfrmInHdrError", device);
      return;
    }
    const spi = esp.spi(frames.bytes, header);
    const sequence = esp.sequence(frames.bytes, header);
    const state = this.states.find(ipv4.destination(frames.bytes, at), spi, frames.mark[frame]!);
    if (state === undefined) {
      this.#refuse(frame, "xfrm-no-state", "XfrmInNoStates", device);
      return;
    }
    const answer = state.replay.check(sequence);
    if (answer !== "fresh") {
      if (answer === "seen") state.refused.replay++;
      else state.refused.window++;
      this.#refuse(frame, "xfrm-replay", "XfrmInStateSeqError", device);
      return;
    }
    if (state.exhausted) {
      this.states.remove(state);
      this.#refuse(frame, "xfrm-no-state", "XfrmInStateExpired", device);
      return;
    }
    const own = frames.writable(frame);
    const payloadBytes = unwrap(frames, own, state);
    if (typeof payloadBytes === "string") {
      if (payloadBytes === "xfrm-integrity") state.refused.integrity++;
      this.#refuse(own, payloadBytes, "XfrmInStateProtoError", device);
      return;
    }
    state.replay.advance(sequence);
    this.#use(state, payloadBytes);
    frames.mark[own] = state.markAfter(frames.mark[own]!) | 0;
    frames.connection[own] = 0; // nf_reset_ct
    const nested = (frames.flags[own]! & FRAME_FLAG_SECURED) !== 0;
    frames.flags[own] = frames.flags[own]! | FRAME_FLAG_SECURED;
    const outerPath = this.#path;
    const outerPacket = this.#pathPacket;
    this.#path = nested ? [...outerPath, state] : [state];
    this.#pathPacket = frames.packetId[own]!;
    this.#host.ipv4.receive(device, own);
    this.#path = outerPath;
    this.#pathPacket = outerPacket;
  }

  /** __xfrm_policy_check: was a packet protected as the policies ask? */
  admits(frame: FrameId, device: NetDevice, forward: boolean): boolean {
    const { frames } = this.#host;
    if (!forward && ipv4.protocol(frames.bytes, frames.start(frame)) === ipv4.PROTOCOL_ESP) return true;
    if (this.#exemption(device).in) return true;
    const path = this.#pathOf(frame);
    const policy = this.#lookup(forward ? "fwd" : "in", frame, device);
    for (const state of path)
      if (!selects(state.request.selector, this.#flow)) {
        this.#refuse(frame, "xfrm-policy", "XfrmInStateMismatch", device);
        return false;
      }
    if (policy === undefined) return true; // transport mode needs no policy
    if (policy.action === "block") {
      this.#refuse(frame, "xfrm-policy", "XfrmInPolBlock", device);
      return false;
    }
    if (!wasProtected(policy.templates, path)) {
      this.#refuse(frame, "xfrm-policy", "XfrmInTmplMismatch", device);
      return false;
    }
    this.#touch(policy, frames.length(frame));
    return true;
  }

  /** What was taken off: `-m policy --dir in`. */
  inbound(frame: FrameId): readonly IpsecStep[] {
    return this.#pathOf(frame).map(stepOf);
  }

  #pathOf(frame: FrameId): readonly XfrmState[] {
    const { frames } = this.#host;
    if ((frames.flags[frame]! & FRAME_FLAG_SECURED) === 0 || frames.packetId[frame] !== this.#pathPacket) return [];
    return this.#path;
  }

  // Both ways

  #lookup(direction: PolicyDirection, frame: FrameId, device: NetDevice | undefined): Policy | undefined {
    readFlow(this.#host.frames, frame, device?.index ?? 0, this.#flow);
    return this.policies.lookup(direction, this.#flow);
  }

  #exemption(device: NetDevice): Exemption {
    let exemption = this.#exemptions.get(device.name);
    if (exemption === undefined) {
      const { sysctl } = this.#host;
      const keys = `net.ipv4.conf.${device.name.replaceAll(".", "/")}`;
      exemption = {
        out: sysctl.number(`${keys}.disable_xfrm`) !== 0,
        in: sysctl.number(`${keys}.disable_policy`) !== 0,
      };
      this.#exemptions.set(device.name, exemption);
    }
    return exemption;
  }

  #use(state: XfrmState, payloadBytes: number): void {
    state.count(payloadBytes);
    if (state.firstUseNs !== undefined) return;
    state.firstUseNs = this.#host.clock.nowNs;
    if (state.request.lifetime.hardUseSeconds !== undefined) this.#expiry.changed();
  }

  #touch(policy: Policy, lengthBytes: number): void {
    policy.bytes += lengthBytes;
    policy.packets++;
    if (policy.firstUseNs !== undefined) return;
    policy.firstUseNs = this.#host.clock.nowNs;
    if (policy.lifetime.hardUseSeconds !== undefined) this.#expiry.changed();
  }

  #refuse(frame: FrameId, reason: DropReason, counter: XfrmCounter, device: NetDevice): FrameId {
    this.statistics.count(counter);
    this.#host.frames.drop(frame, reason, device);
    return NO_FRAME;
  }
}
