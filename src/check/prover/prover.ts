/**
 * The static prover: would a ping from one host to an address be answered, as the tables stand at this moment? Routes, neighbours, bridges, VTEPs, firewalls
 * and translations are read; nothing is sent. What the way needs to learn first (ARP that nobody has asked yet) is taken as learnt when the one who
 * would answer can be reached. Also says whether a broadcast would go round in circles.
 */
import { bridgeOf, portOf } from "../../linux/bridge.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { findNetfilter } from "../../linux/netfilter/attach.ts";
import type { Vxlan } from "../../linux/vxlan.ts";
import type { World } from "../../linux/world.ts";
import { formatIpv4, formatMac, type Ipv4Address, MAC_BROADCAST, type MacAddress } from "../../wire/address.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import { judge, type Point, type Probe, translate } from "./filter.ts";
import { type Carriage, type Layer2Rules, spread } from "./layer2.ts";

export interface Verdict {
  readonly reaches: "yes" | "no" | "unknown";
  /** Why not, or what is beyond the prover; the way, hop by hop, when it reaches. */
  readonly why: string;
}

/** Where a packet ends. */
type End =
  | { readonly kind: "delivered"; readonly at: NetworkNamespace; readonly probe: Probe }
  | { readonly kind: "lost" | "unknown"; readonly why: string };

/** What a namespace rewrote on the way out, to be undone on the way back. */
interface Rewrite {
  readonly at: NetworkNamespace;
  readonly was: Ipv4Address;
  readonly became: Ipv4Address;
}

const MOST_HOPS = 64;
const NOWHERE = 0 as Ipv4Address;

export function provePing(world: World, from: NetworkNamespace, to: Ipv4Address): Verdict {
  return new Prover(world).ping(from, to);
}

/** Bridges that a broadcast from any of their ports would meet twice; none: the network is free of loops. */
export function proveLoops(world: World): readonly string[] {
  const rules = new Prover(world).rules;
  const found = new Set<string>();
  for (const { devices } of world.namespaces.values())
    for (const device of devices)
      if (bridgeOf(device) !== undefined && device.up)
        for (const bridge of spread(world, rules, device, MAC_BROADCAST).loops) found.add(bridge);
  return [...found];
}

class Prover {
  readonly rules: Layer2Rules;
  readonly #world: World;
  readonly #way: string[] = [];
  #rewrites: Rewrite[] = [];
  /** What ARP would have taught on the way: by device and address. */
  readonly #learnt = new Map<string, MacAddress>();
  #depth = 0;

  constructor(world: World) {
    this.#world = world;
    this.rules = {
      filter: (bridge, ingress, egress) => this.#passesBridge(bridge, ingress, egress),
      tunnel: (vxlan, remote) => this.#tunnel(vxlan, remote),
    };
  }

  #probe: Probe | undefined = undefined;

  ping(from: NetworkNamespace, to: Ipv4Address): Verdict {
    const request = this.#route(from, to);
    if (request.kind !== "delivered") return verdictOf(request);
    const { at, probe } = request;
    const reply: Probe = {
      source: probe.destination,
      destination: probe.source,
      protocol: ipv4.PROTOCOL_ICMP,
      icmpType: icmp.TYPE_ECHO_REPLY,
      destinationPort: -1,
      state: "ESTABLISHED",
    };
    const answer = this.#travel(at, reply);
    if (answer.kind !== "delivered") return verdictOf(answer, "the answer: ");
    if (answer.at !== from) return { reaches: "no", why: `the answer goes to ${answer.at.name}` };
    return { reaches: "yes", why: this.#way.join(", ") };
  }

  /** The request, with the source that the host would choose. */
  #route(from: NetworkNamespace, to: Ipv4Address): End {
    const route = from.routes.lookup(flowOf(to));
    if (typeof route === "string") return { kind: "lost", why: `${from.name} has no route to ${formatIpv4(to)}` };
    const source =
      route.source ??
      (route.device === undefined || route.type === "local"
        ? to
        : from.routes.selectAddress(route.device, route.gateway ?? to, route.scope));
    return this.#travel(from, {
      source: source ?? NOWHERE,
      destination: to,
      protocol: ipv4.PROTOCOL_ICMP,
      icmpType: icmp.TYPE_ECHO_REQUEST,
      destinationPort: -1,
      state: "NEW",
    });
  }

  /** From a host's own output to where the packet ends. */
  #travel(from: NetworkNamespace, sent: Probe): End {
    let here = from;
    let probe = sent;
    let ingress: NetDevice | undefined;
    for (let hop = 0; hop < MOST_HOPS; hop++) {
      if (ingress !== undefined) {
        probe = this.#undo(here, probe);
        const refused = this.#refused(here, "prerouting", probe, ingress, undefined);
        if (refused !== undefined) return refused;
        if (here.routes.addressType(probe.source) === "local") return lost(`${here.name} takes the source for its own`);
      }
      const route = here.routes.lookup(flowOf(probe.destination));
      if (typeof route === "string") return lost(`${here.name} has no route to ${formatIpv4(probe.destination)}`);
      if (route.type === "local") {
        const refused = ingress === undefined ? undefined : this.#refused(here, "input", probe, ingress, undefined);
        return refused ?? { kind: "delivered", at: here, probe };
      }
      const egress = route.device;
      if (egress === undefined || route.type !== "unicast") return lost(`${here.name}: the route says ${route.type}`);
      if (ingress !== undefined && here.sysctl.number(`net.ipv4.conf.${ingress.name}.forwarding`) === 0)
        return lost(`${here.name} does not forward`);
      const refused = this.#refused(here, ingress === undefined ? "output" : "forward", probe, ingress, egress);
      if (refused !== undefined) return refused;
      const rewritten = this.#rewrite(here, probe, ingress, egress);
      if ("kind" in rewritten) return rewritten;
      probe = rewritten;
      const next = this.#hop(here, egress, route.gateway ?? probe.destination, probe);
      if (!("device" in next)) return next;
      this.#way.push(`${egress.place} > ${next.device.place}`);
      ingress = next.device;
      here = next.namespace;
    }
    return lost("the packet is routed in circles");
  }

  /** Over one link: the neighbour's MAC address, and the device that has it. */
  #hop(
    here: NetworkNamespace,
    egress: NetDevice,
    nextHop: Ipv4Address,
    probe: Probe,
  ): { readonly device: NetDevice; readonly namespace: NetworkNamespace } | End {
    this.#probe = probe;
    const mac =
      this.#learnt.get(`${egress.place} ${nextHop >>> 0}`) ??
      here.neighbours.lookup(egress, nextHop) ??
      this.#ask(here, egress, nextHop);
    if (mac === undefined) return lost(`nobody on ${egress.place} has ${formatIpv4(nextHop)}`);
    if (typeof mac !== "number") return mac;
    const { receivers, unknown } = spread(this.#world, this.rules, egress, mac);
    if (unknown[0] !== undefined) return { kind: "unknown", why: unknown[0] };
    const [device] = receivers;
    if (device === undefined) return lost(`a frame from ${egress.place} to ${formatMac(mac)} arrives nowhere`);
    return { device, namespace: this.#namespaceOf(device) };
  }

  /** What ARP would answer. */
  #ask(here: NetworkNamespace, egress: NetDevice, address: Ipv4Address): MacAddress | End | undefined {
    const { receivers, answers, unknown } = spread(this.#world, this.rules, egress, MAC_BROADCAST, address);
    if (unknown[0] !== undefined) return { kind: "unknown", why: unknown[0] };
    const owners = receivers.filter((device) => {
      const there = this.#namespaceOf(device);
      return there !== here && there.routes.addressType(address) === "local";
    });
    const macs = new Set([...owners.map((device) => device.address), ...answers]);
    if (macs.size > 1) return { kind: "unknown", why: `several answer for ${formatIpv4(address)}` };
    // Who is asked learns who asks.
    const source = this.#probe === undefined ? undefined : this.#probe.source;
    const asker =
      source !== undefined && here.routes.addressType(source) === "local"
        ? source
        : here.routes.selectAddress(egress, address, "link");
    if (asker !== undefined)
      for (const { place } of owners) this.#learnt.set(`${place} ${asker >>> 0}`, egress.address);
    return [...macs][0];
  }

  #tunnel(vxlan: Vxlan, remote: Ipv4Address): Carriage {
    if (this.#depth > 4) return { to: undefined };
    this.#depth++;
    const probe = this.#probe;
    const { underlay } = vxlan;
    const route = underlay.routes.lookup(flowOf(remote));
    let end: End = lost("no route");
    if (typeof route !== "string") {
      const source =
        route.device === undefined ? undefined : underlay.routes.selectAddress(route.device, remote, route.scope);
      end = this.#travel(underlay, {
        source: source ?? remote,
        destination: remote,
        protocol: ipv4.PROTOCOL_UDP,
        icmpType: -1,
        destinationPort: vxlan.port,
        state: "NEW",
      });
    }
    this.#probe = probe;
    this.#depth--;
    if (end.kind === "unknown") return { to: undefined, unknown: end.why };
    return { to: end.kind === "delivered" ? end.at.name : undefined };
  }

  /** br_netfilter shows bridged packets to the namespace's rules, when it is told to. */
  #passesBridge(bridge: NetDevice, _ingress: NetDevice | undefined, _egress: NetDevice): boolean {
    const namespace = this.#namespaceOf(bridge);
    const probe = this.#probe;
    if (!namespace.sysctl.bridgeCallsIptables || findNetfilter(namespace) === undefined || probe === undefined)
      return true;
    return judge(namespace, "forward", probe, bridge, bridge).kind !== "drop";
  }

  #refused(
    here: NetworkNamespace,
    point: Point,
    probe: Probe,
    ingress: NetDevice | undefined,
    egress: NetDevice | undefined,
  ): End | undefined {
    const judged = judge(here, point, probe, ingress, egress);
    if (judged.kind === "drop") return lost(`the firewall of ${here.name} drops it (${point})`);
    if (judged.kind !== "accept") return { kind: "unknown", why: `a rule of ${here.name} asks more than tables tell` };
    if (probe.state === "NEW" && (point === "prerouting" || point === "output")) {
      const changed = translate(here, point, probe, ingress, egress);
      if (changed.kind !== "accept") return { kind: "unknown", why: `${here.name} translates the destination` };
    }
    return undefined;
  }

  /** Source translation on the way out. */
  #rewrite(here: NetworkNamespace, probe: Probe, ingress: NetDevice | undefined, egress: NetDevice): Probe | End {
    const refused = this.#refused(here, "postrouting", probe, ingress, egress);
    if (refused !== undefined) return refused;
    if (probe.state !== "NEW") {
      const undone = this.#rewrites.find(({ at, became }) => at === here && became === probe.source);
      return undone === undefined ? probe : { ...probe, source: undone.was };
    }
    const changed = translate(here, "postrouting", probe, undefined, egress);
    if (changed.kind === "accept") return probe;
    if (changed.kind !== "rewrite" || changed.target !== "MASQUERADE")
      return { kind: "unknown", why: `${here.name} translates the source` };
    const became = here.routes.selectAddress(egress, probe.destination, "global");
    if (became === undefined) return lost(`${egress.place} has no address to hide behind`);
    this.#rewrites.push({ at: here, was: probe.source, became });
    return { ...probe, source: became };
  }

  /** On the way back the destination becomes what the source was. */
  #undo(here: NetworkNamespace, probe: Probe): Probe {
    if (probe.state === "NEW") return probe;
    const done = this.#rewrites.find(({ at, became }) => at === here && became === probe.destination);
    return done === undefined ? probe : { ...probe, destination: done.was };
  }

  #namespaceOf(device: NetDevice): NetworkNamespace {
    return this.#world.namespaces.get(device.namespaceName)!;
  }
}

function flowOf(destination: Ipv4Address) {
  return { destination, source: NOWHERE, mark: 0, ingress: undefined, egress: undefined };
}

function lost(why: string): End {
  return { kind: "lost", why };
}

function verdictOf(end: Exclude<End, { kind: "delivered" }>, prefix = ""): Verdict {
  return { reaches: end.kind === "lost" ? "no" : "unknown", why: prefix + end.why };
}

/** Is the device a port of a bridge that carries frames at this moment? */
export function isForwarding(device: NetDevice): boolean {
  return portOf(device)?.state === "forwarding";
}
