import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressPool } from "../../../src/docker/ipam/address-pool.ts";
import { LOCAL_POOLS, overlaps, SubnetPools, SWARM_POOLS } from "../../../src/docker/ipam/subnet-pools.ts";
import { formatIpv4, formatPrefix, type Prefix } from "../../../src/wire/address.ts";
import { ip, net } from "../../linux/two-hosts.ts";

const take = (pool: AddressPool, count: number): string[] =>
  Array.from({ length: count }, () => {
    const address = pool.request();
    return typeof address === "string" ? address : formatIpv4(address);
  });

describe("A pool of addresses", () => {
  it("never gives the network's own address nor the broadcast address", () => {
    const pool = new AddressPool({ subnet: net("10.0.0.0/29"), order: "lowest" });
    expect(take(pool, 7)).toEqual([
      "10.0.0.1",
      "10.0.0.2",
      "10.0.0.3",
      "10.0.0.4",
      "10.0.0.5",
      "10.0.0.6",
      "exhausted",
    ]);
    expect(pool.request(ip("10.0.0.0"))).toBe("outside");
    expect(pool.request(ip("10.0.0.7"))).toBe("outside");
    expect(pool.request(ip("10.0.0.8"))).toBe("outside");
  });

  it("gives the lowest free address again at once, in a local network", () => {
    const pool = new AddressPool({ subnet: net("172.18.0.0/16"), order: "lowest" });
    take(pool, 4);
    pool.release(ip("172.18.0.2"));
    expect(take(pool, 2)).toEqual(["172.18.0.2", "172.18.0.5"]);
  });

  it("goes on behind the last address and comes round, in a network of the swarm", () => {
    const pool = new AddressPool({ subnet: net("10.0.1.0/29"), order: "serial" });
    expect(take(pool, 4)).toEqual(["10.0.1.1", "10.0.1.2", "10.0.1.3", "10.0.1.4"]);
    pool.release(ip("10.0.1.2"));
    expect(take(pool, 3)).toEqual(["10.0.1.5", "10.0.1.6", "10.0.1.2"]);
    expect(pool.request()).toBe("exhausted");
  });

  it("does not move its cursor for an address that is asked for", () => {
    const pool = new AddressPool({ subnet: net("10.0.1.0/24"), order: "serial" });
    expect(pool.request(ip("10.0.1.9"))).toBe(ip("10.0.1.9"));
    expect(pool.request(ip("10.0.1.9"))).toBe("taken");
    expect(take(pool, 1)).toEqual(["10.0.1.1"]);
  });

  it("chooses in the range that is given, and takes a named one from outside of it", () => {
    const pool = new AddressPool({ subnet: net("10.5.0.0/16"), order: "lowest", range: net("10.5.4.0/30") });
    expect(take(pool, 5)).toEqual(["10.5.4.0", "10.5.4.1", "10.5.4.2", "10.5.4.3", "exhausted"]);
    expect(pool.request(ip("10.5.9.9"))).toBe(ip("10.5.9.9"));
  });

  it.each(["lowest", "serial"] as const)("gives nobody's address twice, and all of them (%s)", (order) => {
    const command = fc.oneof(
      fc.record({ kind: fc.constant("any" as const) }),
      fc.record({ kind: fc.constant("named" as const), host: fc.nat(17) }),
      fc.record({ kind: fc.constant("release" as const), host: fc.nat(17) }),
    );
    fc.assert(
      fc.property(fc.array(command, { maxLength: 80 }), (commands) => {
        const pool = new AddressPool({ subnet: net("10.0.0.0/28"), order });
        const taken = new Set<number>();
        for (const each of commands) {
          if (each.kind === "release") {
            pool.release((ip("10.0.0.0") + each.host) as never);
            taken.delete(ip("10.0.0.0") + each.host);
            continue;
          }
          const wanted = each.kind === "named" ? ip("10.0.0.0") + each.host : undefined;
          const got = pool.request(wanted as never);
          if (got === "exhausted") expect(taken.size).toBe(14);
          else if (got === "taken") expect(taken.has(wanted!)).toBe(true);
          else if (got === "outside") expect([0, 15, 16, 17]).toContain(wanted! - ip("10.0.0.0"));
          else {
            expect(taken.has(got)).toBe(false);
            if (order === "lowest" && wanted === undefined)
              for (let lower = ip("10.0.0.1"); lower < got; lower++) expect(taken.has(lower)).toBe(true);
            taken.add(got);
          }
          expect(pool.used).toBe(taken.size);
        }
      }),
    );
  });
});

describe("Pools of subnets", () => {
  const names = (pools: SubnetPools, count: number, avoided: readonly Prefix[] = []): string[] =>
    Array.from({ length: count }, () => {
      const subnet = pools.choose(avoided);
      return subnet === undefined ? "none" : formatPrefix(subnet);
    });

  it("give local networks 172.17/16 to 172.31/16, then 192.168/16 in pieces", () => {
    const all = names(new SubnetPools(LOCAL_POOLS), 32);
    expect(all.slice(0, 4)).toEqual(["172.17.0.0/16", "172.18.0.0/16", "172.19.0.0/16", "172.20.0.0/16"]);
    expect(all.slice(14, 17)).toEqual(["172.31.0.0/16", "192.168.0.0/20", "192.168.16.0/20"]);
    expect(all[30]).toBe("192.168.240.0/20");
    expect(all[31]).toBe("none");
  });

  it("pass over what the host has a route to", () => {
    const pools = new SubnetPools(LOCAL_POOLS);
    expect(names(pools, 1, [net("172.17.5.0/24"), net("172.18.0.0/15")])).toEqual(["172.20.0.0/16"]);
  });

  it("give the swarm's networks 10.0.0.0/24 and up, a freed one again", () => {
    const pools = new SubnetPools(SWARM_POOLS);
    expect(names(pools, 3)).toEqual(["10.0.0.0/24", "10.0.1.0/24", "10.0.2.0/24"]);
    pools.release(net("10.0.1.0/24"));
    expect(pools.claim(net("10.0.0.128/25"))).toBe(false);
    expect(pools.claim(net("10.0.3.0/24"))).toBe(true);
    expect(names(pools, 2)).toEqual(["10.0.1.0/24", "10.0.4.0/24"]);
  });

  it("never overlap", () => {
    const anyPrefix = fc.record({ host: fc.nat(0xffff), length: fc.integer({ min: 12, max: 30 }) });
    fc.assert(
      fc.property(fc.array(fc.option(anyPrefix), { maxLength: 40 }), (wishes) => {
        const pools = new SubnetPools(SWARM_POOLS);
        const given: Prefix[] = [];
        for (const wish of wishes) {
          const prefix =
            wish === null ? undefined : { address: (ip("10.0.0.0") + wish.host) as never, length: wish.length };
          if (prefix === undefined) given.push(pools.choose()!);
          else if (pools.claim(prefix)) given.push(prefix);
        }
        for (const [index, one] of given.entries())
          for (const other of given.slice(index + 1)) expect(overlaps(one, other)).toBe(false);
      }),
    );
  });
});
