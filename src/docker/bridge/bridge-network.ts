/**
 * A network of the bridge driver (libnetwork drivers/bridge): a Linux bridge in the host's namespace that has the gateway address, a veth pair for each
 * endpoint, rules in the host's firewall. docker0, docker_gwbridge and users' bridges are all of this kind.
 */
import { type Bridge, createBridge } from "../../linux/bridge.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { World } from "../../linux/world.ts";
import { assert } from "../../sim/assert.ts";
import type { Random } from "../../sim/random.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { broadcastOf, formatIpv4, type Ipv4Address, type MacAddress, type Prefix } from "../../wire/address.ts";
import { Endpoint, type EndpointRequest } from "../endpoint.ts";
import { drawIdentifier } from "../identifiers.ts";
import { AddressPool } from "../ipam/address-pool.ts";
import type { Network, NetworkSubnet } from "../network.ts";
import { type Refusal, refuse } from "../refusal.ts";
import type { Sandbox } from "../sandbox.ts";
import type { BridgeFirewall, BridgeRules } from "./firewall.ts";
import type { PortMapper } from "./port-mapper.ts";
import type { PortBinding, PublishedPort } from "./published-port.ts";
import type { BridgeSettings } from "./settings.ts";
import { forgetDatagramsTo, forgetTranslatedTo } from "./stale-connections.ts";

/** What a bridge network needs of its engine. */
export interface BridgeHost {
  readonly world: World;
  readonly host: NetworkNamespace;
  readonly release: "current" | "20.10";
  readonly userlandProxy: boolean;
  readonly firewall: BridgeFirewall;
  readonly ports: PortMapper;
}

export interface BridgeNetworkSettings {
  readonly id: string;
  readonly name: string;
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly options: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly subnet: Prefix;
  /** Undefined: the first address. */
  readonly gateway: Ipv4Address | undefined;
  readonly range?: Prefix | undefined;
  readonly auxiliary?: ReadonlyMap<string, Ipv4Address> | undefined;
  readonly createdNs: Nanoseconds;
  readonly random: Random;
  readonly bridge: BridgeSettings;
}

const NO_PORTS: readonly PublishedPort[] = [];

export class BridgeNetwork implements Network {
  readonly id: string;
  readonly name: string;
  readonly driver = "bridge";
  readonly scope = "local";
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ingress = false;
  readonly options: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly subnets: readonly NetworkSubnet[];
  readonly createdNs: Nanoseconds;
  readonly resolvesNames: boolean;
  readonly endpoints = new Map<string, Endpoint>();
  readonly bridgeSettings: BridgeSettings;
  readonly gateway: Ipv4Address;
  readonly #engine: BridgeHost;
  readonly #random: Random;
  readonly #pool: AddressPool;
  readonly #rules: BridgeRules;
  #bridge: Bridge | undefined = undefined;

  /** The first address problem of the settings, or the network, without its bridge yet. */
  static make(engine: BridgeHost, settings: BridgeNetworkSettings): BridgeNetwork | Refusal {
    const pool = new AddressPool({ subnet: settings.subnet, order: "lowest", range: settings.range });
    for (const address of settings.auxiliary?.values() ?? [])
      if (typeof pool.request(address) === "string")
        return refuse(
          "invalid",
          `failed to allocate secondary ip address (${formatIpv4(address)}): requested address is out of range`,
        );
    const gateway = pool.request(settings.gateway);
    if (typeof gateway === "string")
      return refuse(
        "invalid",
        `failed to allocate gateway (${settings.gateway === undefined ? "<nil>" : formatIpv4(settings.gateway)}): ${gateway === "taken" ? "Address already in use" : "requested address is out of range"}`,
      );
    return new BridgeNetwork(engine, settings, pool, gateway);
  }

  private constructor(engine: BridgeHost, settings: BridgeNetworkSettings, pool: AddressPool, gateway: Ipv4Address) {
    this.#engine = engine;
    this.#random = settings.random;
    this.#pool = pool;
    this.id = settings.id;
    this.name = settings.name;
    this.internal = settings.internal;
    this.attachable = settings.attachable;
    this.options = settings.options;
    this.labels = settings.labels;
    this.createdNs = settings.createdNs;
    this.bridgeSettings = settings.bridge;
    this.gateway = gateway;
    this.resolvesNames = !settings.bridge.isDefault && settings.name !== "docker_gwbridge";
    const { range, auxiliary } = settings;
    this.subnets = [{ subnet: pool.subnet, gateway, range, auxiliary }];
    const { bridgeName, betweenContainers, masquerades } = settings.bridge;
    this.#rules = { bridgeName, subnet: pool.subnet, internal: settings.internal, betweenContainers, masquerades };
  }

  get bridge(): Bridge | undefined {
    return this.#bridge;
  }

  /** Makes the bridge, or takes the one that a user has made under its name, and the rules. */
  setUp(): Refusal | undefined {
    const { host, release, userlandProxy, firewall } = this.#engine;
    const { bridgeName, betweenContainers, mtu, inhibitsAddress } = this.bridgeSettings;
    const there = host.device(bridgeName);
    if (there !== undefined && there.kind !== "bridge")
      return refuse("system", `existing interface ${bridgeName} is not a bridge`);
    if (there !== undefined)
      return refuse("conflict", `networks have same bridge name: bridge ${bridgeName} exists already`);
    const bridge = createBridge(host, {
      name: bridgeName,
      address: this.#drawBridgeMac(),
      // 20.10 leaves the bridge the smallest of its ports' MTUs.
      ...(release === "current" && { mtu }),
    });
    this.#bridge = bridge;
    if (!inhibitsAddress) {
      const prefix = { address: this.gateway, length: this.#pool.subnet.length };
      host.addAddress(bridge.device, prefix, { broadcast: broadcastOf(prefix) });
    }
    if (!betweenContainers || !userlandProxy) host.sysctl.set("net.bridge.bridge-nf-call-iptables", "1");
    if (!userlandProxy) host.sysctl.set(`net.ipv4.conf.${bridgeName}.route_localnet`, "1");
    firewall.addNetwork(this.#rules);
    bridge.device.setUp(true);
    return undefined;
  }

  /** The bridge and the rules go. Nobody is in the network. */
  tearDown(): void {
    if (this.#bridge === undefined) return;
    this.#engine.firewall.removeNetwork(this.#rules);
    this.#engine.host.removeDevice(this.#bridge.device);
    this.#bridge = undefined;
  }

  createEndpoint(request: EndpointRequest): Endpoint | Refusal {
    const address = this.#pool.request(request.address);
    if (address === "exhausted")
      return refuse("system", `no available IPv4 addresses on this network's address pools: ${this.name} (${this.id})`);
    if (address === "taken") return refuse("conflict", "Address already in use");
    if (address === "outside")
      return refuse(
        "invalid",
        `Invalid address ${formatIpv4(request.address!)}: It does not belong to any of this network's subnets`,
      );
    const endpoint = new Endpoint({
      ...request,
      id: drawIdentifier(this.#random),
      network: this,
      prefix: { address, length: this.#pool.subnet.length },
      hardwareAddress: request.mac ?? this.#drawMac(address),
      gateway: this.internal || this.bridgeSettings.inhibitsAddress ? undefined : this.gateway,
    });
    this.endpoints.set(endpoint.id, endpoint);
    return endpoint;
  }

  deleteEndpoint(endpoint: Endpoint): void {
    if (this.endpoints.delete(endpoint.id)) this.#pool.release(endpoint.address.address);
  }

  join(endpoint: Endpoint, sandbox: Sandbox): undefined {
    const { world, host, userlandProxy, firewall } = this.#engine;
    const bridge = this.#bridge;
    assert(bridge !== undefined, "a container joins a network without a bridge");
    const { mtu, interfacePrefix } = this.bridgeSettings;
    // The container's end is made in the host's namespace and moved: its number is one less than its peer's.
    const { a, b } = world.createLink(
      "veth",
      { namespace: host, name: this.#drawVethName(), address: endpoint.mac, mtu },
      { namespace: host, name: this.#drawVethName(), mtu },
    );
    bridge.addPort(b);
    const port = bridge.port(b);
    if (port !== undefined) port.hairpin = !userlandProxy;
    b.setUp(true);
    endpoint.bridgeDevice = b;
    sandbox.addInterface(endpoint, a, host, interfacePrefix);
    firewall.addEndpoint(this.#rules, endpoint.address.address);
  }

  leave(endpoint: Endpoint): void {
    const { host, firewall } = this.#engine;
    this.unpublish(endpoint);
    firewall.removeEndpoint(this.#rules, endpoint.address.address);
    const { device, bridgeDevice, sandbox } = endpoint;
    if (device !== undefined && sandbox !== undefined) sandbox.namespace.removeDevice(device);
    if (bridgeDevice !== undefined) {
      this.#bridge?.removePort(bridgeDevice);
      host.removeDevice(bridgeDevice);
    }
    endpoint.bridgeDevice = undefined;
  }

  publish(endpoint: Endpoint, bindings: readonly PortBinding[]): Refusal | undefined {
    const { ports, host, release } = this.#engine;
    const answer = ports.publish(this.#rules, endpoint.address.address, bindings, this.bridgeSettings.hostBinding);
    if ("refused" in answer)
      return refuse(
        answer.refused,
        `driver failed programming external connectivity on endpoint ${endpoint.name} (${endpoint.id}): ${answer.message}`,
      );
    endpoint.publishedPorts = answer;
    if (release === "current")
      for (const { protocol, hostPort } of answer) if (protocol === "udp") forgetDatagramsTo(host, hostPort);
    return undefined;
  }

  unpublish(endpoint: Endpoint): void {
    if (endpoint.publishedPorts.length === 0) return;
    this.#engine.ports.unpublish(endpoint.publishedPorts);
    endpoint.publishedPorts = NO_PORTS;
    forgetTranslatedTo(this.#engine.host, endpoint.address.address);
  }

  /** 20.10: 02:42 and the IPv4 address. Since then a random one, locally administered and of one host. */
  #drawMac(address: Ipv4Address): MacAddress {
    if (this.#engine.release === "20.10") return (0x0242_0000_0000 + address) as MacAddress;
    return this.#drawLocalMac();
  }

  /** 20.10: 02:42 and four random octets. */
  #drawBridgeMac(): MacAddress {
    if (this.#engine.release === "20.10") return (0x0242_0000_0000 + this.#random.u32()) as MacAddress;
    return this.#drawLocalMac();
  }

  #drawLocalMac(): MacAddress {
    const first = (this.#random.below(0x100) & 0xfc) | 0x02;
    return ((first * 0x100 + this.#random.below(0x100)) * 0x1_0000_0000 + this.#random.u32()) as MacAddress;
  }

  /** `veth` and seven hexadecimal digits that are free on the host. */
  #drawVethName(): string {
    for (;;) {
      const name = `veth${this.#random.u32().toString(16).padStart(8, "0").slice(0, 7)}`;
      if (this.#engine.host.device(name) === undefined) return name;
    }
  }
}
