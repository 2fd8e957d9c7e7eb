/**
 * One engine (dockerd) on one node: its networks, containers and volumes, the ports that it publishes, its part of the host's firewall. What swarm mode adds
 * stands beside it (cluster-networking.ts); what programs are is told from above.
 */

import type { NetworkNamespace } from "../linux/namespace.ts";
import { netfilterOf } from "../linux/netfilter/attach.ts";
import type { World } from "../linux/world.ts";
import { assert } from "../sim/assert.ts";
import type { Random } from "../sim/random.ts";
import { BridgeMaker, DOCKER_GWBRIDGE, DOCKER0 } from "./bridge/bridge-maker.ts";
import { BridgeNetwork } from "./bridge/bridge-network.ts";
import type { BridgeFirewall } from "./bridge/firewall.ts";
import { Firewall2010 } from "./bridge/firewall-20-10.ts";
import { CurrentFirewall } from "./bridge/firewall-current.ts";
import { PortMapper } from "./bridge/port-mapper.ts";
import { Container, type ContainerHost } from "./container/container.ts";
import { drawContainerName } from "./container/drawn-name.ts";
import type { ContainerSpec, NetworkAttachment } from "./container-spec.ts";
import type { Endpoint } from "./endpoint.ts";
import { endpointRequest } from "./endpoint-request.ts";
import type { ClusterPart, EngineListener, EngineSettings, NetworkRequest, Place, Release } from "./engine-settings.ts";
import { PlainNetwork } from "./host-network.ts";
import { drawIdentifier, shortIdentifier } from "./identifiers.ts";
import type { Network } from "./network.ts";
import type { ProgramStarter } from "./program-starter.ts";
import { isRefusal, type Refusal, refuse } from "./refusal.ts";
import { NameDirectory } from "./resolver/name-directory.ts";
import { EMPTY_RESOLV_CONF, type ResolvConf } from "./resolver/resolv-conf.ts";
import { SandboxResolvers } from "./resolver/sandbox-resolvers.ts";
import { Sandbox, type SandboxHost, type SandboxResolver } from "./sandbox.ts";
import type { Volume } from "./volume.ts";

export type {
  ClusterPart,
  EngineListener,
  EngineSettings,
  NetworkRequest,
  Place,
  Places,
  Release,
} from "./engine-settings.ts";

const NO_TEXTS: ReadonlyMap<string, string> = new Map();
const PREDEFINED = ["bridge", "host", "none"];

export class Engine implements ContainerHost, SandboxHost {
  readonly world: World;
  readonly host: NetworkNamespace;
  readonly hostname: string;
  readonly release: Release;
  readonly programs: ProgramStarter;
  readonly userlandProxy: boolean;
  readonly announcesAddresses: boolean;
  /** The engine's own stream of chance: identifiers, names. */
  readonly random: Random;
  readonly networks = new Map<string, Network>();
  /** In the order of creation. */
  readonly containers = new Map<string, Container>();
  readonly volumes = new Map<string, Volume>();
  readonly sandboxes = new Set<Sandbox>();
  readonly firewall: BridgeFirewall;
  readonly ports: PortMapper;
  readonly listeners: EngineListener[] = [];
  /** The names that the swarm's networks have here; those of local networks are read from their endpoints. */
  readonly names = new NameDirectory();
  readonly resolver: SandboxResolver;
  /** The host's /etc/resolv.conf. */
  resolverConfiguration: ResolvConf;
  cluster: ClusterPart | undefined = undefined;
  readonly #bridges: BridgeMaker;
  readonly #byName = new Map<string, Container>();
  /** Of plain containers, in networks of the swarm. */
  readonly #places = new Map<string, readonly (Place & { readonly asked: NetworkAttachment })[]>();
  readonly #namespaceName: (container: { readonly id: string; readonly name: string }) => string;
  #running = false;

  /** Starts at once: docker0 is there afterwards. */
  constructor(settings: EngineSettings) {
    this.world = settings.world;
    this.host = settings.host;
    this.hostname = settings.hostname;
    this.release = settings.release;
    this.programs = settings.programs;
    this.userlandProxy = settings.userlandProxy ?? true;
    this.announcesAddresses = settings.announcesAddresses ?? settings.release === "current";
    this.resolverConfiguration = settings.resolverConfiguration ?? EMPTY_RESOLV_CONF;
    this.#namespaceName = settings.namespaceName ?? ((container) => `${this.hostname}/${container.name}`);
    this.random = settings.host.random.fork("docker");
    this.resolver =
      settings.resolver ??
      new SandboxResolvers({
        environment: { machine: this.host, release: this.release, random: this.random.fork("resolver") },
        names: this.names,
        machineConfiguration: () => this.resolverConfiguration,
        wishes: (sandbox) => sandbox.dns,
      });
    const netfilter = netfilterOf(this.host);
    const hairpin = !this.userlandProxy;
    this.firewall =
      this.release === "current" ? new CurrentFirewall(netfilter, hairpin) : new Firewall2010(netfilter, hairpin);
    this.ports = new PortMapper({
      host: this.host,
      firewall: this.firewall,
      release: this.release,
      userlandProxy: this.userlandProxy,
    });
    this.#bridges = new BridgeMaker(this);
    this.start();
  }

  get running(): boolean {
    return this.#running;
  }

  /** `systemctl start docker`, after `shutdown`. Containers with a restart policy come back. */
  start(): void {
    if (this.#running) return;
    this.#running = true;
    const forwards = this.host.sysctl.number("net.ipv4.ip_forward") !== 0;
    this.host.sysctl.set("net.ipv4.ip_forward", "1");
    // 20.10 loads br_netfilter, whose default this is.
    if (this.release === "20.10") this.host.sysctl.set("net.bridge.bridge-nf-call-iptables", "1");
    this.firewall.start(!forwards);
    if (this.networks.size === 0) this.#makePredefined();
    for (const container of [...this.containers.values()]) {
      const condition = container.spec.restart?.condition;
      const byPolicy = condition === "always" || (condition === "unless-stopped" && container.endedWithEngine);
      if (byPolicy && container.spec.service === undefined) container.start();
    }
  }

  /** `systemctl stop docker`: containers are asked to end, and end by force after their grace. Networks stay, as bridges do. */
  shutdown(): void {
    if (!this.#running) return;
    this.#running = false;
    for (const container of [...this.containers.values()]) container.endWithEngine();
  }

  /** The power goes: everything is gone at once. Who cuts it has set the host's interfaces down before, so that nothing is sent. */
  cutPower(): void {
    this.#running = false;
    for (const container of [...this.containers.values()]) container.cut();
  }

  // ---- Networks

  /** By name, identifier or its beginning; a name goes before the beginning of an identifier. */
  findNetwork(text: string): Network | Refusal {
    const whole = this.networks.get(text);
    if (whole !== undefined) return whole;
    const all = [...this.networks.values()];
    const named = all.filter(({ name }) => name === text);
    if (named.length > 1)
      return refuse("conflict", `network ${text} is ambiguous (${named.length} matches found on name)`);
    if (named[0] !== undefined) return named[0];
    const begun = text === "" ? [] : all.filter(({ id }) => id.startsWith(text));
    if (begun.length > 1)
      return refuse("conflict", `network ${text} is ambiguous (${begun.length} matches found based on ID prefix)`);
    return begun[0] ?? refuse("not-found", `network ${text} not found`);
  }

  createNetwork(request: NetworkRequest): Network | Refusal {
    if (PREDEFINED.includes(request.name))
      return refuse("forbidden", `operation is not permitted on predefined ${request.name} network `);
    if ([...this.networks.values()].some(({ name }) => name === request.name))
      return refuse("conflict", `network with name ${request.name} already exists`);
    return this.#makeBridge(request);
  }

  removeNetwork(text: string): Refusal | undefined {
    const network = this.findNetwork(text);
    if (isRefusal(network)) return network;
    if (PREDEFINED.includes(network.name))
      return refuse("forbidden", `${network.name} is a pre-defined network and cannot be removed`);
    if (network.endpoints.size > 0) {
      const list = [...network.endpoints.values()].map(({ name, id }) => `name:"${name}" id:"${shortIdentifier(id)}"`);
      return refuse(
        "forbidden",
        this.release === "current"
          ? `error while removing network: network ${network.name} has active endpoints (${list.join(", ")})`
          : `error while removing network: network ${network.name} id ${network.id} has active endpoints`,
      );
    }
    this.dropNetwork(network);
    return undefined;
  }

  /** Puts in a network that somebody else has made: an overlay that the swarm brings. */
  addNetwork(network: Network): void {
    assert(!this.networks.has(network.id), "a network is added twice");
    this.networks.set(network.id, network);
    for (const listener of [...this.listeners]) listener.networkChanged?.(network, "created");
  }

  /** Forgets a network that nobody is in. */
  dropNetwork(network: Network): void {
    if (!this.networks.delete(network.id)) return;
    if (network instanceof BridgeNetwork) this.#bridges.unmake(network);
    for (const listener of [...this.listeners]) listener.networkChanged?.(network, "removed");
  }

  /** docker_gwbridge; made when it is first asked for. */
  gatewayNetwork(): Network | Refusal {
    for (const network of this.networks.values()) if (network.name === "docker_gwbridge") return network;
    return this.#makeBridge(DOCKER_GWBRIDGE);
  }

  // ---- Containers

  /** By name, identifier or its beginning. */
  findContainer(text: string): Container | Refusal {
    const found = this.containers.get(text) ?? this.#byName.get(text.startsWith("/") ? text.slice(1) : text);
    if (found !== undefined) return found;
    const begun = text === "" ? [] : [...this.containers.values()].filter(({ id }) => id.startsWith(text));
    if (begun.length > 1) return refuse("conflict", `multiple IDs found with provided prefix: ${text}`);
    return begun[0] ?? refuse("not-found", `No such container: ${text}`);
  }

  createContainer(spec: ContainerSpec): Container | Refusal {
    const name = spec.name ?? drawContainerName(this.random, (drawn) => this.#byName.has(drawn));
    if (!/^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/.test(name))
      return refuse("invalid", `Invalid container name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    const namesake = this.#byName.get(name);
    if (namesake !== undefined)
      return refuse(
        "conflict",
        `Conflict. The container name "/${name}" is already in use by container "${namesake.id}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    const id = drawIdentifier(this.random);
    // A volume that does not exist is made, one without a name under a drawn one.
    const mounts = spec.mounts?.map((mount) =>
      mount.type === "volume" ? { ...mount, source: this.createVolume({ name: mount.source }).name } : mount,
    );
    const container = new Container(this, { id, name, spec, mounts });
    this.containers.set(id, container);
    this.#byName.set(name, container);
    return container;
  }

  /** Starts a container. One that is to be in networks of the swarm gets its places there first; `done` comes then. */
  startContainer(container: Container, done: (refusal: Refusal | undefined) => void): void {
    const wanted = container.attachments.find((attachment) => this.#isElsewhere(container, attachment));
    const places = this.cluster?.places;
    if (container.running || wanted === undefined || places === undefined) {
      done(container.start());
      return;
    }
    const { network, address } = wanted;
    places.request({ network, containerId: container.id, address }, (answer) => {
      if (isRefusal(answer)) {
        this.#giveBackPlaces(container);
        done(answer);
        return;
      }
      const held = this.#places.get(container.id) ?? [];
      this.#places.set(container.id, [...held, { ...answer, asked: wanted }]);
      container.attachments = container.attachments.map((attachment) =>
        attachment === wanted ? { ...wanted, network: answer.network.id, address: answer.address } : attachment,
      );
      this.startContainer(container, done);
    });
  }

  /** A network of the swarm in which the container has no place yet. */
  #isElsewhere(container: Container, { network }: NetworkAttachment): boolean {
    if (container.spec.service !== undefined) return false;
    const found = this.findNetwork(network === "default" ? "bridge" : network);
    if (isRefusal(found)) return found.refused === "not-found";
    return found.scope === "swarm" && !(this.#places.get(container.id) ?? []).some((place) => place.network === found);
  }

  #giveBackPlaces(container: Container): void {
    const places = this.#places.get(container.id);
    if (places === undefined) return;
    this.#places.delete(container.id);
    container.attachments = container.attachments.map(
      (attachment) => places.find(({ network }) => network.id === attachment.network)?.asked ?? attachment,
    );
    for (const { attachmentId } of places) this.cluster?.places?.release(attachmentId);
  }

  makeSandbox(container: Container): Sandbox | Refusal {
    if (!this.#running)
      return refuse("unavailable", "Cannot connect to the Docker daemon. Is the docker daemon running?");
    const attachments: readonly NetworkAttachment[] =
      container.attachments.length > 0 ? container.attachments : [{ network: "bridge", aliases: [] }];
    const networks: Network[] = [];
    for (const { network } of attachments) {
      const found = this.#networkFor(network);
      if (isRefusal(found)) return found;
      networks.push(found);
    }
    const shared = networks.some(({ driver }) => driver === "host");
    const sandbox = this.#newSandbox(container, shared);
    const endpoints: Endpoint[] = [];
    let refusal: Refusal | undefined;
    for (const [index, network] of networks.entries()) {
      const endpoint = network.createEndpoint(endpointRequest(container, network, attachments[index]!));
      if (isRefusal(endpoint)) {
        refusal = endpoint;
        break;
      }
      endpoints.push(endpoint);
    }
    refusal ??= sandbox.joinAll(endpoints);
    if (refusal === undefined) return sandbox;
    for (const endpoint of endpoints) if (endpoint.sandbox === undefined) endpoint.network.deleteEndpoint(endpoint);
    this.removeSandbox(sandbox);
    return this.release === "current"
      ? { ...refusal, message: `failed to set up container networking: ${refusal.message}` }
      : refusal;
  }

  removeSandbox(sandbox: Sandbox): void {
    sandbox.leaveAll();
    this.sandboxes.delete(sandbox);
    if (!sandbox.shared) this.world.removeNamespace(sandbox.namespace);
  }

  connectNetwork(container: Container, attachment: NetworkAttachment): Refusal | undefined {
    const network = this.#networkFor(attachment.network);
    if (isRefusal(network)) return network;
    const { sandbox } = container;
    if (container.attachments.some((other) => this.#means(other.network, network)))
      return refuse("forbidden", `endpoint with name ${container.name} already exists in network ${network.name}`);
    if (network.driver === "host" || sandbox?.shared === true)
      return refuse("forbidden", "container cannot be connected to host network or disconnected from it while running");
    if (sandbox !== undefined) {
      const endpoint = network.createEndpoint(endpointRequest(container, network, attachment));
      if (isRefusal(endpoint)) return endpoint;
      const refusal = sandbox.join(endpoint);
      if (refusal !== undefined) {
        if (network.endpoints.has(endpoint.id)) network.deleteEndpoint(endpoint);
        return refusal;
      }
    }
    const before: readonly NetworkAttachment[] =
      container.attachments.length > 0 ? container.attachments : [{ network: "bridge", aliases: [] }];
    container.attachments = [...before, attachment];
    this.containerChanged(container);
    return undefined;
  }

  disconnectNetwork(container: Container, text: string): Refusal | undefined {
    const network = this.findNetwork(text);
    if (isRefusal(network)) return network;
    const endpoint = container.sandbox?.endpointIn(network.id);
    const isAttached = container.attachments.some((other) => this.#means(other.network, network));
    if (endpoint === undefined && !isAttached)
      return refuse("forbidden", `container ${container.id} is not connected to network ${network.name}`);
    if (network.driver === "host")
      return refuse(
        "forbidden",
        "container cannot be disconnected from host network - hostnetwork can only be set on container creation",
      );
    if (endpoint !== undefined) container.sandbox!.leave(endpoint);
    const left = container.attachments.filter((other) => !this.#means(other.network, network));
    container.attachments = left.length > 0 ? left : [{ network: "none", aliases: [] }];
    this.containerChanged(container);
    return undefined;
  }

  containerChanged(container: Container): void {
    if (container.state === "exited" || container.state === "dead") this.#giveBackPlaces(container);
    for (const listener of [...this.listeners]) listener.containerChanged?.(container);
  }

  containerRemoved(container: Container): void {
    this.containers.delete(container.id);
    this.#byName.delete(container.name);
    for (const listener of [...this.listeners]) listener.containerRemoved?.(container);
  }

  // ---- Volumes

  /** The one of that name if there is one. */
  createVolume(request: {
    readonly name?: string | undefined;
    readonly options?: ReadonlyMap<string, string> | undefined;
    readonly labels?: ReadonlyMap<string, string> | undefined;
  }): Volume {
    const name = request.name ?? drawIdentifier(this.random);
    const old = this.volumes.get(name);
    if (old !== undefined) return old;
    const volume: Volume = {
      name,
      driver: "local",
      options: request.options ?? NO_TEXTS,
      labels: request.labels ?? NO_TEXTS,
      createdNs: this.world.simulation.nowNs,
      anonymous: request.name === undefined,
    };
    this.volumes.set(name, volume);
    return volume;
  }

  /** Containers that mount it, running or not. */
  volumeUsers(name: string): Container[] {
    return [...this.containers.values()].filter(({ mounts }) =>
      mounts.some((mount) => mount.type === "volume" && mount.source === name),
    );
  }

  removeVolume(name: string): Refusal | undefined {
    if (!this.volumes.has(name)) return refuse("not-found", `get ${name}: no such volume`);
    const users = this.volumeUsers(name).map(({ id }) => id);
    if (users.length > 0) return refuse("conflict", `remove ${name}: volume is in use - [${users.join(", ")}]`);
    this.volumes.delete(name);
    return undefined;
  }

  // ---- Inside

  #makePredefined(): void {
    const nowNs = this.world.simulation.nowNs;
    for (const driver of ["null", "host"] as const)
      this.addNetwork(new PlainNetwork(driver, drawIdentifier(this.random), nowNs, this.random.fork(driver)));
    const bridge = this.#makeBridge(DOCKER0);
    assert(!isRefusal(bridge), `docker0: ${isRefusal(bridge) ? bridge.message : ""}`);
  }

  #makeBridge(request: NetworkRequest): Network | Refusal {
    const network = this.#bridges.make(request);
    if (!isRefusal(network)) this.addNetwork(network);
    return network;
  }

  #networkFor(text: string): Network | Refusal {
    return this.findNetwork(text === "default" ? "bridge" : text);
  }

  #means(text: string, network: Network): boolean {
    return text === network.name || (text !== "" && network.id.startsWith(text));
  }

  #newSandbox(container: Container, shared: boolean): Sandbox {
    const namespace = shared ? this.host : this.world.createNamespace(this.#namespaceName(container));
    // A new namespace has this from the host (net.core.devconf_inherit_init_net), where the engine has switched it on.
    if (!shared) namespace.sysctl.set("net.ipv4.ip_forward", this.host.sysctl.get("net.ipv4.ip_forward") ?? "0");
    const sandbox = new Sandbox({
      id: drawIdentifier(this.random),
      namespace,
      host: this,
      ports: container.spec.ports,
      dns: container.spec.dns,
      shared,
    });
    this.sandboxes.add(sandbox);
    return sandbox;
  }
}
