/**
 * Where subnets come from when nobody names one: predefined pools, cut into subnets of one size, the lowest that overlaps nothing in use
 * (libnetwork ipamutils, defaultipam/address_space.go). Local networks and swarm networks have pools of their own.
 */
import { contains, formatPrefix, type Ipv4Address, networkOf, type Prefix } from "../../wire/address.ts";

/** `base` is cut into subnets of `length`. */
export interface SubnetPool {
  readonly base: Prefix;
  readonly length: number;
}

/** docker0, docker_gwbridge and user bridges. */
export const LOCAL_POOLS: readonly SubnetPool[] = [
  pool(172, 17, 16, 16),
  pool(172, 18, 16, 16),
  pool(172, 19, 16, 16),
  pool(172, 20, 14, 16),
  pool(172, 24, 14, 16),
  pool(172, 28, 14, 16),
  pool(192, 168, 16, 20),
];

/** Overlays, ingress among them: `--default-addr-pool 10.0.0.0/8 --default-addr-pool-mask-length 24`. */
export const SWARM_POOLS: readonly SubnetPool[] = [pool(10, 0, 8, 24)];

function pool(first: number, second: number, baseLength: number, length: number): SubnetPool {
  return { base: { address: (first * 0x100_0000 + second * 0x1_0000) as Ipv4Address, length: baseLength }, length };
}

export const POOLS_USED_UP = "all predefined address pools have been fully subnetted";
export const POOL_OVERLAPS = "Pool overlaps with other one on this address space";

export function overlaps(a: Prefix, b: Prefix): boolean {
  return a.length <= b.length ? contains(a, b.address) : contains(b, a.address);
}

/** The subnets in use of one address space. */
export class SubnetPools {
  readonly #pools: readonly SubnetPool[];
  readonly #used = new Map<string, Prefix>();

  constructor(pools: readonly SubnetPool[]) {
    this.#pools = pools;
  }

  /** The lowest free subnet that does not overlap `avoided` (a host's own routes), taken from now on. */
  choose(avoided: readonly Prefix[] = []): Prefix | undefined {
    const hindrances = [...this.#used.values(), ...avoided];
    for (const { base, length } of this.#pools) {
      const size = 2 ** (32 - length);
      const end = networkOf(base) + 2 ** (32 - base.length);
      let address = networkOf(base) as number;
      while (address < end) {
        const candidate = { address: address as Ipv4Address, length };
        const hindrance = hindrances.find((other) => overlaps(other, candidate));
        if (hindrance === undefined) {
          this.#used.set(formatPrefix(candidate), candidate);
          return candidate;
        }
        const behind = networkOf(hindrance) + 2 ** (32 - hindrance.length);
        address = Math.max(address + size, Math.ceil(behind / size) * size);
      }
    }
    return undefined;
  }

  /** Takes a subnet that somebody names; false: it overlaps another one. */
  claim(subnet: Prefix): boolean {
    const prefix = { address: networkOf(subnet), length: subnet.length };
    for (const other of this.#used.values()) if (overlaps(other, prefix)) return false;
    this.#used.set(formatPrefix(prefix), prefix);
    return true;
  }

  release(subnet: Prefix): void {
    this.#used.delete(formatPrefix({ address: networkOf(subnet), length: subnet.length }));
  }
}
