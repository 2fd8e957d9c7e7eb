/**
 * One routing table: the longest matching prefix, then the smallest metric (RFC 1812 §5.2.4.3). The few routes of a container are a list in
 * that order; a table of many has one hash table a prefix length beside it.
 */
import { type Ipv4Address, maskOf } from "../wire/address.ts";
import type { Route } from "./route.ts";

/** All routes of one prefix length. */
interface Level {
  readonly length: number;
  readonly mask: number;
  /** By network, as a signed integer: the smallest metric first. */
  readonly networks: Map<number, Route[]>;
}

const MOST_IN_LIST = 12;
const NO_ROUTES: readonly Route[] = [];

export class RouteTable {
  readonly id: number;
  /** While they are few: the longest prefix first, those of one prefix together, the smallest metric first. Replaced as a whole. */
  #few: readonly Route[] = NO_ROUTES;
  /** Once they have been many: the lengths in use, longest first. */
  #levels: Level[] | undefined = undefined;
  #count = 0;

  constructor(id: number) {
    this.id = id;
  }

  get size(): number {
    return this.#count;
  }

  /** The best route to `address` that `admits` takes, longest prefix first. */
  lookup(address: Ipv4Address, admits: (route: Route) => boolean): Route | undefined {
    if (this.#levels === undefined) {
      for (const route of this.#few) {
        const { destination } = route;
        if (((address ^ destination.address) & maskOf(destination.length)) === 0 && admits(route)) return route;
      }
      return undefined;
    }
    for (const level of this.#levels) {
      const routes = level.networks.get(address & level.mask);
      if (routes === undefined) continue;
      for (const route of routes) if (admits(route)) return route;
    }
    return undefined;
  }

  /** All routes to exactly this prefix, the smallest metric first. */
  exact(route: Pick<Route, "destination">): readonly Route[] {
    const { address, length } = route.destination;
    if (this.#levels === undefined) return this.#few.filter((other) => isTo(other, address, length));
    return this.#level(length)?.networks.get(address & maskOf(length)) ?? NO_ROUTES;
  }

  /** Adds behind those of the same prefix and metric, or in front of them with `prepend`. */
  insert(route: Route, prepend = false): void {
    this.#count++;
    if (this.#levels !== undefined) this.#insertInLevel(this.#levels, route, prepend);
    else if (this.#few.length < MOST_IN_LIST) this.#insertInList(route, prepend);
    else this.#makeLevels(route, prepend);
  }

  remove(route: Route): void {
    if (this.#levels === undefined) {
      const index = this.#few.indexOf(route);
      if (index < 0) return;
      this.#few = this.#few.length === 1 ? NO_ROUTES : this.#few.filter((_, at) => at !== index);
      this.#count--;
      return;
    }
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

  /** In the order in which they are looked at. */
  *routes(): Iterable<Route> {
    if (this.#levels === undefined) yield* this.#few;
    else for (const level of this.#levels) for (const some of level.networks.values()) yield* some;
  }

  /** As `ip route` lists them: by network, a shorter prefix before a longer one with the same network, then by metric. */
  list(): Route[] {
    const network = (route: Route) => (route.destination.address & maskOf(route.destination.length)) >>> 0;
    return [...this.routes()]
      .map((route, order) => ({ route, order }))
      .sort(
        (a, b) =>
          network(a.route) - network(b.route) ||
          a.route.destination.length - b.route.destination.length ||
          a.order - b.order,
      )
      .map((entry) => entry.route);
  }

  #insertInList(route: Route, prepend: boolean): void {
    const few = this.#few;
    const { address, length } = route.destination;
    let place = 0;
    while (place < few.length && few[place]!.destination.length > length) place++;
    let ofPrefix = place;
    while (
      ofPrefix < few.length &&
      few[ofPrefix]!.destination.length === length &&
      !isTo(few[ofPrefix]!, address, length)
    )
      ofPrefix++;
    if (ofPrefix < few.length && isTo(few[ofPrefix]!, address, length)) place = ofPrefix;
    while (place < few.length && isTo(few[place]!, address, length) && goesBehind(route, few[place]!, prepend)) place++;
    this.#few = few.slice(0, place).concat(route, few.slice(place));
  }

  #makeLevels(route: Route, prepend: boolean): void {
    const levels: Level[] = [];
    this.#levels = levels;
    for (const known of this.#few) this.#insertInLevel(levels, known, false);
    this.#few = NO_ROUTES;
    this.#insertInLevel(levels, route, prepend);
  }

  #insertInLevel(levels: Level[], route: Route, prepend: boolean): void {
    const { address, length } = route.destination;
    let level = this.#level(length);
    if (level === undefined) {
      level = { length, mask: maskOf(length), networks: new Map() };
      const place = levels.findIndex((other) => other.length < length);
      levels.splice(place < 0 ? levels.length : place, 0, level);
    }
    const network = address & level.mask;
    const routes = level.networks.get(network);
    if (routes === undefined) {
      level.networks.set(network, [route]);
      return;
    }
    const index = routes.findIndex((other) => !goesBehind(route, other, prepend));
    routes.splice(index < 0 ? routes.length : index, 0, route);
  }

  #level(length: number): Level | undefined {
    for (const level of this.#levels ?? []) if (level.length === length) return level;
    return undefined;
  }
}

function goesBehind(route: Route, other: Route, prepend: boolean): boolean {
  return prepend ? other.metric < route.metric : other.metric <= route.metric;
}

function isTo(route: Route, address: Ipv4Address, length: number): boolean {
  const { destination } = route;
  return destination.length === length && ((destination.address ^ address) & maskOf(length)) === 0;
}
