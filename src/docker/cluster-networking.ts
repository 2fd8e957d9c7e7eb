/**
 * What swarm mode adds to an engine's networks (libnetwork agent.go, and what moby's daemon does with it): gossip with the other nodes, overlay networks with
 * their load balancers as the manager sends them here, and word of this node's endpoints to everybody who has the same network.
 */
import { inOrderOfUse } from "../gossip/keyring.ts";
import type { TableChange } from "../gossip/table-store.ts";
import type { Errno } from "../linux/errno.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import { assert } from "../sim/assert.ts";
import { SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { Ipv4Address, Prefix } from "../wire/address.ts";
import type { Container } from "./container/container.ts";
import { EndpointAnnouncer } from "./discovery/endpoint-announcer.ts";
import { ENDPOINT_TABLE } from "./discovery/endpoint-record.ts";
import { EndpointWatch } from "./discovery/endpoint-watch.ts";
import { JoinGate } from "./discovery/join-gate.ts";
import { type NetworkService, networkServices } from "./discovery/network-services.ts";
import { PEER_TABLE } from "./discovery/peer-record.ts";
import { PeerWatch } from "./discovery/peer-watch.ts";
import { ServiceTable } from "./discovery/service-table.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ClusterPart, Engine, EngineListener } from "./engine.ts";
import { GossipAgent } from "./gossip-agent.ts";
import { BalancerSandbox } from "./load-balancer/balancer-sandbox.ts";
import { answerDirectly } from "./load-balancer/direct-return.ts";
import { IngressRules } from "./load-balancer/ingress-rules.ts";
import { IpvsModule } from "./load-balancer/ipvs-module.ts";
import { openTask } from "./load-balancer/task-rules.ts";
import type { Network } from "./network.ts";
import type { NetworkKey } from "./overlay/network-key.ts";
import type { NodeOverlay, OverlaySpec } from "./overlay/node-overlay.ts";
import { OverlayDriver } from "./overlay/overlay-driver.ts";
import { isRefusal, type Refusal, refuse } from "./refusal.ts";

/** memberlist's for a stream to a node that is to be joined; one after the other is tried. */
const JOIN_TIMEOUT_NS = 10 * SECOND;
const NO_NETWORKS: ReadonlyMap<string, NodeOverlay> = new Map();

/** A network of the swarm, as the manager tells of it. */
export type ClusterNetwork = OverlaySpec;

export interface ClusterNetworkingSettings {
  readonly engine: Engine;
  /** Brings a network of the swarm here that a container asks for; undefined: only those are found that are here. */
  readonly attach?: ((network: string, container: Container) => Network | Refusal) | undefined;
  /** The node's named namespaces (/var/run/docker/netns). */
  readonly handles?: Map<string, NetworkNamespace> | undefined;
  /** Whether the machine's kernel has ip_vs loaded from the beginning; default no. */
  readonly ipvsLoaded?: boolean | undefined;
  /** The engine's log. */
  readonly log?: ((message: string) => void) | undefined;
}

/** What a node knows when it becomes part of a swarm. */
export interface ClusterStart {
  readonly nodeId: string;
  readonly advertiseAddress: Ipv4Address;
  /** `--data-path-addr`; undefined: the advertised address. */
  readonly dataPathAddress?: Ipv4Address | undefined;
  readonly dataPathPort?: number | undefined;
  /** 0.0.0.0: on all addresses. */
  readonly listenAddress: Ipv4Address;
  /** The managers' addresses. */
  readonly bootstrap: readonly Ipv4Address[];
  readonly keys: readonly NetworkKey[];
  /** Gossip is not sealed, so that people can read it. */
  readonly gossipInClear: boolean;
}

/** A node of the swarm that has a network. */
export interface NetworkPeer {
  /** Its name in gossip. */
  readonly name: string;
  readonly address: Ipv4Address;
}

/** What there is while the node is part of a swarm. */
interface Membership {
  readonly start: ClusterStart;
  readonly agent: GossipAgent;
  /** What the agent is told of networks goes by here. */
  readonly gate: JoinGate;
  /** How long the cluster is waited for. */
  readonly patience: Timer;
  readonly driver: OverlayDriver;
  readonly announcer: EndpointAnnouncer;
  readonly endpoints: EndpointWatch;
  readonly peers: PeerWatch;
  /** The load balancers, by network. */
  readonly balancers: Map<string, BalancerSandbox>;
  /** Endpoints of containers that others have been told of. */
  readonly told: Map<Container, Endpoint[]>;
}

export class ClusterNetworking implements ClusterPart, EngineListener {
  readonly services: ServiceTable;
  readonly #settings: ClusterNetworkingSettings;
  readonly #module: IpvsModule;
  readonly #ingressRules: IngressRules;
  #membership: Membership | undefined = undefined;
  /** How often the node was made part of a swarm: each time it has another name there. */
  #starts = 0;

  constructor(settings: ClusterNetworkingSettings) {
    const { engine } = settings;
    this.#settings = settings;
    this.#module = new IpvsModule(engine.host, settings.ipvsLoaded);
    this.#ingressRules = new IngressRules(engine.host, engine.release);
    this.services = new ServiceTable((id) => {
      const network = this.#membership?.driver.networks.get(id);
      if (network === undefined) return undefined;
      const balancer = this.#membership?.balancers.get(id)?.balancer;
      return { balancer, names: network.ingress ? undefined : engine.names.of(network) };
    });
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
    const { advertiseAddress, listenAddress, keys, gossipInClear } = start;
    const random = engine.random.fork(`swarm ${this.#starts++}`);
    const driver = new OverlayDriver({
      world: engine.world,
      host: engine.host,
      release: engine.release,
      random: random.fork("endpoints"),
      advertiseAddress: start.dataPathAddress ?? advertiseAddress,
      bindAddress: advertiseAddress,
      dataPathPort: start.dataPathPort === 0 ? undefined : start.dataPathPort,
      handles,
      log,
    });
    const agent = new GossipAgent({
      namespace: engine.host,
      listenAddress,
      advertiseAddress,
      keyring: gossipInClear ? undefined : gossipKeys(keys),
      random,
      onTables: (changes) => this.#heard(agent, changes),
      onNodes: (changes) => {
        if (changes.some(({ node }) => node !== agent.nodeName)) this.#met(agent);
      },
    });
    const problem = agent.start();
    if (problem !== undefined) return problem;
    const gate = new JoinGate(agent);
    this.#membership = {
      start,
      agent,
      gate,
      patience: new Timer(engine.world.simulation, () => this.#met(agent)),
      driver,
      announcer: new EndpointAnnouncer(gate, this.services),
      endpoints: new EndpointWatch(this.services),
      peers: new PeerWatch((network) => driver.networks.get(network)?.peers),
      balancers: new Map(),
      told: new Map(),
    };
    driver.setKeys(keys);
    engine.listeners.push(this);
    engine.cluster = this;
    const others = start.bootstrap.filter((address) => address !== advertiseAddress);
    if (others.length === 0) gate.open();
    else {
      this.#membership.patience.set(others.length * JOIN_TIMEOUT_NS);
      agent.join(others);
    }
    return undefined;
  }

  /** The managers are others now. */
  setBootstrap(addresses: readonly Ipv4Address[]): void {
    this.#membership?.agent.setBootstrap(addresses);
  }

  /** The keys that hold from now on, those for gossip and those for encrypted networks. */
  setKeys(keys: readonly NetworkKey[]): void {
    const membership = this.#membership;
    if (membership === undefined) return;
    if (!membership.start.gossipInClear) membership.agent.setKeys(gossipKeys(keys));
    membership.driver.setKeys(keys);
  }

  /**
   * A network comes to the node, for a task or for good (ingress): gossip tells of the others' part in it, and the node's load balancer for it is made. One
   * that is here stays as it is, unless its load balancer gets another address.
   */
  allocate(network: ClusterNetwork, loadBalancerAddress: Prefix | undefined): Refusal | undefined {
    const { gate, driver, balancers, announcer } = this.#member;
    if (loadBalancerAddress === undefined)
      return refuse("unavailable", `failed to find a load balancer IP to use for network: ${network.id}`);
    const old = balancers.get(network.id);
    if (old !== undefined) {
      if (old.endpoint.address.address === loadBalancerAddress.address) return undefined;
      const refusal = this.release(network.id);
      if (refusal !== undefined) return refusal;
    }
    const { engine, handles } = this.#settings;
    const overlay = driver.createNetwork(network);
    engine.addNetwork(overlay);
    gate.joinNetwork(network.id);
    const sandbox = BalancerSandbox.make({
      engine,
      network: overlay,
      address: loadBalancerAddress.address,
      module: this.#module,
      rules: this.#ingressRules,
      handles,
    });
    if (isRefusal(sandbox)) {
      this.#forget(overlay);
      return sandbox;
    }
    balancers.set(network.id, sandbox);
    announcer.joined(sandbox.endpoint, overlay.recordOf(sandbox.endpoint));
    // The ingress network's own endpoint had a name in 20.10; nobody asks for it.
    if (network.ingress && engine.release === "20.10") announcer.activate(sandbox.endpoint);
    return undefined;
  }

  /** A network leaves the node: nobody is in it any more. */
  release(networkId: string): Refusal | undefined {
    const { driver, balancers } = this.#member;
    const network = driver.networks.get(networkId);
    if (network === undefined) return undefined;
    const balancer = balancers.get(networkId);
    if ([...network.endpoints.values()].some((endpoint) => endpoint !== balancer?.endpoint))
      return refuse("forbidden", `network ${network.name} id ${network.id} has active endpoints`);
    this.#forget(network);
    return undefined;
  }

  /** `docker swarm leave`: the swarm's containers are gone; the others are told. */
  leave(done: () => void): void {
    const membership = this.#membership;
    if (membership === undefined) {
      done();
      return;
    }
    this.#end();
    membership.agent.leave(done);
  }

  /** The power has gone. */
  stop(): void {
    const membership = this.#membership;
    if (membership === undefined) return;
    membership.agent.stop();
    this.#end();
  }

  /** A task will be stopped: it goes on with the connections that it has, and gets no others. */
  deactivate(container: Container): void {
    for (const { id } of this.#membership?.told.get(container) ?? []) this.#membership?.announcer.deactivate(id);
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
    return networkServices(entries, ({ serviceId, ports }) => this.services.markOf(networkId, serviceId, ports));
  }

  /** The engine asks for a network that it does not have. */
  attach(network: string, container: Container): Network | Refusal {
    return this.#settings.attach?.(network, container) ?? refuse("not-found", `network ${network} not found`);
  }

  /** A sandbox has joined a network of the swarm: others may send to it. A plain container has its names at once. */
  endpointJoined(endpoint: Endpoint): void {
    const membership = this.#membership;
    const network = membership?.driver.networks.get(endpoint.network.id);
    if (membership === undefined || network === undefined) return;
    if (!membership.announcer.joined(endpoint, network.recordOf(endpoint))) return;
    if (endpoint.service === undefined) membership.announcer.activate(endpoint);
    else this.#prepareTask(membership, network, endpoint);
  }

  endpointLeaves(endpoint: Endpoint): void {
    this.#membership?.announcer.left(endpoint.id);
  }

  /** Its endpoints come and go, and a task becomes ready: when it runs and, if that is checked, is well. */
  containerChanged(container: Container): void {
    const membership = this.#membership;
    if (membership === undefined) return;
    const { driver, announcer, told } = membership;
    const now = container.endpoints.filter(({ network }) => driver.networks.has(network.id));
    for (const endpoint of told.get(container) ?? []) if (!now.includes(endpoint)) this.endpointLeaves(endpoint);
    for (const endpoint of now) this.endpointJoined(endpoint);
    if (now.length > 0) told.set(container, now);
    else told.delete(container);
    const isReady = container.running && (container.health === "none" || container.health === "healthy");
    if (isReady) for (const endpoint of now) announcer.activate(endpoint);
  }

  containerRemoved(container: Container): void {
    this.containerChanged(container);
  }

  get #member(): Membership {
    assert(this.#membership !== undefined, "a node that is no part of a swarm has none of its networks");
    return this.#membership;
  }

  /** There is a cluster to talk to, or it cannot be found. */
  #met(agent: GossipAgent): void {
    const membership = this.#membership;
    if (membership?.agent !== agent || membership.gate.isOpen) return;
    membership.patience.stop();
    membership.gate.open();
  }

  /** What a task's own namespace holds beside its interface. */
  #prepareTask({ balancers }: Membership, network: NodeOverlay, { sandbox, device, service, address }: Endpoint): void {
    if (sandbox === undefined || device === undefined || service === undefined) return;
    const ports = service.ingressPorts.map((port) => ({ name: "", ...port }));
    if (network.ingress) openTask(sandbox.namespace, address.address, ports);
    if (balancers.get(network.id)?.directReturn === true && service.virtualAddress !== undefined)
      answerDirectly(sandbox.namespace, device, service.virtualAddress);
  }

  #heard(agent: GossipAgent, changes: readonly TableChange[]): void {
    const membership = this.#membership;
    if (membership?.agent !== agent) return;
    for (const change of changes) {
      if (!membership.driver.networks.has(change.network)) continue;
      if (change.table === ENDPOINT_TABLE) membership.endpoints.changed(change);
      else if (change.table === PEER_TABLE) membership.peers.changed(change);
    }
  }

  /** The load balancer first, with word to the others; then the network. */
  #forget(network: NodeOverlay): void {
    const { gate, driver, balancers, announcer, endpoints, peers } = this.#member;
    const balancer = balancers.get(network.id);
    this.services.forget(network.id);
    if (balancer !== undefined) {
      announcer.left(balancer.endpoint.id);
      balancer.remove();
      balancers.delete(network.id);
    }
    gate.leaveNetwork(network.id);
    endpoints.forget(network.id);
    peers.forget(network.id);
    driver.deleteNetwork(network.id);
    this.#settings.engine.dropNetwork(network);
    this.#settings.engine.names.forget(network.id);
  }

  /** Containers that are still there lose their networks. */
  #end(): void {
    const { driver, told, patience } = this.#member;
    const { engine } = this.#settings;
    patience.stop();
    for (const [container, endpoints] of [...told])
      for (const endpoint of endpoints) if (endpoint.sandbox !== undefined) container.sandbox?.leave(endpoint);
    for (const network of [...driver.networks.values()]) this.#forget(network);
    this.#ingressRules.stop();
    engine.listeners.splice(engine.listeners.indexOf(this), 1);
    if (engine.cluster === this) engine.cluster = undefined;
    this.#membership = undefined;
  }
}

function gossipKeys(keys: readonly NetworkKey[]): Uint8Array[] {
  return inOrderOfUse(keys.filter(({ subsystem }) => subsystem === "gossip")).map(({ key }) => key);
}
