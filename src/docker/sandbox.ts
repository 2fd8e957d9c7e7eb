/**
 * A sandbox, libnetwork's word for what a container (or a load balancer) has of the network: one namespace, its endpoints in the order of joining, and
 * the choice of the default gateway. A sandbox whose networks give no gateway (overlays) gets an endpoint in docker_gwbridge; it
 * leaves that again as soon as a network with a gateway joins (libnetwork sandbox.go, default_gateway.go).
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { assert } from "../sim/assert.ts";
import { broadcastOf, IPV4_ANY, type Prefix } from "../wire/address.ts";
import type { PortBinding } from "./bridge/published-port.ts";
import type { Endpoint } from "./endpoint.ts";
import { shortIdentifier } from "./identifiers.ts";
import type { Network } from "./network.ts";
import { isRefusal, type Refusal } from "./refusal.ts";
import type { ResolvConf } from "./resolver/resolv-conf.ts";
import { announceAddress } from "./unsolicited-arp.ts";

const DEFAULT_ROUTE: Prefix = { address: IPV4_ANY, length: 0 };
const NO_PORTS: readonly PortBinding[] = [];

/** Told when a sandbox gets its first network whose members have names, and when it ends: the embedded resolver. */
export interface SandboxResolver {
  start(sandbox: Sandbox): void;
  stop(sandbox: Sandbox): void;
}

/** What a sandbox needs of its engine. */
export interface SandboxHost {
  readonly release: "current" | "20.10";
  /** docker_gwbridge, made when it is first needed. */
  gatewayNetwork(): Network | Refusal;
  readonly resolver: SandboxResolver | undefined;
  /** Interfaces tell their addresses when they come in, as the current release has them do. */
  readonly announcesAddresses?: boolean;
}

export interface SandboxSettings {
  /** 64 hexadecimal digits; `ingress_sbox` and `lb_…` have their own. */
  readonly id: string;
  readonly namespace: NetworkNamespace;
  readonly host: SandboxHost;
  /** The last part of its gateway endpoint's name; the first 12 of `id` when absent. */
  readonly label?: string | undefined;
  /** False: no docker_gwbridge whatever its networks are (load balancers of user networks). */
  readonly needsGateway?: boolean | undefined;
  /** Ports of the host that shall lead here. */
  readonly ports?: readonly PortBinding[] | undefined;
  /** True: the host's own namespace, which nobody may change (`--network host`). */
  readonly shared?: boolean | undefined;
  /** What the user has said of name servers (`--dns`). */
  readonly dns?: ResolvConf | undefined;
}

export class Sandbox {
  readonly id: string;
  readonly namespace: NetworkNamespace;
  readonly label: string;
  readonly ports: readonly PortBinding[];
  readonly shared: boolean;
  readonly dns: ResolvConf | undefined;
  readonly #host: SandboxHost;
  readonly #needsGateway: boolean;
  #endpoints: readonly Endpoint[] = [];
  #gatewayEndpoint: Endpoint | undefined = undefined; // the one in docker_gwbridge
  #exit: Endpoint | undefined = undefined; // whose gateway is the default one
  #resolves = false;

  constructor(settings: SandboxSettings) {
    this.id = settings.id;
    this.namespace = settings.namespace;
    this.label = settings.label ?? shortIdentifier(settings.id);
    this.ports = settings.ports ?? NO_PORTS;
    this.shared = settings.shared ?? false;
    this.dns = settings.dns;
    this.#host = settings.host;
    this.#needsGateway = settings.needsGateway ?? true;
    if (!this.shared) this.namespace.loopback.setUp(true);
  }

  /** In the order of joining; the one in docker_gwbridge among them. */
  get endpoints(): readonly Endpoint[] {
    return this.#endpoints;
  }

  /** The endpoint in docker_gwbridge. */
  get gatewayEndpoint(): Endpoint | undefined {
    return this.#gatewayEndpoint;
  }

  /** The endpoint that gives the way out, and the published ports. */
  get exit(): Endpoint | undefined {
    return this.#exit;
  }

  endpointIn(networkId: string): Endpoint | undefined {
    return this.#endpoints.find(({ network }) => network.id === networkId);
  }

  /** Joins one more network. What was refused has changed nothing. */
  join(endpoint: Endpoint): Refusal | undefined {
    return this.#attach(endpoint) ?? this.#settle(endpoint);
  }

  /**
   * Joins the networks that a container starts with. In 20.10 the container's namespace came after the joining, and interfaces
   * were made then in the order of preference for the way out, docker_gwbridge last; since then one network after the other.
   */
  joinAll(endpoints: readonly Endpoint[]): Refusal | undefined {
    if (this.#host.release === "current") {
      for (const endpoint of endpoints) {
        const refusal = this.join(endpoint);
        if (refusal !== undefined) return refusal;
      }
      return undefined;
    }
    for (const endpoint of [...endpoints].sort(byPreference)) {
      const refusal = this.#attach(endpoint);
      if (refusal !== undefined) return refusal;
    }
    const last = endpoints[endpoints.length - 1];
    return last === undefined ? undefined : this.#settle(last);
  }

  /** Leaves a network; the endpoint is deleted. */
  leave(endpoint: Endpoint): void {
    this.#detach(endpoint);
    if (this.#wantsGatewayNetwork() && this.#gatewayEndpoint === undefined) this.#joinGatewayNetwork();
    else if (this.#gatewayEndpoint !== undefined && !this.#wantsGatewayNetwork()) this.#detach(this.#gatewayEndpoint);
    this.#chooseExit();
  }

  /** Leaves everything. The namespace is the owner's to remove. */
  leaveAll(): void {
    if (this.#resolves) this.#host.resolver?.stop(this);
    this.#resolves = false;
    for (const endpoint of [...this.#endpoints]) this.#detach(endpoint);
  }

  /**
   * Called by drivers in `join`: takes a device that is down, in whatever namespace it is, under the next free name (`eth0`, `eth1`, …), gives it its
   * address and sets it up.
   */
  addInterface(endpoint: Endpoint, device: NetDevice, from: NetworkNamespace, namePrefix = "eth"): void {
    const { namespace } = this;
    let number = 0;
    while (namespace.device(`${namePrefix}${number}`) !== undefined) number++;
    const name = `${namePrefix}${number}`;
    if (from === namespace) namespace.renameDevice(device, name);
    else from.moveDevice(device, namespace, name);
    namespace.addAddress(device, endpoint.address, { broadcast: broadcastOf(endpoint.address) });
    device.setUp(true);
    endpoint.device = device;
    if (this.#host.announcesAddresses !== true) return;
    announceAddress(
      namespace,
      device,
      endpoint.address.address,
      endpoint.network.options,
      () => endpoint.device === device,
    );
  }

  #attach(endpoint: Endpoint): Refusal | undefined {
    assert(endpoint.sandbox === undefined, "an endpoint joins twice");
    endpoint.sandbox = this;
    const refusal = endpoint.network.join(endpoint, this);
    if (refusal !== undefined) {
      endpoint.sandbox = undefined;
      return refusal;
    }
    this.#endpoints = [...this.#endpoints, endpoint];
    if (endpoint.network.resolvesNames && !this.#resolves && !this.shared) {
      this.#resolves = true;
      this.#host.resolver?.start(this);
    }
    return undefined;
  }

  /** After a network has joined: docker_gwbridge comes or goes, and the way out may be another. */
  #settle(joined: Endpoint): Refusal | undefined {
    let refusal: Refusal | undefined;
    if (this.#gatewayEndpoint === undefined && this.#wantsGatewayNetwork()) refusal = this.#joinGatewayNetwork();
    else if (this.#gatewayEndpoint !== undefined && !this.#wantsGatewayNetwork()) this.#detach(this.#gatewayEndpoint);
    refusal ??= this.#chooseExit();
    if (refusal !== undefined) this.leave(joined);
    return refusal;
  }

  /** needDefaultGW: there is a network that leads outside, and none that has a gateway. */
  #wantsGatewayNetwork(): boolean {
    if (!this.#needsGateway || this.shared) return false;
    let wants = false;
    for (const endpoint of this.#endpoints) {
      const { network } = endpoint;
      if (endpoint === this.#gatewayEndpoint || network.internal) continue;
      if (network.driver === "host" || network.driver === "null") continue;
      if (endpoint.gateway !== undefined) return false;
      wants = true;
    }
    return wants;
  }

  #joinGatewayNetwork(): Refusal | undefined {
    const network = this.#host.gatewayNetwork();
    if (isRefusal(network)) return network;
    const endpoint = network.createEndpoint({ name: `gateway_${this.label}` });
    if (isRefusal(endpoint)) return endpoint;
    const refusal = this.#attach(endpoint);
    if (refusal !== undefined) network.deleteEndpoint(endpoint);
    else this.#gatewayEndpoint = endpoint;
    return refusal;
  }

  #detach(endpoint: Endpoint): void {
    assert(endpoint.sandbox === this, "an endpoint leaves a sandbox that it is not in");
    const { network } = endpoint;
    if (this.#exit === endpoint) {
      network.unpublish?.(endpoint);
      this.#exit = undefined;
    }
    if (this.#gatewayEndpoint === endpoint) this.#gatewayEndpoint = undefined;
    network.leave(endpoint);
    endpoint.sandbox = undefined;
    endpoint.device = undefined;
    this.#endpoints = this.#endpoints.filter((other) => other !== endpoint);
    network.deleteEndpoint(endpoint);
  }

  /** The default route and the published ports go with the preferred endpoint that has a gateway. */
  #chooseExit(): Refusal | undefined {
    if (this.shared) return undefined;
    const exit = [...this.#endpoints].sort(byPreference).find(({ gateway }) => gateway !== undefined);
    if (exit === this.#exit) return undefined;
    const old = this.#exit;
    if (old !== undefined) old.network.unpublish?.(old);
    const { routes } = this.namespace;
    for (const route of routes.list()) if (route.destination.length === 0) routes.delete(route);
    this.#exit = exit;
    if (exit === undefined) return undefined;
    routes.add({ destination: DEFAULT_ROUTE, gateway: exit.gateway, device: exit.device });
    return this.ports.length === 0 ? undefined : exit.network.publish?.(exit, this.ports);
  }
}

/** Who is asked first for the way out: docker_gwbridge last, before it internal networks, else as the user prefers, else by the network's name. */
function byPreference(a: Endpoint, b: Endpoint): number {
  return (
    rank(a) - rank(b) ||
    b.gatewayPriority - a.gatewayPriority ||
    (a.network.name < b.network.name ? -1 : a.network.name > b.network.name ? 1 : 0)
  );
}

function rank({ network }: Endpoint): number {
  return network.name === "docker_gwbridge" ? 2 : network.internal ? 1 : 0;
}
