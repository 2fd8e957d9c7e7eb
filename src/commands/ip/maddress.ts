/** `ip maddress show` (iproute2's ip/ipmaddr.c): the groups that devices listen to. */
import { formatIpv4, formatMac, multicastMac } from "../../wire/address.ts";
import { type Arguments, noDevice } from "./arguments.ts";
import { type IpContext, jsonText } from "./ip-context.ts";

export function showGroups(context: IpContext, args: Arguments): string {
  let only: string | undefined;
  while (!args.done) {
    const word = args.take();
    only = word === "dev" ? args.value() : word;
    if (context.namespace.device(only) === undefined) throw noDevice(only);
  }
  const devices = context.namespace.devices.filter((device) => only === undefined || device.name === only);
  const shown = devices.map((device) => ({
    device,
    groups: context.namespace.igmp.memberships(device).map(({ group }) => group),
  }));
  if (context.options.json)
    return jsonText(
      shown.map(({ device, groups }) => ({
        ifindex: device.index,
        ifname: device.name,
        maddr: [
          ...groups.map((group) => ({ link: formatMac(multicastMac(group)) })),
          ...groups.map((group) => ({ family: "inet", address: formatIpv4(group) })),
        ],
      })),
      context.options,
    );
  return shown
    .map(
      ({ device, groups }) =>
        `${device.index}:\t${device.name}\n` +
        groups.map((group) => `\tlink  ${formatMac(multicastMac(group))}\n`).join("") +
        groups.map((group) => `\tinet  ${formatIpv4(group)}\n`).join(""),
    )
    .join("");
}
