/** The options of a bridge port: `ip link set … type bridge_slave` and `bridge link set` (iproute2's ip/iplink_bridge_slave.c, bridge/link.c). */
import { type Bridge, bridgeOf, portOf } from "../../linux/bridge.ts";
import type { BridgePort } from "../../linux/bridge-port.ts";
import { setPortCost, setPortPriority, setPortState } from "../../linux/bridge-settings.ts";
import type { Errno } from "../../linux/errno.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, refused, USAGE_STATUS } from "./arguments.ts";
import { bridgeIdentifierText } from "./bridge-options.ts";

export type PortSetting = (bridge: Bridge, port: BridgePort) => Errno | undefined;

type Flag =
  | "hairpin"
  | "guard"
  | "rootBlock"
  | "fastLeave"
  | "learning"
  | "flood"
  | "multicastFlood"
  | "broadcastFlood"
  | "isolated";

const FLAGS: ReadonlyMap<string, Flag> = new Map([
  ["hairpin", "hairpin"],
  ["guard", "guard"],
  ["root_block", "rootBlock"],
  ["fastleave", "fastLeave"],
  ["mcast_fast_leave", "fastLeave"],
  ["learning", "learning"],
  ["flood", "flood"],
  ["mcast_flood", "multicastFlood"],
  ["bcast_flood", "broadcastFlood"],
  ["isolated", "isolated"],
]);

/** Of Linux, but with nothing behind them here: they stay off. */
const FIXED_OFF = [
  "mcast_to_unicast",
  "neigh_suppress",
  "vlan_tunnel",
  "proxy_arp",
  "proxy_arp_wifi",
  "learning_sync",
  "locked",
];

/** The setting that `word` and what follows asks for; undefined when it is none of a port. */
export function portOption(word: string, args: Arguments, onOffStatus = 1): PortSetting | undefined {
  const flag = FLAGS.get(word);
  if (flag !== undefined) {
    const on = args.onOff(word, onOffStatus);
    return (_bridge, port) => {
      port[flag] = on;
      return undefined;
    };
  }
  if (FIXED_OFF.includes(word)) {
    if (args.onOff(word, onOffStatus)) throw refused("EOPNOTSUPP");
    return () => undefined;
  }
  switch (word) {
    case "cost": {
      const cost = args.number("invalid cost");
      return (bridge, port) => setPortCost(bridge, port, cost);
    }
    case "priority": {
      const priority = args.number("invalid priority", 0xffff);
      return (bridge, port) => setPortPriority(bridge, port, priority);
    }
    case "mcast_router": {
      const router = args.number("invalid mcast_router", 0xff);
      if (router > 2) throw refused("EINVAL");
      return (_bridge, port) => {
        port.multicastRouter = router as 0 | 1 | 2;
        return undefined;
      };
    }
    case "group_fwd_mask": {
      const mask = args.number("invalid group_fwd_mask", 0xffff);
      return (_bridge, port) => {
        port.groupForwardMask = mask;
        return undefined;
      };
    }
    case "state":
      return readState(args);
    default:
      return undefined;
  }
}

const STATES = ["disabled", "listening", "learning", "forwarding", "blocking"] as const;

function readState(args: Arguments): PortSetting {
  const text = args.value();
  const number = STATES.findIndex((state, index) => state === text || String(index) === text);
  const state = STATES[number];
  if (state === undefined) throw new CommandError(USAGE_STATUS, "Error: invalid STP port state");
  return (bridge, port) => (setPortState(bridge, port, state) === undefined ? undefined : "EBUSY");
}

/** Applies settings to the port that `device` is; EOPNOTSUPP, with `status`, when it is none. */
export function applyToPort(device: NetDevice, settings: readonly PortSetting[], status: number): void {
  const port = portOf(device);
  const bridge = device.master === undefined ? undefined : bridgeOf(device.master);
  if (port === undefined || bridge === undefined) throw refused("EOPNOTSUPP", undefined, status);
  for (const apply of settings) {
    const problem = apply(bridge, port);
    if (problem !== undefined) throw refused(problem, undefined, status);
  }
}

/** `bridge_slave state forwarding priority 32 cost 2 …` of `ip -d link show`. */
export function portDetails(bridge: Bridge, port: BridgePort): string {
  const designated = bridge.tree.designated(port);
  const hex = port.identifier.toString(16);
  return (
    `bridge_slave state ${port.state} priority ${port.priority} cost ${port.pathCost} hairpin ${onOff(port.hairpin)}` +
    ` guard ${onOff(port.guard)} root_block ${onOff(port.rootBlock)} fastleave ${onOff(port.fastLeave)}` +
    ` learning ${onOff(port.learning)} flood ${onOff(port.flood)} port_id 0x${hex} port_no 0x${port.number.toString(16)}` +
    ` designated_port ${designated.designatedPort} designated_cost ${designated.designatedCost}` +
    ` designated_bridge ${bridgeIdentifierText(designated.designatedBridge)}` +
    ` designated_root ${bridgeIdentifierText(designated.designatedRoot)} hold_timer    0.00 message_age_timer    0.00` +
    ` forward_delay_timer    0.00 topology_change_ack 0 config_pending 0 proxy_arp off proxy_arp_wifi off` +
    ` mcast_router ${port.multicastRouter} mcast_fast_leave ${onOff(port.fastLeave)}` +
    ` mcast_flood ${onOff(port.multicastFlood)} bcast_flood ${onOff(port.broadcastFlood)} mcast_to_unicast off` +
    ` neigh_suppress off group_fwd_mask ${port.groupForwardMask.toString(16)}` +
    ` group_fwd_mask_str 0x${port.groupForwardMask.toString(16)} vlan_tunnel off isolated ${onOff(port.isolated)}` +
    ` locked off `
  );
}

export function portJson(bridge: Bridge, port: BridgePort): Record<string, unknown> {
  const designated = bridge.tree.designated(port);
  return {
    state: port.state,
    priority: port.priority,
    cost: port.pathCost,
    hairpin: port.hairpin,
    guard: port.guard,
    root_block: port.rootBlock,
    fastleave: port.fastLeave,
    learning: port.learning,
    flood: port.flood,
    id: `0x${port.identifier.toString(16)}`,
    no: `0x${port.number.toString(16)}`,
    designated_port: designated.designatedPort,
    designated_cost: designated.designatedCost,
    bridge_id: bridgeIdentifierText(designated.designatedBridge),
    root_id: bridgeIdentifierText(designated.designatedRoot),
    hold_timer: 0,
    message_age_timer: 0,
    forward_delay_timer: 0,
    topology_change_ack: 0,
    config_pending: 0,
    proxy_arp: false,
    proxy_arp_wifi: false,
    multicast_router: port.multicastRouter,
    mcast_flood: port.multicastFlood,
    bcast_flood: port.broadcastFlood,
    mcast_to_unicast: false,
    neigh_suppress: false,
    group_fwd_mask: port.groupForwardMask.toString(16),
    group_fwd_mask_str: `0x${port.groupForwardMask.toString(16)}`,
    vlan_tunnel: false,
    isolated: port.isolated,
    locked: false,
  };
}

function onOff(value: boolean): string {
  return value ? "on" : "off";
}
