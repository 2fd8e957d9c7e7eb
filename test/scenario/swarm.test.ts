/** Scenarios whose machines form a swarm before the steps. */
import { describe, expect, it } from "vitest";
import type { ScenarioInput } from "../../src/scenario/input.ts";
import { Lab } from "../../src/scenario/lab.ts";
import { loadScenario } from "../../src/scenario/load.ts";
import type { RunReport } from "../../src/scenario/report.ts";

const THREE: ScenarioInput = {
  name: "three",
  seed: 5,
  nodes: {
    node1: { role: "manager" },
    node2: { role: "worker", labels: { rack: "2" } },
    node3: {},
    laptop: { role: "host" },
  },
  networks: { app: { attachable: true } },
  secrets: { password: { content: "secret" } },
  configs: { settings: { content: "a=1" } },
  services: {
    web: {
      image: "nginx",
      networks: { app: { aliases: ["www"] } },
      ports: ["8080:80"],
      secrets: ["password"],
      configs: ["settings"],
      deploy: { replicas: 2, placement: { constraints: ["node.role == worker"] } },
    },
    log: { image: "redis", networks: ["app"], deploy: { mode: "global" } },
  },
  containers: { c1: { node: "node1", networks: ["app"] } },
};

function failures({ expectations, problems }: RunReport): unknown[] {
  return [...problems, ...expectations.filter(({ holds }) => !holds)];
}

describe("A scenario with a swarm", () => {
  it("is ready when services run, and their tasks, names and ports can be reached", () => {
    const lab = new Lab({
      ...THREE,
      steps: [
        { at: "1s", in: "c1", run: "ping -c 2 web", as: "ping" },
        { at: "1s", in: "c1", run: "curl -s http://www/", as: "alias" },
        { at: "2s", in: "laptop", run: "curl -s http://node1:8080/", as: "mesh" },
        { at: "3s", in: "web.*", run: "nc -z log 6379", as: "both" },
        { at: "3s", in: "node1/ingress_sbox", run: "ipvsadm -ln", as: "table" },
        { at: "3s", in: "log.node3", run: "hostname", as: "global" },
        { at: "3s", on: "node1", run: "docker node inspect -f '{{.Spec.Labels}}' node2", as: "labels" },
      ],
      expect: [
        { ping: { received: 2 } },
        { alias: { status: 200 } },
        { mesh: { status: 200 } },
        { both: { exit: 0 } },
        { table: { output: "FWM" } },
        { global: { exit: 0 } },
        { labels: { output: "rack:2" } },
        { capture: "node1/app/vxlan0", "at-least": 1 },
        { capture: "web.1/eth0", filter: "arp or ip", "at-least": 1 },
        { eventually: { reach: "c1 -> web:80" } },
        { eventually: { reach: "c1 -> web.2" } },
        { tasks: "web", running: 2 },
        { tasks: "log", running: 3 },
        { nodes: { node1: "ready", node2: "ready", node3: "ready" }, leader: "node1" },
      ],
    });
    const report = lab.run();
    expect(failures(report)).toEqual([]);
    expect(report.commands.filter(({ as }) => as === "both").map(({ host }) => host)).toEqual(["web.1", "web.2"]);
    expect([...lab.hosts.keys()]).toEqual(
      expect.arrayContaining(["node1", "laptop", "c1", "web.1", "web.2", "log.node1", "node2/app", "node2/lb_app"]),
    );
  });

  it("ends at the same time with the same bytes however the run is sliced", () => {
    const scenario: ScenarioInput = { ...THREE, steps: [{ at: "1s", in: "c1", run: "curl -s http://web/" }] };
    const whole = new Lab(scenario);
    const first = whole.capture();
    whole.run();
    const sliced = new Lab(scenario);
    const second = sliced.capture();
    while (!sliced.advance(97));
    expect(sliced.report()).toEqual(whole.report());
    expect(second.close()).toEqual(first.close());
  });

  it("loses machines to power cuts and stopped engines, and has them back", () => {
    const report = new Lab({
      ...THREE,
      steps: [
        { at: "1s", fault: { kill: "node2" }, for: "30s" },
        { at: "60s", fault: { "stop-engine": "node3" }, for: "30s" },
      ],
      expect: [
        { eventually: { nodes: { node2: "down" } }, after: "2s", within: "20s" },
        { eventually: { nodes: { node2: "ready" } }, after: "32s", within: "20s" },
        { eventually: { nodes: { node3: "down" } }, after: "62s", within: "20s" },
        { eventually: { nodes: { node3: "ready" }, tasks: "web", running: 2 }, after: "92s", within: "20s" },
      ],
    }).run();
    expect(failures(report)).toEqual([]);
  });

  it("loses packets to a firewall on the way, with a reason", () => {
    const report = new Lab({
      ...THREE,
      services: {
        web: { image: "nginx", networks: ["app"], deploy: { placement: { constraints: ["node.hostname == node2"] } } },
      },
      steps: [
        { at: "1s", fault: { block: { node: "node2", ports: ["udp/4789"], direction: "in" } }, for: "5s" },
        { at: "2s", in: "c1", run: "ping -c 1 -W 1 tasks.web", as: "blocked" },
        { at: "8s", in: "c1", run: "ping -c 1 -W 1 tasks.web", as: "open" },
      ],
      expect: [{ blocked: { received: 0 } }, { open: { received: 1 } }, { drops: "netfilter-drop", exactly: 1 }],
    }).run();
    expect(failures(report)).toEqual([]);
  });

  it("says what is missing when it is not ready in time", () => {
    const lab = new Lab({
      name: "never",
      nodes: { node1: { role: "manager" } },
      services: { web: { image: "nginx", deploy: { placement: { constraints: ["node.role == worker"] } } } },
    });
    const report = lab.run();
    expect(report.holds).toBe(false);
    expect(report.readyNs).toBeUndefined();
    expect(report.problems).toEqual([
      "not ready within 120 s of virtual time: 0 of 1 tasks of web run: no suitable node (scheduling constraints not satisfied on 1 node) (pending)",
    ]);
  });

  it("deploys a stack file that stands beside it", () => {
    const files = new Map([
      ["stack.yml", "version: '3.8'\nservices: { web: { image: nginx, deploy: { replicas: 2 } } }\n"],
    ]);
    const text =
      "name: shop\nnodes: { node1: { role: manager } }\nstack: stack.yml\nexpect: [{ tasks: shop_web, running: 2 }]\n";
    const scenario = loadScenario(text, "shop.yaml", (name) => ({ text: files.get(name) ?? "" }));
    expect(failures(new Lab(scenario).run())).toEqual([]);
    expect(() => loadScenario(text, "shop.yaml", () => ({ text: "services: { web: { imag: nginx } }" }))).toThrow(
      "a stack file that Docker refuses: services.web Additional property imag is not allowed (stack.yml:1:13)",
    );
    expect(() => loadScenario(text)).toThrow("a file without a text");
  });

  it("seals its control plane, and keeps the keys", () => {
    const lab = new Lab({
      name: "sealed",
      nodes: { node1: { role: "manager" }, node2: {} },
      swarm: { "control-plane": "sealed" },
    });
    lab.run();
    expect(lab.keyLog.length).toBeGreaterThan(4);
    expect(lab.gossipKeys.length).toBeGreaterThan(0);
    const clear = new Lab({ name: "clear", nodes: { node1: { role: "manager" }, node2: {} }, swarm: null });
    clear.run();
    expect([...clear.keyLog, ...clear.gossipKeys]).toEqual([]);
  });
});
