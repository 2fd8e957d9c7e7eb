/**
 * The load balancer of one overlay network on one node, libnetwork addLBBackend and rmLBBackend: a sandbox whose `eth0` holds the services' virtual
 * addresses. The firewall marks what comes for one, the kernel's IPVS gives it to a task by the mark, and SNAT makes the answer come back here.
 */
import { ipvsOf } from "../../linux/ipvs/attach.ts";
import type { ForwardingMethod } from "../../linux/ipvs/real-server.ts";
import type { ServiceKey } from "../../linux/ipvs/virtual-service.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { formatIpv4, formatPrefix, IPV4_ANY, type Ipv4Address, networkOf, type Prefix } from "../../wire/address.ts";
import { Firewall } from "./firewall.ts";
import type { IngressPort } from "./ingress-port.ts";
import type { IngressRules } from "./ingress-rules.ts";
import type { IpvsModule } from "./ipvs-module.ts";

/** The first mark of an engine's counter. Marks are never given twice while the engine lives. */
export const FIRST_MARK = 256;

/** A service on one network, as a node's kernel knows it. */
export interface BalancedService {
  readonly mark: number;
  readonly virtualAddress: Ipv4Address;
  /** On the ingress network only. */
  readonly ports: readonly IngressPort[];
}

export interface LoadBalancerSettings {
  /** `lb_…` or `ingress_sbox`. */
  readonly namespace: NetworkNamespace;
  /** The interface in the overlay network, and its address there. */
  readonly device: NetDevice;
  readonly address: Prefix;
  readonly module: IpvsModule;
  /** Translation, or with the network's option `dsr` direct routing: tasks then answer clients themselves. */
  readonly method: ForwardingMethod;
  /** On the ingress network: the host's rules, and this sandbox's address on docker_gwbridge. */
  readonly ingress: { readonly rules: IngressRules; readonly gatewayAddress: Ipv4Address } | undefined;
}

export class LoadBalancer {
  readonly namespace: NetworkNamespace;
  readonly #settings: LoadBalancerSettings;
  readonly #firewall: Firewall;

  constructor(settings: LoadBalancerSettings) {
    this.namespace = settings.namespace;
    this.#settings = settings;
    this.#firewall = new Firewall(settings.namespace);
    settings.module.sandboxMade(settings.namespace);
  }

  /** A task takes part; the first one brings the service. One that is there already, even drained, stays as it is. */
  addBackend(service: BalancedService, task: Ipv4Address): void {
    const { module, method } = this.#settings;
    module.load();
    const ipvs = ipvsOf(this.namespace);
    if (ipvs.services.find(keyOf(service)) === undefined) this.#addService(service);
    ipvs.addServer(keyOf(service), server(task, 1, method));
    module.serverAdded();
  }

  /** No new connections; those that are there go on. */
  drainBackend(service: BalancedService, task: Ipv4Address): void {
    ipvsOf(this.namespace).editServer(keyOf(service), server(task, 0, this.#settings.method));
  }

  removeBackend(service: BalancedService, task: Ipv4Address): void {
    ipvsOf(this.namespace).deleteServer(keyOf(service), task, 0);
  }

  /** The last task has gone: the service goes, in Docker's order. */
  removeService(service: BalancedService): void {
    const { device, ingress } = this.#settings;
    if (ipvsOf(this.namespace).deleteService(keyOf(service)) !== undefined) return;
    ingress?.rules.withdraw(service.ports, ingress.gatewayAddress);
    for (const [chain, rule] of marking(service)) this.#firewall.delete("mangle", chain, rule);
    this.namespace.removeAddress(device, { address: service.virtualAddress, length: 32 });
  }

  #addService(service: BalancedService): void {
    const { device, address, ingress, method } = this.#settings;
    this.namespace.addAddress(device, { address: service.virtualAddress, length: 32 });
    ingress?.rules.publish(service.ports, ingress.gatewayAddress);
    if (method === "masquerade") {
      const subnet = formatPrefix({ address: networkOf(address), length: address.length });
      const rule = `-m ipvs --ipvs -d ${subnet} -j SNAT --to-source ${formatIpv4(address.address)}`;
      this.#firewall.appendOnce("nat", "POSTROUTING", rule);
      this.namespace.sysctl.set("net.ipv4.vs.conntrack", "1");
    }
    for (const [chain, rule] of marking(service)) this.#firewall.append("mangle", chain, rule);
    ipvsOf(this.namespace).addService(keyOf(service), {
      scheduler: "rr",
      persistentSeconds: undefined,
      clientMask: 0xffff_ffff,
      onePacket: false,
    });
  }
}

function keyOf(service: BalancedService): ServiceKey {
  return { mark: service.mark, protocol: 0, address: IPV4_ANY, port: 0 };
}

function server(address: Ipv4Address, weight: number, method: ForwardingMethod) {
  return { address, port: 0, method, weight, upperThreshold: 0, lowerThreshold: 0 };
}

/** What marks the service's packets: by published port as they come in, by virtual address as they are delivered. */
function marking({ mark, virtualAddress, ports }: BalancedService): (readonly [chain: string, rule: string])[] {
  const target = `-j MARK --set-mark ${mark}`;
  return [
    ...ports.map(
      ({ protocol, publishedPort }) => ["PREROUTING", `-p ${protocol} --dport ${publishedPort} ${target}`] as const,
    ),
    ["INPUT", `-d ${formatIpv4(virtualAddress)}/32 ${target}`] as const,
  ];
}
