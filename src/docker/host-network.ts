/** The networks `host` and `none` (libnetwork drivers/host and drivers/null): nothing to allocate and no interface to make. */
import type { Random } from "../sim/random.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { IPV4_ANY, MAC_ZERO } from "../wire/address.ts";
import { Endpoint, type EndpointRequest } from "./endpoint.ts";
import { drawIdentifier } from "./identifiers.ts";
import type { Network, NetworkSubnet } from "./network.ts";

const NO_TEXTS: ReadonlyMap<string, string> = new Map();
const NO_SUBNETS: readonly NetworkSubnet[] = [];

export class PlainNetwork implements Network {
  readonly id: string;
  readonly name: string;
  readonly driver: "host" | "null";
  readonly scope = "local";
  readonly internal = false;
  readonly attachable = false;
  readonly ingress = false;
  readonly options = NO_TEXTS;
  readonly labels = NO_TEXTS;
  readonly subnets = NO_SUBNETS;
  readonly createdNs: Nanoseconds;
  readonly resolvesNames = false;
  readonly endpoints = new Map<string, Endpoint>();
  readonly #random: Random;

  constructor(driver: "host" | "null", id: string, createdNs: Nanoseconds, random: Random) {
    this.id = id;
    this.name = driver === "host" ? "host" : "none";
    this.driver = driver;
    this.createdNs = createdNs;
    this.#random = random;
  }

  createEndpoint(request: EndpointRequest): Endpoint {
    const endpoint = new Endpoint({
      ...request,
      id: drawIdentifier(this.#random),
      network: this,
      prefix: { address: IPV4_ANY, length: 0 },
      hardwareAddress: MAC_ZERO,
      gateway: undefined,
    });
    this.endpoints.set(endpoint.id, endpoint);
    return endpoint;
  }

  deleteEndpoint(endpoint: Endpoint): void {
    this.endpoints.delete(endpoint.id);
  }

  join(): undefined {}

  leave(): void {}
}
