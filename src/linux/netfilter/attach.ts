/** Puts a firewall into a namespace, on the first use of one. */
import type { Ipv4Address } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { FrameId } from "../frame-store.ts";
import type { HookPoint, PacketHooks } from "../hooks.ts";
import type { NetworkNamespace } from "../namespace.ts";
import { Neighbour } from "../neighbour.ts";
import type { NetDevice } from "../net-device.ts";
import { Reassembly } from "../reassembly.ts";
import { BridgeNetfilter } from "./bridge-netfilter.ts";
import type { AddressType, NetfilterHost } from "./host.ts";
import { Netfilter } from "./netfilter.ts";

/** The namespace's firewall; made, empty, when it has none yet. */
export function netfilterOf(namespace: NetworkNamespace): Netfilter {
  const { hooks } = namespace.ipv4;
  if (hooks instanceof Netfilter) return hooks;
  const netfilter = new Netfilter(new NamespaceHost(namespace));
  namespace.ipv4.hooks = netfilter;
  netfilter.ipsec = namespace.xfrm;
  namespace.netfilterBridge = new BridgeNetfilter(netfilter, () => namespace.sysctl.bridgeCallsIptables, {
    staysOn: (bridge, frame) => routeOf(namespace, frame)?.device === bridge,
    macOf: (frame) => {
      const link = routeOf(namespace, frame)?.link;
      return link instanceof Neighbour && link.resolve() ? link.mac : undefined;
    },
    sendOn: (_bridge, frame) => {
      const path = routeOf(namespace, frame);
      if (path === undefined) namespace.frames.drop(frame, "ipv4-no-route", namespace);
      else path.link.output(frame);
    },
  });
  namespace.sysctl.listeners.push({ sysctlChanged: () => netfilter.conntrack.forgetSettings() });
  if (hooks instanceof DeferredRules) hooks.install();
  return netfilter;
}

/** The namespace's firewall, or undefined when nobody has asked for one. */
export function findNetfilter(namespace: NetworkNamespace): Netfilter | undefined {
  const { hooks } = namespace.ipv4;
  if (hooks instanceof DeferredRules) return netfilterOf(namespace);
  return hooks instanceof Netfilter ? hooks : undefined;
}

/**
 * Rules about packets that this namespace sends to `destination`: set by `install` before the first such packet, or before anybody looks at the
 * firewall, whichever comes first. A container that never asks for a name is spared a firewall of its own, and keeps 0.6 kB in place of 16.
 */
export function deferRules(namespace: NetworkNamespace, destination: Ipv4Address, install: () => void): void {
  if (namespace.ipv4.hooks === undefined) {
    namespace.ipv4.hooks = new DeferredRules(namespace, destination, install);
    return;
  }
  netfilterOf(namespace);
  install();
}

/** In place of a firewall that nobody has needed yet. */
class DeferredRules implements PacketHooks {
  readonly #namespace: NetworkNamespace;
  readonly #destination: Ipv4Address;
  readonly install: () => void;

  constructor(namespace: NetworkNamespace, destination: Ipv4Address, install: () => void) {
    this.#namespace = namespace;
    this.#destination = destination;
    this.install = install;
  }

  run(point: HookPoint, frame: FrameId, ingress: NetDevice | undefined, egress: NetDevice | undefined): FrameId {
    const { frames } = this.#namespace;
    if (point !== "output" || ipv4.destination(frames.bytes, frames.start(frame)) !== this.#destination) return frame;
    return netfilterOf(this.#namespace).run(point, frame, ingress, egress);
  }
}

function routeOf(namespace: NetworkNamespace, frame: FrameId) {
  const { bytes } = namespace.frames;
  const destination = ipv4.destination(bytes, namespace.frames.start(frame));
  const path = namespace.ipv4.resolve({ destination, mark: namespace.frames.mark[frame]! });
  return typeof path === "string" ? undefined : path;
}

class NamespaceHost implements NetfilterHost {
  readonly #namespace: NetworkNamespace;
  readonly clock;
  readonly frames;
  readonly random;
  /** One queue of fragments for each place where they are put together (enum ip_defrag_users). */
  readonly #reassemblies = new Map<HookPoint, Reassembly>();

  constructor(namespace: NetworkNamespace) {
    this.#namespace = namespace;
    this.clock = namespace.clock;
    this.frames = namespace.frames;
    this.random = namespace.random.fork("netfilter");
  }

  get place(): string {
    return this.#namespace.name;
  }

  sysctl(key: string): number {
    return this.#namespace.sysctl.number(key);
  }

  addressType(address: Ipv4Address, device: NetDevice | undefined): AddressType {
    switch (this.#namespace.routes.addressType(address)) {
      case "local":
        return device === undefined || hasLocal(device, address) ? "LOCAL" : "UNICAST";
      case "broadcast":
        return "BROADCAST";
      case "multicast":
        return "MULTICAST";
      default:
        return "UNICAST";
    }
  }

  addressFor(device: NetDevice, destination: Ipv4Address): Ipv4Address | undefined {
    const path = this.#namespace.ipv4.resolve({ destination, device });
    const nextHop = typeof path === "string" ? destination : path.nextHop;
    return this.#namespace.routes.selectAddress(device, nextHop, "global");
  }

  send(frame: FrameId): void {
    const path = routeOf(this.#namespace, frame);
    if (path === undefined) this.frames.drop(frame, "ipv4-no-route", this);
    else this.#namespace.ipv4.output(frame, path);
  }

  sendError(frame: FrameId, type: number, code: number, device: NetDevice | undefined): void {
    this.#namespace.icmp.sendError(frame, type, code, 0, device ?? this.#namespace.loopback);
  }

  reassemble(frame: FrameId, user: HookPoint, device: NetDevice | undefined): FrameId {
    let reassembly = this.#reassemblies.get(user);
    if (reassembly === undefined) {
      const { sysctl } = this.#namespace;
      const settings = () => ({
        timeoutSeconds: sysctl.number("net.ipv4.ipfrag_time"),
        limitBytes: sysctl.number("net.ipv4.ipfrag_high_thresh"),
      });
      reassembly = new Reassembly(this.clock, this.frames, this, settings, (first, from) => {
        // Only the host that a packet is for complains about missing fragments.
        const destination = ipv4.destination(this.frames.bytes, this.frames.start(first));
        if (this.#namespace.routes.addressType(destination) === "local")
          this.sendError(first, icmp.TYPE_TIME_EXCEEDED, icmp.CODE_REASSEMBLY_EXCEEDED, from);
      });
      this.#reassemblies.set(user, reassembly);
    }
    return reassembly.add(frame, device ?? this.#namespace.loopback);
  }
}

function hasLocal(device: NetDevice, address: Ipv4Address): boolean {
  return (
    device.addresses.some((own) => own.address === address) || (device.kind === "loopback" && address >>> 24 === 127)
  );
}
