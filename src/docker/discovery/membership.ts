/**
 * What an engine has while its node is part of a swarm: its agent in the gossip, the overlay driver, and for each network of the swarm that is here a load
 * balancer. What others tell goes to the networks' peers and to the services; what happens here is told to them.
 */
import { inOrderOfUse } from "../../gossip/keyring.ts";
import type { TableChange } from "../../gossip/table-store.ts";
import type { Errno } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Ipv4Address, Prefix } from "../../wire/address.ts";
import type { Endpoint } from "../endpoint.ts";
import type { Engine } from "../engine.ts";
import { GossipAgent } from "../gossip-agent.ts";
import { BalancerSandbox } from "../load-balancer/balancer-sandbox.ts";
import { answerDirectly } from "../load-balancer/direct-return.ts";
import type { IngressRules } from "../load-balancer/ingress-rules.ts";
import type { IpvsModule } from "../load-balancer/ipvs-module.ts";
import { openTask } from "../load-balancer/task-rules.ts";
import type { NetworkKey } from "../overlay/network-key.ts";
import type { NodeOverlay, OverlaySpec } from "../overlay/node-overlay.ts";
import { OverlayDriver } from "../overlay/overlay-driver.ts";
import { isRefusal, type Refusal, refuse } from "../refusal.ts";
import { ContainerWatch } from "./container-watch.ts";
import { EndpointAnnouncer } from "./endpoint-announcer.ts";
import { ENDPOINT_TABLE } from "./endpoint-record.ts";
import { EndpointWatch } from "./endpoint-watch.ts";
import { JoinGate } from "./join-gate.ts";
import { PEER_TABLE } from "./peer-record.ts";
import { PeerWatch } from "./peer-watch.ts";
import type { ServiceNetwork, ServiceTable } from "./service-table.ts";

/** memberlist's for a stream to a node that is to be joined; one after the other is tried. */
const JOIN_TIMEOUT_NS = 10 * SECOND;

/** What a node knows when it becomes part of a swarm. */
export interface ClusterStart {
  readonly nodeId: string;
  readonly advertiseAddress: Ipv4Address;
  /** `--data-path-addr`; undefined: the advertised address. */
  readonly dataPathAddress?: Ipv4Address | undefined;
  /** 0 or undefined: 4789. */
  readonly dataPathPort?: number | undefined;
  /** 0.0.0.0: on all addresses. */
  readonly listenAddress: Ipv4Address;
  /** The managers' addresses. */
  readonly bootstrap: readonly Ipv4Address[];
  readonly keys: readonly NetworkKey[];
  /** Gossip is not sealed, so that people can read it. */
  readonly gossipInClear: boolean;
}

/** What outlives a membership. */
export interface MembershipSurroundings {
  readonly engine: Engine;
  readonly services: ServiceTable;
  readonly module: IpvsModule;
  readonly rules: IngressRules;
  /** The node's named namespaces (/var/run/docker/netns). */
  readonly handles: Map<string, NetworkNamespace> | undefined;
  readonly log: ((message: string) => void) | undefined;
  /** Tells this time from others: the node has another name in the gossip each time. */
  readonly name: string;
}

export class Membership {
  readonly agent: GossipAgent;
  readonly driver: OverlayDriver;
  readonly containers: ContainerWatch;
  readonly #start: ClusterStart;
  readonly #surroundings: MembershipSurroundings;
  readonly #gate: JoinGate;
  /** How long the cluster is waited for. */
  readonly #patience: Timer;
  readonly #announcer: EndpointAnnouncer;
  readonly #endpoints: EndpointWatch;
  readonly #peers: PeerWatch;
  readonly #balancers = new Map<string, BalancerSandbox>();
  #ended = false;

  constructor(start: ClusterStart, surroundings: MembershipSurroundings) {
    const { engine, services, handles, log } = surroundings;
    const { advertiseAddress, listenAddress, keys, gossipInClear } = start;
    this.#start = start;
    this.#surroundings = surroundings;
    const random = engine.random.fork(surroundings.name);
    const gossip = gossipKeys(keys);
    this.driver = new OverlayDriver({
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
    this.agent = new GossipAgent({
      namespace: engine.host,
      listenAddress,
      advertiseAddress,
      keyring: gossipInClear || gossip.length === 0 ? undefined : gossip,
      random,
      onTables: (changes) => this.#heard(changes),
      onNodes: (changes) => {
        if (changes.some(({ node }) => node !== this.agent.nodeName)) this.#met();
      },
    });
    this.#gate = new JoinGate(this.agent);
    this.#patience = new Timer(engine.world.simulation, () => this.#met());
    this.#announcer = new EndpointAnnouncer(this.#gate, services);
    this.#endpoints = new EndpointWatch(services);
    this.#peers = new PeerWatch((network) => this.driver.networks.get(network)?.peers);
    this.containers = new ContainerWatch({
      announcer: this.#announcer,
      networks: this.driver.networks,
      prepare: (endpoint, network) => this.#prepareTask(endpoint, network),
    });
  }

  /** The error when gossip's port cannot be had; nothing has happened then. */
  begin(): Errno | undefined {
    const problem = this.agent.start();
    if (problem !== undefined) return problem;
    this.driver.setKeys(this.#start.keys);
    const others = this.#start.bootstrap.filter((address) => address !== this.#start.advertiseAddress);
    if (others.length === 0) {
      this.#gate.open();
      return undefined;
    }
    this.#patience.set(others.length * JOIN_TIMEOUT_NS);
    this.agent.join(others);
    return undefined;
  }

  setKeys(keys: readonly NetworkKey[]): void {
    if (!this.#start.gossipInClear) this.agent.setKeys(gossipKeys(keys));
    this.driver.setKeys(keys);
  }

  /** What the services have of a network. */
  serviceNetwork(id: string): ServiceNetwork | undefined {
    const network = this.driver.networks.get(id);
    if (network === undefined) return undefined;
    const names = network.ingress ? undefined : this.#surroundings.engine.names.of(network);
    return { balancer: this.#balancers.get(id)?.balancer, names };
  }

  allocate(spec: OverlaySpec, address: Prefix): Refusal | undefined {
    const old = this.#balancers.get(spec.id);
    if (old !== undefined) {
      if (old.endpoint.address.address === address.address) return undefined;
      const refusal = this.release(spec.id);
      if (refusal !== undefined) return refusal;
    }
    const { engine, module, rules, handles } = this.#surroundings;
    const network = this.driver.createNetwork(spec);
    engine.addNetwork(network);
    this.#gate.joinNetwork(spec.id);
    const sandbox = BalancerSandbox.make({ engine, network, address: address.address, module, rules, handles });
    if (isRefusal(sandbox)) {
      this.#forget(network);
      return sandbox;
    }
    this.#balancers.set(spec.id, sandbox);
    this.#announcer.joined(sandbox.endpoint, network.recordOf(sandbox.endpoint));
    // The ingress network's own endpoint had a name in 20.10; nobody asks for it.
    if (network.ingress && engine.release === "20.10") this.#announcer.activate(sandbox.endpoint);
    return undefined;
  }

  release(id: string): Refusal | undefined {
    const network = this.driver.networks.get(id);
    if (network === undefined) return undefined;
    const own = this.#balancers.get(id)?.endpoint;
    if ([...network.endpoints.values()].some((endpoint) => endpoint !== own))
      return refuse("forbidden", `network ${network.name} id ${network.id} has active endpoints`);
    this.#forget(network);
    return undefined;
  }

  /** Nothing of it stays on the node. The agent is the caller's to end. */
  end(): void {
    this.containers.end();
    for (const network of [...this.driver.networks.values()]) this.#forget(network);
    this.#patience.stop();
    this.#ended = true;
  }

  /** Its services and its load balancer first, with word to the others; then the network. */
  #forget(network: NodeOverlay): void {
    const { engine, services } = this.#surroundings;
    const { id } = network;
    const balancer = this.#balancers.get(id);
    services.forget(id);
    if (balancer !== undefined) {
      this.#announcer.left(balancer.endpoint.id);
      balancer.remove();
      this.#balancers.delete(id);
    }
    this.#gate.leaveNetwork(id);
    this.#endpoints.forget(id);
    this.#peers.forget(id);
    this.driver.deleteNetwork(id);
    engine.dropNetwork(network);
    engine.names.forget(id);
  }

  #heard(changes: readonly TableChange[]): void {
    for (const change of changes) {
      if (!this.driver.networks.has(change.network)) continue;
      if (change.table === ENDPOINT_TABLE) this.#endpoints.changed(change);
      else if (change.table === PEER_TABLE) this.#peers.changed(change);
    }
  }

  /** There is a cluster to talk to, or it cannot be found. */
  #met(): void {
    if (this.#gate.isOpen || this.#ended) return;
    this.#patience.stop();
    this.#gate.open();
  }

  #prepareTask({ sandbox, device, service, address }: Endpoint, network: NodeOverlay): void {
    if (sandbox === undefined || device === undefined || service === undefined) return;
    const ports = service.ingressPorts.map((port) => ({ name: "", ...port }));
    if (network.ingress) openTask(sandbox.namespace, address.address, ports);
    if (this.#balancers.get(network.id)?.directReturn === true && service.virtualAddress !== undefined)
      answerDirectly(sandbox.namespace, device, service.virtualAddress);
  }
}

function gossipKeys(keys: readonly NetworkKey[]): Uint8Array[] {
  return inOrderOfUse(keys.filter(({ subsystem }) => subsystem === "gossip")).map(({ key }) => key);
}
