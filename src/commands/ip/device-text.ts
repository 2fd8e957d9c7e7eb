/** What `ip link`, `ip address` and `bridge link` say of a device: flags, peer, operational state, qdisc. */
import { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { vlanOf } from "../../linux/vlan-device.ts";
import { Vxlan } from "../../linux/vxlan.ts";
import { WireEnd } from "../../linux/wire-end.ts";

/** As print_link_flags() orders them. */
export function flagNames(device: NetDevice): string[] {
  const loopback = device.kind === "loopback";
  const flags: string[] = [];
  if (device.up && !device.carrier) flags.push("NO-CARRIER");
  if (loopback) flags.push("LOOPBACK");
  else flags.push("BROADCAST");
  if (device.multicast && !loopback) flags.push("MULTICAST");
  if (device.noArp) flags.push("NOARP");
  if (device.promiscuous) flags.push("PROMISC");
  if (device.up) flags.push("UP");
  if (device.up && device.carrier) flags.push("LOWER_UP");
  const peer = peerOf(device);
  if (peer !== undefined && !peer.up) flags.push("M-DOWN");
  return flags;
}

/** IF_OPER_…: what `state` shows. */
export function operationalState(device: NetDevice): string {
  if (!device.up) return "DOWN";
  if (device.kind === "loopback" || device.kind === "dummy" || device.kind === "vxlan")
    return device.carrier ? "UNKNOWN" : "DOWN";
  if (device.carrier) return "UP";
  return device.kind === "veth" || device.kind === "vlan" ? "LOWERLAYERDOWN" : "DOWN";
}

export function queueingName(device: NetDevice): string {
  if (device.qdisc !== undefined) return device.qdisc.kind;
  return device.up ? (device.kind === "nic" ? "fq_codel" : "noqueue") : "noop";
}

/** The other end of a veth pair or cable. */
export function peerOf(device: NetDevice): NetDevice | undefined {
  return device.driver instanceof WireEnd && device.kind === "veth" ? device.driver.peer : undefined;
}

/** IFLA_LINK and IFLA_LINK_NETNSID: what a device ends at or stands on. */
export interface Link {
  readonly index: number;
  /** Its name, when it is in the same namespace. */
  readonly name: string | undefined;
  /** Where it is, when that is another. */
  readonly elsewhere: NetworkNamespace | undefined;
}

/** A veth's peer, the device below a VLAN device. A VXLAN device that was moved tells where its socket is, under a number of its own. */
export function linkOf(device: NetDevice, namespace: NetworkNamespace): Link | undefined {
  if (device.driver instanceof Vxlan) {
    const { underlay } = device.driver;
    return underlay === namespace ? undefined : { index: device.index, name: undefined, elsewhere: underlay };
  }
  const lower = peerOf(device) ?? vlanOf(device)?.real;
  if (lower === undefined) return undefined;
  const near = lower.stack === namespace;
  const elsewhere = !near && lower.stack instanceof NetworkNamespace ? lower.stack : undefined;
  return { index: lower.index, name: near ? lower.name : undefined, elsewhere };
}

/** `eth0@if5` when the peer is in another namespace, `a@b` when it is here, `eth0` when there is none. */
export function linkedName(device: NetDevice, namespace: NetworkNamespace): string {
  const link = linkOf(device, namespace);
  if (link === undefined) return device.name;
  return `${device.name}@${link.name ?? `if${link.index}`}`;
}
