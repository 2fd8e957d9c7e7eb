/** `ip link show` and `ip address show` (iproute2's ip/ipaddress.c): as text, in one line, in brief, as JSON. */
import { bridgeOf, portOf } from "../../linux/bridge.ts";
import type { DeviceAddress, NetDevice } from "../../linux/net-device.ts";
import { vlanOf } from "../../linux/vlan-device.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import { contains, formatIpv4, formatMac, type Prefix } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, garbage, matches, noDevice } from "./arguments.ts";
import { bridgeDetails, bridgeJson } from "./bridge-options.ts";
import { flagNames, linkedName, linkOf, operationalState, queueingName } from "./device-text.ts";
import { type IpContext, jsonText, record } from "./ip-context.ts";
import { portDetails, portJson } from "./port-options.ts";
import { vxlanDetails, vxlanJson } from "./vxlan-options.ts";

/** What is asked for: which devices, which of their addresses. */
export interface Selection {
  device: NetDevice | undefined;
  up: boolean;
  master: NetDevice | undefined;
  type: string | undefined;
  to: Prefix | undefined;
  scope: string | undefined;
}

export function readSelection(context: IpContext, args: Arguments): Selection {
  const selection: Selection = {
    device: undefined,
    up: false,
    master: undefined,
    type: undefined,
    to: undefined,
    scope: undefined,
  };
  while (!args.done) {
    const word = args.take();
    if (word === "to") selection.to = args.prefix();
    else if (matches(word, "scope")) selection.scope = args.value();
    else if (word === "up") selection.up = true;
    else if (word === "master") {
      const name = args.value();
      selection.master = context.namespace.device(name);
      if (selection.master === undefined) throw noDevice(name);
    } else if (word === "type") selection.type = args.value();
    else if (/^(permanent|dynamic|primary|secondary)$/.test(word)) continue;
    else {
      const name = word === "dev" ? args.value() : word;
      if (selection.device !== undefined) throw garbage("dev", name);
      selection.device = context.namespace.device(name);
      if (selection.device === undefined) throw new CommandError(1, `Device "${name}" does not exist.`);
    }
  }
  return selection;
}

function selected(context: IpContext, selection: Selection): NetDevice[] {
  return context.namespace.devices.filter(
    (device) =>
      (selection.device === undefined || selection.device === device) &&
      (!selection.up || device.up) &&
      (selection.master === undefined || device.master === selection.master) &&
      (selection.type === undefined ||
        device.kind === selection.type ||
        (selection.type === "bridge_slave" && device.master !== undefined)),
  );
}

export function showLinks(context: IpContext, args: Arguments): string {
  const devices = selected(context, readSelection(context, args));
  const { options, namespace } = context;
  if (options.json && options.brief)
    return jsonText(
      devices.map((device) => ({
        ...linkName(context, device),
        operstate: operationalState(device),
        address: formatMac(device.address),
        flags: flagNames(device),
      })),
      options,
    );
  if (options.json)
    return jsonText(
      devices.map((device) => linkJson(context, device, true)),
      options,
    );
  if (options.brief)
    return devices
      .map(
        (device) =>
          `${linkedName(device, namespace).padEnd(16)} ${operationalState(device).padEnd(14)} ` +
          `${formatMac(device.address)} <${flagNames(device).join(",")}> \n`,
      )
      .join("");
  return devices.map((device) => record(linkText(context, device, true), options)).join("");
}

export function showAddresses(context: IpContext, args: Arguments): string {
  const selection = readSelection(context, args);
  const { options, namespace } = context;
  const inetOnly = options.family === "inet" || selection.to !== undefined || selection.scope !== undefined;
  const shown = selected(context, selection)
    .map((device) => ({ device, addresses: device.addresses.filter((address) => wanted(address, selection)) }))
    .filter(({ addresses }) => !inetOnly || addresses.length > 0);
  if (options.json && options.brief)
    return jsonText(
      shown.map(({ device, addresses }) => ({
        ...linkName(context, device),
        operstate: operationalState(device),
        addr_info: addresses.map((address) => ({
          local: formatIpv4(address.address),
          prefixlen: address.length,
        })),
      })),
      options,
    );
  if (options.json)
    return jsonText(
      shown.map(({ device, addresses }) => ({
        ...linkJson(context, device, false),
        addr_info: addresses.map((address) => addressJson(device, address)),
      })),
      options,
    );
  if (options.brief)
    return shown
      .map(
        ({ device, addresses }) =>
          `${linkedName(device, namespace).padEnd(16)} ${operationalState(device).padEnd(14)} ` +
          `${addresses.map((address) => `${addressPrefix(address)} `).join("")}\n`,
      )
      .join("");
  return shown
    .map(({ device, addresses }) => {
      if (options.oneline)
        return addresses
          .map((address) => `${device.index}: ${device.name}${addressText(device, address).replaceAll("\n", "\\")}\n`)
          .join("");
      const link = inetOnly ? `${linkText(context, device, false).split("\n")[0]}\n` : linkText(context, device, false);
      return link + addresses.map((address) => `${addressText(device, address)}\n`).join("");
    })
    .join("");
}

function wanted(address: DeviceAddress, selection: Selection): boolean {
  return (
    (selection.to === undefined ||
      (address.length >= selection.to.length && contains(selection.to, address.address))) &&
    (selection.scope === undefined || selection.scope === address.scope)
  );
}

/** `    inet 10.0.0.2/24 brd … scope global eth0` and the line of its lifetimes. */
function addressText(device: NetDevice, address: DeviceAddress): string {
  let text = `    inet ${addressPrefix(address)}`;
  if (address.broadcast !== undefined) text += ` brd ${formatIpv4(address.broadcast)}`;
  text += ` scope ${address.scope}${address.secondary ? " secondary" : ""} ${device.name}`;
  return `${text}\n       valid_lft forever preferred_lft forever`;
}

function addressPrefix(address: DeviceAddress): string {
  if (address.peer === address.address) return `${formatIpv4(address.address)}/${address.length}`;
  return `${formatIpv4(address.address)} peer ${formatIpv4(address.peer)}/${address.length}`;
}

function addressJson(device: NetDevice, address: DeviceAddress): Record<string, unknown> {
  return {
    family: "inet",
    local: formatIpv4(address.address),
    ...(address.peer === address.address ? {} : { address: formatIpv4(address.peer) }),
    prefixlen: address.length,
    ...(address.broadcast === undefined ? {} : { broadcast: formatIpv4(address.broadcast) }),
    scope: address.scope,
    ...(address.secondary ? { secondary: true } : {}),
    label: device.name,
    valid_life_time: 4_294_967_295,
    preferred_life_time: 4_294_967_295,
  };
}

function linkText(context: IpContext, device: NetDevice, isLink: boolean): string {
  const { options, namespace } = context;
  const master = device.master === undefined ? "" : ` master ${device.master.name}`;
  const loopback = device.kind === "loopback";
  let text =
    `${device.index}: ${linkedName(device, namespace)}: <${flagNames(device).join(",")}> mtu ${device.mtu}` +
    ` qdisc ${queueingName(device)}${master} state ${operationalState(device)}${isLink ? " mode DEFAULT" : ""}` +
    ` group default qlen 1000\n` +
    `    link/${loopback ? "loopback" : "ether"} ${formatMac(device.address)}` +
    ` brd ${loopback ? "00:00:00:00:00:00" : "ff:ff:ff:ff:ff:ff"}`;
  const elsewhere = linkOf(device, namespace)?.elsewhere;
  if (elsewhere?.netnsName !== undefined) text += ` link-netns ${elsewhere.netnsName}`;
  else if (elsewhere !== undefined) text += ` link-netnsid ${namespace.numberOf(elsewhere)}`;
  if (options.details) text += detailsText(device);
  text += "\n";
  if (options.statistics > 0) text += statisticsText(device, options.statistics);
  return text;
}

function detailsText(device: NetDevice): string {
  const loopback = device.kind === "loopback";
  const promiscuity = (device.promiscuous ? 1 : 0) + (device.master === undefined ? 0 : 1);
  const limits = loopback ? "minmtu 0 maxmtu 0" : "minmtu 68 maxmtu 65535";
  let text = ` promiscuity ${promiscuity}  allmulti ${device.master === undefined ? 0 : 1} ${limits} `;
  const kind = kindDetails(device);
  if (kind !== "") text += `\n    ${kind}`;
  const port = portOf(device);
  const bridge = device.master === undefined ? undefined : bridgeOf(device.master);
  if (port !== undefined && bridge !== undefined) text += `\n    ${portDetails(bridge, port)}`;
  return `${text}addrgenmode eui64 numtxqueues 1 numrxqueues 1 gso_max_size 65536 gso_max_segs 65535 tso_max_size ${
    loopback ? 524_280 : 65_536
  } tso_max_segs 65535 gro_max_size 65536 `;
}

function kindDetails(device: NetDevice): string {
  const bridge = bridgeOf(device);
  if (bridge !== undefined) return bridgeDetails(bridge);
  if (device.driver instanceof Vxlan) return vxlanDetails(device.driver.settings);
  const vlan = vlanOf(device);
  if (vlan !== undefined) return `vlan protocol 802.1Q id ${vlan.vid} <REORDER_HDR> `;
  return device.kind === "veth" || device.kind === "dummy" ? `${device.kind} ` : "";
}

function statisticsText(device: NetDevice, level: number): string {
  const { rxBytes, rxPackets, rxDropped, txBytes, txPackets, txDropped } = device.counters;
  const columns = (values: readonly number[], widths: readonly number[]): string =>
    values.map((value, index) => String(value).padStart(widths[index]!)).join(" ");
  const line = (bytes: number, packets: number, dropped: number): string =>
    `    ${columns([bytes, packets, 0, dropped, 0, 0], [10, 7, 6, 7, 7, 7])} \n`;
  let text = `    RX:  bytes packets errors dropped  missed   mcast           \n${line(rxBytes, rxPackets, rxDropped)}`;
  if (level > 1)
    text +=
      "    RX errors:  length    crc   frame    fifo overrun\n" +
      `    ${columns([0, 0, 0, 0, 0], [17, 6, 7, 7, 7])} \n`;
  text += `    TX:  bytes packets errors dropped carrier collsns           \n${line(txBytes, txPackets, txDropped)}`;
  if (level > 1)
    text +=
      "    TX errors: aborted   fifo  window heartbt transns\n" +
      `    ${columns([0, 0, 0, 0, 0], [17, 6, 7, 7, 7])} \n`;
  return text;
}

function linkName(context: IpContext, device: NetDevice): Record<string, unknown> {
  const link = linkOf(device, context.namespace);
  if (link === undefined) return { ifname: device.name };
  if (link.name !== undefined) return { link: link.name, ifname: device.name };
  return { link_index: link.index, ifname: device.name };
}

function linkJson(context: IpContext, device: NetDevice, isLink: boolean): Record<string, unknown> {
  const { options } = context;
  const loopback = device.kind === "loopback";
  const json: Record<string, unknown> = {
    ifindex: device.index,
    ...linkName(context, device),
    flags: flagNames(device),
    mtu: device.mtu,
    qdisc: queueingName(device),
    ...(device.master === undefined ? {} : { master: device.master.name }),
    operstate: operationalState(device),
    ...(isLink ? { linkmode: "DEFAULT" } : {}),
    group: "default",
    txqlen: 1000,
    link_type: loopback ? "loopback" : "ether",
    address: formatMac(device.address),
    broadcast: loopback ? "00:00:00:00:00:00" : "ff:ff:ff:ff:ff:ff",
  };
  const elsewhere = linkOf(device, context.namespace)?.elsewhere;
  if (elsewhere?.netnsName !== undefined) json.link_netns = elsewhere.netnsName;
  else if (elsewhere !== undefined) json.link_netnsid = context.namespace.numberOf(elsewhere);
  if (options.details) Object.assign(json, detailsJson(device));
  if (options.statistics > 0) {
    const { rxBytes, rxPackets, rxDropped, txBytes, txPackets, txDropped } = device.counters;
    json.stats64 = {
      rx: { bytes: rxBytes, packets: rxPackets, errors: 0, dropped: rxDropped, over_errors: 0, multicast: 0 },
      tx: { bytes: txBytes, packets: txPackets, errors: 0, dropped: txDropped, carrier_errors: 0, collisions: 0 },
    };
  }
  return json;
}

function detailsJson(device: NetDevice): Record<string, unknown> {
  const loopback = device.kind === "loopback";
  const info: Record<string, unknown> = {};
  const bridge = bridgeOf(device);
  const vlan = vlanOf(device);
  if (!loopback && device.kind !== "nic") info.info_kind = device.kind;
  if (bridge !== undefined) info.info_data = bridgeJson(bridge);
  else if (device.driver instanceof Vxlan) info.info_data = vxlanJson(device.driver.settings);
  else if (vlan !== undefined) info.info_data = { protocol: "802.1Q", id: vlan.vid, flags: ["REORDER_HDR"] };
  const port = portOf(device);
  const master = device.master === undefined ? undefined : bridgeOf(device.master);
  if (port !== undefined && master !== undefined) {
    info.info_slave_kind = "bridge";
    info.info_slave_data = portJson(master, port);
  }
  return {
    promiscuity: (device.promiscuous ? 1 : 0) + (device.master === undefined ? 0 : 1),
    allmulti: device.master === undefined ? 0 : 1,
    min_mtu: loopback ? 0 : 68,
    max_mtu: loopback ? 0 : 65_535,
    ...(Object.keys(info).length === 0 ? {} : { linkinfo: info }),
    inet6_addr_gen_mode: "eui64",
    num_tx_queues: 1,
    num_rx_queues: 1,
    gso_max_size: 65_536,
    gso_max_segs: 65_535,
    tso_max_size: loopback ? 524_280 : 65_536,
    tso_max_segs: 65_535,
    gro_max_size: 65_536,
  };
}
