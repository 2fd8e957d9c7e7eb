/** Whatever is done to an engine, nothing is left when all is undone, and nobody ever has what somebody else has. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Container } from "../../src/docker/container/container.ts";
import type { Release } from "../../src/docker/engine.ts";
import { SECOND } from "../../src/sim/time.ts";
import { EngineLab, savedRules } from "./engine-lab.ts";

const MADE = ["one", "two", "inner"] as const;
const NETWORKS = [...MADE, "bridge", "docker_gwbridge", "none", "host"] as const;
const TABLES = ["filter", "nat", "raw"] as const;

const anyStep = fc.oneof(
  fc.record({
    kind: fc.constant("create" as const),
    networks: fc.uniqueArray(fc.constantFrom(...NETWORKS), { maxLength: 3 }),
    port: fc.option(fc.constantFrom(0, 8_080, 8_081)),
    protocol: fc.constantFrom("tcp" as const, "udp" as const),
    restart: fc.constantFrom("no" as const, "always" as const),
    command: fc.constantFrom("sleep 1000", "sleep 3", "exit 1", "deaf"),
  }),
  fc.record({
    kind: fc.constantFrom("start" as const, "stop" as const, "kill" as const, "remove" as const, "force" as const),
    which: fc.nat(5),
  }),
  fc.record({
    kind: fc.constantFrom("connect" as const, "disconnect" as const),
    which: fc.nat(5),
    network: fc.constantFrom(...NETWORKS),
  }),
  fc.record({ kind: fc.constantFrom("make" as const, "drop" as const), network: fc.constantFrom(...MADE) }),
  fc.record({ kind: fc.constantFrom("wait" as const, "shutdown" as const, "boot" as const) }),
);
type Step = (typeof anyStep extends fc.Arbitrary<infer T> ? T : never) & object;

function perform(lab: EngineLab, step: Step): void {
  const { engine } = lab;
  const containers = [...engine.containers.values()];
  const pick = (which: number): Container | undefined => containers[which % Math.max(containers.length, 1)];
  switch (step.kind) {
    case "create":
      engine.createContainer({
        image: "bb",
        command: [step.command],
        networks: step.networks.map((network) => ({ network, aliases: [] })),
        ports: step.port === null ? [] : [{ protocol: step.protocol, containerPort: 80, hostPort: step.port }],
        restart: { condition: step.restart, maximumRetries: 0 },
      });
      return;
    case "start":
      pick(step.which)?.start();
      return;
    case "stop":
      pick(step.which)?.stop(SECOND);
      return;
    case "kill":
      pick(step.which)?.kill();
      return;
    case "remove":
      pick(step.which)?.remove();
      return;
    case "force":
      pick(step.which)?.remove(true);
      return;
    case "connect":
      pick(step.which)?.connect({ network: step.network, aliases: ["x"] });
      return;
    case "disconnect":
      pick(step.which)?.disconnect(step.network);
      return;
    case "make":
      engine.createNetwork({ name: step.network, driver: "bridge", internal: step.network === "inner" });
      return;
    case "drop":
      engine.removeNetwork(step.network);
      return;
    case "wait":
      lab.wait(2 * SECOND);
      return;
    case "shutdown":
      engine.shutdown();
      return;
    case "boot":
      engine.start();
      return;
  }
}

/** What must hold at any time. */
function check(lab: EngineLab): void {
  const { engine } = lab;
  for (const network of engine.networks.values()) {
    const addresses = [...network.endpoints.values()]
      .map(({ address }) => address.address)
      .filter((each) => each !== 0);
    expect(new Set(addresses).size).toBe(addresses.length);
    for (const endpoint of network.endpoints.values()) expect(endpoint.sandbox?.endpoints).toContain(endpoint);
  }
  const published = new Set<string>();
  for (const container of engine.containers.values()) {
    expect(container.sandbox !== undefined).toBe(container.running);
    if (container.sandbox === undefined || container.sandbox.shared) continue;
    const defaults = container.namespace!.routes.list().filter(({ destination }) => destination.length === 0);
    expect(defaults.length).toBe(container.sandbox.exit === undefined ? 0 : 1);
    for (const { protocol, hostPort } of container.sandbox.exit?.publishedPorts ?? []) {
      expect(published.has(`${protocol}${hostPort}`)).toBe(false);
      published.add(`${protocol}${hostPort}`);
    }
  }
}

function things(lab: EngineLab): unknown {
  const host = lab.node.namespace;
  return {
    devices: host.devices.map(({ name }) => name),
    routes: host.routes.list().length,
    namespaces: [...lab.world.namespaces.keys()],
    rules: savedRules(host, TABLES).filter((line) => line.startsWith("-A")),
    listening: host.tcp.listeners().length,
    sandboxes: lab.engine.sandboxes.size,
    networks: [...lab.engine.networks.values()].map(({ name }) => name),
  };
}

describe.each(["current", "20.10"] as const)("An engine, release %s", (release: Release) => {
  it("keeps addresses and ports apart, and leaves nothing behind", () => {
    fc.assert(
      fc.property(fc.array(anyStep, { maxLength: 30 }), fc.boolean(), (steps, userlandProxy) => {
        const lab = new EngineLab(release, { userlandProxy });
        lab.engine.gatewayNetwork();
        const before = things(lab);
        for (const step of steps) {
          perform(lab, step);
          check(lab);
        }
        lab.engine.start();
        for (const container of [...lab.engine.containers.values()]) container.remove(true);
        lab.wait(20 * SECOND);
        for (const name of MADE) lab.engine.removeNetwork(name);
        expect(things(lab)).toEqual(before);
      }),
      { numRuns: 60 },
    );
  });
});
