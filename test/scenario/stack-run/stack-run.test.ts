import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { StackError } from "../../../src/swarm/stack/stack-error.ts";
import { exampleText, nodes, run } from "./stack-settings.ts";

const LONG_MS = 60_000;

describe("A stack file that is run", () => {
  it("says what could not be placed, in the scheduler's words", () => {
    const { report } = run("services: {web: {image: nginx, deploy: {placement: {constraints: [node.labels.x == y]}}}}");
    expect(report.missing).toEqual([
      {
        service: "shop_web",
        count: 1,
        state: "pending",
        why: "no suitable node (scheduling constraints not satisfied on 3 nodes)",
      },
    ]);
    expect(report.holds).toBe(false);
  });

  it("is placed when its nodes are given the labels that it asks for", () => {
    const text =
      "services: {web: {image: nginx, deploy: {placement: {constraints: [node.labels.x == y, node.role == manager]}}}}";
    const { report } = run(text, { autoLabel: true });
    expect(report.tasks.map(({ node }) => node)).toEqual(["node1"]);
    expect(report.nodes[0]?.labels).toEqual({ x: "y" });
    expect(report.holds).toBe(true);
  });

  it("is refused as Docker refuses it when what it needs from outside is not there", () => {
    const { report } = run(exampleText("shop"));
    expect(report.deployment.status).toBe(1);
    expect(report.deployment.stderr).toContain("service application: secret not found: database_password\n");
    expect(report.holds).toBe(false);
  });

  it("serves what x-vxlab says", () => {
    const text = `
services:
  web: {image: any, x-vxlab: {serve: [http 8000, udp 53]}, ports: ["80:8000", "53:53/udp"]}
  other: {image: any}
`;
    const { report } = run(text);
    expect(report.tasks.find(({ service }) => service === "shop_web")?.serves).toEqual(["http 8000", "udp 53"]);
    expect(report.checks.failed).toEqual([]);
    expect(report.holds).toBe(true);
  });

  it("is refused with a place where x-vxlab is not understood", () => {
    expect.assertions(2);
    try {
      run("services:\n  web:\n    image: a\n    x-vxlab: {serve: [ftp 21]}\n");
    } catch (error) {
      expect(error).toBeInstanceOf(StackError);
      expect((error as StackError).place).toMatchObject({ line: 4 });
    }
  });

  it("is refused with a place when it asks for more tasks than anybody has", () => {
    expect.assertions(1);
    try {
      run("services:\n  web:\n    image: a\n    deploy: {replicas: 4000000000}\n");
    } catch (error) {
      expect((error as StackError).place).toMatchObject({ line: 4, column: 14 });
    }
  });

  it("answers on ports of the host only where its tasks are", () => {
    const text =
      "services: {web: {image: nginx, ports: [{target: 80, published: 80, mode: host}], deploy: {replicas: 2}}}";
    const { report } = run(text);
    expect(report.ports[0]?.nodes.length).toBe(2);
    expect(report.checks.failed).toEqual([]);
    expect(report.checks.byKind.published).toBe(3);
  });

  it("may answer on its node when it is in the node's own network", () => {
    const text = "services: {web: {image: nginx, networks: [h]}}\nnetworks: {h: {external: true, name: host}}\n";
    const { report } = run(text);
    expect(report.checks.failed).toEqual([]);
    expect(report.holds).toBe(true);
  });

  it(
    "gives the same report for the same seed",
    () => {
      const text = exampleText("voting-app");
      expect(run(text, { seed: "7" }).report).toEqual(run(text, { seed: "7" }).report);
    },
    LONG_MS,
  );
});

const anyImage = fc.constantFrom("nginx", "redis:7", "postgres", "example/app:1", "traefik/whoami");
const anyStack = fc
  .record({
    networks: fc.integer({ min: 1, max: 3 }),
    services: fc.array(
      fc.record({
        image: anyImage,
        networks: fc.uniqueArray(fc.integer({ min: 0, max: 2 }), { minLength: 1, maxLength: 2 }),
        deploy: fc.oneof(
          fc.record({ replicas: fc.integer({ min: 0, max: 3 }) }),
          fc.record({ mode: fc.constant("global") }),
          fc.record({ endpoint_mode: fc.constant("dnsrr") }),
        ),
        publishes: fc.boolean(),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  })
  .map(({ networks, services }) => {
    const keys = ["a", "b", "c"].slice(0, networks);
    const entries = services.map(({ image, networks: wanted, deploy, publishes }, index) => {
      const own = [...new Set(wanted.map((each) => keys[each % keys.length]!))];
      const ports = publishes && !("endpoint_mode" in deploy) ? { ports: [`${8_000 + index}:80`] } : {};
      return [`s${index}`, { image, networks: own, deploy, ...ports }];
    });
    const options = (key: string) => (key === "b" ? { driver_opts: { encrypted: "" } } : {});
    return {
      services: Object.fromEntries(entries),
      networks: Object.fromEntries(keys.map((key) => [key, options(key)])),
    };
  });

describe("Whatever stack is run", () => {
  it(
    "tasks reach each other if and only if they share a network",
    () => {
      fc.assert(
        fc.property(anyStack, fc.integer({ min: 1, max: 3 }), (stack, count) => {
          const { report } = run(JSON.stringify(stack), { nodes: nodes(count) });
          expect(report.problems).toEqual([]);
          expect(report.missing).toEqual([]);
          expect(report.checks.failed).toEqual([]);
          // Who shares a network with whom is decided here once more, from the file alone.
          const networksOf = (task: string) => {
            const service = /^shop_(s\d)\./.exec(task)?.[1] ?? "";
            return (stack.services[service] as { networks: string[] }).networks;
          };
          const names = report.tasks.map(({ name }) => name);
          const pairs = names.flatMap((a) => names.filter((b) => b !== a).map((b) => [a, b] as const));
          const shared = pairs.filter(([a, b]) => networksOf(a).some((network) => networksOf(b).includes(network)));
          expect(report.checks.byKind.address).toBeGreaterThanOrEqual(shared.length);
          expect(report.checks.byKind.apart > 0).toBe(shared.length < pairs.length);
        }),
        { numRuns: 12 },
      );
    },
    LONG_MS * 2,
  );
});
