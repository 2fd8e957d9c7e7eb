/** A network as an engine knows it (libnetwork's CNM): what every driver's networks can do, and what `docker network inspect` shows of them. */
import type { Nanoseconds } from "../sim/time.ts";
import type { Ipv4Address, Prefix, Vni } from "../wire/address.ts";
import type { PortBinding } from "./bridge/published-port.ts";
import type { Endpoint, EndpointRequest } from "./endpoint.ts";
import type { Refusal } from "./refusal.ts";
import type { Sandbox } from "./sandbox.ts";

export type NetworkDriver = "bridge" | "overlay" | "host" | "null";

export interface NetworkSubnet {
  readonly subnet: Prefix;
  /** Undefined: an internal network's bridge, or a network of host or null, has none. */
  readonly gateway: Ipv4Address | undefined;
  /** Overlays alone. */
  readonly vni?: Vni | undefined;
  /** `--ip-range`: where addresses are chosen from. */
  readonly range?: Prefix | undefined;
  /** `--aux-address`: name and address, taken. */
  readonly auxiliary?: ReadonlyMap<string, Ipv4Address> | undefined;
}

export interface Network {
  readonly id: string;
  readonly name: string;
  readonly driver: NetworkDriver;
  readonly scope: "local" | "swarm";
  readonly internal: boolean;
  readonly attachable: boolean;
  readonly ingress: boolean;
  readonly options: ReadonlyMap<string, string>;
  readonly labels: ReadonlyMap<string, string>;
  readonly subnets: readonly NetworkSubnet[];
  readonly createdNs: Nanoseconds;
  /** By their identifiers. */
  readonly endpoints: ReadonlyMap<string, Endpoint>;
  /** Whether its members find each other by name: all but docker0, docker_gwbridge, host and none. */
  readonly resolvesNames: boolean;

  /** Takes addresses; the endpoint is in `endpoints` from now on. */
  createEndpoint(request: EndpointRequest): Endpoint | Refusal;
  /** Gives the addresses back. It is in no sandbox. */
  deleteEndpoint(endpoint: Endpoint): void;
  /**
   * The driver's part of joining: makes the interface and hands it over with `sandbox.addInterface`. Callers go by `sandbox.join`, which
   * sees to gateway and ports.
   */
  join(endpoint: Endpoint, sandbox: Sandbox): Refusal | undefined;
  /** The driver's part of leaving: the interface goes. Callers go by `sandbox.leave`. */
  leave(endpoint: Endpoint): void;
  /** Leads ports of the host to the endpoint, which gives its sandbox the way out. Absent: the driver has no such thing. */
  publish?(endpoint: Endpoint, bindings: readonly PortBinding[]): Refusal | undefined;
  unpublish?(endpoint: Endpoint): void;
}
