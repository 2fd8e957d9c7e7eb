import { describe, expect, it } from "vitest";
import { compileFilter } from "../../../src/capture/filter.ts";
import { StackRun } from "../../../src/scenario/stack-run/stack-run.ts";
import { exampleText, nodes, run, settings } from "./stack-settings.ts";

/** Each holds a swarm of its own. */
const LONG_MS = 60_000;

describe("The example stacks run, and all checks hold:", () => {
  it.each([
    ["voting-app", 7, 85],
    ["elk", 5, 50],
    ["monitoring", 5, 36],
    ["host-mode-mesh", 6, 66],
  ])(
    "%s",
    (name, tasks, checks) => {
      const { report } = run(exampleText(name), { autoLabel: true, createExternal: true, name });
      expect(report.problems).toEqual([]);
      expect(report.missing).toEqual([]);
      expect(report.checks.failed).toEqual([]);
      expect(report.tasks.length).toBe(tasks);
      expect(report.checks.total).toBe(checks);
      expect(report.holds).toBe(true);
    },
    LONG_MS,
  );

  it.each([3, 6])(
    "the shop on %i nodes, its payments crossing the underlay as ESP alone",
    (count) => {
      const stackRun = new StackRun(
        settings(exampleText("shop"), { autoLabel: true, createExternal: true, nodes: nodes(count) }),
      );
      const isEsp = compileFilter("esp");
      const isVxlan = compileFilter("udp port 4789");
      if (typeof isEsp !== "function" || typeof isVxlan !== "function") throw new Error("a filter is wrong");
      const vnis = new Set<number>();
      let esp = 0;
      stackRun.lab.onFrame("node*/eth0", ({ bytes, at, end }) => {
        if (isEsp(bytes, at, end)) esp++;
        // Ethernet, IPv4 without options, UDP, then the VXLAN header with the VNI in its fifth byte.
        if (isVxlan(bytes, at, end)) vnis.add((bytes[at + 46]! << 16) | (bytes[at + 47]! << 8) | bytes[at + 48]!);
      });
      while (!stackRun.advance());
      const report = stackRun.report();
      expect(report.checks.failed).toEqual([]);
      expect(report.holds).toBe(true);
      const payment = report.networks.find(({ name }) => name === "shop_payment")!;
      expect(payment).toMatchObject({ encrypted: true, mtu: 1_424, vnis: [4_099] });
      expect(vnis.has(payment.vnis[0]!)).toBe(false);
      expect(vnis.has(report.networks.find(({ name }) => name === "shop_front")!.vnis[0]!)).toBe(true);
      expect(esp).toBeGreaterThan(0);
      const places = new Map(report.tasks.map(({ name, node }) => [name, node]));
      expect(places.get("shop_visualizer.1")).toBe("node1");
      expect(places.get("shop_database.1")).not.toBe("node1");
      expect(report.nodes.find(({ name }) => name === places.get("shop_payment.1"))?.labels).toEqual({ pcidss: "yes" });
    },
    LONG_MS,
  );
});
