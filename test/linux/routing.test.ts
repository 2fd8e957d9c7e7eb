import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Route } from "../../src/linux/route.ts";
import { TABLE_LOCAL, TABLE_MAIN } from "../../src/linux/route.ts";
import { RouteTable } from "../../src/linux/route-table.ts";
import { contains, type Ipv4Address, maskOf, type Prefix } from "../../src/wire/address.ts";
import { ip, net, twoHosts, twoRouters } from "./two-hosts.ts";

/** Addresses that share prefixes often. */
const anyAddress = fc
  .tuple(fc.constantFrom(0x0a00_0000, 0x0a00_ff00, 0xc0a8_0000, 0xfe00_0000), fc.nat(0x3ff))
  .map(([base, low]) => (base + low * 0x40) >>> 0) as fc.Arbitrary<Ipv4Address>;
const anyPrefix: fc.Arbitrary<Prefix> = fc
  .tuple(anyAddress, fc.nat(32))
  .map(([address, length]) => ({ address: ((address & maskOf(length)) >>> 0) as Ipv4Address, length }));

function route(destination: Prefix, metric: number): Route {
  return {
    table: TABLE_MAIN,
    type: "unicast",
    destination,
    scope: "global",
    protocol: "static",
    metric,
    gateway: undefined,
    device: undefined,
    source: undefined,
    mtu: undefined,
    onLink: false,
  };
}

describe("a routing table", () => {
  it("finds the longest prefix and then the smallest metric, whatever came and went", () => {
    const anyOperation = fc.tuple(fc.boolean(), anyPrefix, fc.nat(3), fc.nat(100));
    fc.assert(
      fc.property(
        fc.array(anyOperation, { maxLength: 60 }),
        fc.array(anyAddress, { maxLength: 30 }),
        (steps, asked) => {
          const table = new RouteTable(TABLE_MAIN);
          const model: Route[] = [];
          for (const [adds, prefix, metric, pick] of steps) {
            if (adds || model.length === 0) {
              const added = route(prefix, metric);
              table.insert(added);
              model.push(added);
            } else {
              const [gone] = model.splice(pick % model.length, 1);
              table.remove(gone!);
            }
          }
          expect(table.size).toBe(model.length);
          for (const address of asked) {
            const found = table.lookup(address, () => true);
            const fitting = model.filter((candidate) => contains(candidate.destination, address));
            const best = [...fitting].sort(
              (a, b) => b.destination.length - a.destination.length || a.metric - b.metric,
            )[0];
            expect(found?.destination).toEqual(best?.destination);
            expect(found?.metric).toBe(best?.metric);
          }
        },
      ),
    );
  });
});

describe("routes that come by themselves", () => {
  it("lead to a secondary address from its primary one, and from itself once it is promoted", () => {
    const { c1, eth1 } = twoHosts();
    c1.addAddress(eth1, net("10.0.0.7/24"));
    const towards = (text: string) => c1.routes.list(TABLE_LOCAL).find((each) => each.destination.address === ip(text));
    expect(towards("10.0.0.7")?.source).toBe(ip("10.0.0.2"));
    expect(c1.ipv4.resolve({ destination: ip("10.0.0.7") })).toMatchObject({ source: ip("10.0.0.2") });
    c1.sysctl.set("net.ipv4.conf.all.promote_secondaries", "1");
    c1.removeAddress(eth1, net("10.0.0.2/24"));
    expect(towards("10.0.0.7")?.source).toBe(ip("10.0.0.7"));
    expect(towards("10.0.0.2")).toBeUndefined();
    expect(c1.removeAddress(eth1, net("10.0.0.7/24"))).toBeUndefined();
    expect(c1.routes.list().filter((each) => each.device === eth1)).toEqual([]);
  });

  it("stand behind addresses in the kernel's order: primary ones by scope, then secondary ones", () => {
    const { c1, eth1 } = twoHosts();
    c1.addAddress(eth1, net("10.0.0.7/24"));
    c1.addAddress(eth1, net("10.1.0.1/24"));
    c1.addAddress(eth1, net("169.254.1.1/16"), { scope: "link" });
    c1.addAddress(eth1, net("10.2.0.1/24"));
    expect(eth1.addresses.map((each) => each.address)).toEqual(
      ["169.254.1.1", "10.0.0.2", "10.1.0.1", "10.2.0.1", "10.0.0.7"].map(ip),
    );
  });

  it("are a local, a broadcast and a connected one, the last two only while the device is up", () => {
    const { c1, eth1 } = twoHosts();
    const brief = (table: number) =>
      c1.routes
        .list(table)
        .filter((each) => each.device === eth1)
        .map(
          (each) => `${each.type} ${each.destination.address.toString(16)}/${each.destination.length} ${each.scope}`,
        );
    expect(brief(TABLE_MAIN)).toEqual(["unicast a000000/24 link"]);
    expect(brief(TABLE_LOCAL)).toEqual(["local a000002/32 host", "broadcast a0000ff/32 link"]);
    c1.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("10.0.0.3") });
    eth1.setUp(false);
    expect(brief(TABLE_MAIN)).toEqual([]);
    expect(brief(TABLE_LOCAL)).toEqual(["local a000002/32 host"]);
    eth1.setUp(true);
    expect(brief(TABLE_MAIN)).toEqual(["unicast a000000/24 link"]);
    expect(c1.removeAddress(eth1, net("10.0.0.2/24"))).toBeUndefined();
    expect(c1.routes.list().filter((each) => each.device === eth1)).toEqual([]);
    expect(c1.removeAddress(eth1, net("10.0.0.2/24"))).toBe("EADDRNOTAVAIL");
  });

  it("keep the first address of a subnet as the source, and let its secondary ones go with it", () => {
    const { c1, eth1 } = twoHosts();
    expect(c1.addAddress(eth1, net("10.0.0.9/24"))).toBeUndefined();
    expect(c1.addAddress(eth1, net("10.0.0.9/24"))).toBe("EEXIST");
    expect(eth1.addresses.map((address) => address.secondary)).toEqual([false, true]);
    expect(c1.ipv4.resolve({ destination: ip("10.0.0.3") })).toMatchObject({ source: ip("10.0.0.2") });
    c1.removeAddress(eth1, net("10.0.0.2/24"));
    expect(eth1.addresses).toEqual([]);
  });

  it("stay for a secondary address when promote_secondaries says so", () => {
    const { c1, eth1 } = twoHosts();
    c1.addAddress(eth1, net("10.0.0.9/24"));
    c1.sysctl.set("net.ipv4.conf.eth0.promote_secondaries", "1");
    c1.removeAddress(eth1, net("10.0.0.2/24"));
    expect(c1.ipv4.resolve({ destination: ip("10.0.0.3") })).toMatchObject({ source: ip("10.0.0.9") });
  });
});

describe("ip route and ip rule", () => {
  it("refuse what the kernel refuses", () => {
    const { c1, eth1 } = twoHosts();
    const add = (destination: string, rest: object) => c1.routes.add({ destination: net(destination), ...rest });
    expect(add("192.0.2.1/24", { device: eth1 })).toMatchObject({ errno: "EINVAL" });
    expect(add("192.0.2.0/24", {})).toMatchObject({ errno: "ENODEV" });
    expect(add("192.0.2.0/24", { gateway: ip("198.51.100.1") })).toMatchObject({
      errno: "ENETUNREACH",
      message: "Nexthop has invalid gateway",
    });
    expect(add("192.0.2.0/24", { gateway: ip("10.0.0.2") })).toMatchObject({ errno: "EINVAL" });
    expect(add("192.0.2.0/24", { gateway: ip("10.0.0.3"), source: ip("10.0.0.7") })).toMatchObject({ errno: "EINVAL" });
    expect(add("192.0.2.0/24", { gateway: ip("10.0.0.3") })).toBeUndefined();
    expect(add("192.0.2.0/24", { gateway: ip("10.0.0.3") })).toEqual({ errno: "EEXIST" });
    expect(add("192.0.2.0/24", { gateway: ip("10.0.0.3"), metric: 5 })).toBeUndefined();
    expect(add("198.51.100.0/24", { gateway: ip("203.0.113.1"), device: eth1, onLink: true })).toBeUndefined();
    expect(c1.routes.delete({ destination: net("203.0.113.0/24") })).toEqual({ errno: "ESRCH" });
    eth1.setUp(false);
    expect(add("203.0.113.0/24", { device: eth1 })).toMatchObject({ errno: "ENETDOWN" });
  });

  it("choose a table by mark, source and priority", () => {
    const { c1 } = twoRouters();
    const device = c1.device("eth0")!;
    c1.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("10.0.1.9"), device, table: 100 });
    expect(c1.routes.addRule({ table: 100, mark: 7 })).toBeUndefined();
    expect(c1.routes.addRule({ table: 100, mark: 7, priority: 32_765 })).toEqual({ errno: "EEXIST" });
    expect(c1.ipv4.resolve({ destination: ip("192.0.2.1"), mark: 7 })).toMatchObject({ nextHop: ip("10.0.1.9") });
    expect(c1.ipv4.resolve({ destination: ip("192.0.2.1") })).toMatchObject({ nextHop: ip("10.0.1.1") });
    c1.routes.addRule({ priority: 10, table: TABLE_MAIN, to: net("192.0.2.0/24"), action: "prohibit" });
    expect(c1.ipv4.resolve({ destination: ip("192.0.2.1") })).toBe("EACCES");
    expect(c1.routes.deleteRule({ priority: 10 })).toBeUndefined();
    expect(c1.routes.deleteRule({ mark: 7 })).toBeUndefined();
    expect(c1.routes.hasCustomRules).toBe(false);
  });

  it("move the generation whenever an answer may have changed", () => {
    const { c1, eth1 } = twoHosts();
    let last = c1.ipv4.generation;
    const moved = () => {
      const now = c1.ipv4.generation;
      const did = now !== last;
      last = now;
      return did;
    };
    expect(moved()).toBe(false);
    c1.routes.add({ destination: net("0.0.0.0/0"), gateway: ip("10.0.0.3") });
    expect(moved()).toBe(true);
    eth1.setUp(false);
    expect(moved()).toBe(true);
    c1.addAddress(eth1, net("10.7.0.1/24"));
    expect(moved()).toBe(true);
    c1.routes.addRule({ table: 7, mark: 1 });
    expect(moved()).toBe(true);
  });
});
