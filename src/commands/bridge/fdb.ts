/** `bridge fdb` (iproute2's bridge/fdb.c): entries of bridges (`master`) and of VXLAN devices (`self`). */
import { bridgeOf, portOf } from "../../linux/bridge.ts";
import { addFdbEntry, deleteFdbEntry, flushFdb } from "../../linux/bridge-fdb.ts";
import type { Errno } from "../../linux/errno.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import type { VxlanFdbState } from "../../linux/vxlan-fdb.ts";
import {
  formatIpv4,
  formatMac,
  type Ipv4Address,
  type MacAddress,
  multicastMac,
  parseIpv4,
  parseMac,
  type Vni,
} from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, garbage, invalid, matches, refused, USAGE_STATUS } from "../ip/arguments.ts";
import { type IpContext, jsonText } from "../ip/ip-context.ts";

interface Request {
  mac: MacAddress | undefined;
  device: NetDevice | undefined;
  self: boolean;
  master: boolean;
  state: "permanent" | "static" | "dynamic";
  sticky: boolean;
  external: boolean;
  destination: Ipv4Address | undefined;
  vlan: number;
  vni: number | undefined;
  port: number | undefined;
  via: NetDevice | undefined;
}

export function changeFdb(context: IpContext, args: Arguments, verb: "add" | "append" | "replace" | "delete"): void {
  const request = read(context, args);
  const { mac, device } = request;
  if (mac === undefined || device === undefined)
    throw new CommandError(USAGE_STATUS, "Device and address are required arguments.");
  // Without `self` or `master` the request is for the device itself.
  const self = request.self || !request.master;
  if (request.master) changeMaster(device, mac, request, verb);
  if (self) changeSelf(device, mac, request, verb);
}

function read(context: IpContext, args: Arguments): Request {
  const request: Request = {
    mac: undefined,
    device: undefined,
    self: false,
    master: false,
    state: "permanent",
    sticky: false,
    external: false,
    destination: undefined,
    vlan: 0,
    vni: undefined,
    port: undefined,
    via: undefined,
  };
  while (!args.done) {
    const word = args.take();
    if (word === "dev") request.device = device(context, args.value());
    else if (word === "dst") {
      const text = args.value();
      request.destination = parseIpv4(text);
      if (request.destination === undefined)
        throw new CommandError(1, `Error: any valid address is expected rather than "${text}".`);
    } else if (word === "nhid" || word === "src_vni") args.value();
    else if (word === "port") request.port = args.number("invalid port\n", 65_535);
    else if (word === "vni") {
      const text = args.value();
      const vni = Number(text);
      if (!Number.isInteger(vni) || vni >= 0x100_0000) throw invalid(text, "invalid vni\n");
      request.vni = vni;
    } else if (word === "via") request.via = device(context, args.value());
    else if (word === "self") request.self = true;
    else if (matches(word, "master")) request.master = true;
    else if (matches(word, "router") || matches(word, "use")) continue;
    else if (matches(word, "local") || matches(word, "permanent")) request.state = "permanent";
    else if (matches(word, "temp") || matches(word, "static")) request.state = "static";
    else if (matches(word, "dynamic")) request.state = "dynamic";
    else if (matches(word, "vlan")) {
      if (request.vlan !== 0) throw garbage("vlan", args.value());
      request.vlan = args.number("invalid vlan\n", 0xffff);
    } else if (matches(word, "extern_learn")) request.external = true;
    else if (matches(word, "sticky")) request.sticky = true;
    else {
      const text = word === "to" ? args.value() : word;
      if (matches(text, "help")) throw new CommandError(USAGE_STATUS, FDB_USAGE);
      if (request.mac !== undefined) throw garbage("to", text);
      request.mac = parseMac(text);
      if (request.mac === undefined) throw new CommandError(USAGE_STATUS, `Invalid mac address ${text}`);
    }
  }
  return request;
}

function device(context: IpContext, name: string): NetDevice {
  const found = context.namespace.device(name);
  if (found === undefined) throw new CommandError(USAGE_STATUS, `Cannot find device "${name}"`);
  return found;
}

function check(problem: Errno | undefined, message?: string | undefined): void {
  if (problem !== undefined) throw refused(problem, message, USAGE_STATUS);
}

function changeMaster(on: NetDevice, mac: MacAddress, request: Request, verb: string): void {
  const port = portOf(on);
  const bridge = on.master === undefined ? undefined : bridgeOf(on.master);
  if (port === undefined || bridge === undefined) throw refused("EOPNOTSUPP", undefined, USAGE_STATUS);
  const { vlan, state, sticky, external } = request;
  if (verb === "delete") check(deleteFdbEntry(bridge, { address: mac, port, vlan }));
  else check(addFdbEntry(bridge, { address: mac, port, vlan, state, sticky, external, exclusive: verb === "add" }));
}

function changeSelf(
  on: NetDevice,
  mac: MacAddress,
  request: Request,
  verb: "add" | "append" | "replace" | "delete",
): void {
  const bridge = bridgeOf(on);
  if (bridge !== undefined) {
    const target = { address: mac, port: undefined, vlan: request.vlan };
    if (verb === "delete") check(deleteFdbEntry(bridge, target));
    else check(addFdbEntry(bridge, { ...target, state: request.state, exclusive: verb === "add" }));
    return;
  }
  // Other devices filter no addresses, so there is nothing to add to.
  if (!(on.driver instanceof Vxlan)) throw refused("EOPNOTSUPP", undefined, USAGE_STATUS);
  const { fdb } = on.driver;
  const state: VxlanFdbState = request.state === "dynamic" ? "reachable" : request.state;
  const vni = request.vni as Vni | undefined;
  const { destination, port, via, external } = request;
  if (verb === "delete") {
    const problem = fdb.delete({ mac, address: destination, port, vni, device: via });
    check(problem?.errno, problem?.message);
    return;
  }
  if (destination === undefined) throw refused("EINVAL", undefined, USAGE_STATUS);
  const problem = fdb[verb]({ mac, address: destination, port, vni, device: via, state, externallyLearnt: external });
  check(problem?.errno, problem?.message);
}

interface Shown {
  readonly mac: MacAddress;
  readonly device: NetDevice;
  readonly vlan: number;
  readonly destination?: Ipv4Address | undefined;
  readonly port?: number | undefined;
  readonly vni?: number | undefined;
  readonly via?: string | undefined;
  /** Of the namespace that a VXLAN device was moved away from. */
  readonly namespaceNumber?: number | undefined;
  readonly used?: string | undefined;
  readonly flags: readonly string[];
  readonly master?: string | undefined;
  readonly state: string;
}

interface Selection {
  device: NetDevice | undefined;
  bridge: NetDevice | undefined;
  brport: NetDevice | undefined;
  vlan: number | undefined;
  dynamic: boolean;
  state: string | undefined;
}

function readSelection(context: IpContext, args: Arguments): Selection {
  const selection: Selection = {
    device: undefined,
    bridge: undefined,
    brport: undefined,
    vlan: undefined,
    dynamic: false,
    state: undefined,
  };
  while (!args.done) {
    const word = args.take();
    if (word === "brport") selection.brport = device(context, args.value());
    else if (word === "dev") selection.device = device(context, args.value());
    else if (word === "br") selection.bridge = device(context, args.value());
    else if (word === "vlan") selection.vlan = args.number("invalid vlan\n", 0xffff);
    else if (word === "dynamic") selection.dynamic = true;
    else if (word === "state") selection.state = args.value();
    else if (matches(word, "help")) throw new CommandError(USAGE_STATUS, FDB_USAGE);
  }
  return selection;
}

export function showFdb(context: IpContext, args: Arguments): string {
  const selection = readSelection(context, args);
  const only = selection.device ?? selection.brport;
  const shown = context.namespace.devices
    .filter(
      (one) =>
        (only === undefined || one === only) &&
        (selection.bridge === undefined || one === selection.bridge || one.master === selection.bridge),
    )
    .flatMap((one) => [...bridgeEntries(one), ...vxlanEntries(context, one), ...groupEntries(context, one)])
    .filter(
      (entry) =>
        (selection.vlan === undefined || entry.vlan === selection.vlan) &&
        (!selection.dynamic || entry.state !== "permanent") &&
        (selection.state === undefined ||
          selection.state === "all" ||
          entry.state === (selection.state === "dynamic" ? "" : selection.state)),
    );
  if (context.options.json)
    return jsonText(
      shown.map((entry) => json(entry, only === undefined)),
      context.options,
    );
  return shown.map((entry) => `${text(entry, only === undefined, context.options.statistics > 0)}\n`).join("");
}

/** Entries of the bridge that lead to this device: a port, or the bridge's own. */
function bridgeEntries(one: NetDevice): Shown[] {
  const port = portOf(one);
  const bridge = bridgeOf(one) ?? (one.master === undefined ? undefined : bridgeOf(one.master));
  if (bridge === undefined) return [];
  const nowNs = bridge.clock.nowNs;
  const age = (atNs: number): number => Math.floor((nowNs - atNs) / 1e9);
  return bridge.fdb
    .list(nowNs)
    .filter((entry) => entry.port === port)
    .map((entry) => ({
      mac: entry.address,
      device: one,
      vlan: entry.vlan,
      used: `${age(entry.updatedNs)}/${age(entry.updatedNs)}`,
      flags: [...(entry.external ? ["extern_learn"] : []), ...(entry.sticky ? ["sticky"] : [])],
      master: bridge.device.name,
      state: entry.local ? "permanent" : entry.fixed ? "static" : "",
    }));
}

function vxlanEntries(context: IpContext, one: NetDevice): Shown[] {
  if (!(one.driver instanceof Vxlan)) return [];
  const { settings, fdb, underlay } = one.driver;
  const nowNs = underlay.clock.nowNs;
  const age = (atNs: number): number => Math.floor((nowNs - atNs) / 1e9);
  return fdb.list().flatMap((entry) =>
    entry.remotes.map((remote) => ({
      mac: entry.mac,
      device: one,
      vlan: 0,
      destination: remote.address,
      port: remote.port === settings.destinationPort ? undefined : remote.port,
      vni: remote.vni === settings.vni ? undefined : remote.vni,
      via: remote.device?.name,
      namespaceNumber: underlay === context.namespace ? undefined : context.namespace.numberOf(underlay),
      used: `${age(entry.usedNs)}/${age(entry.updatedNs)}`,
      flags: ["self", ...(entry.externallyLearnt ? ["extern_learn"] : [])],
      state: entry.state === "reachable" ? "" : entry.state,
    })),
  );
}

/** Addresses that the device listens to besides its own, shown as entries of itself. */
function groupEntries(context: IpContext, one: NetDevice): Shown[] {
  if (one.driver instanceof Vxlan || one.kind === "loopback") return [];
  const groups = context.namespace.igmp.memberships(one).map(({ group }) => multicastMac(group));
  return groups.map((mac) => ({
    mac,
    device: one,
    vlan: 0,
    flags: ["self"],
    state: "permanent",
  }));
}

function text(entry: Shown, withDevice: boolean, statistics: boolean): string {
  let line = `${formatMac(entry.mac)} `;
  if (withDevice) line += `dev ${entry.device.name} `;
  if (entry.destination !== undefined) line += `dst ${formatIpv4(entry.destination)} `;
  if (entry.vlan !== 0) line += `vlan ${entry.vlan} `;
  if (entry.port !== undefined) line += `port ${entry.port} `;
  if (entry.vni !== undefined) line += `vni ${entry.vni} `;
  if (entry.via !== undefined) line += `via ${entry.via} `;
  if (entry.namespaceNumber !== undefined) line += `link-netnsid ${entry.namespaceNumber} `;
  if (statistics && entry.used !== undefined) line += `used ${entry.used} `;
  for (const flag of entry.flags) line += `${flag} `;
  if (entry.master !== undefined) line += `master ${entry.master} `;
  return line + entry.state;
}

function json(entry: Shown, withDevice: boolean): Record<string, unknown> {
  return {
    mac: formatMac(entry.mac),
    ...(withDevice ? { ifname: entry.device.name } : {}),
    ...(entry.destination === undefined ? {} : { dst: formatIpv4(entry.destination) }),
    ...(entry.vlan === 0 ? {} : { vlan: entry.vlan }),
    ...(entry.port === undefined ? {} : { port: entry.port }),
    ...(entry.vni === undefined ? {} : { vni: entry.vni }),
    ...(entry.via === undefined ? {} : { viaIf: entry.via }),
    ...(entry.namespaceNumber === undefined ? {} : { linkNetNsId: entry.namespaceNumber }),
    flags: entry.flags,
    ...(entry.master === undefined ? {} : { master: entry.master }),
    state: entry.state,
  };
}

/** `bridge fdb flush dev DEVICE [ self | master ]` */
export function flushFdbEntries(context: IpContext, args: Arguments): void {
  let on: NetDevice | undefined;
  let dynamic: boolean | undefined;
  while (!args.done) {
    const word = args.take();
    if (word === "dev") on = device(context, args.value());
    else if (matches(word, "dynamic")) dynamic = true;
    else if (matches(word, "static") || matches(word, "permanent")) dynamic = false;
    else if (word !== "self" && word !== "master") args.value();
  }
  if (on === undefined) throw new CommandError(USAGE_STATUS, "Device is a required argument.");
  if (on.driver instanceof Vxlan) {
    on.driver.fdb.flush(true);
    return;
  }
  const port = portOf(on);
  const bridge = bridgeOf(on) ?? (on.master === undefined ? undefined : bridgeOf(on.master));
  if (bridge === undefined) throw refused("EOPNOTSUPP", undefined, USAGE_STATUS);
  flushFdb(
    bridge,
    (entry) =>
      (port === undefined || entry.port === port) &&
      (dynamic === undefined || dynamic === !(entry.fixed || entry.local)),
  );
}

const FDB_USAGE = `Usage: bridge fdb { add | append | del | replace } ADDR dev DEV
              [ self ] [ master ] [ use ] [ router ] [ extern_learn ]
              [ sticky ] [ local | static | dynamic ] [ vlan VID ]
              { [ dst IPADDR ] [ port PORT] [ vni VNI ] | [ nhid NHID ] }
	       [ via DEV ] [ src_vni VNI ]
       bridge fdb [ show [ br BRDEV ] [ brport DEV ] [ vlan VID ]
              [ state STATE ] [ dynamic ] ]
       bridge fdb get [ to ] LLADDR [ br BRDEV ] { brport | dev } DEV
              [ vlan VID ] [ vni VNI ] [ self ] [ master ] [ dynamic ]`;
