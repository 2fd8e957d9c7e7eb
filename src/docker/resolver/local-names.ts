/**
 * The names of a network of this node alone: those of the endpoints that are in a sandbox just now, with their aliases. Read where the endpoints stand, so
 * that nothing has to be kept for containers that nobody asks for.
 */
import type { Ipv4Address } from "../../wire/address.ts";
import type { Network } from "../network.ts";
import type { AddressFamily, NameAnswer, NameSource, ServiceTarget } from "./name-source.ts";

const NO_TARGETS: readonly ServiceTarget[] = [];

export class LocalNames implements NameSource {
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
  }

  lookUp(name: string, family: AddressFamily): NameAnswer {
    const wanted = name.toLowerCase();
    const addresses = new Set<Ipv4Address>();
    for (const { name: own, aliases, address, sandbox } of this.#network.endpoints.values()) {
      if (sandbox === undefined || address.length === 0) continue;
      if (own.toLowerCase() === wanted || aliases.some((alias) => alias.toLowerCase() === wanted))
        addresses.add(address.address);
    }
    if (addresses.size === 0) return undefined;
    return family === "ipv6" ? "known-without-address" : { addresses: [...addresses] };
  }

  reverse(address: Ipv4Address): string | undefined {
    for (const endpoint of this.#network.endpoints.values())
      if (endpoint.sandbox !== undefined && endpoint.address.address === address)
        return `${endpoint.name}.${this.#network.name}`;
    return undefined;
  }

  serviceTargets(_name: string): readonly ServiceTarget[] {
    return NO_TARGETS;
  }

  /** Only a name with the network's own behind it could be meant, and no outer server has those. */
  resolvedOutside(_name: string, _address: Ipv4Address): void {}
}
