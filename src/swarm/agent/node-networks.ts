/**
 * The swarm's networks on one node: which are here, on whose behalf, and with which address for the node's own load balancer. Ingress is here
 * as long as the node is part of the swarm; the others come with their first task and go with their last (moby daemon/cluster/executor).
 */
import type { ClusterNetwork, ClusterNetworking } from "../../docker/cluster-networking.ts";
import { assert } from "../../sim/assert.ts";
import { IPV4_ANY, type Prefix, parseIpv4, parsePrefix, type Vni } from "../../wire/address.ts";
import { vnisIn } from "../allocator/network-addresses.ts";
import type { Network, Node } from "../api/objects.ts";

export class NodeNetworks {
  readonly #networking: ClusterNetworking;
  /** By network: the node's address in it. */
  #balancers = new Map<string, Prefix>();
  readonly #users = new Map<string, Set<string>>();
  #ingressId: string | undefined = undefined;

  constructor(networking: ClusterNetworking) {
    this.#networking = networking;
  }

  /** The manager tells which places the node has. */
  setNode(node: Node): void {
    this.#balancers = new Map();
    let ingress: Network | undefined;
    for (const { network, addresses } of node.attachments) {
      const address = parsePrefix(addresses[0] ?? "");
      if (network === undefined || address === undefined) continue;
      this.#balancers.set(network.id, address);
      if (network.spec.ingress) ingress = network;
    }
    if (this.#ingressId !== undefined && this.#ingressId !== ingress?.id) this.#networking.release(this.#ingressId);
    this.#ingressId = ingress?.id;
    if (ingress !== undefined) this.#networking.allocate(clusterNetworkOf(ingress), this.#balancers.get(ingress.id));
  }

  hasBalancer(networkId: string): boolean {
    return this.#balancers.has(networkId);
  }

  /** A task needs the network: an error's text if it cannot be had. */
  use(network: Network, taskId: string): string | undefined {
    const users = this.#users.get(network.id) ?? new Set();
    const refusal = this.#networking.allocate(clusterNetworkOf(network), this.#balancers.get(network.id));
    if (refusal !== undefined) return refusal.message;
    this.#users.set(network.id, users.add(taskId));
    return undefined;
  }

  /** A task needs it no more. */
  release(network: Network, taskId: string): void {
    const users = this.#users.get(network.id);
    if (users?.delete(taskId) !== true || users.size > 0) return;
    this.#users.delete(network.id);
    if (network.id !== this.#ingressId) this.#networking.release(network.id);
  }

  clear(): void {
    this.#users.clear();
    this.#balancers.clear();
    this.#ingressId = undefined;
  }
}

function clusterNetworkOf(network: Network): ClusterNetwork {
  const vnis = vnisIn(network.driverState?.options);
  const { annotations, ingress, attachable, internal } = network.spec;
  return {
    id: network.id,
    name: annotations.name,
    ingress,
    attachable,
    internal,
    options: network.driverState?.options ?? new Map(),
    labels: annotations.labels,
    subnets: (network.ipam?.configs ?? []).map(({ subnet, gateway }, at) => {
      const prefix = parsePrefix(subnet);
      const vni = vnis[at];
      assert(prefix !== undefined && vni !== undefined, `network ${network.id} came without a subnet or a VNI`);
      return { subnet: prefix, gateway: parseIpv4(gateway) ?? IPV4_ANY, vni: vni as Vni };
    }),
  };
}
