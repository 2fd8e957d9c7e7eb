/**
 * Subnets, VNIs and addresses of the swarm's networks (moby cnmallocator on libnetwork's IPAM): a network gets its subnets and its gateways once, and
 * then gives addresses in turn. Facts 1.1, 1.2, 1.4.
 */
import { AddressPool } from "../../docker/ipam/address-pool.ts";
import { type SubnetPool, SubnetPools, SWARM_POOLS } from "../../docker/ipam/subnet-pools.ts";
import { assert } from "../../sim/assert.ts";
import { formatIpv4, formatPrefix, type Ipv4Address, type Prefix, parseIpv4, parsePrefix } from "../../wire/address.ts";
import type { Network } from "../api/objects.ts";
import { driverShape, type IpamConfig, ipamConfigShape, ipamOptionsShape } from "../api/parts.ts";
import { SerialNumbers } from "./serial-numbers.ts";

/** Where a network's VNIs are said: by its maker in the spec, by the driver in the object. */
export const VXLAN_ID_LIST = "com.docker.network.driver.overlay.vxlanid_list";
const FIRST_VNI = 4_096;
const LAST_VNI = 0xff_ffff;
const DEFAULT_DRIVER = "overlay";

interface Allocated {
  readonly pools: readonly AddressPool[];
  readonly vnis: readonly number[];
}

export class NetworkAddresses {
  readonly #subnets: SubnetPools;
  readonly #vnis = new SerialNumbers(FIRST_VNI, LAST_VNI);
  readonly #networks = new Map<string, Allocated>();

  /** `pools`: as the cluster has them in CIDR form; empty: 10.0.0.0/8. `length` of each subnet; 0: 24. */
  constructor(pools: readonly string[], length: number) {
    const given = pools.flatMap((written): SubnetPool[] => {
      const base = parsePrefix(written);
      return base === undefined ? [] : [{ base, length: length === 0 ? 24 : length }];
    });
    this.#subnets = new SubnetPools(given.length > 0 ? given : SWARM_POOLS);
  }

  has(networkId: string): boolean {
    return this.#networks.has(networkId);
  }

  /** The network with its subnets, gateways and VNIs; undefined when there are none to be had. */
  allocate(network: Network): Network | undefined {
    const asked = network.spec.ipam?.configs ?? [];
    const subnets = this.#chooseSubnets(asked);
    if (subnets === undefined) return undefined;
    const vnis = this.#chooseVnis(network, subnets.length);
    if (vnis === undefined) {
      for (const subnet of subnets) this.#subnets.release(subnet);
      return undefined;
    }
    const pools = subnets.map((subnet, index) => poolOf(subnet, asked[index]));
    const configs = pools.map((pool, index): IpamConfig => {
      const wanted = parseIpv4(asked[index]?.gateway ?? "");
      const gateway = pool.request(wanted);
      return ipamConfigShape.make({
        ...asked[index],
        family: "ipv4",
        subnet: formatPrefix(pool.subnet),
        gateway: typeof gateway === "number" ? formatIpv4(gateway) : "",
      });
    });
    this.#networks.set(network.id, { pools, vnis });
    const driver = network.spec.driver ?? driverShape.make({ name: DEFAULT_DRIVER });
    const options = new Map([...driver.options, [VXLAN_ID_LIST, vnis.join(",")]]);
    return {
      ...network,
      driverState: { name: driver.name === "" ? DEFAULT_DRIVER : driver.name, options },
      ipam: ipamOptionsShape.make({ driver: driverShape.make({ name: "default" }), configs }),
    };
  }

  #chooseSubnets(asked: readonly IpamConfig[]): Prefix[] | undefined {
    if (asked.every(({ subnet }) => subnet === "")) {
      const subnet = this.#subnets.choose();
      return subnet === undefined ? undefined : [subnet];
    }
    const subnets: Prefix[] = [];
    for (const { subnet } of asked) {
      const prefix = parsePrefix(subnet);
      if (prefix !== undefined && this.#subnets.claim(prefix)) subnets.push(prefix);
      else {
        for (const taken of subnets) this.#subnets.release(taken);
        return undefined;
      }
    }
    return subnets;
  }

  #chooseVnis(network: Network, count: number): number[] | undefined {
    const vnis: number[] = [];
    for (const listed of vnisIn(network.spec.driver?.options)) {
      if (vnis.length === count) break;
      if (this.#vnis.claim(listed)) vnis.push(listed);
      else {
        for (const taken of vnis) this.#vnis.release(taken);
        return undefined;
      }
    }
    while (vnis.length < count) vnis.push(this.#vnis.choose()!);
    return vnis;
  }

  /** Takes over what an earlier leader had allocated. */
  restore(network: Network): void {
    const configs = network.ipam?.configs ?? [];
    const vnis = vnisIn(network.driverState?.options);
    const pools: AddressPool[] = [];
    for (const config of configs) {
      const subnet = parsePrefix(config.subnet);
      assert(subnet !== undefined, `network ${network.id} was allocated ${config.subnet}`);
      this.#subnets.claim(subnet);
      const pool = poolOf(subnet, config);
      const gateway = parseIpv4(config.gateway);
      if (gateway !== undefined) pool.request(gateway);
      pools.push(pool);
    }
    for (const vni of vnis) this.#vnis.claim(vni);
    this.#networks.set(network.id, { pools, vnis });
  }

  release(networkId: string): void {
    const network = this.#networks.get(networkId);
    if (network === undefined) return;
    this.#networks.delete(networkId);
    for (const pool of network.pools) this.#subnets.release(pool.subnet);
    for (const vni of network.vnis) this.#vnis.release(vni);
  }

  /** The next free address of the network, or the one asked for, as `10.0.1.2/24`; undefined when there is none. */
  request(networkId: string, wanted?: Ipv4Address): string | undefined {
    for (const pool of this.#networks.get(networkId)?.pools ?? []) {
      const address = pool.request(wanted);
      if (typeof address === "number") return `${formatIpv4(address)}/${pool.subnet.length}`;
    }
    return undefined;
  }

  /** Takes an address that is in use. */
  claim(networkId: string, address: string): void {
    const parsed = parsePrefix(address)?.address;
    if (parsed !== undefined) this.request(networkId, parsed);
  }

  giveBack(networkId: string, address: string): void {
    const parsed = parsePrefix(address)?.address;
    if (parsed === undefined) return;
    for (const pool of this.#networks.get(networkId)?.pools ?? []) pool.release(parsed);
  }
}

function poolOf(subnet: Prefix, config: IpamConfig | undefined): AddressPool {
  return new AddressPool({ subnet, order: "serial", range: parsePrefix(config?.range ?? "") });
}

export function vnisIn(options: ReadonlyMap<string, string> | undefined): number[] {
  return (options?.get(VXLAN_ID_LIST) ?? "")
    .split(",")
    .map((text) => Number.parseInt(text, 10))
    .filter((vni) => vni > 0 && vni <= LAST_VNI);
}
