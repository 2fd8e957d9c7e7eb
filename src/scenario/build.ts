/**
 * A scenario without engines: its machines, and networks and containers that are simply there, as if Docker had just made them. Finds them again by
 * name.
 */
import type { Host } from "../commands/host.ts";
import { BridgeNetwork } from "../docker/bridge-network.ts";
import { OverlayNetwork } from "../docker/overlay-network.ts";
import type { Place } from "../linux/frame-store.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { formatIpv4, type Ipv4Address } from "../wire/address.ts";
import { type AddressPlan, type PlannedEndpoint, planAddresses } from "./address-plan.ts";
import type { BlockSpec } from "./format.ts";
import type { Hosts, NamedHost } from "./hosts.ts";
import { hostOf, type Scenario } from "./load.ts";
import { Machines } from "./machines.ts";

export class StaticHosts implements Hosts {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #plan: AddressPlan;
  readonly #machines: Machines;
  /** Machines and containers. */
  readonly #hosts: Map<string, Host>;
  readonly problems: readonly string[] = [];

  constructor(scenario: Scenario, world: World) {
    this.#scenario = scenario;
    this.#world = world;
    const plan = planAddresses(scenario);
    assert("endpoints" in plan, "the addresses were planned when the scenario was read");
    this.#plan = plan;
    this.#machines = new Machines(scenario, world, plan);
    this.#hosts = this.#machines.hosts;
    this.#buildContainers();
    this.#buildNetworks();
    this.#nameHosts();
    this.#runSetup();
  }

  /** A machine, a container, or a namespace that a command made (`ip netns add`). */
  find(name: string): readonly NamedHost[] {
    const host = this.all().get(name);
    return host === undefined ? [] : [{ name, host }];
  }

  all(): ReadonlyMap<string, Host> {
    const all = new Map(this.#hosts);
    for (const machine of this.#hosts.values())
      for (const [name, namespace] of machine.namedNamespaces)
        if (!all.has(name)) all.set(name, this.#machines.hostOf(name, namespace, machine));
    return all;
  }

  get setupMachine(): Host | undefined {
    return this.#machines.setupMachine;
  }

  devices(): NetDevice[] {
    return [...this.#world.namespaces.values()].flatMap((namespace) => [...namespace.devices]);
  }

  isUnderlay(device: NetDevice): boolean {
    return device.namespaceName === this.#machines.underlay.name;
  }

  placeOf(where: Place): string {
    return where.place;
  }

  *names(): Generator<[Ipv4Address, string]> {
    for (const [name, address] of this.#plan.nodes) yield [address, name];
    const seen = new Set<Ipv4Address>(this.#plan.nodes.values());
    for (const { container, address } of this.#plan.endpoints) {
      // Two networks may have equal addresses; one name would be a lie for one of them.
      const same = this.#plan.endpoints.filter((other) => other.address.address === address.address);
      if (same.length === 1 && !seen.has(address.address)) yield [address.address, container];
    }
  }

  /** The address of `name` that `seenFrom` can reach: on a network they share, or on the underlay. */
  addressOf(name: string, seenFrom: NamedHost): string | undefined {
    const own = this.#endpointsOf(seenFrom.name).map(({ network }) => network);
    const shared = this.#endpointsOf(name).find(({ network }) => own.includes(network));
    const address =
      shared?.address.address ?? this.#plan.nodes.get(name) ?? firstAddress(this.find(name)[0]?.host.namespace);
    return address === undefined ? undefined : formatIpv4(address);
  }

  linkAt(place: string): NetDevice | undefined {
    const slash = place.indexOf("/");
    const [found] = this.find(hostOf(place));
    return found?.host.namespace.device(slash < 0 ? "eth0" : place.slice(slash + 1));
  }

  partition(groups: readonly (readonly string[])[]): () => void {
    return this.#machines.underlay.partition(groups);
  }

  block(block: BlockSpec): () => void {
    return this.#machines.underlay.block(block);
  }

  /** Faults of engines: there are none. */
  cutPower(): undefined {
    return undefined;
  }

  stopEngine(): undefined {
    return undefined;
  }

  #buildContainers(): void {
    for (const [name, spec] of this.#scenario.containers ?? []) {
      const namespace = this.#world.createNamespace(name);
      const machine = this.#hosts.get(spec.node)!;
      this.#hosts.set(name, this.#machines.hostOf(name, namespace));
      machine.namedNamespaces.set(name, namespace);
    }
  }

  /** Networks come after all containers, because each node's tables hold every peer. */
  #buildNetworks(): void {
    for (const network of this.#plan.networks.values()) {
      const endpoints = this.#plan.endpoints.filter((endpoint) => endpoint.network === network);
      const nodes = [...new Set(endpoints.map(({ node }) => node))];
      if (network.driver === "bridge") {
        for (const node of nodes) {
          const bridge = new BridgeNetwork(this.#world, this.#namespace(node), network);
          for (const endpoint of endpoints)
            if (endpoint.node === node) bridge.join(this.#namespace(endpoint.container), endpoint);
        }
        continue;
      }
      const overlay = new OverlayNetwork(this.#world, network);
      for (const node of nodes) {
        const sandbox = overlay.addNode(this.#namespace(node), this.#plan.nodes.get(node)!);
        this.#hosts.get(node)!.namedNamespaces.set(network.name, sandbox);
      }
      for (const endpoint of endpoints) overlay.join(endpoint.node, this.#namespace(endpoint.container), endpoint);
    }
  }

  /** What DNS will answer when there is a resolver: until then, /etc/hosts. */
  #nameHosts(): void {
    for (const host of this.#hosts.values()) {
      for (const other of this.#hosts.keys()) {
        const own = this.#endpointsOf(host.name).map(({ network }) => network);
        const shared = this.#endpointsOf(other).find(({ network }) => own.includes(network));
        const address =
          shared?.address.address ?? (this.#plan.nodes.has(host.name) ? this.#plan.nodes.get(other) : undefined);
        if (address !== undefined) host.hostsFile.set(other, address);
      }
    }
  }

  #runSetup(): void {
    this.#machines.runSetup();
    for (const [name, spec] of this.#scenario.containers ?? [])
      for (const [index, line] of (spec.setup ?? []).entries())
        this.#machines.mustSucceed(this.#hosts.get(name)!, line, `containers.${name}.setup[${index}]`);
  }

  #namespace(name: string): NetworkNamespace {
    return this.#hosts.get(name)!.namespace;
  }

  #endpointsOf(container: string): readonly PlannedEndpoint[] {
    return this.#plan.endpoints.filter((endpoint) => endpoint.container === container);
  }
}

function firstAddress(namespace: NetworkNamespace | undefined): Ipv4Address | undefined {
  return namespace?.devices.filter(({ kind }) => kind !== "loopback").flatMap((device) => device.addresses)[0]?.address;
}
