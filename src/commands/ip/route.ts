/** `ip route add|change|replace|append|prepend|del|flush|get` (iproute2's ip/iproute.c). */
import type { NetDevice } from "../../linux/net-device.ts";
import type { RouteRequest, RouteType } from "../../linux/route.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, garbage, invalid, matches, noDevice, parseNumber, prefixOf, refused } from "./arguments.ts";
import { type IpContext, jsonText } from "./ip-context.ts";
import { readRouteSelection, selectedRoutes } from "./route-show.ts";
import { parseTable } from "./table-names.ts";

const TYPES: readonly RouteType[] = ["unicast", "local", "broadcast", "unreachable", "prohibit", "blackhole", "throw"];

export function changeRoute(
  context: IpContext,
  args: Arguments,
  verb: "create" | "change" | "replace" | "append" | "prepend" | "delete",
): void {
  const request = readRoute(context, args);
  const { routes } = context.namespace;
  const problem = verb === "delete" ? routes.delete(request) : routes.add(request, verb);
  if (problem !== undefined) throw refused(problem.errno, problem.message);
}

type Draft = { -readonly [Key in keyof RouteRequest]?: RouteRequest[Key] };

function readRoute(context: IpContext, args: Arguments): RouteRequest {
  const draft: Draft = {};
  while (!args.done) {
    const word = args.take();
    if (word === "src") draft.source = args.address();
    else if (word === "via") {
      const family = args.peek();
      if (family === "inet") args.take();
      draft.gateway = args.address();
    } else if (word === "from" || word === "as") args.value();
    else if (word === "tos" || matches(word, "dsfield")) args.value();
    else if (word === "expires" || word === "pref") args.value();
    else if (matches(word, "metric") || matches(word, "priority") || word === "preference")
      draft.metric = args.number('"metric" value is invalid\n');
    else if (matches(word, "scope")) {
      const text = args.value();
      const scope = {
        global: "global",
        universe: "global",
        link: "link",
        host: "host",
        0: "global",
        253: "link",
        254: "host",
      }[text] as RouteRequest["scope"];
      if (scope === undefined) throw invalid(text, 'invalid "scope" value\n');
      draft.scope = scope;
    } else if (word === "mtu") {
      if (args.peek() === "lock") args.take();
      draft.mtu = args.number('"mtu" value is invalid\n');
    } else if (
      /^(hoplimit|advmss|reordering|rtt|window|cwnd|initcwnd|initrwnd|features|quickack|ssthresh|realms?|rttvar|rto_min|congctl|fastopen_no_cookie|nhid)$/.test(
        word,
      )
    )
      args.value();
    else if (word === "onlink") draft.onLink = true;
    else if (matches(word, "protocol")) {
      const text = args.value();
      if (!/^(kernel|boot|static|redirect|dhcp)$/.test(text) && parseNumber(text) === undefined)
        throw invalid(text, '"protocol" value is invalid\n');
      draft.protocol = (/^\d/.test(text) ? "static" : text) as NonNullable<RouteRequest["protocol"]>;
    } else if (matches(word, "table")) draft.table = parseTable(args.value(), '"table" value is invalid\n');
    else if (word === "dev" || word === "oif") {
      const name = args.value();
      const device = context.namespace.device(name);
      if (device === undefined) throw noDevice(name);
      draft.device = device;
    } else {
      let text = word === "to" ? args.value() : word;
      const type = TYPES.find((candidate) => candidate === text);
      if (type !== undefined) {
        draft.type = type;
        text = args.value();
      }
      if (draft.destination !== undefined) throw garbage("to", text);
      draft.destination = prefixOf(text);
    }
  }
  return { ...draft, destination: draft.destination ?? { address: 0 as Ipv4Address, length: 0 } };
}

export function flushRoutes(context: IpContext, args: Arguments): void {
  if (args.done) throw new CommandError(1, '"ip route flush" requires arguments.');
  if (args.peek() === "cache") return;
  const { routes } = context.namespace;
  for (const route of selectedRoutes(context, readRouteSelection(context, args))) routes.delete(route);
}

/** `ip route get ADDRESS`: what the kernel decides, asked for as a socket would. */
export function getRoute(context: IpContext, args: Arguments): string {
  const { namespace, options } = context;
  let destination: Ipv4Address | undefined;
  let source: Ipv4Address | undefined;
  let egress: NetDevice | undefined;
  let ingress: NetDevice | undefined;
  let mark = 0;
  while (!args.done) {
    const word = args.take();
    if (word === "from") source = prefixOf(args.value()).address;
    else if (word === "oif" || word === "dev" || word === "iif") {
      const name = args.value();
      const device = namespace.device(name);
      if (device === undefined) throw noDevice(name);
      if (word === "iif") ingress = device;
      else egress = device;
    } else if (word === "mark") mark = args.number("invalid mark");
    else if (/^(tos|dsfield|uid|ipproto|sport|dport|vrf)$/.test(word)) args.value();
    else if (/^(fibmatch|notify|connected)$/.test(word)) continue;
    else destination = prefixOf(word === "to" ? args.value() : word).address;
  }
  if (destination === undefined) throw new CommandError(1, "need at least a destination address");
  const flow = { destination, source: source ?? (0 as Ipv4Address), mark, ingress, egress };
  if (ingress !== undefined) {
    const found = namespace.routes.lookup(flow);
    if (typeof found === "string") throw refused(found === "ENETUNREACH" ? "EHOSTUNREACH" : found);
  }
  const key = { destination, ...(source === undefined ? {} : { source }), mark, device: egress };
  const path = namespace.ipv4.resolve(key);
  if (typeof path === "string") throw refused(path);
  const exception = path.kind === "unicast" ? pathMtuOf(path.mtu(), path.device) : undefined;
  const kind = path.kind === "unicast" ? "" : `${path.kind} `;
  const local = path.kind === "local";
  const device = local ? "lo" : path.device.name;
  const via = path.nextHop !== destination && !local ? path.nextHop : undefined;
  const flags = { unicast: "", local: "<local> ", broadcast: "<local,brd> ", multicast: "<mc> " }[path.kind];
  if (options.json)
    return jsonText(
      [
        {
          ...(kind === "" ? {} : { type: path.kind }),
          dst: formatIpv4(destination),
          ...(source === undefined ? {} : { from: formatIpv4(source) }),
          ...(via === undefined ? {} : { gateway: formatIpv4(via) }),
          dev: device,
          ...(source === undefined ? { prefsrc: formatIpv4(path.source) } : {}),
          ...(mark === 0 ? {} : { mark }),
          flags: [],
          uid: 0,
          cache: path.kind === "unicast" ? [] : flags.replace(/[<> ]/g, "").split(","),
          ...(exception === undefined ? {} : { metrics: [{ mtu: exception }] }),
        },
      ],
      options,
    );
  return (
    `${kind}${formatIpv4(destination)} ${source === undefined ? "" : `from ${formatIpv4(source)} `}` +
    `${via === undefined ? "" : `via ${formatIpv4(via)} `}dev ${device} ` +
    `${path.kind === "broadcast" && namespace.routes.hasCustomRules ? "table local " : ""}${source === undefined ? `src ${formatIpv4(path.source)} ` : ""}` +
    `${mark === 0 ? "" : `mark ${mark} `}uid 0 \n` +
    `    cache ${flags}${exception === undefined ? "" : `mtu ${exception} `}\n`
  );
}

/** What path MTU discovery has learnt, when it is less than the device's. */
function pathMtuOf(mtu: number, device: NetDevice): number | undefined {
  return mtu < device.mtu ? mtu : undefined;
}
