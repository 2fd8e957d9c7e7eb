/** `bridge link` (iproute2's bridge/link.c): ports and their flags. */
import { portOf } from "../../linux/bridge.ts";
import type { BridgePort } from "../../linux/bridge-port.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, USAGE_STATUS } from "../ip/arguments.ts";
import { flagNames, linkedName, linkOf } from "../ip/device-text.ts";
import { type IpContext, jsonText } from "../ip/ip-context.ts";
import { applyToPort, type PortSetting, portOption } from "../ip/port-options.ts";

/** `bridge` exits with what its parser returned: -EINVAL. */
const EINVAL_STATUS = 234;

export function setPort(context: IpContext, args: Arguments): void {
  let name: string | undefined;
  const settings: PortSetting[] = [];
  while (!args.done) {
    const word = args.take();
    if (word === "dev") name = args.value();
    else if (word === "self" || word === "master" || word === "nobackup_port") continue;
    else {
      const setting = portOption(word, args, EINVAL_STATUS);
      if (setting === undefined) throw new CommandError(USAGE_STATUS, LINK_USAGE);
      settings.push(setting);
    }
  }
  if (name === undefined) throw new CommandError(USAGE_STATUS, "Device is a required argument.");
  const device = context.namespace.device(name);
  if (device === undefined) throw new CommandError(USAGE_STATUS, `Cannot find bridge device "${name}"`);
  applyToPort(device, settings, USAGE_STATUS);
}

export function showPorts(context: IpContext, args: Arguments): string {
  let only: NetDevice | undefined;
  while (!args.done) {
    const word = args.take();
    if (word !== "dev") continue;
    const name = args.value();
    only = context.namespace.device(name);
    if (only === undefined) throw new CommandError(USAGE_STATUS, `Cannot find device "${name}"`);
  }
  const { options, namespace } = context;
  const shown: { device: NetDevice; port: BridgePort }[] = [];
  for (const device of namespace.devices) {
    const port = portOf(device);
    if (port !== undefined && (only === undefined || only === device)) shown.push({ device, port });
  }
  if (options.json)
    return jsonText(
      shown.map(({ device, port }) => ({
        ifindex: device.index,
        ...linkJson(context, device),
        ifname: device.name,
        flags: flagNames(device),
        mtu: device.mtu,
        master: device.master!.name,
        state: port.state,
        priority: port.priority,
        cost: port.pathCost,
        ...(options.details ? detailsJson(port) : {}),
      })),
      options,
    );
  return shown
    .map(
      ({ device, port }) =>
        `${device.index}: ${linkedName(device, namespace)}: <${flagNames(device).join(",")}> mtu ${device.mtu}` +
        ` master ${device.master!.name} state ${port.state} priority ${port.priority} cost ${port.pathCost} \n` +
        (options.details ? `${details(port)}\n` : ""),
    )
    .join("");
}

function linkJson(context: IpContext, device: NetDevice): Record<string, unknown> {
  const link = linkOf(device, context.namespace);
  if (link === undefined) return {};
  return link.name === undefined ? { link_index: link.index } : { link: link.name };
}

function details(port: BridgePort): string {
  const flags = Object.entries(detailsJson(port));
  return `    ${flags.map(([name, value]) => `${name} ${typeof value === "boolean" ? (value ? "on" : "off") : String(value)} `).join("")}`;
}

function detailsJson(port: BridgePort): Record<string, boolean | number> {
  return {
    hairpin: port.hairpin,
    guard: port.guard,
    root_block: port.rootBlock,
    fastleave: port.fastLeave,
    learning: port.learning,
    flood: port.flood,
    mcast_flood: port.multicastFlood,
    bcast_flood: port.broadcastFlood,
    mcast_router: port.multicastRouter,
    mcast_to_unicast: false,
    neigh_suppress: false,
    vlan_tunnel: false,
    isolated: port.isolated,
    locked: false,
  };
}

const LINK_USAGE = `Usage: bridge link set dev DEV [ cost COST ] [ priority PRIO ] [ state STATE ]
                               [ guard {on | off} ]
                               [ hairpin {on | off} ]
                               [ fastleave {on | off} ]
                               [ root_block {on | off} ]
                               [ learning {on | off} ]
                               [ learning_sync {on | off} ]
                               [ flood {on | off} ]
                               [ mcast_router MULTICAST_ROUTER ]
                               [ mcast_flood {on | off} ]
                               [ bcast_flood {on | off} ]
                               [ mcast_to_unicast {on | off} ]
                               [ neigh_suppress {on | off} ]
                               [ vlan_tunnel {on | off} ]
                               [ isolated {on | off} ]
                               [ locked {on | off} ]
                               [ hwmode {vepa | veb} ]
                               [ backup_port DEVICE ] [ nobackup_port ]
                               [ self ] [ master ]
       bridge link show [dev DEV]`;
