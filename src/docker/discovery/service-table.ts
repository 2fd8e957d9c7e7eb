/**
 * The services that a node knows of, with their tasks on each of its networks: libnetwork's service bindings. What is added here gets a mark, a place in
 * the network's load balancer and names; the last task of a service takes all of it away.
 */
import { assert } from "../../sim/assert.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { type IngressPort, portsKey } from "../load-balancer/ingress-port.ts";
import { type BalancedService, FIRST_MARK, type LoadBalancer } from "../load-balancer/load-balancer.ts";
import type { ServiceRecords } from "../resolver/service-records.ts";
import * as endpointNames from "./endpoint-names.ts";
import type { EndpointRecord } from "./endpoint-record.ts";

/** A network of this node, as far as services care. */
export interface ServiceNetwork {
  readonly balancer: LoadBalancer | undefined;
  /** Undefined on the ingress network: it has no names. */
  readonly names: ServiceRecords | undefined;
}

/** A service on one network. */
interface Balanced {
  readonly mark: number;
  readonly virtualAddress: Ipv4Address | undefined;
  readonly ports: readonly IngressPort[];
  /** What was added, by the endpoint's id: drained tasks are still there. */
  readonly backends: Map<string, EndpointRecord>;
}

/** A service with one list of published ports: with another list it is another binding, beside the first while tasks of both live. */
interface Binding {
  readonly networks: Map<string, Balanced>;
  /** Who takes new connections under an address; two of them only while gossip is on its way. */
  readonly byAddress: Map<Ipv4Address, string[]>;
}

export class ServiceTable {
  readonly #network: (id: string) => ServiceNetwork | undefined;
  readonly #bindings = new Map<string, Binding>();
  #nextMark = FIRST_MARK;

  /** `network`: those that the node has just now. */
  constructor(network: (id: string) => ServiceNetwork | undefined) {
    this.#network = network;
  }

  /** An endpoint is ready for connections. One without a service brings its names alone. */
  add(networkId: string, endpointId: string, record: EndpointRecord): void {
    const network = this.#network(networkId);
    if (network === undefined) return;
    const { names, balancer } = network;
    if (record.serviceId === "") {
      if (names !== undefined) endpointNames.addContainer(names, endpointId, record);
      return;
    }
    const binding = this.#bindingOf(record);
    let balanced = binding.networks.get(networkId);
    const isFirst = balanced === undefined;
    if (balanced === undefined) {
      const { virtualAddress, ports } = record;
      balanced = { mark: this.#nextMark++, virtualAddress, ports, backends: new Map() };
      binding.networks.set(networkId, balanced);
    }
    balanced.backends.set(endpointId, record);
    const sharing = binding.byAddress.get(record.address);
    if (sharing === undefined) binding.byAddress.set(record.address, [endpointId]);
    else if (!sharing.includes(endpointId)) sharing.push(endpointId);
    const service = balancedService(balanced);
    if (service !== undefined) balancer?.addBackend(service, record.address);
    if (names !== undefined) endpointNames.addTask(names, endpointId, record, isFirst);
  }

  /** The endpoint goes on with the connections that it has, and gets no others. */
  disable(networkId: string, endpointId: string, record: EndpointRecord): void {
    this.#take(networkId, endpointId, record, false);
  }

  remove(networkId: string, endpointId: string, record: EndpointRecord): void {
    this.#take(networkId, endpointId, record, true);
  }

  /** The network will leave the node, and its services leave before it. Their marks are not given again. */
  forget(networkId: string): void {
    const balancer = this.#network(networkId)?.balancer;
    for (const [key, binding] of [...this.#bindings]) {
      const balanced = binding.networks.get(networkId);
      if (balanced === undefined) continue;
      for (const [endpointId, { address }] of balanced.backends) release(binding, address, endpointId);
      binding.networks.delete(networkId);
      const service = balancedService(balanced);
      if (service !== undefined) balancer?.removeService(service);
      if (binding.networks.size === 0) this.#bindings.delete(key);
    }
  }

  /** 0: the service is not known on the network. */
  markOf(networkId: string, serviceId: string, ports: readonly IngressPort[]): number {
    return this.#bindings.get(bindingKey(serviceId, ports))?.networks.get(networkId)?.mark ?? 0;
  }

  #take(networkId: string, endpointId: string, record: EndpointRecord, isGone: boolean): void {
    const network = this.#network(networkId);
    if (record.serviceId === "") {
      if (network?.names !== undefined) endpointNames.removeContainer(network.names, endpointId, record);
      return;
    }
    const key = bindingKey(record.serviceId, record.ports);
    const binding = this.#bindings.get(key);
    const balanced = binding?.networks.get(networkId);
    if (binding === undefined || balanced === undefined || !balanced.backends.has(endpointId)) return;
    if (isGone) balanced.backends.delete(endpointId);
    const isLast = balanced.backends.size === 0;
    if (isLast) binding.networks.delete(networkId);
    const isShared = release(binding, record.address, endpointId) > 0;
    const service = balancedService(balanced);
    const balancer = network?.balancer;
    if (!isShared && service !== undefined && balancer !== undefined) {
      if (isGone) balancer.removeBackend(service, record.address);
      else balancer.drainBackend(service, record.address);
      if (isLast) balancer.removeService(service);
    }
    if (network?.names !== undefined) endpointNames.removeTask(network.names, endpointId, record, isLast, isShared);
    if (binding.networks.size === 0) this.#bindings.delete(key);
  }

  #bindingOf(record: EndpointRecord): Binding {
    assert(record.serviceId !== "", "a binding of no service");
    const key = bindingKey(record.serviceId, record.ports);
    let binding = this.#bindings.get(key);
    if (binding === undefined) {
      binding = { networks: new Map(), byAddress: new Map() };
      this.#bindings.set(key, binding);
    }
    return binding;
  }
}

function bindingKey(serviceId: string, ports: readonly IngressPort[]): string {
  return `${serviceId} ${portsKey(ports)}`;
}

/** How many others have the address still. */
function release(binding: Binding, address: Ipv4Address, endpointId: string): number {
  const others = (binding.byAddress.get(address) ?? []).filter((other) => other !== endpointId);
  if (others.length === 0) binding.byAddress.delete(address);
  else binding.byAddress.set(address, others);
  return others.length;
}

/** Undefined: a service without a virtual address has nothing to balance, though it has used a mark. */
function balancedService({ mark, virtualAddress, ports }: Balanced): BalancedService | undefined {
  return virtualAddress === undefined ? undefined : { mark, virtualAddress, ports };
}
