/** The options of `ip link add … type vxlan` (iproute2's ip/iplink_vxlan.c), and how `ip -d link show` prints them. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { createVxlan, type Vxlan } from "../../linux/vxlan.ts";
import type { VxlanOptions, VxlanSettings } from "../../linux/vxlan-settings.ts";
import { formatIpv4, isMulticastIpv4, type Vni } from "../../wire/address.ts";
import { CommandError } from "../command-error.ts";
import {
  type Arguments,
  invalid,
  KERNEL_STATUS,
  matches,
  noDevice,
  parseNumber,
  refused,
  USAGE_STATUS,
} from "./arguments.ts";
import type { NewLink } from "./link-add.ts";

type Draft = { -readonly [Key in keyof VxlanOptions]?: VxlanOptions[Key] };

export function addVxlan(link: NewLink, args: Arguments, underlay: NetworkNamespace): Vxlan {
  const draft: Draft = {};
  let flowBased = false;
  if (link.lower !== undefined) draft.device = link.lower;
  while (!args.done) {
    const word = args.take();
    if (word === "id" || word === "vni") {
      const text = args.value();
      const vni = parseNumber(text);
      if (vni === undefined || vni >= 0x100_0000) throw invalid(text, "invalid id");
      draft.vni = vni as Vni;
    } else if (word === "group" || word === "remote") {
      const address = args.address();
      if (word === "group" && !isMulticastIpv4(address)) throw invalid(formatIpv4(address), "invalid group address");
      if (word === "remote" && isMulticastIpv4(address)) throw invalid(formatIpv4(address), "invalid remote address");
      draft.remote = address;
    } else if (word === "local") {
      const address = args.address();
      if (isMulticastIpv4(address)) throw invalid(formatIpv4(address), "invalid local address");
      draft.local = address;
    } else if (word === "dev") {
      const name = args.value();
      const device = underlay.device(name);
      if (device === undefined) throw noDevice(name);
      draft.device = device;
    } else if (word === "ttl" || word === "hoplimit") {
      const text = args.value();
      const ttl = text === "auto" || text === "inherit" ? text : parseNumber(text);
      if (ttl === undefined) throw invalid(text, "invalid TTL");
      if (typeof ttl === "number" && ttl > 255) throw invalid(text, "TTL must be <= 255");
      draft.timeToLive = ttl;
    } else if (word === "tos" || word === "dsfield") {
      const text = args.value();
      const tos = text === "inherit" ? text : parseNumber(text.startsWith("0x") ? text : `0x${text}`);
      if (tos === undefined || (typeof tos === "number" && tos > 255)) throw invalid(text, "bad TOS value");
      draft.typeOfService = tos;
    } else if (word === "df") {
      const text = args.value();
      if (text !== "unset" && text !== "set" && text !== "inherit")
        throw invalid(text, 'DF must be "unset", "set" or "inherit"');
      draft.dontFragment = text;
    } else if (word === "dstport" || word === "port") {
      draft.destinationPort = args.number("dst port", 65_535);
    } else if (word === "srcport") {
      draft.sourcePortLow = args.number("min port", 65_535);
      draft.sourcePortHigh = args.number("max port", 65_535);
    } else if (word === "ageing") {
      const text = args.value();
      const seconds = text === "none" ? 0 : parseNumber(text);
      if (seconds === undefined) throw invalid(text, "ageing timer");
      draft.ageingSeconds = seconds;
    } else if (word === "maxaddress") {
      const text = args.value();
      const maximum = text === "unlimited" ? 0 : parseNumber(text);
      if (maximum === undefined) throw invalid(text, "max addresses");
      draft.maximumAddresses = maximum;
    } else if (word === "learning" || word === "nolearning") draft.learning = word === "learning";
    else if (word === "proxy" || word === "noproxy") draft.proxy = word === "proxy";
    else if (word === "l2miss" || word === "nol2miss") draft.l2miss = word === "l2miss";
    else if (word === "l3miss" || word === "nol3miss") draft.l3miss = word === "l3miss";
    else if (word === "udpcsum" || word === "noudpcsum") draft.udpChecksum = word === "udpcsum";
    else if (word === "localbypass" || word === "nolocalbypass") draft.localBypass = word === "localbypass";
    else if (/^(no)?(rsc|udp6zerocsum[tr]x|remcsum[tr]x)$/.test(word)) continue;
    else if (word === "external" || word === "gbp" || word === "gpe" || word === "vnifilter") flowBased = true;
    else if (matches(word, "help")) throw new CommandError(USAGE_STATUS, VXLAN_USAGE);
    else throw new CommandError(USAGE_STATUS, `vxlan: unknown command "${word}"?\n${VXLAN_USAGE}`);
  }
  // A device that takes its VNI from the packet is steered by tc and eBPF, which no emulated host has.
  if (flowBased) throw refused("EOPNOTSUPP");
  if (draft.vni === undefined) throw new CommandError(1, "vxlan: missing virtual network identifier");
  if (draft.remote !== undefined && isMulticastIpv4(draft.remote) && draft.device === undefined)
    throw new CommandError(1, "vxlan: 'group' requires 'dev' to be specified");
  const created = createVxlan(link.namespace, underlay, {
    ...draft,
    vni: draft.vni,
    name: link.name,
    address: link.address,
    mtu: link.mtu,
  });
  if ("errno" in created) throw refused(created.errno, created.message, KERNEL_STATUS);
  return created;
}

/** `vxlan id 5 local 1.2.3.4 srcport 0 0 dstport 4789 ttl auto ageing 300 udpcsum …` */
export function vxlanDetails(settings: VxlanSettings): string {
  let text = `vxlan id ${settings.vni} `;
  if (settings.remote !== undefined) text += `${settings.group ? "group" : "remote"} ${formatIpv4(settings.remote)} `;
  if (settings.local !== undefined) text += `local ${formatIpv4(settings.local)} `;
  if (settings.device !== undefined) text += `dev ${settings.device.name} `;
  text += `srcport ${settings.sourcePortLow} ${settings.sourcePortHigh} dstport ${settings.destinationPort} `;
  if (!settings.learning) text += "nolearning ";
  if (settings.proxy) text += "proxy ";
  if (settings.l2miss) text += "l2miss ";
  if (settings.l3miss) text += "l3miss ";
  if (settings.typeOfService === "inherit") text += "tos inherit ";
  else if (settings.typeOfService !== 0) text += `tos 0x${settings.typeOfService.toString(16)} `;
  text += `ttl ${settings.timeToLive} `;
  if (settings.dontFragment !== "unset") text += `df ${settings.dontFragment} `;
  text += settings.ageingNs === 0 ? "ageing none " : `ageing ${settings.ageingNs / 1e9} `;
  if (settings.maximumAddresses !== 0) text += `maxaddr ${settings.maximumAddresses} `;
  text += settings.udpChecksum ? "udpcsum " : "noudpcsum ";
  return `${text}noudp6zerocsumtx noudp6zerocsumrx `;
}

export function vxlanJson(settings: VxlanSettings): Record<string, unknown> {
  return {
    id: settings.vni,
    ...(settings.remote === undefined ? {} : { [settings.group ? "group" : "remote"]: formatIpv4(settings.remote) }),
    ...(settings.local === undefined ? {} : { local: formatIpv4(settings.local) }),
    ...(settings.device === undefined ? {} : { link: settings.device.name }),
    port_range: { low: settings.sourcePortLow, high: settings.sourcePortHigh },
    port: settings.destinationPort,
    learning: settings.learning,
    ...(settings.proxy ? { proxy: true } : {}),
    ...(settings.l2miss ? { l2miss: true } : {}),
    ...(settings.l3miss ? { l3miss: true } : {}),
    ...(settings.typeOfService === 0
      ? {}
      : { tos: settings.typeOfService === "inherit" ? 1 : `0x${settings.typeOfService.toString(16)}` }),
    ttl: settings.timeToLive === "auto" ? 0 : settings.timeToLive,
    df: settings.dontFragment,
    ageing: settings.ageingNs / 1e9,
    udp_csum: settings.udpChecksum,
    udp_zero_csum6_tx: false,
    udp_zero_csum6_rx: false,
  };
}

const VXLAN_USAGE = `Usage: ... vxlan id VNI
		[ { group | remote } IP_ADDRESS ]
		[ local ADDR ]
		[ ttl TTL ]
		[ tos TOS ]
		[ df DF ]
		[ flowlabel LABEL ]
		[ dev PHYS_DEV ]
		[ dstport PORT ]
		[ srcport MIN MAX ]
		[ [no]learning ]
		[ [no]proxy ]
		[ [no]rsc ]
		[ [no]l2miss ]
		[ [no]l3miss ]
		[ ageing SECONDS ]
		[ maxaddress NUMBER ]
		[ [no]udpcsum ]
		[ [no]udp6zerocsumtx ]
		[ [no]udp6zerocsumrx ]
		[ [no]remcsumtx ] [ [no]remcsumrx ]
		[ [no]external ] [ gbp ] [ gpe ]
		[ [no]vnifilter ]

Where:	VNI	:= 0-16777215
	ADDR	:= { IP_ADDRESS | any }
	TOS	:= { NUMBER | inherit }
	TTL	:= { 1..255 | auto | inherit }
	DF	:= { unset | set | inherit }
	LABEL := 0-1048575`;
