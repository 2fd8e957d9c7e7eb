/**
 * From a destination to a path: Linux's ip_route_output_key and the route half of ip_route_input. Decisions are kept until `generation`
 * moves, so that a packet costs one lookup in a table of integers.
 */
import { IPV4_LOOPBACK, type Ipv4Address, isMulticastIpv4 } from "../wire/address.ts";
import type { Neighbour } from "./neighbour.ts";
import type { NeighbourTable } from "./neighbour-table.ts";
import type { NetDevice } from "./net-device.ts";
import type { FlowKey, LinkOutput, NoPath, Path, PathKind } from "./path.ts";
import type { PathExceptions } from "./path-exceptions.ts";
import type { Route } from "./route.ts";
import type { Routing } from "./routing.ts";

/** Above this many remembered destinations all are forgotten. */
const CACHE_LIMIT = 4_096;
const NO_ADDRESS = 0 as Ipv4Address;
const BROADCAST = 0xffff_ffff;
/** The largest MTU that IPv4 can use. */
const MAXIMUM_MTU = 65_535;

export class RoutedPath implements Path {
  readonly kind: PathKind;
  readonly device: NetDevice;
  readonly destination: Ipv4Address;
  readonly nextHop: Ipv4Address;
  readonly source: Ipv4Address;
  readonly generation: number;
  readonly route: Route | undefined;
  /** The destination is behind a gateway. */
  readonly viaGateway: boolean;
  readonly #neighbours: NeighbourTable;
  readonly #exceptions: PathExceptions;
  #neighbour: Neighbour | undefined = undefined;

  constructor(
    neighbours: NeighbourTable,
    exceptions: PathExceptions,
    generation: number,
    decision: {
      kind: PathKind;
      device: NetDevice;
      destination: Ipv4Address;
      gateway: Ipv4Address | undefined;
      source: Ipv4Address;
      route: Route | undefined;
    },
  ) {
    this.#neighbours = neighbours;
    this.#exceptions = exceptions;
    this.generation = generation;
    this.kind = decision.kind;
    this.device = decision.device;
    this.destination = decision.destination;
    this.nextHop = decision.gateway ?? decision.destination;
    this.viaGateway = decision.gateway !== undefined;
    this.source = decision.source;
    this.route = decision.route;
  }

  get link(): LinkOutput {
    let neighbour = this.#neighbour;
    if (neighbour === undefined || neighbour.removed) {
      neighbour = this.#neighbours.obtain(this.device, this.nextHop, this.kind === "broadcast");
      this.#neighbour = neighbour;
    }
    return neighbour;
  }

  mtu(): number {
    let mtu = this.route?.mtu ?? this.device.mtu;
    if (this.#exceptions.size > 0) {
      const learnt = this.#exceptions.get(this.destination)?.mtu;
      if (learnt !== undefined && learnt < mtu) mtu = learnt;
    }
    return Math.min(mtu, MAXIMUM_MTU);
  }

  /** What a router goes by (ip_forward_use_pmtu 0): the device's or the route's, not what was learnt. */
  forwardMtu(): number {
    const mtu = this.route?.mtu ?? this.device.mtu;
    return Math.min(mtu, MAXIMUM_MTU);
  }
}

export class Resolver {
  readonly #routing: Routing;
  readonly #neighbours: NeighbourTable;
  readonly #exceptions: PathExceptions;
  readonly #host: { readonly loopback: NetDevice };
  /** By destination, as a signed integer. */
  #cache: Map<number, RoutedPath | NoPath> | undefined = undefined;
  #cacheGeneration = 0;

  constructor(
    routing: Routing,
    neighbours: NeighbourTable,
    exceptions: PathExceptions,
    host: { readonly loopback: NetDevice },
  ) {
    this.#routing = routing;
    this.#neighbours = neighbours;
    this.#exceptions = exceptions;
    this.#host = host;
  }

  /** The way of a packet that this host makes. */
  resolve(key: FlowKey): RoutedPath | NoPath {
    const routing = this.#routing;
    const device = key.device;
    if (device === undefined && !routing.hasCustomRules) {
      if (key.source === undefined || key.source === 0 || !isGroup(key.destination))
        return this.towards(key.destination);
    }
    return this.#decide(key.destination, key.source ?? NO_ADDRESS, key.mark ?? 0, undefined, device);
  }

  /** The same for a packet on its way through: `ingress` and `source` count only where rules ask for them. */
  resolveTransit(destination: Ipv4Address, source: Ipv4Address, mark: number, ingress: NetDevice): RoutedPath | NoPath {
    if (!this.#routing.hasCustomRules) return this.towards(destination);
    return this.#decide(destination, source, mark, ingress, undefined);
  }

  /** By destination alone. */
  towards(destination: Ipv4Address): RoutedPath | NoPath {
    this.#cache ??= new Map();
    const cache = this.#cache;
    if (this.#cacheGeneration !== this.#routing.generation || cache.size > CACHE_LIMIT) {
      cache.clear();
      this.#cacheGeneration = this.#routing.generation;
    }
    let path = cache.get(destination | 0);
    if (path === undefined) {
      path = this.#decide(destination, NO_ADDRESS, 0, undefined, undefined);
      cache.set(destination | 0, path);
    }
    return path;
  }

  #decide(
    to: Ipv4Address,
    source: Ipv4Address,
    mark: number,
    ingress: NetDevice | undefined,
    bound: NetDevice | undefined,
  ): RoutedPath | NoPath {
    const routing = this.#routing;
    let device = bound;
    let destination = to;
    if (device !== undefined && !device.up) return "ENETUNREACH";
    // Groups without a route leave by the device whose address the packet has.
    if (device === undefined && source !== 0 && isGroup(destination)) {
      const owner = routing.lookup({
        destination: source,
        source: NO_ADDRESS,
        mark: 0,
        ingress: undefined,
        egress: undefined,
      });
      if (typeof owner !== "string" && owner.type === "local") device = owner.device;
    }
    if (device !== undefined && (isLocalGroup(destination) || destination === BROADCAST)) {
      const own = source !== 0 ? source : (routing.selectAddress(device, NO_ADDRESS, "link") ?? NO_ADDRESS);
      return this.#path(groupKind(destination), device, destination, undefined, own, undefined);
    }
    if (destination === 0) {
      destination = source === 0 ? IPV4_LOOPBACK : source;
      return this.#path("local", this.#host.loopback, destination, undefined, destination, undefined);
    }
    const route = routing.lookup({ destination, source, mark, ingress, egress: device });
    if (typeof route === "string") {
      // "Apparently, routing tables are wrong. Assume, that the destination is on link."
      if (device === undefined || route !== "ENETUNREACH") return route;
      const own = source !== 0 ? source : (routing.selectAddress(device, NO_ADDRESS, "link") ?? NO_ADDRESS);
      return this.#path(groupKind(destination), device, destination, undefined, own, undefined);
    }
    if (route.type === "local") {
      return this.#path("local", this.#host.loopback, destination, undefined, route.source ?? destination, route);
    }
    const egress = route.device!;
    const redirected = this.#exceptions.size > 0 ? this.#exceptions.get(destination)?.gateway : undefined;
    const gateway = redirected ?? route.gateway;
    const kind: PathKind = route.type === "broadcast" ? "broadcast" : groupKind(destination);
    const own = route.source ?? routing.selectAddress(egress, gateway ?? NO_ADDRESS, route.scope) ?? NO_ADDRESS;
    return this.#path(kind, egress, destination, kind === "unicast" ? gateway : undefined, own, route);
  }

  #path(
    kind: PathKind,
    device: NetDevice,
    destination: Ipv4Address,
    gateway: Ipv4Address | undefined,
    source: Ipv4Address,
    route: Route | undefined,
  ): RoutedPath {
    return new RoutedPath(this.#neighbours, this.#exceptions, this.#routing.generation, {
      kind,
      device,
      destination,
      gateway,
      source,
      route,
    });
  }
}

function isGroup(address: Ipv4Address): boolean {
  return isMulticastIpv4(address) || address === BROADCAST;
}

/** 224.0.0.0/24: never forwarded. */
function isLocalGroup(address: Ipv4Address): boolean {
  return address >>> 8 === 0xe0_0000;
}

function groupKind(address: Ipv4Address): PathKind {
  return address === BROADCAST ? "broadcast" : isMulticastIpv4(address) ? "multicast" : "unicast";
}
