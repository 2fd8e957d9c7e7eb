/** One routing table: the longest matching prefix, then the smallest metric (RFC 1812 §5.2.4.3). One hash table a prefix length. */
import { type Ipv4Address, maskOf } from "../wire/address.ts";
import type { Route } from "./route.ts";

/** All routes of one prefix length. */
interface Level {
  readonly length: number;
  readonly mask: number;
  /** By network, as a signed integer: the smallest metric first. */
  readonly networks: Map<number, Route[]>;
}

export class RouteTable {
  readonly id: number;
  /** The lengths in use, longest first. */
  readonly #levels: Level[] = [];
  #count = 0;

  constructor(id: number) {
    this.id = id;
  }

  get size(): number {
    return this.#count;
  }

  /** The best route to `address` that `admits` takes, longest prefix first. */
  lookup(address: Ipv4Address, admits: (route: Route) => boolean): Route | undefined {
    for (const level of this.#levels) {
      const routes = level.networks.get(address & level.mask);
      if (routes === undefined) continue;
      for (const route of routes) if (admits(route)) return route;
    }
    return undefined;
  }

  /** All routes to exactly this prefix. */
  exact(route: Pick<Route, "destination">): readonly Route[] {
    const { address, length } = route.destination;
    return this.#level(length)?.networks.get(address & maskOf(length)) ?? [];
  }

  /** Adds behind those of the same prefix and metric, or in front of them with `prepend`. */
  insert(route: Route, prepend = false): void {
    const { address, length } = route.destination;
    let level = this.#level(length);
    if (level === undefined) {
      level = { length, mask: maskOf(length), networks: new Map() };
      const place = this.#levels.findIndex((other) => other.length < length);
      this.#levels.splice(place < 0 ? this.#levels.length : place, 0, level);
    }
    const network = address & level.mask;
    const routes = level.networks.get(network);
    this.#count++;
    if (routes === undefined) {
      level.networks.set(network, [route]);
      return;
    }
    const index = routes.findIndex((other) => (prepend ? other.metric >= route.metric : other.metric > route.metric));
    routes.splice(index < 0 ? routes.length : index, 0, route);
  }

  remove(route: Route): void {
    const { address, length } = route.destination;
    const level = this.#level(length);
    const network = address & maskOf(length);
    const routes = level?.networks.get(network);
    const index = routes?.indexOf(route) ?? -1;
    if (level === undefined || routes === undefined || index < 0) return;
    routes.splice(index, 1);
    this.#count--;
    if (routes.length > 0) return;
    level.networks.delete(network);
    if (level.networks.size === 0) this.#levels.splice(this.#levels.indexOf(level), 1);
  }

  replace(old: Route, next: Route): void {
    this.insert(next, true);
    this.remove(old);
  }

  /** As `ip route` lists them: by network, a shorter prefix before a longer one with the same network, then by metric. */
  list(): Route[] {
    const routes: Route[] = [];
    for (const level of this.#levels) for (const some of level.networks.values()) routes.push(...some);
    const network = (route: Route) => (route.destination.address & maskOf(route.destination.length)) >>> 0;
    return routes
      .map((route, order) => ({ route, order }))
      .sort(
        (a, b) =>
          network(a.route) - network(b.route) ||
          a.route.destination.length - b.route.destination.length ||
          a.order - b.order,
      )
      .map((entry) => entry.route);
  }

  #level(length: number): Level | undefined {
    for (const level of this.#levels) if (level.length === length) return level;
    return undefined;
  }
}
