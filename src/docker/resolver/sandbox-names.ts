/** All the names that one sandbox can resolve, in the order in which libnetwork's Sandbox.ResolveName tries them. */
import type { Ipv4Address } from "../../wire/address.ts";
import type { AddressFamily, NameAnswer, NameSource, NetworkNames, ServiceTarget } from "./name-source.ts";

const RANKS = ["swarm", "ingress", "local"] as const;
const NO_TARGETS: readonly ServiceTarget[] = [];

export class SandboxNames implements NameSource {
  readonly #networks: () => Iterable<NetworkNames>;

  /** `networks`: those that the sandbox has joined just now, in the order of its endpoints. */
  constructor(networks: () => Iterable<NetworkNames>) {
    this.#networks = networks;
  }

  /**
   * Dots may belong to a container's name or part it from its network's: a.b.c is tried as a whole in every network, then as a.b in network c, then as
   * a in network b.c. The first network that has the name answers, and nobody else is asked.
   */
  lookUp(name: string, family: AddressFamily): NameAnswer {
    const networks = this.#ordered();
    let known = false;
    for (let end = name.length; end > 0; end = name.lastIndexOf(".", end - 1)) {
      const network = end === name.length ? undefined : name.slice(end + 1);
      for (const candidate of networks) {
        if (network !== undefined && candidate.networkName !== network) continue;
        const answer = candidate.names.lookUp(name.slice(0, end), family);
        if (typeof answer === "object") return answer;
        if (answer !== undefined) known = true;
      }
      if (known) return "known-without-address";
    }
    return undefined;
  }

  reverse(address: Ipv4Address): string | undefined {
    for (const { names } of this.#networks()) {
      const name = names.reverse(address);
      if (name !== undefined) return name;
    }
    return undefined;
  }

  serviceTargets(name: string): readonly ServiceTarget[] {
    for (const { names } of this.#networks()) {
      const targets = names.serviceTargets(name);
      if (targets.length > 0) return targets;
    }
    return NO_TARGETS;
  }

  resolvedOutside(name: string, address: Ipv4Address): void {
    for (const { names } of this.#networks()) names.resolvedOutside(name, address);
  }

  #ordered(): NetworkNames[] {
    const networks = [...this.#networks()];
    return RANKS.flatMap((rank) => networks.filter((network) => network.rank === rank));
  }
}
