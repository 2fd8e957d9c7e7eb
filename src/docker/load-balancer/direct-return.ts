/**
 * A task of a network with the option `dsr`: it holds the service's virtual address on its loopback and does not speak for it in ARP, so that it can
 * answer clients directly.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import type { Ipv4Address } from "../../wire/address.ts";

export function answerDirectly(task: NetworkNamespace, device: NetDevice, virtualAddress: Ipv4Address): void {
  task.addAddress(task.loopback, { address: virtualAddress, length: 32 });
  task.sysctl.set(`net.ipv4.conf.${device.name}.arp_ignore`, "1");
  task.sysctl.set(`net.ipv4.conf.${device.name}.arp_announce`, "2");
}
