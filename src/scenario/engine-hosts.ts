/**
 * A scenario with engines: its machines, of which each that is no plain host runs dockerd; and everybody whom Docker makes on them, found again by the
 * names that people use: `c1`, `web.1`, `web.*`, `node1/ingress_sbox`, `node1/app`.
 */
import type { Host } from "../commands/host.ts";
import { DEFAULT_START_SECONDS } from "../commands/wall-date.ts";
import type { Container } from "../docker/container/container.ts";
import type { Place } from "../linux/frame-store.ts";
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import type { World } from "../linux/world.ts";
import { SECOND } from "../sim/time.ts";
import { x509Pki } from "../swarm/ca/x509-pki.ts";
import { CONTROL_WORK } from "../swarm/control/control-api.ts";
import { Daemon } from "../swarm/daemon.ts";
import { ShownCertificates } from "../swarm/grpc/security.ts";
import { GOSSIP_SUBSYSTEM } from "../swarm/keys/key-manager.ts";
import { clearSecurity } from "../swarm/node-security.ts";
import { sealedSecurity } from "../swarm/sealed-security.ts";
import type { Store } from "../swarm/store/store.ts";
import { formatIpv4, type Ipv4Address, parsePrefix } from "../wire/address.ts";
import { matchesPlace } from "./capture-points.ts";
import { ContainerPrograms } from "./container-programs.ts";
import type { BlockSpec } from "./format.ts";
import type { Hosts, NamedHost } from "./hosts.ts";
import type { Scenario } from "./load.ts";
import { type MachineAddresses, Machines } from "./machines.ts";
import { PlaceNames, taskName } from "./place-names.ts";
import { scenarioServing } from "./stack-run/scenario-serving.ts";

/** A machine with dockerd. */
export interface EngineMachine {
  readonly name: string;
  readonly role: "manager" | "worker";
  readonly address: Ipv4Address;
  readonly host: Host;
  readonly daemon: Daemon;
}

export class EngineHosts implements Hosts {
  readonly machines: Machines;
  /** By name, in the order of the file. */
  readonly engines = new Map<string, EngineMachine>();
  /** Lines of the NSS key log format, of a sealed control plane. */
  readonly keyLog = new Set<string>();
  /** Told of each line as it comes. */
  keyLogged: (line: string) => void = () => undefined;
  readonly problems: string[] = [];
  readonly #world: World;
  readonly #scenario: Scenario;
  readonly #addresses: MachineAddresses;
  readonly #programs: ContainerPrograms;
  readonly #places: PlaceNames;
  /** One for each named namespace that was asked for. */
  readonly #hosts = new WeakMap<NetworkNamespace, Host>();

  constructor(scenario: Scenario, world: World, addresses: MachineAddresses) {
    this.#world = world;
    this.#scenario = scenario;
    this.#addresses = addresses;
    this.machines = new Machines(scenario, world, addresses);
    this.#programs = new ContainerPrograms(world, scenarioServing(scenario));
    this.#places = new PlaceNames(this.engines, scenario.containers ?? new Map());
    for (const host of this.machines.hosts.values())
      for (const [name, address] of addresses.nodes) host.hostsFile.set(name, address);
    this.#startEngines();
    this.machines.runSetup();
  }

  // ---- Finding

  find(name: string): readonly NamedHost[] {
    const machine = this.machines.hosts.get(name);
    if (machine !== undefined) return [{ name, host: machine }];
    const slash = name.indexOf("/");
    if (slash >= 0) return this.#findOn(name.slice(0, slash), name.slice(slash + 1));
    const named = this.containers().filter(({ container }) => container.name === name);
    const found = named.length > 0 ? named : this.#tasks(name);
    return found.map(({ machine: { name: on }, container }) => this.#named(on, container));
  }

  all(): ReadonlyMap<string, Host> {
    const all = new Map(this.machines.hosts);
    for (const { machine, container } of this.containers()) {
      const { name, host } = this.#named(machine.name, container);
      all.set(name, host);
    }
    for (const [name, machine] of this.machines.hosts)
      for (const [handle, namespace] of machine.namedNamespaces) {
        const shown = this.#places.namespace(namespace.name);
        const key = shown.startsWith(`${name}/`) ? shown : `${name}/${handle}`;
        if (!all.has(key)) all.set(key, this.#hostOf(key, namespace, machine));
      }
    return all;
  }

  get setupMachine(): Host | undefined {
    return this.machines.setupMachine;
  }

  /** Running containers of all engines, in the order of machines and of their making. */
  containers(): { readonly machine: EngineMachine; readonly container: Container }[] {
    return [...this.engines.values()].flatMap((machine) =>
      [...machine.daemon.engine.containers.values()]
        .filter(({ running, namespace }) => running && namespace !== undefined)
        .map((container) => ({ machine, container })),
    );
  }

  /** The leader's; that of the highest term when two think that they lead. Undefined: nobody leads now. */
  get store(): Store | undefined {
    return this.leader?.daemon.node.manager?.store;
  }

  get leader(): EngineMachine | undefined {
    let best: EngineMachine | undefined;
    let bestTerm = -1;
    for (const machine of this.engines.values()) {
      const { manager } = machine.daemon.node;
      const term = manager?.raft?.term ?? -1;
      if (manager?.isReady !== true || term <= bestTerm) continue;
      best = machine;
      bestTerm = term;
    }
    return best;
  }

  /** Those that open sealed gossip, newest last. */
  get gossipKeys(): readonly Uint8Array[] {
    const keys = this.store?.cluster?.networkBootstrapKeys ?? [];
    return keys.filter(({ subsystem }) => subsystem === GOSSIP_SUBSYSTEM).map(({ key }) => key);
  }

  devices(): NetDevice[] {
    return [...this.#world.namespaces.values()].flatMap((namespace) => [...namespace.devices]);
  }

  isUnderlay(device: NetDevice): boolean {
    return device.namespaceName === this.machines.underlay.name;
  }

  placeOf(where: Place): string {
    return this.#places.place(where);
  }

  *names(): Generator<[Ipv4Address, string]> {
    const named = new Map<Ipv4Address, string | undefined>();
    const add = (address: Ipv4Address, name: string) => {
      const other = named.get(address);
      // Two networks may have equal addresses; one name would be a lie for one of them.
      named.set(address, named.has(address) && other !== name ? undefined : name);
    };
    for (const [name, address] of this.#addresses.nodes) add(address, name);
    for (const service of this.store?.all("service") ?? [])
      for (const { address } of service.endpoint?.virtualIps ?? []) {
        const prefix = parsePrefix(address);
        if (prefix !== undefined) add(prefix.address, service.spec.annotations.name);
      }
    for (const { machine, container } of this.containers())
      for (const { address, network } of container.endpoints)
        if (network.name !== "docker_gwbridge" && network.driver !== "host" && address.length > 0)
          add(address.address, this.#named(machine.name, container).name);
    for (const [address, name] of named) if (name !== undefined) yield [address, name];
  }

  addressOf(name: string, seenFrom: NamedHost): string | undefined {
    const machine = this.#addresses.nodes.get(name);
    if (machine !== undefined) return formatIpv4(machine);
    const from = this.#containerNamed(seenFrom.name);
    const to = this.#containerNamed(name);
    if (to === undefined) return from === undefined ? undefined : name; // a service, an alias: the resolver's to know
    const own = new Set(from?.endpoints.map(({ network }) => network.id));
    const shared = to.endpoints.find(({ network }) => own.has(network.id) && network.name !== "docker_gwbridge");
    const endpoint = shared ?? to.endpoints.find(({ network }) => network.driver === "bridge");
    return endpoint === undefined ? undefined : formatIpv4(endpoint.address.address);
  }

  // ---- Faults

  linkAt(place: string): NetDevice | undefined {
    const machine = this.machines.hosts.get(place);
    if (machine !== undefined) return machine.namespace.device("eth0");
    return this.devices().find((device) => !this.isUnderlay(device) && matchesPlace(place, this.placeOf(device)));
  }

  partition(groups: readonly (readonly string[])[]): () => void {
    return this.machines.underlay.partition(groups);
  }

  block(block: BlockSpec): () => void {
    return this.machines.underlay.block(block);
  }

  cutPower(node: string): (() => void) | undefined {
    const machine = this.engines.get(node);
    if (machine === undefined || !machine.daemon.hasPower) return undefined;
    for (const process of [...machine.host.processes.values()]) process.kill("SIGKILL");
    machine.daemon.cutPower();
    return () => machine.daemon.restorePower();
  }

  stopEngine(node: string): (() => void) | undefined {
    const machine = this.engines.get(node);
    if (machine === undefined || !machine.daemon.engine.running) return undefined;
    machine.daemon.stop();
    return () => {
      if (machine.daemon.hasPower) machine.daemon.start();
    };
  }

  // ---- Inside

  #startEngines(): void {
    const { engine, swarm, start, nodes } = this.#scenario;
    const startSeconds = start ?? DEFAULT_START_SECONDS;
    const shown = new ShownCertificates();
    const nowSeconds = () => startSeconds + Math.floor(this.#world.simulation.nowNs / SECOND);
    const isSealed = swarm?.["control-plane"] === "sealed";
    const common = {
      world: this.#world,
      pki: x509Pki(startSeconds),
      release: swarm?.release ?? engine?.release ?? "current",
      programs: this.#programs,
      userlandProxy: swarm?.["userland-proxy"] ?? engine?.["userland-proxy"],
      gossipInClear: !isSealed,
      pullNs: swarm?.["pull-time"] ?? engine?.["pull-time"] ?? 0,
    };
    for (const [name, { role = "worker" }] of nodes ?? []) {
      const host = this.machines.hosts.get(name);
      if (role === "host" || host === undefined) continue;
      const random = this.#world.random.fork(`tls ${name}`);
      const security = isSealed
        ? sealedSecurity({ nowSeconds, random, keyLog: (line) => this.#logKey(line) })
        : clearSecurity(shown);
      const daemon = new Daemon(
        { ...common, security },
        { host: host.namespace, hostname: name, handles: host.namedNamespaces },
        [CONTROL_WORK],
      );
      host.engine = daemon.engine;
      host.swarmNode = daemon.node;
      this.engines.set(name, { name, role, address: this.#addresses.nodes.get(name)!, host, daemon });
    }
  }

  /** Both ends of a connection say the same. */
  #logKey(line: string): void {
    if (this.keyLog.has(line)) return;
    this.keyLog.add(line);
    this.keyLogged(line);
  }

  /** Tasks by `web.1` (the newest), `web.*` (all), or `web.node2` of a global service. */
  #tasks(name: string): { readonly machine: EngineMachine; readonly container: Container }[] {
    const dot = name.lastIndexOf(".");
    if (dot < 0) return [];
    const service = name.slice(0, dot);
    const place = name.slice(dot + 1);
    const tasks = this.containers()
      .filter(({ container }) => container.spec.service?.name === service)
      .filter(({ machine, container }) => place === "*" || taskName(container, machine.name) === name)
      .sort((a, b) => slotOf(a.container) - slotOf(b.container) || a.container.createdNs - b.container.createdNs);
    return place === "*" ? tasks : tasks.slice(-1);
  }

  #findOn(node: string, name: string): readonly NamedHost[] {
    const machine = this.machines.hosts.get(node);
    if (machine === undefined) return [];
    const shown = `${node}/${name}`;
    const namespace =
      machine.namedNamespaces.get(name) ??
      [...machine.namedNamespaces.values()].find((each) => this.#places.namespace(each.name) === shown);
    if (namespace !== undefined) return [{ name: shown, host: this.#hostOf(shown, namespace, machine) }];
    const found = this.containers().find(
      ({ machine: on, container }) =>
        on.name === node && (container.name === name || taskName(container, node) === name),
    );
    return found === undefined ? [] : [this.#named(node, found.container)];
  }

  #containerNamed(name: string): Container | undefined {
    const all = this.containers();
    return (
      all.find(({ container }) => container.name === name) ??
      this.#tasks(name)[0] ??
      all.find(({ machine, container }) => `${machine.name}/${container.name}` === name)
    )?.container;
  }

  #named(node: string, container: Container): NamedHost {
    return { name: this.#places.container(node, container), host: this.#programs.hostOf(container) };
  }

  #hostOf(name: string, namespace: NetworkNamespace, machine: Host): Host {
    let host = this.#hosts.get(namespace);
    if (host === undefined) {
      host = this.machines.hostOf(name, namespace, machine);
      this.#hosts.set(namespace, host);
    }
    return host;
  }
}

function slotOf({ spec }: Container): number {
  return spec.service?.slot ?? 0;
}
