/** An endpoint, libnetwork's word for a sandbox's place in a network: an address, a MAC address and, once joined, an interface. */
import type { NetDevice } from "../linux/net-device.ts";
import type { Ipv4Address, MacAddress, Prefix } from "../wire/address.ts";
import type { PublishedPort } from "./bridge/published-port.ts";
import type { Network } from "./network.ts";
import type { Sandbox } from "./sandbox.ts";

/** The service that an endpoint's container is a task of, as far as the network has to know. */
export interface EndpointService {
  readonly id: string;
  readonly name: string;
  /** On the endpoint's network; undefined for dnsrr. */
  readonly virtualAddress: Ipv4Address | undefined;
  readonly aliases: readonly string[];
  /** Told on the ingress network alone. */
  readonly ingressPorts: readonly {
    readonly protocol: "tcp" | "udp" | "sctp";
    readonly targetPort: number;
    readonly publishedPort: number;
  }[];
}

/** What is wanted of an endpoint; what is absent the network chooses. */
export interface EndpointRequest {
  readonly name: string;
  readonly address?: Ipv4Address | undefined;
  readonly mac?: MacAddress | undefined;
  /** Names that the network's members find it by, beside `name`. */
  readonly aliases?: readonly string[] | undefined;
  readonly service?: EndpointService | undefined;
  /** `--gw-priority`: the network with the highest gives the way out; default 0. */
  readonly gatewayPriority?: number | undefined;
}

export interface EndpointSettings extends EndpointRequest {
  readonly id: string;
  readonly network: Network;
  /** With the subnet's length; 0.0.0.0/0 where the network gives none (host, none). */
  readonly prefix: Prefix;
  readonly hardwareAddress: MacAddress;
  /** The default gateway that the network offers; undefined: none (overlays, internal networks). */
  readonly gateway: Ipv4Address | undefined;
}

const NO_PORTS: readonly PublishedPort[] = [];
const NO_NAMES: readonly string[] = [];

export class Endpoint {
  readonly id: string;
  readonly name: string;
  readonly network: Network;
  readonly address: Prefix;
  readonly mac: MacAddress;
  readonly gateway: Ipv4Address | undefined;
  readonly aliases: readonly string[];
  readonly service: EndpointService | undefined;
  readonly gatewayPriority: number;
  /** Set while it is joined. */
  sandbox: Sandbox | undefined = undefined;
  /** The interface in the sandbox. */
  device: NetDevice | undefined = undefined;
  /** The other end of the veth: a port of the network's bridge. */
  bridgeDevice: NetDevice | undefined = undefined;
  /** Ports of the host that lead here. */
  publishedPorts: readonly PublishedPort[] = NO_PORTS;

  constructor(settings: EndpointSettings) {
    this.id = settings.id;
    this.name = settings.name;
    this.network = settings.network;
    this.address = settings.prefix;
    this.mac = settings.hardwareAddress;
    this.gateway = settings.gateway;
    this.aliases = settings.aliases ?? NO_NAMES;
    this.service = settings.service;
    this.gatewayPriority = settings.gatewayPriority ?? 0;
  }
}
