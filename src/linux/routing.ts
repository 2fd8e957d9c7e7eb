/**
 * The forwarding information base of a namespace: tables, rules, and the routes that come by themselves with addresses and devices
 * (net/ipv4/fib_frontend.c, fib_semantics.c). `generation` moves whenever an answer may have changed.
 */

import { contains, type Ipv4Address, isLoopbackIpv4, maskOf, type Prefix } from "../wire/address.ts";
import type { DeviceChange, NetDevice } from "./net-device.ts";
import { OwnAddresses } from "./own-addresses.ts";
import type { NoPath } from "./path.ts";
import {
  type Route,
  type RouteProblem,
  type RouteRequest,
  type RouteScope,
  type Rule,
  TABLE_DEFAULT,
  TABLE_LOCAL,
  TABLE_MAIN,
} from "./route.ts";
import { RouteTable } from "./route-table.ts";

/** Who must hear that answers may have changed. */
export interface Shortcuts {
  forgetShortcuts(): void;
}

/** What a lookup goes by; zero or undefined: not given. */
export interface RouteFlow {
  readonly destination: Ipv4Address;
  readonly source: Ipv4Address;
  readonly mark: number;
  readonly ingress: NetDevice | undefined;
  readonly egress: NetDevice | undefined;
}

const DEFAULT_RULES: readonly Rule[] = [
  { priority: 0, table: TABLE_LOCAL },
  { priority: 32_766, table: TABLE_MAIN },
  { priority: 32_767, table: TABLE_DEFAULT },
];

const USUAL_TABLES: readonly number[] = [TABLE_LOCAL, TABLE_MAIN];
const admitsAll = (): boolean => true;

export const SCOPE_ORDER: Readonly<Record<RouteScope, number>> = { global: 0, link: 253, host: 254 };

export class Routing {
  generation = 1;
  // The two tables that every host has, and those of a few.
  readonly #local = new RouteTable(TABLE_LOCAL);
  readonly #main = new RouteTable(TABLE_MAIN);
  #others: Map<number, RouteTable> | undefined = undefined;
  #rules: readonly Rule[] = DEFAULT_RULES;
  #customRules = false;
  readonly #own = new OwnAddresses();
  readonly #devices: { readonly list: readonly NetDevice[] };
  readonly #shortcuts: Shortcuts;

  constructor(devices: { readonly list: readonly NetDevice[] }, shortcuts: Shortcuts) {
    this.#devices = devices;
    this.#shortcuts = shortcuts;
  }

  get rules(): readonly Rule[] {
    return this.#rules;
  }

  /** More rules than the three that Linux begins with: what a lookup answers may depend on more than the destination. */
  get hasCustomRules(): boolean {
    return this.#customRules;
  }

  /** Anything that paths were decided by has changed. */
  changed(): void {
    this.generation++;
    this.#shortcuts.forgetShortcuts();
  }

  /** Is it the address of one of this host's devices? */
  hasAddress(address: Ipv4Address): boolean {
    return this.#own.has(address);
  }

  /** This host's addresses, as signed integers. */
  ownAddresses(): Iterable<number> {
    return this.#own.list();
  }

  /** Counts an address in (+1) or out (-1). */
  countAddress(address: Ipv4Address, by: 1 | -1): void {
    this.#own.count(address, by);
  }

  /** The route that a packet takes, by the rules; or why there is none. */
  lookup(flow: RouteFlow): Route | NoPath {
    const { egress } = flow;
    const admits = (route: Route) =>
      route.device === undefined || egress === undefined || route.device === egress || route.type === "local";
    return this.#byRules(flow, admits);
  }

  /** `unicast`, `local`, `broadcast` or `multicast`: what kind of address it is here (inet_addr_type). */
  addressType(address: Ipv4Address): "unicast" | "local" | "broadcast" | "multicast" {
    if (address === 0xffff_ffff || address >>> 24 === 0) return "broadcast";
    if (address >>> 28 === 0xe) return "multicast";
    const route = this.#local.lookup(address, admitsAll);
    return route?.type === "local" ? "local" : route?.type === "broadcast" ? "broadcast" : "unicast";
  }

  /** `ip route add` (mode "create"), `replace`, `append`, `prepend`, `change`. */
  add(
    request: RouteRequest,
    mode: "create" | "replace" | "append" | "prepend" | "change" = "create",
  ): RouteProblem | undefined {
    const route = this.#complete(request);
    if ("errno" in route) return route;
    return this.#put(route, mode);
  }

  /** A route of the kernel's own, complete and known to be right: `append`. */
  addOwn(route: Route): void {
    this.#put(route, "append");
  }

  #put(route: Route, mode: "create" | "replace" | "append" | "prepend" | "change"): RouteProblem | undefined {
    const table = this.table(route.table);
    const same = table.exact(route).filter((other) => other.metric === route.metric);
    if (mode === "create" && same.length > 0) return { errno: "EEXIST" };
    if (mode === "change" && same.length === 0) return { errno: "ENOENT" };
    const twin = same.find((other) => sameHop(other, route));
    if ((mode === "append" || mode === "prepend") && twin !== undefined) return { errno: "EEXIST" };
    if ((mode === "replace" || mode === "change") && same[0] !== undefined) table.replace(same[0], route);
    else table.insert(route, mode === "prepend");
    this.changed();
    return undefined;
  }

  replace(request: RouteRequest): RouteProblem | undefined {
    return this.add(request, "replace");
  }

  /** `ip route del`: the first route that agrees with all that is given. ESRCH: there is none. */
  delete(request: RouteRequest): RouteProblem | undefined {
    const ownTable = request.type === "local" || request.type === "broadcast" ? TABLE_LOCAL : TABLE_MAIN;
    const table = this.#known(request.table ?? ownTable);
    const route = table?.exact(request).find((candidate) => agrees(candidate, request));
    if (table === undefined || route === undefined) return { errno: "ESRCH" };
    table.remove(route);
    this.changed();
    return undefined;
  }

  /** The routes of one table; of all tables when none is named. */
  list(table?: number): Route[] {
    if (table !== undefined) return this.#known(table)?.list() ?? [];
    return this.tableIds.flatMap((id) => this.#known(id)!.list());
  }

  get tableIds(): number[] {
    return [TABLE_LOCAL, TABLE_MAIN, ...(this.#others?.keys() ?? [])].sort((a, b) => a - b);
  }

  table(id: number): RouteTable {
    let table = this.#known(id);
    if (table === undefined) {
      table = new RouteTable(id);
      this.#others ??= new Map();
      this.#others.set(id, table);
    }
    return table;
  }

  #known(id: number): RouteTable | undefined {
    return id === TABLE_MAIN ? this.#main : id === TABLE_LOCAL ? this.#local : this.#others?.get(id);
  }

  /** Without a priority a rule goes one in front of the first rule but one, as the kernel chooses. EEXIST: it is there. */
  addRule(rule: Omit<Rule, "priority"> & { readonly priority?: number | undefined }): RouteProblem | undefined {
    let priority = rule.priority;
    if (priority === undefined) {
      const second = this.#rules[1];
      priority = second !== undefined && second.priority > 0 ? second.priority - 1 : 0;
    }
    const whole: Rule = { ...rule, priority };
    if (this.#rules.some((other) => sameRule(other, whole))) return { errno: "EEXIST" };
    const index = this.#rules.findIndex((other) => other.priority > priority);
    const place = index < 0 ? this.#rules.length : index;
    this.#rules = [...this.#rules.slice(0, place), whole, ...this.#rules.slice(place)];
    this.#rulesChanged();
    return undefined;
  }

  /** Removes the first rule that agrees with all that is given. */
  deleteRule(rule: Partial<Rule>): RouteProblem | undefined {
    const index = this.#rules.findIndex((other) => agreesWithRule(other, rule));
    if (index < 0) return { errno: "ENOENT" };
    this.#rules = this.#rules.filter((_, at) => at !== index);
    this.#rulesChanged();
    return undefined;
  }

  /** inet_select_addr: the address that a host uses on `device` towards `destination`. */
  selectAddress(device: NetDevice, destination: Ipv4Address, scope: RouteScope): Ipv4Address | undefined {
    let first: Ipv4Address | undefined;
    for (const address of device.addresses) {
      if (address.secondary || SCOPE_ORDER[address.scope] > SCOPE_ORDER[scope]) continue;
      if (destination === 0 || contains(address, destination)) return address.address;
      first ??= address.address;
    }
    if (first !== undefined) return first;
    for (const other of this.#devices.list)
      for (const address of other.addresses)
        if (!address.secondary && address.scope !== "link" && SCOPE_ORDER[address.scope] <= SCOPE_ORDER[scope])
          return address.address;
    return undefined;
  }

  deviceChanged(device: NetDevice, change: DeviceChange): void {
    if (change === "removed") this.#removeRoutes((route) => route.device === device);
    // Local routes stay: an address answers on other interfaces while its own is down.
    else if (change === "down") this.#removeRoutes((route) => route.device === device && route.type !== "local");
    this.changed();
  }

  /** fib_sync_down_addr: routes that prefer an address go with it. */
  addressGone(address: Ipv4Address): void {
    this.#removeRoutes((route) => route.source === address && route.type !== "local" && route.protocol !== "kernel");
  }

  #removeRoutes(which: (route: Route) => boolean): void {
    for (const id of this.#others === undefined ? USUAL_TABLES : this.tableIds) {
      const table = this.#known(id)!;
      for (const route of [...table.routes()]) if (which(route)) table.remove(route);
    }
    this.changed();
  }

  #rulesChanged(): void {
    this.#customRules =
      this.#rules.length !== DEFAULT_RULES.length ||
      this.#rules.some((rule, index) => !sameRule(rule, DEFAULT_RULES[index]!));
    this.changed();
  }

  #byRules(flow: RouteFlow, admits: (route: Route) => boolean): Route | NoPath {
    for (const rule of this.#rules) {
      if (!selects(rule, flow)) continue;
      if (rule.action === "unreachable") return "ENETUNREACH";
      if (rule.action === "prohibit") return "EACCES";
      if (rule.action === "blackhole") return "EINVAL";
      const route = this.#known(rule.table)?.lookup(flow.destination, admits);
      if (route === undefined || route.type === "throw") continue;
      if (route.type === "unreachable") return "EHOSTUNREACH";
      if (route.type === "prohibit") return "EACCES";
      if (route.type === "blackhole") return "EINVAL";
      return route;
    }
    return "ENETUNREACH";
  }

  /** Fills in what a request leaves open, and checks it: fib_create_info. */
  #complete(request: RouteRequest): Route | RouteProblem {
    const type = request.type ?? "unicast";
    const { destination, gateway } = request;
    if ((destination.address & ~maskOf(destination.length)) !== 0)
      return { errno: "EINVAL", message: "Invalid prefix for given prefix length" };
    const scope =
      request.scope ??
      (type === "local"
        ? "host"
        : type === "broadcast" || (type === "unicast" && gateway === undefined)
          ? "link"
          : "global");
    const refuses = type === "unreachable" || type === "prohibit" || type === "blackhole" || type === "throw";
    let device = refuses ? undefined : request.device;
    if (!refuses && gateway !== undefined) {
      const found = this.#checkGateway(gateway, request.device, scope, request.onLink === true);
      if ("errno" in found) return found;
      device = found;
    } else if (!refuses) {
      if (device === undefined) return { errno: "ENODEV" };
      if (!device.up && scope !== "host") return { errno: "ENETDOWN", message: "Device for nexthop is not up" };
    }
    const source = request.source;
    if (source !== undefined && type !== "local" && this.addressType(source) !== "local")
      return { errno: "EINVAL", message: "Invalid prefsrc address" };
    return {
      table: request.table ?? (type === "local" || type === "broadcast" ? TABLE_LOCAL : TABLE_MAIN),
      type,
      destination,
      scope,
      protocol: request.protocol ?? "boot",
      metric: request.metric ?? 0,
      gateway: refuses ? undefined : gateway,
      device,
      source,
      mtu: request.mtu,
      onLink: request.onLink ?? false,
    };
  }

  /** A gateway has to be a neighbour: on the link of a route of scope link. Answers the device it is reached by. */
  #checkGateway(
    gateway: Ipv4Address,
    device: NetDevice | undefined,
    scope: RouteScope,
    onLink: boolean,
  ): NetDevice | RouteProblem {
    if (scope !== "global") return { errno: "EINVAL", message: "Nexthop has invalid scope" };
    if (onLink) {
      if (device === undefined) return { errno: "ENODEV", message: "Nexthop device required for onlink" };
      if (this.addressType(gateway) !== "unicast") return { errno: "EINVAL", message: "Nexthop has invalid gateway" };
      if (!device.up) return { errno: "ENETDOWN", message: "Nexthop device is not up" };
      return device;
    }
    const flow: RouteFlow = {
      destination: gateway,
      source: 0 as Ipv4Address,
      mark: 0,
      ingress: undefined,
      egress: device,
    };
    const route = this.#byRules(
      flow,
      (candidate) => candidate.scope !== "global" && (device === undefined || candidate.device === device),
    );
    if (typeof route === "string") return { errno: "ENETUNREACH", message: "Nexthop has invalid gateway" };
    if (route.type === "local" || route.type === "broadcast" || route.device === undefined)
      return { errno: "EINVAL", message: "Nexthop has invalid gateway" };
    if (!route.device.up) return { errno: "ENETDOWN", message: "Nexthop device is not up" };
    return route.device;
  }
}

function selects(rule: Rule, flow: RouteFlow): boolean {
  const matches =
    (rule.from === undefined || contains(rule.from, flow.source)) &&
    (rule.to === undefined || contains(rule.to, flow.destination)) &&
    (rule.mark === undefined || ((flow.mark ^ rule.mark) & (rule.markMask ?? 0xffff_ffff)) === 0) &&
    (rule.ingressName === undefined || rule.ingressName === (flow.ingress?.name ?? "lo")) &&
    (rule.egressName === undefined || rule.egressName === flow.egress?.name);
  return matches !== (rule.inverted === true);
}

function samePrefix(a: Prefix | undefined, b: Prefix | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && a.address === b.address && a.length === b.length);
}

function sameRule(a: Rule, b: Rule): boolean {
  return a.priority === b.priority && agreesWithRule(a, b) && agreesWithRule(b, a);
}

function agreesWithRule(rule: Rule, wanted: Partial<Rule>): boolean {
  return (
    (wanted.priority === undefined || wanted.priority === rule.priority) &&
    (wanted.table === undefined || wanted.table === rule.table) &&
    (wanted.from === undefined || samePrefix(wanted.from, rule.from)) &&
    (wanted.to === undefined || samePrefix(wanted.to, rule.to)) &&
    (wanted.mark === undefined || wanted.mark === rule.mark) &&
    (wanted.markMask === undefined || wanted.markMask === rule.markMask) &&
    (wanted.ingressName === undefined || wanted.ingressName === rule.ingressName) &&
    (wanted.egressName === undefined || wanted.egressName === rule.egressName) &&
    (wanted.action === undefined || wanted.action === (rule.action ?? "lookup")) &&
    (wanted.inverted ?? false) === (rule.inverted ?? false)
  );
}

function sameHop(a: Route, b: Route): boolean {
  return a.type === b.type && a.gateway === b.gateway && a.device === b.device && a.source === b.source;
}

function agrees(route: Route, wanted: RouteRequest): boolean {
  return (
    (wanted.type === undefined || wanted.type === route.type) &&
    (wanted.scope === undefined || wanted.scope === route.scope) &&
    (wanted.metric === undefined || wanted.metric === route.metric) &&
    (wanted.gateway === undefined || wanted.gateway === route.gateway) &&
    (wanted.device === undefined || wanted.device === route.device) &&
    (wanted.source === undefined || wanted.source === route.source) &&
    (wanted.protocol === undefined || wanted.protocol === route.protocol)
  );
}

/** 127.0.0.0/8 has scope host, everything else scope global: what `ip address add` takes when no scope is given. */
export function defaultScope(address: Ipv4Address): RouteScope {
  return isLoopbackIpv4(address) ? "host" : "global";
}
