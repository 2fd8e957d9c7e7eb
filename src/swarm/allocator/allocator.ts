/**
 * Gives networks their subnets and VNIs, services their virtual addresses and ports, tasks their addresses, and each node an address for its load
 * balancer in each network it has (swarmkit manager/allocator). What cannot be had now is tried again when something was given back, or
 * five minutes later. Facts 1.1 to 1.4.
 */

import type { Clock } from "../../sim/simulation.ts";
import { SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { parseIpv4 } from "../../wire/address.ts";
import { sameBytes } from "../../wire/bytes.ts";
import {
  type Network,
  type NetworkAttachment,
  type Node,
  networkAttachmentShape,
  type Service,
  type Task,
} from "../api/objects.ts";
import { endpointShape, endpointSpecShape, type VirtualIp } from "../api/parts.ts";
import type { NetworkAttachmentConfig } from "../api/specs.ts";
import { isAtLeast, isBeyond } from "../api/task-state.ts";
import type { Change, Store, Transaction } from "../store/store.ts";
import { NetworkAddresses } from "./network-addresses.ts";
import { PublishedPorts } from "./published-ports.ts";

/** What was not to be had is asked for again at the latest after this. */
const RETRY_NS = 300 * SECOND;

type Write = (tx: Transaction) => void;

export class Allocator {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #addresses: NetworkAddresses;
  readonly #ports = new PublishedPorts();
  readonly #unwatch: () => void;
  readonly #retry: Timer;
  /** What this allocator has decided; the store may be behind. */
  readonly #networks = new Map<string, Network>();
  readonly #services = new Map<string, Service>();
  readonly #tasks = new Map<string, Task>();
  readonly #nodes = new Map<string, Node>();
  /** Waiting for addresses or ports, or for their service to get them. */
  readonly #waitingNetworks = new Set<string>();
  readonly #waitingServices = new Set<string>();
  readonly #waitingTasks = new Set<string>();
  readonly #dirtyNodes = new Set<string>();
  /** Those of the waiting for whom nothing was left; they are not asked again before something was given back. */
  readonly #stuck = new Set<string>();
  #hasReleased = false;

  constructor({ store, clock }: { readonly store: Store; readonly clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
    const { cluster } = store;
    this.#addresses = new NetworkAddresses(cluster?.defaultAddressPool ?? [], cluster?.subnetSize ?? 0);
    this.#retry = new Timer(clock, () => {
      this.#hasReleased = true;
      this.#work();
    });
    this.#restore();
    this.#unwatch = store.watch((changes) => {
      for (const change of changes) this.#onChange(change);
      this.#work();
    });
    this.#work();
  }

  stop(): void {
    this.#unwatch();
    this.#retry.stop();
  }

  /** First all that is in use, so that nothing of it is given away, then what still waits. */
  #restore(): void {
    const store = this.#store;
    for (const network of store.all("network")) {
      this.#networks.set(network.id, network);
      if (network.ipam !== undefined) this.#addresses.restore(network);
      else if (isOurs(network)) this.#waitingNetworks.add(network.id);
    }
    for (const node of store.all("node")) {
      this.#nodes.set(node.id, node);
      for (const attachment of node.attachments) this.#claim(attachment);
      this.#dirtyNodes.add(node.id);
    }
    for (const service of store.all("service")) {
      this.#services.set(service.id, service);
      for (const { networkId, address } of service.endpoint?.virtualIps ?? [])
        this.#addresses.claim(networkId, address);
      for (const port of service.endpoint?.ports ?? []) this.#ports.claim(port);
      this.#waitingServices.add(service.id);
    }
    for (const task of store.all("task")) {
      this.#tasks.set(task.id, task);
      if (isBeyond(task.status.state, "running")) continue;
      for (const attachment of task.networks) this.#claim(attachment);
      if (task.status.state === "new") this.#waitingTasks.add(task.id);
    }
  }

  #claim(attachment: NetworkAttachment): void {
    for (const address of attachment.addresses) this.#addresses.claim(attachment.network?.id ?? "", address);
  }

  #onChange(change: Change): void {
    switch (change.kind) {
      case "network":
        this.#onNetwork(change.object, change.action === "remove");
        return;
      case "node":
        this.#onNode(change.object, change.action === "remove");
        return;
      case "service":
        this.#onService(change.object, change.action === "remove");
        return;
      case "task":
        this.#onTask(change.object, change.action === "remove");
        return;
      case "cluster":
      case "secret":
      case "config":
        return;
    }
  }

  #onNetwork(network: Network, isGone: boolean): void {
    if (isGone) {
      this.#networks.delete(network.id);
      this.#waitingNetworks.delete(network.id);
      this.#addresses.release(network.id);
      this.#hasReleased = true;
      return;
    }
    this.#networks.set(network.id, network);
    if (network.ipam === undefined && isOurs(network) && !this.#addresses.has(network.id))
      this.#waitingNetworks.add(network.id);
  }

  #onNode(node: Node, isGone: boolean): void {
    if (isGone) {
      for (const attachment of this.#nodes.get(node.id)?.attachments ?? []) this.#giveBack(attachment);
      this.#nodes.delete(node.id);
      this.#dirtyNodes.delete(node.id);
      return;
    }
    const known = this.#nodes.get(node.id);
    // Our own decisions about its attachments hold until they are written.
    this.#nodes.set(node.id, known === undefined ? node : { ...node, attachments: known.attachments });
    if (known === undefined) this.#dirtyNodes.add(node.id);
  }

  #onService(service: Service, isGone: boolean): void {
    const known = this.#services.get(service.id);
    if (isGone) {
      this.#services.delete(service.id);
      this.#waitingServices.delete(service.id);
      for (const { networkId, address } of known?.endpoint?.virtualIps ?? [])
        this.#addresses.giveBack(networkId, address);
      this.#ports.release(known?.endpoint?.ports ?? []);
      this.#hasReleased = true;
      return;
    }
    if (known !== undefined && known.spec !== service.spec) this.#stuck.delete(service.id); // it may ask for something else now
    this.#services.set(service.id, known === undefined ? service : { ...service, endpoint: known.endpoint });
    this.#waitingServices.add(service.id);
  }

  #onTask(task: Task, isGone: boolean): void {
    const known = this.#tasks.get(task.id);
    const hasEnded = isGone || isBeyond(task.status.state, "running");
    // A global service's task has its node from the beginning; the node needs addresses once the scheduler agrees.
    const isNews = known?.nodeId !== task.nodeId || isAssigned(known) !== isAssigned(task);
    if (task.nodeId !== "" && (hasEnded || isNews)) this.#dirtyNodes.add(task.nodeId);
    if (hasEnded) {
      if (known !== undefined && !isBeyond(known.status.state, "running"))
        for (const attachment of known.networks) this.#giveBack(attachment);
      this.#waitingTasks.delete(task.id);
      if (isGone) this.#tasks.delete(task.id);
      else this.#tasks.set(task.id, task);
      return;
    }
    const isAhead = known !== undefined && task.status.state === "new" && known.status.state !== "new";
    if (isAhead) return; // ours is on its way into the store
    this.#tasks.set(task.id, task);
    if (task.status.state === "new") this.#waitingTasks.add(task.id);
  }

  #giveBack(attachment: NetworkAttachment): void {
    for (const address of attachment.addresses) this.#addresses.giveBack(attachment.network?.id ?? "", address);
    if (attachment.addresses.length > 0) this.#hasReleased = true;
  }

  /** Networks before what is in them, services before their tasks. */
  #work(): void {
    const writes: Write[] = [];
    if (this.#hasReleased) this.#stuck.clear();
    this.#hasReleased = false;
    for (const id of [...this.#waitingNetworks]) this.#allocateNetwork(id, writes);
    for (const id of [...this.#dirtyNodes].sort()) this.#allocateNode(id, writes);
    for (const id of [...this.#waitingServices].sort()) this.#allocateService(id, writes);
    for (const id of [...this.#waitingTasks].sort()) this.#allocateTask(id, writes);
    const isWaiting = this.#waitingNetworks.size + this.#waitingServices.size + this.#waitingTasks.size > 0;
    if (isWaiting && !this.#retry.armed) this.#retry.set(RETRY_NS);
    if (writes.length > 0) this.#store.batch(writes);
  }

  #allocateNetwork(id: string, writes: Write[]): void {
    const network = this.#networks.get(id);
    if (network === undefined || this.#stuck.has(id)) return;
    const allocated = this.#addresses.allocate(network);
    if (allocated === undefined) {
      this.#stuck.add(id);
      return;
    }
    this.#waitingNetworks.delete(id);
    this.#networks.set(id, allocated);
    // Ingress is on every node as soon as it is there.
    if (allocated.spec.ingress) for (const nodeId of this.#nodes.keys()) this.#dirtyNodes.add(nodeId);
    writes.push((tx) => {
      const present = tx.get("network", id);
      if (present !== undefined)
        tx.update("network", { ...present, ipam: allocated.ipam, driverState: allocated.driverState });
    });
  }

  /** A node has an address in ingress and in each network of a task that is on it. */
  #allocateNode(id: string, writes: Write[]): void {
    this.#dirtyNodes.delete(id);
    const node = this.#nodes.get(id);
    if (node === undefined) return;
    const wanted = this.#networksOn(id);
    const kept = node.attachments.filter((attachment) => {
      if (wanted.has(attachment.network?.id ?? "")) return true;
      this.#giveBack(attachment);
      return false;
    });
    const attachments = [...kept];
    for (const networkId of wanted) {
      if (kept.some(({ network }) => network?.id === networkId)) continue;
      const address = this.#addresses.request(networkId);
      const network = this.#networks.get(networkId);
      if (address !== undefined && network !== undefined)
        attachments.push(networkAttachmentShape.make({ network, addresses: [address] }));
    }
    if (attachments.length === node.attachments.length && attachments.every((one, at) => one === node.attachments[at]))
      return;
    this.#nodes.set(id, { ...node, attachments });
    writes.push((tx) => {
      const present = tx.get("node", id);
      if (present !== undefined) tx.update("node", { ...present, attachments });
    });
  }

  #networksOn(nodeId: string): Set<string> {
    const networks = new Set<string>();
    for (const network of this.#networks.values())
      if (network.spec.ingress && this.#addresses.has(network.id)) networks.add(network.id);
    for (const stored of this.#store.tasksOfNode(nodeId)) {
      const task = this.#tasks.get(stored.id) ?? stored;
      if (!isAtLeast(task.status.state, "assigned") || isBeyond(task.status.state, "running")) continue;
      for (const { network } of task.networks)
        if (network !== undefined && this.#addresses.has(network.id)) networks.add(network.id);
    }
    return networks;
  }

  #allocateService(id: string, writes: Write[]): void {
    const service = this.#services.get(id);
    if (service === undefined || this.#isAllocated(service)) {
      this.#waitingServices.delete(id);
      return;
    }
    if (this.#stuck.has(id)) return;
    const before = service.endpoint ?? endpointShape.make();
    const spec = service.spec.endpoint ?? endpointSpecShape.make();
    const ports = this.#ports.allocate(spec, before.ports);
    if (ports === undefined) {
      this.#stuck.add(id);
      return;
    }
    const wanted = this.#virtualNetworksOf(service);
    const kept = before.virtualIps.filter(({ networkId, address }) => {
      if (wanted.includes(networkId)) return true;
      this.#addresses.giveBack(networkId, address);
      this.#hasReleased = true;
      return false;
    });
    const virtualIps: VirtualIp[] = [];
    let isComplete = true;
    for (const networkId of wanted) {
      const held = kept.find((one) => one.networkId === networkId);
      const address = held?.address ?? this.#addresses.request(networkId);
      if (address === undefined) isComplete = false;
      else virtualIps.push({ networkId, address });
    }
    const endpoint = { spec, ports, virtualIps };
    this.#services.set(id, { ...service, endpoint });
    if (isComplete) this.#waitingServices.delete(id);
    else this.#stuck.add(id);
    writes.push((tx) => {
      const present = tx.get("service", id);
      if (present !== undefined) tx.update("service", { ...present, endpoint });
    });
  }

  #isAllocated(service: Service): boolean {
    const { endpoint } = service;
    const spec = service.spec.endpoint ?? endpointSpecShape.make();
    if (endpoint === undefined) return false;
    const held = endpoint.virtualIps.map(({ networkId }) => networkId);
    const wanted = this.#virtualNetworksOf(service);
    const isSameSpec = sameBytes(
      endpointSpecShape.emit(endpoint.spec ?? endpointSpecShape.make()),
      endpointSpecShape.emit(spec),
    );
    return isSameSpec && wanted.length === held.length && wanted.every((id) => held.includes(id));
  }

  /** Ingress first, if the service publishes in the mesh; then its networks in the spec's order. */
  #virtualNetworksOf(service: Service): string[] {
    if (service.spec.endpoint?.mode === "dnsrr") return [];
    const ids = service.spec.task.networks.map((config) => this.#networkOf(config)?.id ?? "");
    const ingress = publishesInMesh(service) ? this.#ingress()?.id : undefined;
    const all = ingress === undefined ? ids : [ingress, ...ids.filter((id) => id !== ingress)];
    return all.filter((id) => id !== "" && isOverlay(this.#networks.get(id)));
  }

  #networkOf(config: NetworkAttachmentConfig): Network | undefined {
    return this.#networks.get(config.target) ?? this.#store.byName("network", config.target);
  }

  #ingress(): Network | undefined {
    for (const network of this.#networks.values()) if (network.spec.ingress) return network;
    return undefined;
  }

  #allocateTask(id: string, writes: Write[]): void {
    const task = this.#tasks.get(id);
    if (task === undefined || task.status.state !== "new" || isBeyond(task.desiredState, "complete")) {
      this.#waitingTasks.delete(id);
      return;
    }
    const service = this.#services.get(task.serviceId);
    if (task.serviceId !== "" && (service === undefined || this.#waitingServices.has(service.id))) return;
    if (this.#stuck.has(id)) return;
    const attachments = this.#attachmentsOf(task, service);
    if (attachments === undefined) {
      this.#stuck.add(id);
      return;
    }
    this.#waitingTasks.delete(id);
    const allocated: Task = {
      ...task,
      networks: attachments,
      endpoint: service?.endpoint ?? task.endpoint,
      status: {
        ...task.status,
        timestamp: this.#clock.nowNs,
        state: "pending",
        message: "pending task scheduling",
      },
    };
    this.#tasks.set(id, allocated);
    writes.push((tx) => {
      const present = tx.get("task", id);
      if (present === undefined || present.status.state !== "new") return;
      const { networks, endpoint, status } = allocated;
      tx.update("task", { ...present, networks, endpoint, status });
    });
  }

  /** Undefined, and nothing taken, when an address is missing. */
  #attachmentsOf(task: Task, service: Service | undefined): NetworkAttachment[] | undefined {
    const ingress = service !== undefined && publishesInMesh(service) ? this.#ingress() : undefined;
    const configs = task.spec.networks.map((config) => ({ config, network: this.#networkOf(config) }));
    const attachments: NetworkAttachment[] = [];
    const isComplete =
      (ingress === undefined || this.#attach(ingress, undefined, attachments)) &&
      configs.every(({ config, network }) => network !== undefined && this.#attach(network, config, attachments));
    if (isComplete) return attachments;
    for (const attachment of attachments) this.#giveBack(attachment);
    return undefined;
  }

  #attach(network: Network, config: NetworkAttachmentConfig | undefined, attachments: NetworkAttachment[]): boolean {
    const aliases = config?.aliases ?? [];
    const driverOptions = config?.driverOptions ?? new Map();
    if (!isOverlay(network)) {
      attachments.push({ network, addresses: [], aliases, driverOptions });
      return true;
    }
    if (!this.#addresses.has(network.id)) return false;
    const address = this.#addresses.request(network.id, parseIpv4(config?.addresses[0] ?? ""));
    if (address === undefined) return false;
    attachments.push({ network, addresses: [address], aliases, driverOptions });
    return true;
  }
}

/** Networks of the node's own drivers (host, bridge) have no address in the swarm. */
function isOverlay(network: Network | undefined): boolean {
  return network !== undefined && isOurs(network);
}
function isOurs(network: Network): boolean {
  const name = network.spec.driver?.name ?? "";
  return name === "" || name === "overlay";
}

function publishesInMesh(service: Service): boolean {
  return (service.spec.endpoint?.ports ?? []).some(({ publishMode }) => publishMode === "ingress");
}

function isAssigned(task: Task): boolean {
  return isAtLeast(task.status.state, "assigned");
}
