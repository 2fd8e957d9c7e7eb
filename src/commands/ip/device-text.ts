/** What `ip link`, `ip address` and `bridge link` say of a device: flags, peer, operational state, qdisc. */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { vlanOf } from "../../linux/vlan-device.ts";
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

/** `eth0@if5` when the peer is in another namespace, `a@b` when it is here, `eth0` when there is none. */
export function linkedName(device: NetDevice, namespace: NetworkNamespace): string {
  const lower = lowerOf(device);
  if (lower === undefined) return device.name;
  return namespace.devices.includes(lower) ? `${device.name}@${lower.name}` : `${device.name}@if${lower.index}`;
}

/** IFLA_LINK: a veth's peer, the device below a VLAN device. */
export function lowerOf(device: NetDevice): NetDevice | undefined {
  return peerOf(device) ?? vlanOf(device)?.real;
}
