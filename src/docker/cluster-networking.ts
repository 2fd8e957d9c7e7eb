/**
 * What swarm mode adds to an engine's networks (libnetwork agent.go, and what moby's daemon does with it): gossip with the other nodes, overlay networks with
 * their load balancers as the manager sends them here, and word of this node's endpoints to everybody who has the same network.
 */
import type { Errno } from "../linux/errno.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import { assert } from "../sim/assert.ts";
import type { Ipv4Address, Prefix } from "../wire/address.ts";
import type { Container } from "./container/container.ts";
import { type ClusterStart, Membership } from "./discovery/membership.ts";
import { type NetworkService, networkServices } from "./discovery/network-services.ts";
import { ServiceTable } from "./discovery/service-table.ts";
import type { ClusterPart, Engine, EngineListener, Places } from "./engine.ts";
import type { GossipAgent } from "./gossip-agent.ts";
import { IngressRules } from "./load-balancer/ingress-rules.ts";
import { IpvsModule } from "./load-balancer/ipvs-module.ts";
import type { NetworkKey } from "./overlay/network-key.ts";
import type { NodeOverlay, OverlaySpec } from "./overlay/node-overlay.ts";
import { type Refusal, refuse } from "./refusal.ts";

export type { ClusterStart } from "./discovery/membership.ts";

/** A network of the swarm, as the manager tells of it. */
export type ClusterNetwork = OverlaySpec;

export interface ClusterNetworkingSettings {
  readonly engine: Engine;
  /** The node's named namespaces (/var/run/docker/netns). */
  readonly handles?: Map<string, NetworkNamespace> | undefined;
  /** Whether something else loads the kernel's ip_vs when the machine starts; default no. */
  readonly ipvsLoaded?: boolean | undefined;
  /** The engine's log. */
  readonly log?: ((message: string) => void) | undefined;
}

/** A node of the swarm that has a network. */
export interface NetworkPeer {
  /** Its name in gossip. */
  readonly name: string;
  readonly address: Ipv4Address;
}

const NO_NETWORKS: ReadonlyMap<string, NodeOverlay> = new Map();

export class ClusterNetworking implements ClusterPart, EngineListener {
  readonly #settings: ClusterNetworkingSettings;
  #services: ServiceTable;
  #module: IpvsModule;
  #rules: IngressRules;
  /** The agent's part: it asks the manager. */
  places: Places | undefined = undefined;
  #membership: Membership | undefined = undefined;
  #starts = 0;

  constructor(settings: ClusterNetworkingSettings) {
    this.#settings = settings;
    this.#services = this.#newServices();
    this.#module = new IpvsModule(settings.engine.host, settings.ipvsLoaded);
    this.#rules = new IngressRules(settings.engine.host, settings.engine.release);
  }

  /** Undefined while the node is no part of a swarm. */
  get agent(): GossipAgent | undefined {
    return this.#membership?.agent;
  }

  /** The swarm's networks that are here. */
  get networks(): ReadonlyMap<string, NodeOverlay> {
    return this.#membership?.driver.networks ?? NO_NETWORKS;
  }

  /** The node becomes part of a swarm. The error when gossip's port cannot be had. */
  start(start: ClusterStart): Errno | undefined {
    assert(this.#membership === undefined, "a node becomes part of a swarm twice");
    const { engine, handles, log } = this.#settings;
    const membership = new Membership(start, {
      engine,
      services: this.#services,
      module: this.#module,
      rules: this.#rules,
      handles,
      log,
      name: `swarm ${this.#starts++}`,
    });
    this.#membership = membership;
    const problem = membership.begin();
    if (problem !== undefined) {
      this.#membership = undefined;
      return problem;
    }
    engine.listeners.push(this);
    engine.cluster = this;
    return undefined;
  }

  /** The managers are others now. */
  setBootstrap(addresses: readonly Ipv4Address[]): void {
    this.#membership?.agent.setBootstrap(addresses);
  }

  /** The keys that hold from now on, those for gossip and those for encrypted networks. */
  setKeys(keys: readonly NetworkKey[]): void {
    this.#membership?.setKeys(keys);
  }

  /**
   * A network comes to the node, for a task or for good (ingress): gossip tells of the others' part in it, and the node's load balancer for it is made. One
   * that is here stays as it is, unless its load balancer gets another address.
   */
  allocate(network: ClusterNetwork, loadBalancerAddress: Prefix | undefined): Refusal | undefined {
    if (loadBalancerAddress === undefined)
      return refuse("unavailable", `failed to find a load balancer IP to use for network: ${network.id}`);
    assert(this.#membership !== undefined, "a node that is no part of a swarm gets a network of it");
    return this.#membership.allocate(network, loadBalancerAddress);
  }

  /** A network leaves the node: nobody is in it any more. */
  release(networkId: string): Refusal | undefined {
    return this.#membership?.release(networkId);
  }

  /** `docker swarm leave`: the swarm's containers are gone; the others are told. */
  leave(done: () => void): void {
    const membership = this.#membership;
    if (membership === undefined) {
      done();
      return;
    }
    this.#end(membership);
    membership.agent.leave(done);
  }

  /** The power has gone, and with it all that the engine and the kernel knew. */
  stop(): void {
    const membership = this.#membership;
    if (membership !== undefined) {
      membership.agent.stop();
      this.#end(membership);
    }
    const { engine, ipvsLoaded } = this.#settings;
    this.#services = this.#newServices();
    this.#module = new IpvsModule(engine.host, ipvsLoaded);
    this.#rules = new IngressRules(engine.host, engine.release);
  }

  /** A task will be stopped: it goes on with the connections that it has, and gets no others. */
  deactivate(container: Container): void {
    this.#membership?.containers.deactivate(container);
  }

  /** The nodes that have a network, in the order of their names. */
  peersOf(networkId: string): readonly NetworkPeer[] {
    const agent = this.#membership?.agent;
    if (agent === undefined) return [];
    const names = new Set(agent.peers(networkId));
    const peers = agent.members.filter(({ name }) => names.has(name)).map(({ name, address }) => ({ name, address }));
    return peers.sort((one, other) => (one.name < other.name ? -1 : 1));
  }

  /** A network's services by name, as `docker network inspect --verbose` shows them. */
  servicesOf(networkId: string): ReadonlyMap<string, NetworkService> {
    const entries = this.#membership?.agent.entries(networkId) ?? [];
    return networkServices(entries, ({ serviceId, ports }) => this.#services.markOf(networkId, serviceId, ports));
  }

  containerChanged(container: Container): void {
    this.#membership?.containers.changed(container);
  }

  containerRemoved(container: Container): void {
    this.#membership?.containers.changed(container);
  }

  #newServices(): ServiceTable {
    return new ServiceTable((id) => this.#membership?.serviceNetwork(id));
  }

  #end(membership: Membership): void {
    const { engine } = this.#settings;
    membership.end();
    this.#rules.stop();
    const at = engine.listeners.indexOf(this);
    if (at >= 0) engine.listeners.splice(at, 1);
    if (engine.cluster === this) engine.cluster = undefined;
    this.#membership = undefined;
  }
}
