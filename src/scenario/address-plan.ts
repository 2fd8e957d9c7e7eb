/** Which addresses, VNIs and MTUs a scenario's machines, networks and containers have, where the file leaves them open. */
import {
  broadcastOf,
  contains,
  formatIpv4,
  formatPrefix,
  type Ipv4Address,
  type MacAddress,
  networkOf,
  type Prefix,
  type Vni,
} from "../wire/address.ts";
import { attachmentsOf } from "./attachment.ts";
import type { NetworkSpec, ScenarioSpec } from "./format.ts";

/** Docker's default overlay MTU: 1500 less VXLAN's 50, whatever the underlay carries (it is never asked). */
const OVERLAY_MTU = 1_450;
const BRIDGE_MTU = 1_500;
/** 4096 is the ingress network's. */
const FIRST_VNI = 4_097;
const DEFAULT_UNDERLAY: Prefix = { address: 0xc0a8_3200 as Ipv4Address, length: 24 };

export interface PlannedNetwork {
  readonly name: string;
  readonly driver: "overlay" | "bridge";
  readonly mode: "swarm" | "flood-and-learn";
  readonly subnet: Prefix;
  readonly gateway: Ipv4Address;
  readonly vni: Vni;
  readonly mtu: number;
}

export interface PlannedEndpoint {
  readonly container: string;
  readonly node: string;
  readonly network: PlannedNetwork;
  /** With the network's prefix length. */
  readonly address: Prefix;
  readonly mac: MacAddress;
}

export interface AddressPlan {
  readonly underlay: Prefix;
  readonly nodes: ReadonlyMap<string, Ipv4Address>;
  readonly networks: ReadonlyMap<string, PlannedNetwork>;
  /** In the order of the file; a container's own in the order of its networks. */
  readonly endpoints: readonly PlannedEndpoint[];
}

/** What does not fit: addresses outside their subnet or taken, subnets that are full. */
export interface PlanProblem {
  /** The scenario's key that is to blame. */
  readonly path: string;
  readonly found: string;
  readonly expected: string;
}

/** Gives every machine, network and container its addresses, or says all that does not fit. */
export function planAddresses(spec: ScenarioSpec): AddressPlan | readonly PlanProblem[] {
  const { underlay, nodes, problems: machineProblems } = planMachines(spec);
  const problems = [...machineProblems];
  const networks = planNetworks(spec.networks ?? new Map(), underlay, problems);
  const attachments = [...(spec.containers ?? [])].flatMap(([container, { node, networks: written }]) =>
    attachmentsOf(written).map((attachment) => ({ container, node, attachment })),
  );
  const pools = new Map([...networks].map(([name, { subnet }]) => [name, new AddressPool(subnet, 2, problems)]));
  for (const { gateway, name } of networks.values()) pools.get(name)!.take(gateway, "the gateway", `networks.${name}`);
  for (const { container, attachment } of attachments)
    if (attachment.address !== undefined)
      pools
        .get(attachment.name)
        ?.take(attachment.address, container, `containers.${container}.networks.${attachment.name}.address`);
  const endpoints: PlannedEndpoint[] = [];
  for (const { container, node, attachment } of attachments) {
    const network = networks.get(attachment.name);
    const address = attachment.address ?? pools.get(attachment.name)?.next(container, `containers.${container}`);
    if (network === undefined || address === undefined) continue; // its problem is noted
    const mac = attachment.mac ?? dockerMac(address);
    endpoints.push({ container, node, network, address: { address, length: network.subnet.length }, mac });
  }
  return problems.length > 0 ? problems : { underlay, nodes, networks, endpoints };
}

export interface MachinePlan {
  readonly underlay: Prefix;
  readonly nodes: ReadonlyMap<string, Ipv4Address>;
  readonly problems: readonly PlanProblem[];
}

/** The machines alone: where there are engines, these give the rest. */
export function planMachines(spec: ScenarioSpec): MachinePlan {
  const problems: PlanProblem[] = [];
  const underlay = spec.underlay?.subnet ?? DEFAULT_UNDERLAY;
  // .11 and up where the subnet is large enough, as machines in examples are numbered.
  const machines = new AddressPool(underlay, underlay.length <= 27 ? 11 : 1, problems);
  const nodes = new Map<string, Ipv4Address>();
  for (const [name, { address }] of spec.nodes ?? [])
    if (address !== undefined) machines.take(address, name, `nodes.${name}.address`);
  for (const [name, node] of spec.nodes ?? []) {
    const address = node.address ?? machines.next(name, `nodes.${name}`);
    if (address !== undefined) nodes.set(name, address);
  }
  return { underlay, nodes, problems };
}

/** The addresses of one subnet: who has which, and the next free one. */
class AddressPool {
  readonly #subnet: Prefix;
  readonly #problems: PlanProblem[];
  readonly #taken = new Map<Ipv4Address, string>();
  #next: number;

  constructor(subnet: Prefix, from: number, problems: PlanProblem[]) {
    this.#subnet = subnet;
    this.#problems = problems;
    this.#next = networkOf(subnet) + from;
  }

  take(address: Ipv4Address, owner: string, path: string): void {
    const subnet = this.#subnet;
    const other = this.#taken.get(address);
    const expected = `an address in ${formatPrefix(subnet)}`;
    const found = formatIpv4(address);
    if (!contains(subnet, address)) this.#problems.push({ path, found, expected });
    else if (address === networkOf(subnet))
      this.#problems.push({ path, found: `${found}, the network itself`, expected });
    else if (address === broadcastOf(subnet))
      this.#problems.push({ path, found: `${found}, the broadcast address`, expected });
    else if (other !== undefined)
      this.#problems.push({ path, found: `${found}, which ${other} has`, expected: "an address of its own" });
    else this.#taken.set(address, owner);
  }

  next(owner: string, path: string): Ipv4Address | undefined {
    const last = broadcastOf(this.#subnet) - 1;
    while (this.#next <= last && this.#taken.has(this.#next as Ipv4Address)) this.#next++;
    if (this.#next > last) {
      const found = `one address more than ${formatPrefix(this.#subnet)} has`;
      this.#problems.push({ path, found, expected: "a larger subnet" });
      return undefined;
    }
    const address = this.#next++ as Ipv4Address;
    this.#taken.set(address, owner);
    return address;
  }
}

function planNetworks(
  specs: ReadonlyMap<string, NetworkSpec>,
  underlay: Prefix,
  problems: PlanProblem[],
): ReadonlyMap<string, PlannedNetwork> {
  const written = [...specs.values()].flatMap(({ subnet }) => subnet ?? []);
  const pools = { overlay: overlaySubnets(), bridge: bridgeSubnets() };
  const vnis = new Set([...specs.values()].flatMap(({ vni }) => vni ?? []));
  let nextVni = FIRST_VNI;
  const networks = new Map<string, PlannedNetwork>();
  for (const [name, spec] of specs) {
    const driver = spec.driver ?? "overlay";
    const subnet = spec.subnet ?? firstApart(pools[driver], [underlay, ...written]);
    if (subnet === undefined) {
      problems.push({
        path: `networks.${name}`,
        found: `one ${driver} network more than the pool has`,
        expected: `"subnet": a subnet of its own`,
      });
      continue;
    }
    while (vnis.has(nextVni)) nextVni++;
    networks.set(name, {
      name,
      driver,
      mode: spec.mode ?? "swarm",
      subnet,
      gateway: (networkOf(subnet) + 1) as Ipv4Address,
      vni: (spec.vni ?? (driver === "overlay" ? nextVni++ : 0)) as Vni,
      mtu: spec.mtu ?? (driver === "overlay" ? OVERLAY_MTU : BRIDGE_MTU),
    });
  }
  return networks;
}

/** Docker's pool for overlays: 10.0.N.0/24; 10.0.0.0/24 is the ingress network's. */
function* overlaySubnets(): Generator<Prefix> {
  for (let number = 1; number < 0x1_0000; number++)
    yield { address: (0x0a00_0000 + number * 0x100) as Ipv4Address, length: 24 };
}

/** Docker's pools for bridges; 172.17 is docker0's, 172.18 docker_gwbridge's. */
function* bridgeSubnets(): Generator<Prefix> {
  for (let number = 19; number <= 31; number++)
    yield { address: (0xac00_0000 + number * 0x1_0000) as Ipv4Address, length: 16 };
  for (let number = 0; number < 16; number++)
    yield { address: (0xc0a8_0000 + number * 0x1000) as Ipv4Address, length: 20 };
}

/** The pool's next subnet that shares no address with any of `others`. */
function firstApart(pool: Generator<Prefix>, others: readonly Prefix[]): Prefix | undefined {
  for (let next = pool.next(); next.done !== true; next = pool.next()) {
    const subnet = next.value;
    if (!others.some((other) => contains(other, subnet.address) || contains(subnet, other.address))) return subnet;
  }
  return undefined;
}

/** 02:42 and the four octets of the address. */
function dockerMac(address: Ipv4Address): MacAddress {
  return (0x0242_0000_0000 + address) as MacAddress;
}
