/** IPv4 of a namespace, RFC 791: what other parts of the kernel call. The work is done in ipv4-input, ipv4-forward and ipv4-output. */
import type { Ipv4Address } from "../wire/address.ts";
import type { FrameId } from "./frame-store.ts";
import type { PacketHooks } from "./hooks.ts";
import type { Ipv4Core, OutputTransform, ProtocolHandler, RawListener } from "./ipv4-core.ts";
import { Ipv4Forward } from "./ipv4-forward.ts";
import { Ipv4Input } from "./ipv4-input.ts";
import { Ipv4Output } from "./ipv4-output.ts";
import type { NetDevice } from "./net-device.ts";
import type { FlowKey, NoPath, Path } from "./path.ts";
import type { PathException, PathExceptions } from "./path-exceptions.ts";
import type { Reassembly } from "./reassembly.ts";
import type { RoutedPath } from "./resolver.ts";

export type { OutputTransform, ProtocolHandler, RawListener } from "./ipv4-core.ts";

export class Ipv4 {
  readonly #core: Ipv4Core;
  readonly #input: Ipv4Input;
  readonly #forward: Ipv4Forward;
  readonly #output: Ipv4Output;

  constructor(core: Ipv4Core) {
    this.#core = core;
    this.#output = new Ipv4Output(core);
    this.#forward = new Ipv4Forward(core, this.#output);
    this.#input = new Ipv4Input(core, this.#forward);
    this.#output.loopedBack = this.#input;
  }

  /** The firewall; undefined: there is none, and nothing is asked. */
  get hooks(): PacketHooks | undefined {
    return this.#core.hooks;
  }
  set hooks(hooks: PacketHooks | undefined) {
    this.#core.hooks = hooks;
  }

  /** IPsec; undefined: no policy. */
  get transform(): OutputTransform | undefined {
    return this.#core.transform;
  }
  set transform(transform: OutputTransform | undefined) {
    this.#core.transform = transform;
  }

  /** Moves whenever a path may have become another: a kept path of an older generation is asked for again. */
  get generation(): number {
    return this.#core.routing.generation;
  }

  get reassembly(): Reassembly {
    return this.#input.reassembly;
  }

  /** What ICMP has taught about single destinations. */
  get exceptions(): PathExceptions {
    return this.#core.exceptions;
  }

  /** The way to a destination, or why there is none. */
  resolve(key: FlowKey): RoutedPath | NoPath {
    return this.#core.resolver.resolve(key);
  }

  /** Sends a packet that this host made; it starts at a complete IPv4 header (`nextIdentification` gives ids). Takes over the hold. */
  output(frame: FrameId, path: Path): void {
    this.#output.output(frame, path);
  }

  /** The same behind the output hook: postrouting, IPsec, fragmentation, link. */
  outputRouted(frame: FrameId, path: Path): void {
    this.#output.finish(frame, path, undefined);
  }

  /** A packet that came in by `device`, from the checks and prerouting on; starts at its IPv4 header, last holder. Takes over the hold. */
  receive(device: NetDevice, frame: FrameId): void {
    this.#input.receivePacket(frame, device);
  }

  /** For this host, whatever its destination says: reassembly, the input hook, the protocol. Takes over the hold. */
  deliverLocally(frame: FrameId, device: NetDevice): void {
    this.#input.deliverLocally(frame, device);
  }

  /** On its way through, decided by the caller (IPVS). Takes over the hold. */
  forward(frame: FrameId, path: RoutedPath, ingress: NetDevice): void {
    this.#forward.forward(frame, path, ingress);
  }

  registerProtocol(number: number, handler: ProtocolHandler): void {
    this.#core.frames.forgetShortcuts();
    this.#core.setHandler(number, handler);
  }

  handler(number: number): ProtocolHandler | undefined {
    return this.#core.handler(number);
  }

  addRawListener(protocol: number, listener: RawListener): void {
    this.#core.rawListeners ??= new Map();
    const listeners = this.#core.rawListeners.get(protocol);
    if (listeners === undefined) this.#core.rawListeners.set(protocol, [listener]);
    else listeners.push(listener);
    this.#core.frames.forgetShortcuts();
  }

  removeRawListener(protocol: number, listener: RawListener): void {
    const listeners = this.#core.rawListeners?.get(protocol)?.filter((other) => other !== listener) ?? [];
    if (listeners.length > 0) this.#core.rawListeners?.set(protocol, listeners);
    else this.#core.rawListeners?.delete(protocol);
  }

  /** 1 to 65535, counted up as Linux counts for packets that no connected socket sends. */
  nextIdentification(source: Ipv4Address, destination: Ipv4Address, protocol: number): number {
    return this.#core.nextIdentification(source, destination, protocol);
  }

  /** RFC 1191 §6.3: "fragmentation needed" was received about a packet to `destination`. */
  updatePathMtu(destination: Ipv4Address, mtu: number): void {
    const { sysctl, exceptions, resolver } = this.#core;
    const path = resolver.towards(destination);
    if (typeof path === "string" || mtu >= path.mtu()) return;
    const minimum = sysctl.number("net.ipv4.route.min_pmtu");
    exceptions.learnMtu(destination, mtu, minimum, sysctl.number("net.ipv4.route.mtu_expires"));
  }

  /** Learnt path MTUs and gateways that hold now: `ip route show cache`. */
  learnt(): PathException[] {
    return this.#core.exceptions.list();
  }
}
