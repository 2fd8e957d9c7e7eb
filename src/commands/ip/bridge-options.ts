/** The options of `ip link … type bridge` (iproute2's ip/iplink_bridge.c), and how `ip -d link show` prints them. */
import { type Bridge, createBridge } from "../../linux/bridge.ts";
import { setForwardDelay, setHelloTime, setMaximumAge, setPriority } from "../../linux/bridge-settings.ts";
import type { Errno } from "../../linux/errno.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { SECOND } from "../../sim/time.ts";
import { formatMac } from "../../wire/address.ts";
import type { BridgeIdentifier } from "../../wire/stp.ts";
import { CommandError } from "../command-error.ts";
import { type Arguments, invalid, matches, parseNumber, refused } from "./arguments.ts";
import type { NewLink } from "./link-add.ts";

/** The kernel counts in USER_HZ: hundredths of a second. */
const TICK_NS = SECOND / 100;

type Setting = (bridge: Bridge) => void;

export function addBridge(link: NewLink, args: Arguments): NetDevice {
  const settings = readBridgeOptions(args);
  const { name, address, mtu, namespace } = link;
  const bridge = createBridge(namespace, { name, address, mtu });
  try {
    for (const apply of settings) apply(bridge);
  } catch (error) {
    namespace.removeDevice(bridge.device);
    throw error;
  }
  return bridge.device;
}

/** Reads all options before any takes effect. */
export function readBridgeOptions(args: Arguments): Setting[] {
  const settings: Setting[] = [];
  while (!args.done) {
    const word = args.take();
    const setting = bridgeOption(word, args);
    if (setting === undefined) throw new CommandError(1, `bridge: unknown command "${word}"?\n${BRIDGE_USAGE}`);
    settings.push(setting);
  }
  return settings;
}

function bridgeOption(word: string, args: Arguments): Setting | undefined {
  if (matches(word, "forward_delay")) return ticks(args, "forward_delay", setForwardDelay);
  if (matches(word, "hello_time")) return ticks(args, "hello_time", setHelloTime);
  if (matches(word, "max_age")) return ticks(args, "max_age", setMaximumAge);
  if (matches(word, "ageing_time"))
    return ticks(args, "ageing_time", (bridge, ns) => {
      bridge.ageingNs = ns;
      return undefined;
    });
  if (matches(word, "stp_state")) {
    const state = number(args, "invalid stp_state");
    return (bridge) => bridge.tree.setEnabled(state !== 0);
  }
  if (matches(word, "priority")) {
    const priority = number(args, "invalid priority", 0xffff);
    return (bridge) => setPriority(bridge, priority);
  }
  if (matches(word, "vlan_filtering")) {
    const filtering = number(args, "invalid vlan_filtering", 0xff);
    return (bridge) => {
      bridge.filtersVlans = filtering !== 0;
    };
  }
  if (matches(word, "group_fwd_mask")) {
    const mask = number(args, "invalid group_fwd_mask", 0xffff);
    if ((mask & 7) !== 0) throw refused("EINVAL");
    return (bridge) => {
      bridge.groupForwardMask = mask;
    };
  }
  if (matches(word, "mcast_snooping")) {
    const snooping = number(args, "invalid mcast_snooping", 0xff);
    return (bridge) => {
      bridge.multicast.enabled = snooping !== 0;
    };
  }
  // What no emulated bridge does is taken where it says so: off, or the default.
  const fixed = FIXED.get(word);
  if (fixed === undefined) return undefined;
  if (number(args, `invalid ${word}`) !== fixed) throw refused("EOPNOTSUPP");
  return () => undefined;
}

/** Options of Linux that stay at their default here. */
const FIXED: ReadonlyMap<string, number> = new Map([
  ["no_linklocal_learn", 0],
  ["mcast_vlan_snooping", 0],
  ["mcast_router", 1],
  ["mcast_query_use_ifaddr", 0],
  ["mcast_querier", 0],
  ["mcast_hash_elasticity", 16],
  ["mcast_hash_max", 4_096],
  ["mcast_last_member_count", 2],
  ["mcast_startup_query_count", 2],
  ["mcast_stats_enabled", 0],
  ["mcast_igmp_version", 2],
  ["mcast_mld_version", 1],
  ["nf_call_iptables", 0],
  ["nf_call_ip6tables", 0],
  ["nf_call_arptables", 0],
  ["vlan_default_pvid", 1],
  ["vlan_stats_enabled", 0],
  ["vlan_stats_per_port", 0],
]);

function number(args: Arguments, wrong: string, maximum = 0xffff_ffff): number {
  const text = args.value();
  const value = parseNumber(text);
  if (value === undefined || value > maximum) throw invalid(text, wrong);
  return value;
}

function ticks(args: Arguments, name: string, apply: (bridge: Bridge, valueNs: number) => Errno | undefined): Setting {
  const value = number(args, `invalid ${name}`);
  return (bridge) => {
    const problem = apply(bridge, value * TICK_NS);
    if (problem !== undefined) throw refused(problem);
  };
}

export function bridgeIdentifierText({ priority, address }: BridgeIdentifier): string {
  return `${priority.toString(16).padStart(4, "0")}.${formatMac(address).replaceAll(/0(?=[0-9a-f](:|$))/g, "")}`;
}

interface Field {
  readonly text: string;
  readonly json: string;
  readonly value: unknown;
  /** How the text form shows it, where not as the value is. */
  readonly shown?: string;
}

function fields(bridge: Bridge): Field[] {
  const { tree } = bridge;
  const same = (name: string, value: unknown, json = name): Field => ({ text: name, json, value });
  const timer = (name: string): Field => ({ text: name, json: name, value: 0, shown: "   0.00" });
  return [
    same("forward_delay", tree.own.forwardDelayNs / TICK_NS),
    same("hello_time", tree.own.helloTimeNs / TICK_NS),
    same("max_age", tree.own.maximumAgeNs / TICK_NS),
    same("ageing_time", bridge.ageingNs / TICK_NS),
    same("stp_state", tree.enabled ? 1 : 0),
    same("priority", tree.identifier.priority),
    same("vlan_filtering", bridge.filtersVlans ? 1 : 0),
    same("bridge_id", bridgeIdentifierText(tree.identifier)),
    same("designated_root", bridgeIdentifierText(tree.designatedRoot), "root_id"),
    same("root_port", tree.rootPort?.number ?? 0),
    same("root_path_cost", tree.rootPathCost),
    same("topology_change", tree.topologyChange ? 1 : 0),
    same("topology_change_detected", tree.topologyChangeDetected ? 1 : 0),
    timer("hello_timer"),
    timer("tcn_timer"),
    timer("topology_change_timer"),
    timer("gc_timer"),
    { text: "group_fwd_mask", json: "group_fwd_mask", value: bridge.groupForwardMask.toString(16) },
    same("group_address", "01:80:c2:00:00:00", "group_addr"),
    same("mcast_snooping", bridge.multicast.enabled ? 1 : 0),
    same("no_linklocal_learn", 0),
    same("mcast_vlan_snooping", 0),
    same("mcast_router", 1),
    same("mcast_query_use_ifaddr", 0),
    same("mcast_querier", 0),
    same("mcast_hash_elasticity", 16),
    same("mcast_hash_max", 4096),
    same("mcast_last_member_count", 2, "mcast_last_member_cnt"),
    same("mcast_startup_query_count", 2, "mcast_startup_query_cnt"),
    same("mcast_last_member_interval", 100, "mcast_last_member_intvl"),
    same("mcast_membership_interval", 26000, "mcast_membership_intvl"),
    same("mcast_querier_interval", 25500, "mcast_querier_intvl"),
    same("mcast_query_interval", 12500, "mcast_query_intvl"),
    same("mcast_query_response_interval", 1000, "mcast_query_response_intvl"),
    same("mcast_startup_query_interval", 3124, "mcast_startup_query_intvl"),
    same("mcast_stats_enabled", 0),
    same("mcast_igmp_version", 2),
    same("mcast_mld_version", 1),
    same("nf_call_iptables", 0),
    same("nf_call_ip6tables", 0),
    same("nf_call_arptables", 0),
  ];
}

/** `bridge forward_delay 1500 hello_time 200 …` */
export function bridgeDetails(bridge: Bridge): string {
  return `bridge ${fields(bridge)
    .map(({ text, value, shown }) => `${text} ${shown ?? String(value)} `)
    .join("")}`;
}

export function bridgeJson(bridge: Bridge): Record<string, unknown> {
  return Object.fromEntries(fields(bridge).map(({ json, value }) => [json, value]));
}

const BRIDGE_USAGE = `Usage: ... bridge [ fdb_flush ]
		  [ forward_delay FORWARD_DELAY ]
		  [ hello_time HELLO_TIME ]
		  [ max_age MAX_AGE ]
		  [ ageing_time AGEING_TIME ]
		  [ stp_state STP_STATE ]
		  [ priority PRIORITY ]
		  [ group_fwd_mask MASK ]
		  [ group_address ADDRESS ]
		  [ no_linklocal_learn NO_LINKLOCAL_LEARN ]
		  [ vlan_filtering VLAN_FILTERING ]
		  [ vlan_protocol VLAN_PROTOCOL ]
		  [ vlan_default_pvid VLAN_DEFAULT_PVID ]
		  [ vlan_stats_enabled VLAN_STATS_ENABLED ]
		  [ vlan_stats_per_port VLAN_STATS_PER_PORT ]
		  [ mcast_snooping MULTICAST_SNOOPING ]
		  [ mcast_vlan_snooping MULTICAST_VLAN_SNOOPING ]
		  [ mcast_router MULTICAST_ROUTER ]
		  [ mcast_query_use_ifaddr MCAST_QUERY_USE_IFADDR ]
		  [ mcast_querier MULTICAST_QUERIER ]
		  [ mcast_hash_elasticity HASH_ELASTICITY ]
		  [ mcast_hash_max HASH_MAX ]
		  [ mcast_last_member_count LAST_MEMBER_COUNT ]
		  [ mcast_startup_query_count STARTUP_QUERY_COUNT ]
		  [ mcast_last_member_interval LAST_MEMBER_INTERVAL ]
		  [ mcast_membership_interval MEMBERSHIP_INTERVAL ]
		  [ mcast_querier_interval QUERIER_INTERVAL ]
		  [ mcast_query_interval QUERY_INTERVAL ]
		  [ mcast_query_response_interval QUERY_RESPONSE_INTERVAL ]
		  [ mcast_startup_query_interval STARTUP_QUERY_INTERVAL ]
		  [ mcast_stats_enabled MCAST_STATS_ENABLED ]
		  [ mcast_igmp_version IGMP_VERSION ]
		  [ mcast_mld_version MLD_VERSION ]
		  [ nf_call_iptables NF_CALL_IPTABLES ]
		  [ nf_call_ip6tables NF_CALL_IP6TABLES ]
		  [ nf_call_arptables NF_CALL_ARPTABLES ]

Where: VLAN_PROTOCOL := { 802.1Q | 802.1ad }`;
