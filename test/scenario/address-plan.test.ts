import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type AddressPlan, planAddresses } from "../../src/scenario/address-plan.ts";
import { scenarioFrom } from "../../src/scenario/load.ts";
import { ScenarioError } from "../../src/scenario/problem.ts";
import { broadcastOf, contains, formatIpv4, formatMac, formatPrefix, networkOf } from "../../src/wire/address.ts";

function planOf(scenario: Record<string, unknown>): AddressPlan {
  const plan = planAddresses(scenarioFrom({ name: "a", ...scenario }));
  if (!("endpoints" in plan)) throw new Error(JSON.stringify(plan));
  return plan;
}

function problemsOf(scenario: Record<string, unknown>): string[] {
  try {
    scenarioFrom({ name: "a", ...scenario });
  } catch (error) {
    if (error instanceof ScenarioError) return error.problems.map(({ path, found }) => `${path}: ${found}`);
    throw error;
  }
  return [];
}

describe("The address plan", () => {
  it("numbers machines from .11 of the underlay, around those that have an address", () => {
    const { nodes, underlay } = planOf({ nodes: { n1: {}, n2: { address: "192.168.50.12" }, n3: {} } });
    expect(formatPrefix(underlay)).toBe("192.168.50.0/24");
    expect([...nodes].map(([name, address]) => `${name} ${formatIpv4(address)}`)).toEqual([
      "n1 192.168.50.11",
      "n2 192.168.50.12",
      "n3 192.168.50.13",
    ]);
  });

  it("gives overlays 10.0.1.0/24 and up, VNIs from 4097 and an MTU of 1450, as Docker does", () => {
    const { networks } = planOf({ networks: { a: {}, b: {}, c: { mtu: 9_000 } } });
    expect([...networks.values()].map(({ subnet, vni, mtu }) => `${formatPrefix(subnet)} ${vni} ${mtu}`)).toEqual([
      "10.0.1.0/24 4097 1450",
      "10.0.2.0/24 4098 1450",
      "10.0.3.0/24 4099 9000",
    ]);
  });

  it("gives bridges Docker's pools: 172.19.0.0/16 and up, then 192.168.0.0/20 and up beside the underlay", () => {
    const many = Object.fromEntries(Array.from({ length: 16 }, (_, index) => [`b${index}`, { driver: "bridge" }]));
    const subnets = [...planOf({ networks: many }).networks.values()].map(({ subnet }) => formatPrefix(subnet));
    expect(subnets[0]).toBe("172.19.0.0/16");
    expect(subnets[12]).toBe("172.31.0.0/16");
    expect(subnets.slice(13)).toEqual(["192.168.0.0/20", "192.168.16.0/20", "192.168.32.0/20"]);
  });

  it("leaves out what networks later in the file ask for", () => {
    const { networks } = planOf({ networks: { a: {}, b: { subnet: "10.0.1.0/24", vni: 4_097 } } });
    expect(formatPrefix(networks.get("a")!.subnet)).toBe("10.0.2.0/24");
    expect(networks.get("a")!.vni).toBe(4_098);
  });

  it("gives containers .2 and up and a MAC made of 02:42 and the address", () => {
    const { endpoints } = planOf({
      nodes: { n1: {} },
      networks: { net: {} },
      containers: {
        c1: { node: "n1", networks: ["net"] },
        c2: { node: "n1", networks: { net: { address: "10.0.1.3", mac: "02:00:00:00:00:01" } } },
        c3: { node: "n1", networks: ["net"] },
      },
    });
    expect(
      endpoints.map(({ container, address, mac }) => `${container} ${formatPrefix(address)} ${formatMac(mac)}`),
    ).toEqual([
      "c1 10.0.1.2/24 02:42:0a:00:01:02",
      "c2 10.0.1.3/24 02:00:00:00:00:01",
      "c3 10.0.1.4/24 02:42:0a:00:01:04",
    ]);
  });

  it("lets two networks have equal addresses, for they never meet", () => {
    const { endpoints } = planOf({
      nodes: { n1: {} },
      networks: { red: { subnet: "10.5.0.0/24" }, blue: { subnet: "10.5.0.0/24" } },
      containers: { r: { node: "n1", networks: ["red"] }, b: { node: "n1", networks: ["blue"] } },
    });
    expect(new Set(endpoints.map(({ address }) => formatPrefix(address)))).toEqual(new Set(["10.5.0.2/24"]));
  });

  it("says who finds no address left", () => {
    const nodes = { n1: {}, n2: {}, n3: {} };
    expect(problemsOf({ underlay: { subnet: "10.9.0.0/30" }, nodes })).toEqual([
      "nodes.n3: one address more than 10.9.0.0/30 has",
    ]);
  });

  it("has no address twice in a subnet, and none that no host may have", () => {
    const anyScenario = fc.record({
      length: fc.integer({ min: 24, max: 28 }),
      nodes: fc.integer({ min: 1, max: 4 }),
      networks: fc.integer({ min: 1, max: 4 }),
      containers: fc.array(fc.tuple(fc.nat(3), fc.nat(3)), { maxLength: 8 }),
    });
    fc.assert(
      fc.property(anyScenario, ({ length, nodes, networks, containers }) => {
        const plan = planOf({
          underlay: { subnet: `172.30.0.0/${length}` },
          nodes: Object.fromEntries(Array.from({ length: nodes }, (_, index) => [`n${index}`, {}])),
          networks: Object.fromEntries(Array.from({ length: networks }, (_, index) => [`net${index}`, {}])),
          containers: Object.fromEntries(
            containers.map(([node, network], index) => [
              `c${index}`,
              { node: `n${node % nodes}`, networks: [`net${network % networks}`] },
            ]),
          ),
        });
        const seen = new Set<string>();
        for (const { network, address } of plan.endpoints) {
          const key = `${network.name} ${address.address}`;
          expect(seen.has(key)).toBe(false);
          seen.add(key);
          expect(contains(network.subnet, address.address)).toBe(true);
          expect([networkOf(network.subnet), broadcastOf(network.subnet), network.gateway]).not.toContain(
            address.address,
          );
        }
        expect(new Set(plan.nodes.values()).size).toBe(nodes);
        expect(new Set([...plan.networks.values()].map(({ vni }) => vni)).size).toBe(networks);
      }),
    );
  });

  it("plans 20 000 containers without growing slow", () => {
    const containers = Object.fromEntries(
      Array.from({ length: 20_000 }, (_, index) => [`c${index}`, { node: "n1", networks: ["net"] }]),
    );
    const { endpoints } = planOf({ nodes: { n1: {} }, networks: { net: { subnet: "10.128.0.0/16" } }, containers });
    expect(endpoints.length).toBe(20_000);
  });
});
