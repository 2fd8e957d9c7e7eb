/**
 * Settings of a bridge and of its ports that have limits: `ip link set br0 type bridge ...`, `bridge link set dev ...`. Limits and
 * refusals are the kernel's (br_stp.c, br_stp_if.c, br_netlink.c).
 */
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import type { Bridge } from "./bridge.ts";
import type { BridgePort, PortState } from "./bridge-port.ts";
import type { Errno } from "./errno.ts";

const LAST_PORT_PRIORITY = 63;
const LAST_PORT_COST = 65_535;

/** Checked only while the bridge speaks spanning tree; without, 0 to any. */
export function setForwardDelay(bridge: Bridge, delayNs: Nanoseconds): Errno | undefined {
  if (bridge.tree.enabled && (delayNs < 2 * SECOND || delayNs > 30 * SECOND)) return "ERANGE";
  bridge.tree.setForwardDelay(delayNs);
  return undefined;
}

export function setHelloTime(bridge: Bridge, timeNs: Nanoseconds): Errno | undefined {
  if (timeNs < SECOND || timeNs > 10 * SECOND) return "ERANGE";
  bridge.tree.setHelloTime(timeNs);
  return undefined;
}

export function setMaximumAge(bridge: Bridge, ageNs: Nanoseconds): Errno | undefined {
  if (ageNs < 6 * SECOND || ageNs > 40 * SECOND) return "ERANGE";
  bridge.tree.setMaximumAge(ageNs);
  return undefined;
}

/** 0 to 65 535, lower wins. */
export function setPriority(bridge: Bridge, priority: number): void {
  bridge.tree.setIdentifier({ priority, address: bridge.tree.identifier.address });
}

export function setPortCost(bridge: Bridge, port: BridgePort, cost: number): Errno | undefined {
  if (cost < 1 || cost > LAST_PORT_COST) return "ERANGE";
  bridge.tree.setPathCost(port, cost);
  return undefined;
}

export function setPortPriority(bridge: Bridge, port: BridgePort, priority: number): Errno | undefined {
  if (priority < 0 || priority > LAST_PORT_PRIORITY) return "ERANGE";
  bridge.tree.setPortPriority(port, priority);
  return undefined;
}

/** By hand only while no spanning tree decides. */
export function setPortState(bridge: Bridge, port: BridgePort, state: PortState): Errno | undefined {
  if (bridge.tree.enabled) return "EBUSY";
  if (!port.device.up || (!port.operational && state !== "disabled")) return "ENETDOWN";
  bridge.tree.forceState(port, state);
  return undefined;
}
