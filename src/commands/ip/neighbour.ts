/** `ip neigh add|change|replace|del|show|flush|get` (iproute2's ip/ipneigh.c). */
import type { Errno } from "../../linux/errno.ts";
import type { Neighbour, NeighbourState } from "../../linux/neighbour.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import {
  contains,
  formatIpv4,
  formatMac,
  type Ipv4Address,
  type MacAddress,
  type Prefix,
  parseIpv4,
} from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import {
  type Arguments,
  garbage,
  invalid,
  macOf,
  matches,
  noDevice,
  prefixOf,
  refused,
  USAGE_STATUS,
} from "./arguments.ts";
import { type IpContext, jsonText } from "./ip-context.ts";

const STATES: ReadonlyMap<string, NeighbourState> = new Map([
  ["permanent", "PERMANENT"],
  ["reachable", "REACHABLE"],
  ["noarp", "NOARP"],
  ["none", "NONE"],
  ["stale", "STALE"],
  ["incomplete", "INCOMPLETE"],
  ["delay", "DELAY"],
  ["probe", "PROBE"],
  ["failed", "FAILED"],
]);

export function changeNeighbour(
  context: IpContext,
  args: Arguments,
  verb: "add" | "change" | "replace" | "delete",
): void {
  let address: Ipv4Address | undefined;
  let device: NetDevice | undefined;
  let mac: MacAddress | undefined;
  let state: NeighbourState | undefined;
  let proxy = false;
  while (!args.done) {
    const word = args.take();
    if (word === "lladdr") mac = macOf(args.value());
    else if (word === "nud") {
      const text = args.value();
      state = STATES.get(text);
      if (state === undefined) throw invalid(text, "nud state is bad");
    } else if (word === "proxy") {
      proxy = true;
      address = prefixOf(args.value()).address;
    } else if (word === "router" || word === "extern_learn" || word === "use" || word === "managed") continue;
    else if (word === "dev") {
      const name = args.value();
      device = context.namespace.device(name);
      if (device === undefined) throw noDevice(name);
    } else if (word === "protocol") args.value();
    else {
      const text = word === "to" ? args.value() : word;
      if (address !== undefined) throw garbage("to", text);
      const prefix = prefixOf(text);
      if (prefix.length !== 32) throw new CommandError(1, `Error: inet address is expected rather than "${text}".`);
      address = prefix.address;
    }
  }
  if (address === undefined || device === undefined)
    throw new CommandError(USAGE_STATUS, "Device and destination are required arguments.");
  if (proxy) throw refused("EOPNOTSUPP");
  const { neighbours } = context.namespace;
  if (verb === "delete") {
    check(neighbours.delete(device, address));
    return;
  }
  if (verb === "add" && neighbours.get(device, address) !== undefined) throw refused("EEXIST");
  if (verb === "change" && neighbours.get(device, address) === undefined) throw refused("ENOENT");
  if (mac === undefined && !["FAILED", "INCOMPLETE", "NONE"].includes(state ?? "PERMANENT"))
    throw refused("EINVAL", "No link layer address given");
  check(neighbours.replace({ device, address, mac, state }));
}

function check(problem: Errno | undefined): void {
  if (problem !== undefined) throw refused(problem);
}

interface Selection {
  device: NetDevice | undefined;
  states: NeighbourState[];
  all: boolean;
  to: Prefix | undefined;
}

function readSelection(context: IpContext, args: Arguments): Selection {
  const selection: Selection = { device: undefined, states: [], all: false, to: undefined };
  while (!args.done) {
    const word = args.take();
    if (word === "dev") {
      const name = args.value();
      selection.device = context.namespace.device(name);
      if (selection.device === undefined) throw noDevice(name);
    } else if (word === "unused" || word === "proxy") continue;
    else if (word === "nud") {
      const text = args.value();
      const state = STATES.get(text);
      if (state !== undefined) selection.states.push(state);
      else if (text === "all") selection.all = true;
      else throw invalid(text, "nud state is bad");
    } else selection.to = prefixOf(word === "to" ? args.value() : word);
  }
  return selection;
}

function selected(context: IpContext, selection: Selection): Neighbour[] {
  const { states, all, to } = selection;
  return context.namespace.neighbours
    .list(selection.device)
    .filter(
      (neighbour) =>
        (all ||
          (states.length === 0 ? !["NOARP", "NONE"].includes(neighbour.state) : states.includes(neighbour.state))) &&
        (to === undefined || contains(to, neighbour.address)),
    );
}

export function showNeighbours(context: IpContext, args: Arguments): string {
  const selection = readSelection(context, args);
  const found = selected(context, selection);
  const { options } = context;
  if (options.json)
    return jsonText(
      found.map((one) => neighbourJson(one, selection.device === undefined)),
      options,
    );
  return found.map((one) => `${neighbourText(one, selection.device === undefined, options.statistics > 0)}\n`).join("");
}

/** `10.0.0.3 dev eth0 lladdr 02:42:0a:00:00:03 REACHABLE ` */
export function neighbourText(neighbour: Neighbour, withDevice: boolean, statistics = false): string {
  let text = `${formatIpv4(neighbour.address)} `;
  if (withDevice) text += `dev ${neighbour.device.name} `;
  if (hasMac(neighbour)) text += `lladdr ${formatMac(neighbour.mac)} `;
  if (statistics) {
    const { used, confirmed, updated } = neighbour.ages;
    const seconds = (jiffies: number): number => Math.floor(jiffies / 250);
    text += ` used ${seconds(used)}/${seconds(confirmed)}/${seconds(updated)}probes ${neighbour.probes} `;
  }
  if (neighbour.externallyLearnt) text += "extern_learn  ";
  return neighbour.state === "NONE" ? text : `${text}${neighbour.state} `;
}

function neighbourJson(neighbour: Neighbour, withDevice: boolean): Record<string, unknown> {
  return {
    dst: formatIpv4(neighbour.address),
    ...(withDevice ? { dev: neighbour.device.name } : {}),
    ...(hasMac(neighbour) ? { lladdr: formatMac(neighbour.mac) } : {}),
    state: [neighbour.state],
  };
}

function hasMac(neighbour: Neighbour): boolean {
  return !["INCOMPLETE", "FAILED", "NONE"].includes(neighbour.state);
}

/** `ip neigh flush`: what was learnt; permanent entries only when the state is named. */
export function flushNeighbours(context: IpContext, args: Arguments): void {
  if (args.done) throw new CommandError(1, "Flush requires arguments.");
  const selection = readSelection(context, args);
  if (selection.states.length === 0) selection.all = true;
  for (const neighbour of selected(context, selection)) {
    const spared = neighbour.state === "PERMANENT" || neighbour.state === "NOARP";
    if (spared && selection.states.length === 0) continue;
    context.namespace.neighbours.delete(neighbour.device, neighbour.address);
  }
}

export function getNeighbour(context: IpContext, args: Arguments): string {
  let address: Ipv4Address | undefined;
  let device: NetDevice | undefined;
  while (!args.done) {
    const word = args.take();
    if (word === "dev") {
      const name = args.value();
      device = context.namespace.device(name);
      if (device === undefined) throw noDevice(name);
    } else if (matches(word, "proxy")) continue;
    else {
      const text = word === "to" ? args.value() : word;
      address = parseIpv4(text);
      if (address === undefined)
        throw new CommandError(1, `Error: any valid address is expected rather than "${text}".`);
    }
  }
  if (address === undefined || device === undefined)
    throw new CommandError(USAGE_STATUS, "Device and address are required arguments.");
  const neighbour = context.namespace.neighbours.get(device, address);
  if (neighbour === undefined) throw refused("ENOENT", "Neighbour entry not found");
  return context.options.json
    ? jsonText([neighbourJson(neighbour, true)], context.options)
    : `${neighbourText(neighbour, true)}\n`;
}
