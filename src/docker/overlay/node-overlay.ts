/**
 * An overlay network as one node's engine has it (libnetwork, drivers/overlay): endpoints with addresses that the swarm's manager has chosen, the namespace while one of
 * them is joined, and what gossip has told of the others' endpoints.
 */
import { assert } from "../../sim/assert.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { contains, formatIpv4, type Ipv4Address, networkOf, type Prefix, type Vni } from "../../wire/address.ts";
import { Endpoint, type EndpointRequest } from "../endpoint.ts";
import { drawIdentifier } from "../identifiers.ts";
import type { Network } from "../network.ts";
import { type Refusal, refuse } from "../refusal.ts";
import type { Sandbox } from "../sandbox.ts";
import type { OverlayDriver } from "./overlay-driver.ts";
import { overlayMac } from "./overlay-mac.ts";
import { MTU_OPTION, overlayMtu, underlayMtu } from "./overlay-mtu.ts";
import { type EndpointLink, OverlaySandbox, subnetOf } from "./overlay-sandbox.ts";
import type { OverlaySegment, OverlaySubnet } from "./overlay-segment.ts";
import { type PeerPlane, type PeerRecord, PeerTable } from "./peers.ts";

/** Any value, even `false`: its presence counts. */
export const ENCRYPTED_OPTION = "encrypted";
const NETWORK_ID_CHARACTERS = 10;
/** Names of namespaces are cut to this. */
const HANDLE_CHARACTERS = 12;

/** What the manager tells of a network. */
export interface OverlaySpec {
  readonly id: string;
  readonly name: string;
  readonly ingress: boolean;
  readonly attachable: boolean;
  readonly internal: boolean;
  readonly options: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly subnets: readonly { readonly subnet: Prefix; readonly gateway: Ipv4Address; readonly vni: Vni }[];
}

export class NodeOverlay implements Network {
  readonly id: string;
  readonly name: string;
  readonly driver = "overlay";
  readonly scope = "swarm";
  readonly ingress: boolean;
  readonly attachable: boolean;
  readonly internal: boolean;
  readonly options: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly subnets: readonly (OverlaySubnet & { readonly gateway: Ipv4Address })[];
  readonly createdNs: Nanoseconds;
  readonly resolvesNames = true;
  readonly encrypted: boolean;
  /** Of its interfaces. */
  readonly mtu: number;
  /** Filled by whoever hears the other nodes. */
  readonly peers: PeerTable;
  readonly #driver: OverlayDriver;
  /** An option that makes no sense: nobody can have a place in the network. */
  readonly #problem: string | undefined;
  readonly #endpoints = new Map<string, Endpoint>();
  /** Of endpoints that are joined, by their identifiers. */
  readonly #links = new Map<string, EndpointLink>();
  #sandbox: OverlaySandbox | undefined = undefined;
  /** How many namespaces there have been. */
  #epoch = 0;
  #handle = "";

  constructor(driver: OverlayDriver, spec: OverlaySpec) {
    this.id = spec.id;
    this.name = spec.name;
    this.ingress = spec.ingress;
    this.attachable = spec.attachable;
    this.internal = spec.internal;
    this.options = spec.options;
    this.labels = spec.labels;
    this.subnets = spec.subnets;
    this.encrypted = spec.options.has(ENCRYPTED_OPTION);
    const underlay = underlayMtu(spec.options.get(MTU_OPTION));
    this.#problem = typeof underlay === "string" ? underlay : undefined;
    this.mtu = overlayMtu(typeof underlay === "string" ? undefined : underlay, this.encrypted);
    this.#driver = driver;
    const { world, advertiseAddress, release, forwarding, log } = driver.settings;
    this.createdNs = world.simulation.nowNs;
    this.peers = new PeerTable({
      vtep: advertiseAddress,
      forwarding: forwarding ?? (release === "current" ? "replace" : "exclusive"),
      log,
    });
    // What another network of these VNIs has left.
    if (!this.encrypted) for (const { vni } of this.subnets) driver.rules.remove(vni);
  }

  get endpoints(): ReadonlyMap<string, Endpoint> {
    return this.#endpoints;
  }

  /** The network's namespace on this node, while an endpoint is joined. */
  get sandbox(): OverlaySandbox | undefined {
    return this.#sandbox;
  }

  /** The address is the caller's to know: managers allocate those of swarm networks. */
  createEndpoint(request: EndpointRequest): Endpoint | Refusal {
    const { address } = request;
    if (this.#problem !== undefined) return refuse("invalid", this.#problem);
    if (address === undefined) return refuse("invalid", `no IPv4 address for an endpoint of network ${this.name}`);
    const place = this.subnets.find(({ subnet }) => contains(subnet, address));
    if (place === undefined)
      return refuse("invalid", `no matching subnet for IP "${formatIpv4(address)}" in network "${this.id}"`);
    const endpoint = new Endpoint({
      ...request,
      id: drawIdentifier(this.#driver.settings.random),
      network: this,
      prefix: { address, length: place.subnet.length },
      hardwareAddress: request.mac ?? overlayMac(address),
      gateway: undefined,
    });
    this.#endpoints.set(endpoint.id, endpoint);
    return endpoint;
  }

  deleteEndpoint(endpoint: Endpoint): void {
    this.#endpoints.delete(endpoint.id);
  }

  join(endpoint: Endpoint, sandbox: Sandbox): Refusal | undefined {
    const { host } = this.#driver.settings;
    if (this.encrypted && !this.#driver.encryption.hasKeys)
      return refuse("forbidden", "cannot join secure network: encryption keys not present");
    const segment = this.#open(endpoint.address);
    if (typeof segment === "string") return refuse("system", `network sandbox join failed: ${segment}`);
    const link = this.#sandboxOf().attach(segment, endpoint.mac);
    this.#links.set(endpoint.id, link);
    sandbox.addInterface(endpoint, link.inner, host);
    endpoint.bridgeDevice = link.port;
    const gateway = segment.subnet.gateway;
    for (const { subnet } of this.subnets) {
      if (subnet === segment.subnet.subnet) continue;
      const destination = { address: networkOf(subnet), length: subnet.length };
      sandbox.namespace.routes.add({ destination, gateway, device: link.inner });
    }
    this.peers.add({ endpointId: endpoint.id, address: endpoint.address, mac: endpoint.mac, vtep: undefined });
    return undefined;
  }

  /** With the last endpoint the namespace goes. */
  leave(endpoint: Endpoint): void {
    const link = this.#links.get(endpoint.id);
    const namespace = endpoint.sandbox?.namespace;
    assert(link !== undefined && namespace !== undefined, "an endpoint leaves an overlay network that it is not in");
    this.peers.delete({ endpointId: endpoint.id, address: endpoint.address, mac: endpoint.mac, vtep: undefined });
    this.#links.delete(endpoint.id);
    this.#sandboxOf().detach(link, namespace);
    endpoint.bridgeDevice = undefined;
    if (this.#links.size === 0) this.#destroySandbox();
  }

  /** What to tell the other nodes of a joined endpoint. */
  recordOf(endpoint: Endpoint): PeerRecord {
    return { address: endpoint.address, mac: endpoint.mac, vtep: this.#driver.settings.advertiseAddress };
  }

  /** The network leaves the node. */
  remove(): void {
    assert(this.#links.size === 0, "an overlay network with endpoints leaves its node");
    if (this.encrypted) for (const { vni } of this.subnets) this.#driver.rules.remove(vni);
  }

  #sandboxOf(): OverlaySandbox {
    assert(this.#sandbox !== undefined, "an overlay network without its namespace");
    return this.#sandbox;
  }

  /** The segment of an address, in the namespace, which is made by the first. */
  #open(address: Prefix): OverlaySegment | string {
    const isNew = this.#sandbox === undefined;
    if (isNew) this.#makeSandbox();
    const segment = this.#openSegment(address);
    if (!isNew) return segment;
    if (typeof segment === "string") this.#destroySandbox();
    else this.peers.attach(this.#plane());
    return segment;
  }

  #openSegment(address: Prefix): OverlaySegment | string {
    const subnet = subnetOf(this.subnets, address);
    if (subnet === undefined)
      return `could not find the subnet of ${formatIpv4(address.address)} in network ${this.id}`;
    // Before the first packet can pass.
    const { rules } = this.#driver;
    const sandbox = this.#sandboxOf();
    const isOpen = sandbox.segments.some((segment) => segment.subnet === subnet);
    if (!isOpen && this.encrypted) rules.install(subnet.vni);
    return sandbox.open(subnet);
  }

  #plane(): PeerPlane {
    const { encryption } = this.#driver;
    return {
      segmentFor: (address) => this.#openSegment(address),
      protect: (vtep) => (this.encrypted ? encryption.protect(vtep) : undefined),
      unprotect: (vtep) => {
        if (this.encrypted) encryption.unprotect(vtep);
      },
    };
  }

  #makeSandbox(): void {
    const { world, host, handles, release } = this.#driver.settings;
    this.#epoch++;
    this.#handle = `${this.#epoch}-${this.id.slice(0, NETWORK_ID_CHARACTERS)}`.slice(0, HANDLE_CHARACTERS);
    this.#sandbox = new OverlaySandbox({
      world,
      host,
      name: `${host.name}/${this.#handle}`,
      networkId: this.id,
      mtu: this.mtu,
      dataPathPort: this.#driver.dataPathPort,
      proxy: true,
      portNames: release === "current" ? "lowest" : "counted",
    });
    handles?.set(this.#handle, this.#sandbox.namespace);
  }

  #destroySandbox(): void {
    this.#sandboxOf().destroy();
    this.#sandbox = undefined;
    this.#driver.settings.handles?.delete(this.#handle);
    this.peers.detach();
  }
}
