/**
 * One subnet of an overlay network on one node: a bridge that holds the gateway's address, and a VXLAN device as its first port. What peers there are is
 * written into the kernel's tables here: neighbours that the device answers ARP for, and the VTEPs behind which MAC addresses live.
 */
import type { Bridge } from "../../linux/bridge.ts";
import { deleteFdbEntry } from "../../linux/bridge-fdb.ts";
import type { Errno } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Vxlan } from "../../linux/vxlan.ts";
import type { Ipv4Address, MacAddress, Prefix, Vni } from "../../wire/address.ts";

export interface OverlaySubnet {
  readonly subnet: Prefix;
  /** Undefined: the bridge has no address (networks that flood). */
  readonly gateway: Ipv4Address | undefined;
  readonly vni: Vni;
}

export class OverlaySegment {
  readonly subnet: OverlaySubnet;
  /** `br0`. */
  readonly bridge: Bridge;
  /** `vxlan0`. */
  readonly vxlan: Vxlan;
  /** The device's name before it was moved in, which log lines show: `vx-001001-s6cdp`. */
  readonly vxlanName: string;
  readonly #namespace: NetworkNamespace;

  constructor(namespace: NetworkNamespace, subnet: OverlaySubnet, bridge: Bridge, vxlan: Vxlan, vxlanName: string) {
    this.#namespace = namespace;
    this.subnet = subnet;
    this.bridge = bridge;
    this.vxlan = vxlan;
    this.vxlanName = vxlanName;
  }

  /** ARP for `address` is answered with `mac`. EEXIST: it has an answer, and `replace` is not asked for. */
  addNeighbour(address: Ipv4Address, mac: MacAddress, replace = false): Errno | undefined {
    const { neighbours } = this.#namespace;
    const request = { device: this.vxlan.device, address, mac, state: "PERMANENT" } as const;
    return replace ? neighbours.replace(request) : neighbours.add(request);
  }

  /** Whatever its MAC address. ENOENT: there is none. */
  deleteNeighbour(address: Ipv4Address): Errno | undefined {
    return this.#namespace.neighbours.delete(this.vxlan.device, address);
  }

  /** Frames for `mac` go to `vtep`. EEXIST: there is an entry, be it a learnt one, and `replace` is not asked for. */
  addForwarding(mac: MacAddress, vtep: Ipv4Address, replace: boolean): Errno | undefined {
    const { fdb } = this.vxlan;
    const request = { mac, address: vtep, state: "permanent" } as const;
    return (replace ? fdb.replace(request) : fdb.add(request))?.errno;
  }

  /** What the bridge has learnt of `mac` at the tunnel goes too, but only if the first was there. ENOENT: it was not. */
  deleteForwarding(mac: MacAddress, vtep: Ipv4Address): Errno | undefined {
    const problem = this.vxlan.fdb.delete({ mac, address: vtep });
    if (problem !== undefined) return problem.errno;
    deleteFdbEntry(this.bridge, { address: mac, port: this.bridge.port(this.vxlan.device), vlan: 0 });
    return undefined;
  }

  /** Adds a VTEP to those that get what has no entry: `bridge fdb append 00:00:00:00:00:00 dev vxlan0 dst VTEP`. */
  flood(vtep: Ipv4Address): void {
    this.vxlan.fdb.append({ mac: 0 as MacAddress, address: vtep });
  }
}
