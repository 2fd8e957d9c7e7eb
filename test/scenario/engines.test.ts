/** Scenarios whose machines run Docker without a swarm. */
import { describe, expect, it } from "vitest";
import { readCapture } from "../../src/capture/capture-reader.ts";
import type { ScenarioInput } from "../../src/scenario/input.ts";
import { Lab } from "../../src/scenario/lab.ts";

const ONE_HOST: ScenarioInput = {
  name: "one-host",
  seed: 3,
  engine: null,
  nodes: { node1: {}, laptop: { role: "host" } },
  networks: { app: {} },
  containers: {
    web: { node: "node1", networks: { app: { aliases: ["www"] } }, image: "nginx", ports: ["8080:80"] },
    c1: { node: "node1", networks: ["app"], setup: ["ping -c 1 www"], environment: { GREETING: "hello" } },
  },
  steps: [
    { at: "1s", in: "c1", run: "ping -c 2 web", as: "ping" },
    { at: "2s", in: "c1", run: "echo $GREETING", as: "greeting" },
    { at: "3s", in: "laptop", run: "curl -s http://node1:8080/", as: "outside" },
    { at: "4s", on: "node1", run: "docker logs web", as: "log" },
  ],
  expect: [
    { ping: { received: 2 } },
    { greeting: { output: "hello" } },
    { outside: { status: 200, output: "RemoteAddr: 192.168.50.12" } },
    { log: { output: "serving http on port 80" } },
    { capture: "c1/eth0", filter: "icmp", exactly: 4 },
    { eventually: { reach: "c1 -> web:80" } },
    { eventually: { reach: "laptop -> node1:8080" } },
  ],
};

describe("A scenario with an engine", () => {
  it("runs containers that find each other by name, and publishes their ports", () => {
    const report = new Lab(ONE_HOST).run();
    expect(report.problems).toEqual([]);
    expect(report.expectations.filter(({ holds }) => !holds)).toEqual([]);
    expect(report.readyNs).toBeGreaterThanOrEqual(0);
  });

  it("ends at the same time with the same bytes however the run is sliced", () => {
    const whole = new Lab(ONE_HOST);
    const first = whole.capture();
    whole.run();
    const sliced = new Lab(ONE_HOST);
    const second = sliced.capture();
    while (!sliced.advance(13));
    expect(sliced.report()).toEqual(whole.report());
    expect(second.close()).toEqual(first.close());
  });

  it("captures interfaces that come while it runs, under the names that people know", () => {
    const lab = new Lab({
      ...ONE_HOST,
      expect: [],
      capture: ["c1/eth0", "late/eth0"],
      steps: [
        { at: "1s", on: "node1", run: "docker run -d --name late --network app alpine" },
        { at: "2s", in: "c1", run: "ping -c 1 late" },
      ],
    });
    const places = new Set<string>();
    lab.onFrame("*late/eth0", ({ place }) => places.add(place));
    lab.run();
    expect([...places]).toEqual(["node1/late/eth0"]);
  });

  it("holds the preparations in its capture, unless it is told to begin when all is ready", () => {
    const packets = (from: "start" | "ready"): number => {
      const lab = new Lab({ ...ONE_HOST, "capture-from": from, steps: [], expect: [] });
      const capture = lab.capture(["c1/eth0"]);
      lab.ready();
      const bytes = capture.close();
      return readCapture(bytes).frames.length;
    };
    expect(packets("start")).toBeGreaterThanOrEqual(2);
    expect(packets("ready")).toBe(0);
  });

  it("is there for programs: hosts by name, devices, commands", () => {
    const lab = new Lab({ ...ONE_HOST, steps: [], expect: [] }).ready();
    expect([...lab.hosts.keys()]).toEqual(["node1", "laptop", "web", "c1"]);
    expect(lab.exec("c1", "ping -c 1 www").status).toBe(0);
    expect(lab.device("web/eth0")?.name).toBe("eth0");
    expect(lab.exec("node1", "docker stop web").status).toBe(0);
    expect(lab.device("web/eth0")).toBeUndefined();
    expect(() => lab.start("web", "true")).toThrow("there is no machine, container or namespace web");
  });

  it("says which container it could not start, and why", () => {
    const lab = new Lab({
      ...ONE_HOST,
      containers: { c1: { node: "node1", restart: "always", options: ["--rm"] } },
      steps: [],
      expect: [],
    });
    expect(() => lab.ready()).toThrow("conflicting options: cannot specify both --restart and --rm");
  });
});
