/** One routing table: the longest matching prefix, then the smallest metric (RFC 1812 §5.2.4.3). One hash table a prefix length. */
import { type Ipv4Address, maskOf } from "../wire/address.ts";
import type { Route } from "./route.ts";

export class RouteTable {
  readonly id: number;
  /** By prefix length: routes by network, the smallest metric first. */
  readonly #byLength: (Map<number, Route[]> | undefined)[] = [];
  /** The lengths in use, longest first, and their masks. */
  #lengths: number[] = [];
  #count = 0;

  constructor(id: number) {
    this.id = id;
  }

  get size(): number {
    return this.#count;
  }

  /** The best route to `address` that `admits` takes, longest prefix first. */
  lookup(address: Ipv4Address, admits: (route: Route) => boolean): Route | undefined {
    for (const length of this.#lengths) {
      const routes = this.#byLength[length]!.get(address & maskOf(length));
      if (routes === undefined) continue;
      for (const route of routes) if (admits(route)) return route;
    }
    return undefined;
  }

  /** All routes to exactly this prefix. */
  exact(route: Pick<Route, "destination">): readonly Route[] {
    const { address, length } = route.destination;
    return this.#byLength[length]?.get(address & maskOf(length)) ?? [];
  }

  /** Adds behind those of the same prefix and metric, or in front of them with `prepend`. */
  insert(route: Route, prepend = false): void {
    const { address, length } = route.destination;
    let networks = this.#byLength[length];
    if (networks === undefined) {
      networks = new Map();
      this.#byLength[length] = networks;
      this.#lengths = [...this.#lengths, length].sort((a, b) => b - a);
    }
    const network = address & maskOf(length);
    const routes = networks.get(network) ?? [];
    let index = routes.findIndex((other) => (prepend ? other.metric >= route.metric : other.metric > route.metric));
    if (index < 0) index = routes.length;
    routes.splice(index, 0, route);
    networks.set(network, routes);
    this.#count++;
  }

  remove(route: Route): void {
    const { address, length } = route.destination;
    const networks = this.#byLength[length];
    const network = address & maskOf(length);
    const routes = networks?.get(network);
    const index = routes?.indexOf(route) ?? -1;
    if (networks === undefined || routes === undefined || index < 0) return;
    routes.splice(index, 1);
    this.#count--;
    if (routes.length > 0) return;
    networks.delete(network);
    if (networks.size > 0) return;
    this.#byLength[length] = undefined;
    this.#lengths = this.#lengths.filter((other) => other !== length);
  }

  replace(old: Route, next: Route): void {
    this.insert(next, true);
    this.remove(old);
  }

  /** As `ip route` lists them: by network, a shorter prefix before a longer one with the same network, then by metric. */
  list(): Route[] {
    const routes: Route[] = [];
    for (const networks of this.#byLength) for (const some of networks?.values() ?? []) routes.push(...some);
    const unsigned = (route: Route) => (route.destination.address & maskOf(route.destination.length)) >>> 0;
    return routes
      .map((route, order) => ({ route, order }))
      .sort(
        (a, b) =>
          unsigned(a.route) - unsigned(b.route) ||
          a.route.destination.length - b.route.destination.length ||
          a.order - b.order,
      )
      .map((entry) => entry.route);
  }
}
