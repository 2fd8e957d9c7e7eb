/** `bridge vlan` (iproute2's bridge/vlan.c): which VLANs a port carries. */
import { bridgeOf, portOf } from "../../linux/bridge.ts";
import { LAST_VLAN, type VlanGroup } from "../../linux/bridge-vlan.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, matches, refused, USAGE_STATUS } from "../ip/arguments.ts";
import { type IpContext, jsonText } from "../ip/ip-context.ts";

export function changeVlan(context: IpContext, args: Arguments, verb: "add" | "delete"): void {
  let device: NetDevice | undefined;
  let first: number | undefined;
  let last = 0;
  let self = false;
  let pvid = false;
  let untagged = false;
  while (!args.done) {
    const word = args.take();
    if (word === "dev") {
      const name = args.value();
      device = context.namespace.device(name);
      if (device === undefined) throw new CommandError(USAGE_STATUS, `Cannot find device "${name}"`);
    } else if (word === "vid") {
      const text = args.value();
      const range = /^(\d+)(?:-(\d+))?$/.exec(text);
      first = range === null ? Number.NaN : Number(range[1]);
      last = range?.[2] === undefined ? first : Number(range[2]);
      if (!(first <= last && last < 4_096)) throw new CommandError(USAGE_STATUS, `Invalid VLAN ID "${text}"`);
    } else if (word === "self") self = true;
    else if (matches(word, "master")) continue;
    else if (matches(word, "pvid")) pvid = true;
    else if (matches(word, "untagged")) untagged = true;
    else if (word === "tunnel_info") args.value();
    else throw new CommandError(USAGE_STATUS, `Command "${word}" is unknown, try "bridge vlan help".`);
  }
  if (device === undefined || first === undefined)
    throw new CommandError(USAGE_STATUS, "Device and VLAN ID are required arguments.");
  const group = self ? bridgeOf(device)?.vlans : groupOf(device);
  if (group === undefined) throw refused("EOPNOTSUPP", undefined, USAGE_STATUS);
  if (first === 0 || last > LAST_VLAN) throw refused("EINVAL", undefined, USAGE_STATUS);
  if (pvid && first !== last) throw refused("EINVAL", undefined, USAGE_STATUS);
  for (let vid = first; vid <= last; vid++) {
    if (verb === "add") group.add(vid, { pvid, untagged });
    else group.delete(vid);
  }
}

function groupOf(device: NetDevice): VlanGroup | undefined {
  return portOf(device)?.vlans;
}

export function showVlans(context: IpContext, args: Arguments): string {
  let only: string | undefined;
  while (!args.done) if (args.take() === "dev") only = args.value();
  const shown: { device: NetDevice; group: VlanGroup }[] = [];
  for (const device of context.namespace.devices) {
    const group = bridgeOf(device)?.vlans ?? groupOf(device);
    if (group !== undefined && (only === undefined || only === device.name)) shown.push({ device, group });
  }
  if (context.options.json)
    return jsonText(
      shown.map(({ device, group }) => ({
        ifname: device.name,
        vlans: group.list().map(({ vid, pvid, untagged }) => {
          const flags = [...(pvid ? ["PVID"] : []), ...(untagged ? ["Egress Untagged"] : [])];
          return flags.length === 0 ? { vlan: vid } : { vlan: vid, flags };
        }),
      })),
      context.options,
    );
  let text = "port              vlan-id  \n";
  for (const { device, group } of shown)
    group.list().forEach(({ vid, pvid, untagged }, index) => {
      const name = index === 0 ? device.name : "";
      text += `${name.padEnd(16)}  ${vid}${pvid ? " PVID" : ""}${untagged ? " Egress Untagged" : ""}\n`;
    });
  return text;
}
