/**
 * A bridge port, Linux's net_bridge_port: takes the received frames of the device that is enslaved and hands them to the bridge. What
 * `bridge link` shows and sets is kept here.
 */
import { VlanGroup } from "./bridge-vlan.ts";
import type { FrameId } from "./frame-store.ts";
import type { IngressHandler, NetDevice } from "./net-device.ts";

/** IEEE 802.1D-2004 §7.4; `disabled` also while the device is down or has no carrier. */
export type PortState = "disabled" | "blocking" | "listening" | "learning" | "forwarding";

/** Who relays what a port receives. Takes over the hold. */
export interface FrameRelay {
  relay(ingress: BridgePort, frame: FrameId): void;
}

/** 6 bits of priority above 10 of number (BR_PORT_BITS). */
const NUMBER_BITS = 10;
export const PORT_NUMBER_LIMIT = 1 << NUMBER_BITS;
/** In steps of 2^NUMBER_BITS: what `bridge link` calls priority 32. */
export const DEFAULT_PORT_PRIORITY = 32;

export class BridgePort implements IngressHandler {
  readonly device: NetDevice;
  /** 1 and up, the lowest that was free. */
  readonly number: number;
  readonly #relay: FrameRelay;

  state: PortState = "disabled";
  /** The device is up and its carrier has been reported (netif_oper_up). */
  operational = false;

  /** Sources of received frames are learnt. */
  learning = true;
  /** Frames to unknown unicast, group and broadcast addresses leave by this port. */
  flood = true;
  multicastFlood = true;
  broadcastFlood = true;
  /** Frames may leave by the port they came in by. */
  hairpin = false;
  /** Reaches only ports that are not isolated. */
  isolated = false;
  /** A BPDU that comes in disables the port. */
  guard = false;
  /** The port never becomes the root port. */
  rootBlock = false;
  /** A leave ends a membership at once. */
  fastLeave = false;
  /** 0 no router behind, 1 learnt from queries, 2 always. */
  multicastRouter: 0 | 1 | 2 = 1;
  /** Which of 01:80:c2:00:00:0x are forwarded when they come in here, one bit each. */
  groupForwardMask = 0;
  /** What the port carries when the bridge filters by VLAN. */
  readonly vlans = new VlanGroup();

  pathCost: number;
  /** 0 to 63, lower is better. */
  priority = DEFAULT_PORT_PRIORITY;

  constructor(device: NetDevice, number: number, relay: FrameRelay) {
    this.device = device;
    this.number = number;
    this.#relay = relay;
    this.pathCost = pathCostOf(device);
  }

  /** As BPDUs carry it: 0x8001 is number 1 at the default priority. */
  get identifier(): number {
    return (this.priority << NUMBER_BITS) | this.number;
  }

  receive(frame: FrameId): void {
    this.#relay.relay(this, frame);
  }
}

/** port_cost(): from the speed that the driver tells; 10 Gbit/s for a veth, none for tunnels. */
function pathCostOf(device: NetDevice): number {
  switch (device.kind) {
    case "veth":
      return 2;
    case "nic":
      return 4;
    default:
      return 100;
  }
}
