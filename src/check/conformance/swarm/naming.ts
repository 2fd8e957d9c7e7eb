/**
 * Who has an address. Two runs of one swarm hand out addresses in different orders; under the names of those who have them they can be held against each
 * other. Addresses of the swarm's networks mean the same everywhere, those of a node's own bridges on that node alone.
 */
import { contains, formatIpv4, type Ipv4Address, type MacAddress, parsePrefix } from "../../../wire/address.ts";
import { shownInterfaces } from "./recorded-state.ts";
import type { RecordedCase } from "./recording.ts";

const LOCAL_POOL = parsePrefix("172.16.0.0/12")!;
/** `02:42` and the address: the MAC address of an endpoint. */
const ENDPOINT_MAC_PREFIX = 0x0242 * 0x1_0000_0000;

export class Naming {
  readonly #everywhere = new Map<Ipv4Address, string>();
  readonly #local = new Map<string, Map<Ipv4Address, string>>();

  /** The first name that an address is given stays, unless `newer` says better. */
  add(node: string, address: Ipv4Address, name: string, newer = false): void {
    let names = this.#everywhere;
    if (contains(LOCAL_POOL, address)) {
      names = this.#local.get(node) ?? new Map();
      this.#local.set(node, names);
    }
    if (newer || !names.has(address)) names.set(address, name);
  }

  nameOf(node: string, address: Ipv4Address): string | undefined {
    return this.#everywhere.get(address) ?? this.#local.get(node)?.get(address);
  }

  addressOf(node: string, name: string): Ipv4Address | undefined {
    for (const names of [this.#everywhere, this.#local.get(node)])
      for (const [address, known] of names ?? []) if (known === name) return address;
    return undefined;
  }

  /** Of an endpoint's own MAC address. */
  nameOfMac(node: string, mac: MacAddress): string | undefined {
    const rest = mac - ENDPOINT_MAC_PREFIX;
    if (rest < 0 || rest > 0xffff_ffff) return undefined;
    return this.nameOf(node, rest as Ipv4Address);
  }
}

/** `web.2` of `web.2.iv377sc0v42ynx8173tm9qyma`; the name itself of any other container. */
export function roleOf(containerName: string): string {
  return /^(.+\.[^.]+)\.[a-z0-9]{25}$/.exec(containerName)?.[1] ?? containerName;
}

export function virtualName(service: string, address: Ipv4Address): string {
  // A service has one in each network.
  return `vip(${service}${formatIpv4(address).startsWith("10.0.0.") ? ",ingress" : ""})`;
}

/** The names of a recorded case, from what its nodes said of themselves at the end, and from the gossip before. */
export function recordedNaming(recorded: RecordedCase, before: readonly RecordedCase[] = []): Naming {
  const naming = new Naming();
  // Nodes that tell nothing in this case told something in an earlier one; the latest word counts.
  for (const each of [recorded, ...[...before].reverse()]) addNames(naming, each);
  return naming;
}

function addNames(naming: Naming, recorded: RecordedCase): void {
  for (const [node, state] of recorded.states) {
    for (const { namespace, container, command, text } of state.sections) {
      const owner = container === undefined ? balancerName(recorded, node, namespace) : roleOf(container);
      if (command === "ip addr" && owner !== undefined)
        for (const shown of shownInterfaces(text))
          if (shown.name !== "lo")
            for (const { address, length } of shown.addresses)
              if (length < 32) naming.add(node, address, `${owner}/${shown.name}`);
      if (!command.startsWith("docker service inspect")) continue;
      for (const line of text.split("\n"))
        for (const [, address] of line.matchAll(/"Addr":"([\d./]+)"/g)) {
          const virtual = parsePrefix(address!);
          const service = line.split(" ")[0] ?? "";
          if (virtual !== undefined) naming.add(node, virtual.address, virtualName(service, virtual.address));
        }
    }
  }
  for (const { name, service, address, virtualAddress, node, network } of recorded.endpoints) {
    const owner =
      name === undefined || name.endsWith("-endpoint")
        ? `balancer(${recorded.networkName(network)})@${node}`
        : roleOf(name);
    if (address !== undefined) naming.add(node, address, `${owner}/eth0`);
    if (virtualAddress !== undefined && service !== undefined)
      naming.add(node, virtualAddress, virtualName(service, virtualAddress));
  }
}

/** `balancer(testnet)@node1`; undefined for a namespace that is no load balancer's. */
export function balancerName(recorded: RecordedCase, node: string, namespace: string): string | undefined {
  if (namespace === "ingress_sbox") return `balancer(ingress)@${node}`;
  const id = /^lb_(\w+)$/.exec(namespace)?.[1];
  return id === undefined ? undefined : `balancer(${recorded.networkName(id)})@${node}`;
}
