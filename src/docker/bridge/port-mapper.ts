/** Leads ports of a host to endpoints of bridge networks: the port is claimed, held by a socket, and redirected by the firewall (libnetwork portmapper). */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { IPV4_ANY, type Ipv4Address } from "../../wire/address.ts";
import { type Refusal, refuse } from "../refusal.ts";
import type { BridgeFirewall, BridgeRules } from "./firewall.ts";
import { PortAllocator } from "./port-allocator.ts";
import { formatHostPort, type PortBinding, type PublishedPort } from "./published-port.ts";
import { openProxy, type UserlandProxy } from "./userland-proxy.ts";

/** So many ephemeral ports are tried whose sockets belong to somebody else. */
const MAXIMUM_TRIES = 10;

export interface PortMapperSettings {
  readonly host: NetworkNamespace;
  readonly firewall: BridgeFirewall;
  readonly release: "current" | "20.10";
  readonly userlandProxy: boolean;
}

/** One port in force. */
interface Mapping {
  readonly port: PublishedPort;
  readonly rules: BridgeRules;
  readonly address: Ipv4Address;
  readonly proxy: UserlandProxy;
}

export class PortMapper {
  readonly #settings: PortMapperSettings;
  readonly #allocator: PortAllocator;
  readonly #mappings = new Map<PublishedPort, Mapping>();

  constructor(settings: PortMapperSettings) {
    this.#settings = settings;
    this.#allocator = new PortAllocator(() => {
      const [first, last] = settings.host.sysctl.numbers("net.ipv4.ip_local_port_range");
      return [first!, last!];
    });
  }

  /** All or none. */
  publish(
    rules: BridgeRules,
    address: Ipv4Address,
    bindings: readonly PortBinding[],
    hostBinding: Ipv4Address,
  ): readonly PublishedPort[] | Refusal {
    const published: PublishedPort[] = [];
    for (const binding of bindings) {
      const port = this.#publishOne(rules, address, binding, hostBinding);
      if ("refused" in port) {
        this.unpublish(published);
        return port;
      }
      published.push(port);
    }
    return published;
  }

  unpublish(ports: readonly PublishedPort[]): void {
    for (const port of ports) {
      const mapping = this.#mappings.get(port);
      if (mapping === undefined) continue;
      this.#mappings.delete(port);
      this.#settings.firewall.unpublish(mapping.rules, mapping.address, port);
      mapping.proxy.close();
      this.#allocator.release(port.protocol, port.hostAddress, port.hostPort);
    }
  }

  #publishOne(
    rules: BridgeRules,
    address: Ipv4Address,
    binding: PortBinding,
    hostBinding: Ipv4Address,
  ): PublishedPort | Refusal {
    const { protocol, containerPort } = binding;
    const hostAddress = binding.hostAddress ?? hostBinding ?? IPV4_ANY;
    for (let tries = 1; ; tries++) {
      const hostPort = this.#claim(binding, hostAddress);
      if (typeof hostPort !== "number") return hostPort;
      const port: PublishedPort = { protocol, containerPort, hostAddress, hostPort };
      const proxy = openProxy({
        namespace: this.#settings.host,
        port,
        address,
        relays: this.#settings.userlandProxy,
      });
      if (typeof proxy !== "string") {
        this.#settings.firewall.publish(rules, address, port);
        this.#mappings.set(port, { port, rules, address, proxy });
        return port;
      }
      this.#allocator.release(protocol, hostAddress, hostPort);
      const mayRetry = (binding.hostPort ?? 0) === 0 && proxy === "EADDRINUSE";
      if (!mayRetry || tries === MAXIMUM_TRIES) return this.#socketRefusal(port, proxy === "EADDRINUSE");
    }
  }

  #claim({ protocol, hostPort = 0, hostPortEnd = hostPort }: PortBinding, address: Ipv4Address): number | Refusal {
    if (hostPort === 0 || hostPortEnd > hostPort) {
      const port = this.#allocator.claimAny(protocol, address, hostPort === 0 ? undefined : [hostPort, hostPortEnd]);
      return port ?? refuse("system", "all ports are allocated");
    }
    if (this.#allocator.claim(protocol, address, hostPort)) return hostPort;
    const place = formatHostPort({ hostAddress: address, hostPort });
    return refuse("system", `Bind for ${place} failed: port is already allocated`);
  }

  #socketRefusal(port: PublishedPort, inUse: boolean): Refusal {
    const why = inUse ? "address already in use" : "cannot assign requested address";
    const place = formatHostPort(port);
    return refuse(
      "system",
      this.#settings.release === "current"
        ? `failed to bind host port ${place}/${port.protocol}: ${why}`
        : `Error starting userland proxy: listen ${port.protocol}4 ${place}: bind: ${why}`,
    );
  }
}
