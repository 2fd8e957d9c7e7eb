import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture-reader.ts";
import type { ScenarioInput } from "../../src/scenario/input.ts";
import { Lab } from "../../src/scenario/lab.ts";
import { SECOND } from "../../src/sim/time.ts";

const TWO_NODES: ScenarioInput = {
  name: "two-nodes",
  seed: 7,
  nodes: { node1: {}, node2: {} },
  networks: { net: { driver: "overlay" } },
  containers: { c1: { node: "node1", networks: ["net"] }, c2: { node: "node2", networks: ["net"] } },
};

describe("A lab", () => {
  it("runs what is typed on its hosts", () => {
    const lab = new Lab(TWO_NODES);
    lab.runUntil(2 * SECOND);
    const ping = lab.exec("c1", "ping -c 2 c2");
    expect(ping.status).toBe(0);
    expect(ping.stdout).toContain("2 packets transmitted, 2 received, 0% packet loss");
    expect(lab.report().frames.inFlight).toBe(0);
  });

  it("shows frames at a capture point while they pass", () => {
    const lab = new Lab(TWO_NODES);
    const directions: string[] = [];
    lab.onFrame("node2/eth0", ({ direction, end, at }) => {
      if (end - at === 148) directions.push(direction);
    });
    lab.runUntil(2 * SECOND);
    lab.exec("c1", "ping -c 1 c2");
    expect(directions).toEqual(["in", "out"]);
  });

  it("captures in memory", () => {
    const lab = new Lab(TWO_NODES);
    const capture = lab.capture(["c1/eth0"]);
    lab.runUntil(2 * SECOND);
    lab.exec("c1", "ping -c 1 c2");
    const { frames, problem } = readCapture(capture.close());
    expect(problem).toBeUndefined();
    expect(frames.filter((frame) => frame.bytes.length === 98)).toHaveLength(2);
    expect(new Set(frames.map((frame) => frame.interfaceName))).toEqual(new Set(["c1/eth0"]));
  });

  it("runs until a condition is true", () => {
    const lab = new Lab(TWO_NODES);
    let frames = 0;
    lab.onFrame("c2/eth0", () => frames++);
    lab.runUntil(2 * SECOND);
    lab.start("c1", "ping -c 5 c2");
    const before = frames;
    expect(lab.runUntil(60 * SECOND, () => frames >= before + 3)).toBe(true);
    expect(lab.nowNs).toBeLessThan(4 * SECOND);
  });

  it("lets its tables be read", () => {
    const lab = new Lab(TWO_NODES);
    lab.runUntil(2 * SECOND);
    lab.exec("c1", "ping -c 1 c2");
    const c1 = lab.hosts.get("c1")!.namespace;
    expect(c1.neighbours.list().map(({ state }) => state)).toEqual(["REACHABLE"]);
    expect(lab.device("c1/eth0")!.counters.txPackets).toBeGreaterThan(0);
  });

  it("ends at the same time with the same bytes however the run is sliced", () => {
    const scenario: ScenarioInput = { ...TWO_NODES, steps: [{ at: "2s", in: "c1", run: "ping -c 3 c2" }] };
    const whole = new Lab(scenario);
    const first = whole.capture();
    whole.run();
    const sliced = new Lab(scenario);
    const second = sliced.capture();
    while (!sliced.advance(7));
    expect(sliced.report()).toEqual(whole.report());
    expect(second.close()).toEqual(first.close());
  });

  it("stops a frame that goes round and round and says where", () => {
    const pair = (number: number): string[] => [
      `ip link add a${number} type veth peer name b${number}`,
      `ip link set a${number} master br0 up`,
      `ip link set b${number} master br1 up`,
    ];
    const lab = new Lab({
      name: "loop",
      setup: [
        "ip link add br0 type bridge",
        "ip link add br1 type bridge",
        "ip link set br0 up",
        "ip link set br1 up",
        ...pair(1),
        ...pair(2),
      ],
      steps: [{ at: "3s", in: "host", run: "true" }],
    });
    const report = lab.run();
    expect(report.holds).toBe(false);
    expect(report.problems.join()).toContain("goes round and round");
  });
});
