/** Builds a scenario's machines, networks and containers in a world, and finds them again by name. */
import { Host } from "../commands/host.ts";
import { WORDS } from "../commands/words.ts";
import { BridgeNetwork } from "../docker/bridge-network.ts";
import { OverlayNetwork } from "../docker/overlay-network.ts";
import { PERFECT_LINK } from "../linux/link-settings.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import { MICROSECOND, SECOND } from "../sim/time.ts";
import { formatIpv4, type Ipv4Address } from "../wire/address.ts";
import { type AddressPlan, type PlannedEndpoint, planAddresses } from "./address-plan.ts";
import { RunningCommand } from "./command-runner.ts";
import { type LinkPlan, linkSettingsOf } from "./faults.ts";
import type { Scenario } from "./load.ts";
import { hostOf, scenarioProblem } from "./load.ts";
import { Underlay } from "./underlay.ts";

const DEFAULT_UNDERLAY_DELAY_NS = 50 * MICROSECOND;
const DEFAULT_UNDERLAY_MTU = 1_500;
/** The machine that `setup:` lines run on, where a scenario has no machines. */
const SETUP_MACHINE = "host";
/** A setup command gets this much virtual time. */
const SETUP_LIMIT_NS = 600 * SECOND;

export class Hosts implements LinkPlan {
  readonly #scenario: Scenario;
  readonly #world: World;
  readonly #plan: AddressPlan;
  readonly #hosts = new Map<string, Host>();
  readonly #underlay: Underlay;
  readonly problems: string[] = [];

  constructor(scenario: Scenario, world: World) {
    this.#scenario = scenario;
    this.#world = world;
    const plan = planAddresses(scenario);
    assert("endpoints" in plan, "the addresses were planned when the scenario was read");
    this.#plan = plan;
    this.#underlay = new Underlay(world);
    this.#buildMachines();
    this.#buildContainers();
    this.#buildNetworks();
    this.#nameHosts();
    this.#runSetup();
  }

  /** A machine, a container, or a namespace that a command made (`ip netns add`). */
  find(name: string): Host | undefined {
    return this.all().get(name);
  }

  all(): ReadonlyMap<string, Host> {
    const all = new Map(this.#hosts);
    for (const machine of this.#hosts.values())
      for (const [name, namespace] of machine.namedNamespaces)
        if (!all.has(name)) all.set(name, this.#hostOf(name, namespace, machine));
    return all;
  }

  /** Where `setup:` lines run: on a machine of their own, or on the first of the scenario's. */
  get setupMachine(): Host | undefined {
    return this.#hosts.get(SETUP_MACHINE) ?? [...this.#hosts.values()][0];
  }

  /** Every device of every namespace, in the order in which the namespaces were made. */
  devices(): NetDevice[] {
    return [...this.#world.namespaces.values()].flatMap((namespace) => [...namespace.devices]);
  }

  isUnderlay(device: NetDevice): boolean {
    return device.namespaceName === this.#underlay.name;
  }

  /** Addresses with the names that people know them by. */
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
  addressOf(name: string, seenFrom: Host): string | undefined {
    const own = this.#endpointsOf(seenFrom.name).map(({ network }) => network);
    const shared = this.#endpointsOf(name).find(({ network }) => own.includes(network));
    const address = shared?.address.address ?? this.#plan.nodes.get(name) ?? firstAddress(this.find(name)?.namespace);
    return address === undefined ? undefined : formatIpv4(address);
  }

  linkAt(place: string): NetDevice | undefined {
    const slash = place.indexOf("/");
    const host = this.find(hostOf(place));
    return host?.namespace.device(slash < 0 ? "eth0" : place.slice(slash + 1));
  }

  partition(groups: readonly (readonly string[])[]): () => void {
    return this.#underlay.partition(groups);
  }

  #buildMachines(): void {
    const { nodes = new Map(), underlay } = this.#scenario;
    const common = { ...PERFECT_LINK, delayNs: DEFAULT_UNDERLAY_DELAY_NS, ...linkSettingsOf(underlay?.link ?? {}) };
    for (const [name, spec] of nodes) {
      const namespace = this.#world.createNamespace(name);
      this.#underlay.plug(namespace, {
        address: { address: this.#plan.nodes.get(name)!, length: this.#plan.underlay.length },
        mtu: underlay?.mtu ?? DEFAULT_UNDERLAY_MTU,
        link: { ...common, ...linkSettingsOf(spec.link ?? {}) },
      });
      this.#hosts.set(name, this.#hostOf(name, namespace));
    }
    if (nodes.size === 0 && this.#scenario.setup !== undefined)
      this.#hosts.set(SETUP_MACHINE, this.#hostOf(SETUP_MACHINE, this.#world.createNamespace(SETUP_MACHINE)));
  }

  #buildContainers(): void {
    for (const [name, spec] of this.#scenario.containers ?? []) {
      const namespace = this.#world.createNamespace(name);
      const machine = this.#hosts.get(spec.node)!;
      this.#hosts.set(name, this.#hostOf(name, namespace));
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
    const machine = this.setupMachine;
    for (const [index, line] of (this.#scenario.setup ?? []).entries())
      if (machine !== undefined) this.#mustSucceed(machine, line, `setup[${index}]`);
    for (const [kind, specs] of [
      ["nodes", this.#scenario.nodes],
      ["containers", this.#scenario.containers],
    ] as const)
      for (const [name, spec] of specs ?? [])
        for (const [index, line] of (spec.setup ?? []).entries())
          this.#mustSucceed(this.#hosts.get(name)!, line, `${kind}.${name}.setup[${index}]`);
  }

  #mustSucceed(host: Host, line: string, path: string): void {
    const command = new RunningCommand(host, line);
    if (!command.ended) this.#world.simulation.run(this.#world.simulation.nowNs + SETUP_LIMIT_NS, () => command.ended);
    const { status, stdout, stderr } = command.result;
    if (status === 0) return;
    const said = (stderr + stdout).trim().split("\n")[0] ?? "";
    const found =
      status === undefined
        ? "a command that does not end"
        : `a command that ends with status ${status}${said === "" ? "" : `: ${said}`}`;
    throw scenarioProblem(this.#scenario, path, found, "a command that succeeds");
  }

  #hostOf(name: string, namespace: NetworkNamespace, machine?: Host): Host {
    return new Host({
      name,
      world: this.#world,
      namespace,
      words: WORDS,
      ...(machine !== undefined && { namedNamespaces: machine.namedNamespaces }),
    });
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
