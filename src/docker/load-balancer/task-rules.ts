/**
 * What a task's own namespace holds on the ingress network, libnetwork addRedirectRules: the published port becomes the one that the task listens on, and
 * but for its published ports the task reaches nothing there and is not reached.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import { Firewall } from "./firewall.ts";
import type { IngressPort } from "./ingress-port.ts";

/** No port is left open: the order in which the kernel's lists show them. */
const CLOSED_PROTOCOLS = ["sctp", "udp", "tcp"] as const;

/** `address` is the task's on the ingress network. */
export function openTask(task: NetworkNamespace, address: Ipv4Address, ports: readonly IngressPort[]): void {
  if (ports.length === 0) return;
  const firewall = new Firewall(task);
  const own = formatIpv4(address);
  for (const { protocol, publishedPort, targetPort } of ports) {
    firewall.append(
      "nat",
      "PREROUTING",
      `-d ${own} -p ${protocol} --dport ${publishedPort} -j REDIRECT --to-ports ${targetPort}`,
    );
    const come = `-d ${own} -p ${protocol} --dport ${targetPort} -m conntrack --ctstate NEW,ESTABLISHED -j ACCEPT`;
    firewall.insert("filter", "INPUT", come);
    const go = `-s ${own} -p ${protocol} --sport ${targetPort} -m conntrack --ctstate ESTABLISHED -j ACCEPT`;
    firewall.insert("filter", "OUTPUT", go);
  }
  for (const protocol of CLOSED_PROTOCOLS) {
    firewall.appendOnce("filter", "INPUT", `-d ${own} -p ${protocol} -j DROP`);
    firewall.appendOnce("filter", "OUTPUT", `-s ${own} -p ${protocol} -j DROP`);
  }
}
