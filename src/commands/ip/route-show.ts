/** `ip route show` (iproute2's ip/iproute.c, print_route). */
import type { NetDevice } from "../../linux/net-device.ts";
import { formatDestination, type Route, type RouteScope, TABLE_MAIN } from "../../linux/route.ts";
import { contains, formatIpv4, networkOf, type Prefix } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, matches, noDevice, prefixOf } from "./arguments.ts";
import { type IpContext, jsonText } from "./ip-context.ts";
import { parseTable, tableName } from "./table-names.ts";

export interface RouteSelection {
  /** Undefined: all tables. */
  table: number | undefined;
  device: NetDevice | undefined;
  scope: string | undefined;
  protocol: string | undefined;
  type: string | undefined;
  gateway: Prefix | undefined;
  source: Prefix | undefined;
  root: Prefix | undefined;
  match: Prefix | undefined;
  exact: Prefix | undefined;
}

export function readRouteSelection(context: IpContext, args: Arguments): RouteSelection {
  const selection: RouteSelection = {
    table: TABLE_MAIN,
    device: undefined,
    scope: undefined,
    protocol: undefined,
    type: undefined,
    gateway: undefined,
    source: undefined,
    root: undefined,
    match: undefined,
    exact: undefined,
  };
  while (!args.done) {
    const word = args.take();
    if (matches(word, "table")) {
      const text = args.value();
      selection.table = text === "all" ? undefined : parseTable(text, "table id value is invalid\n");
      if (text !== "all" && !context.namespace.routes.tableIds.includes(selection.table!))
        throw new CommandError(2, "Error: ipv4: FIB table does not exist.\nDump terminated");
    } else if (word === "dev" || word === "oif" || word === "iif") {
      const name = args.value();
      selection.device = context.namespace.device(name);
      if (selection.device === undefined) throw noDevice(name);
    } else if (matches(word, "protocol")) selection.protocol = args.value();
    else if (word === "scope") selection.scope = args.value();
    else if (word === "type") selection.type = args.value();
    else if (word === "via") selection.gateway = args.prefix();
    else if (word === "src") selection.source = args.prefix();
    else if (word === "cache" || word === "cached") selection.type = "cache";
    else if (/^(unicast|local|broadcast|unreachable|prohibit|blackhole|throw)$/.test(word)) selection.type = word;
    else {
      const key = word === "to" ? args.value() : word;
      if (matches(key, "root")) selection.root = args.prefix();
      else if (key === "match") selection.match = args.prefix();
      else selection.exact = prefixOf(key === "exact" ? args.value() : key);
    }
  }
  return selection;
}

export function selectedRoutes(context: IpContext, selection: RouteSelection): Route[] {
  const scope = selection.scope === "universe" ? "global" : selection.scope;
  return context.namespace.routes
    .list(selection.table)
    .filter(
      (route) =>
        (selection.device === undefined || route.device === selection.device) &&
        (scope === undefined || route.scope === scope) &&
        (selection.protocol === undefined || route.protocol === selection.protocol) &&
        (selection.type === undefined || route.type === selection.type) &&
        (selection.gateway === undefined ||
          (route.gateway !== undefined && contains(selection.gateway, route.gateway))) &&
        (selection.source === undefined || (route.source !== undefined && contains(selection.source, route.source))) &&
        (selection.root === undefined || inside(route.destination, selection.root)) &&
        (selection.match === undefined || inside(selection.match, route.destination)) &&
        (selection.exact === undefined || same(route.destination, selection.exact)),
    );
}

/** Is all of `inner` within `outer`? */
function inside(inner: Prefix, outer: Prefix): boolean {
  return inner.length >= outer.length && contains(outer, inner.address);
}

function same(a: Prefix, b: Prefix): boolean {
  return a.length === b.length && networkOf(a) === networkOf(b);
}

export function showRoutes(context: IpContext, args: Arguments): string {
  const selection = readRouteSelection(context, args);
  const routes = selectedRoutes(context, selection);
  if (context.options.json)
    return jsonText(
      routes.map((route) => routeJson(route, selection)),
      context.options,
    );
  return routes.map((route) => `${routeText(route, selection)}\n`).join("");
}

function routeText(route: Route, selection: RouteSelection): string {
  let text = `${route.type === "unicast" ? "" : `${route.type} `}${formatDestination(route.destination)} `;
  if (route.gateway !== undefined) text += `via ${formatIpv4(route.gateway)} `;
  if (route.device !== undefined && selection.device === undefined) text += `dev ${route.device.name} `;
  if (route.table !== TABLE_MAIN && selection.table === undefined) text += `table ${tableName(route.table)} `;
  if (showsProtocol(route)) text += `proto ${route.protocol} `;
  if (showsScope(route)) text += `scope ${route.scope} `;
  if (route.source !== undefined) text += `src ${formatIpv4(route.source)} `;
  if (route.metric !== 0) text += `metric ${route.metric} `;
  if (route.mtu !== undefined) text += `mtu ${route.mtu} `;
  for (const flag of flags(route)) text += `${flag} `;
  return text;
}

function routeJson(route: Route, selection: RouteSelection): Record<string, unknown> {
  return {
    ...(route.type === "unicast" ? {} : { type: route.type }),
    dst: formatDestination(route.destination),
    ...(route.gateway === undefined ? {} : { gateway: formatIpv4(route.gateway) }),
    ...(route.device === undefined || selection.device !== undefined ? {} : { dev: route.device.name }),
    ...(route.table !== TABLE_MAIN && selection.table === undefined ? { table: tableName(route.table) } : {}),
    ...(showsProtocol(route) ? { protocol: route.protocol } : {}),
    ...(showsScope(route) ? { scope: route.scope } : {}),
    ...(route.source === undefined ? {} : { prefsrc: formatIpv4(route.source) }),
    ...(route.metric === 0 ? {} : { metric: route.metric }),
    ...(route.mtu === undefined ? {} : { metrics: [{ mtu: route.mtu }] }),
    flags: flags(route),
  };
}

function flags(route: Route): string[] {
  const found: string[] = [];
  if (route.onLink) found.push("onlink");
  const lost = route.device !== undefined && route.device.up && !route.device.carrier && route.type !== "local";
  if (lost) found.push("linkdown");
  return found;
}

/** "boot" is what `ip` itself adds, and not worth a word. */
function showsProtocol(route: Route): boolean {
  return route.protocol !== "boot";
}

const DEFAULT_SCOPE: RouteScope = "global";

function showsScope(route: Route): boolean {
  return route.scope !== DEFAULT_SCOPE;
}
