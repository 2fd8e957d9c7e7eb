import { beforeEach, describe, expect, it } from "vitest";
import { Random } from "../../../src/sim/random.ts";
import { Simulation } from "../../../src/sim/simulation.ts";
import { MILLISECOND, SECOND } from "../../../src/sim/time.ts";
import { type Node, nodeDescriptionShape, nodeShape, type Task, taskShape } from "../../../src/swarm/api/objects.ts";
import { nodeSpecShape, placementShape, taskSpecShape } from "../../../src/swarm/api/specs.ts";
import { Scheduler } from "../../../src/swarm/scheduler/scheduler.ts";
import { ImmediateProposer, Store } from "../../../src/swarm/store/store.ts";

const ready = { state: "ready", message: "", address: "" } as const;
let simulation: Simulation;
let store: Store;
let scheduler: Scheduler;

function node(id: string, given: Partial<Node> = {}): Node {
  const description = nodeDescriptionShape.make({
    hostname: id,
    resources: { nanoCpus: 2e9, memoryBytes: 2e9 },
    platform: { architecture: "x86_64", os: "linux" },
  });
  return nodeShape.make({ id, description, status: ready, ...given });
}

function task(id: string, given: Partial<Task> = {}): Task {
  const status = { ...taskShape.make().status, state: "pending" as const };
  return taskShape.make({
    id,
    serviceId: "web",
    specVersion: { index: 1 },
    status,
    desiredState: "running",
    ...given,
  });
}

function put(...objects: (Node | Task)[]): void {
  store.update((tx) => {
    for (const object of objects)
      if ("slot" in object) tx.create("task", object);
      else tx.create("node", object);
  });
}

function run(forNs = SECOND): void {
  simulation.run(simulation.nowNs + forNs);
}

/** How many tasks each node has. */
function perNode(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { nodeId } of store.all("task")) counts[nodeId] = (counts[nodeId] ?? 0) + 1;
  return counts;
}

beforeEach(() => {
  simulation = new Simulation(new Random(1));
  store = new Store({ clock: simulation, proposer: new ImmediateProposer() });
  scheduler = new Scheduler({ store, clock: simulation });
});

describe("the scheduler", () => {
  it("gives pending tasks of a service to all nodes evenly, 50 ms after they were committed", () => {
    put(node("a"), node("b"), node("c"));
    put(...Array.from({ length: 7 }, (_, index) => task(`t${index}`)));
    run(49 * MILLISECOND);
    expect(perNode()).toEqual({ "": 7 });
    run(2 * MILLISECOND);
    expect(perNode()).toEqual({ a: 3, b: 2, c: 2 });
    const { status } = store.get("task", "t0")!;
    expect(status.state).toBe("assigned");
    expect(status.message).toBe("scheduler assigned task to node");
    scheduler.stop();
  });

  it("waits no longer than a second while changes keep coming", () => {
    put(node("a"), task("first"));
    for (let tick = 0; tick < 30; tick++) {
      run(40 * MILLISECOND);
      put(task(`t${tick}`));
    }
    expect(store.get("task", "first")!.nodeId).toBe("a");
    expect(store.get("task", "t29")!.nodeId).toBe("");
  });

  it("says why there is no node, and places the task when there is one", () => {
    put(node("a", { spec: nodeSpecShape.make({ availability: "drain" }) }), node("b"));
    const spec = taskSpecShape.make({ placement: placementShape.make({ constraints: ["node.labels.disk == ssd"] }) });
    put(task("t", { spec }));
    run();
    expect(store.get("task", "t")!.status.error).toBe(
      "no suitable node (1 node not available for new tasks; scheduling constraints not satisfied on 1 node)",
    );
    store.update((tx) => {
      const b = tx.get("node", "b")!;
      const annotations = { name: "", labels: new Map([["disk", "ssd"]]) };
      tx.update("node", { ...b, spec: { ...b.spec, annotations } });
    });
    run();
    expect(store.get("task", "t")!.nodeId).toBe("b");
    expect(store.get("task", "t")!.status.error).toBe("");
  });

  it("reserves what tasks ask for and gives it back when they end", () => {
    put(node("a"));
    const spec = taskSpecShape.make({
      resources: { limits: undefined, reservations: { nanoCpus: 1.5e9, memoryBytes: 0 } },
    });
    put(task("t1", { spec }), task("t2", { spec }));
    run();
    expect(store.get("task", "t2")!.status.error).toBe("no suitable node (insufficient resources on 1 node)");
    store.update((tx) => {
      const t1 = tx.get("task", "t1")!;
      tx.update("task", { ...t1, status: { ...t1.status, state: "complete" } });
    });
    run();
    expect(store.get("task", "t2")!.nodeId).toBe("a");
  });

  it("puts two tasks with one host-mode port on two nodes, and the third nowhere", () => {
    put(node("a"), node("b"));
    const port = { name: "", protocol: "tcp", targetPort: 80, publishedPort: 8080, publishMode: "host" } as const;
    const endpoint = { spec: undefined, ports: [port], virtualIps: [] };
    put(task("t1", { endpoint }), task("t2", { endpoint }), task("t3", { endpoint }));
    run();
    expect(perNode()).toEqual({ a: 1, b: 1, "": 1 });
    expect(store.get("task", "t3")!.status.error).toBe("no suitable node (host-mode port already in use on 2 nodes)");
  });

  it("keeps to the most replicas a node", () => {
    put(node("a"), node("b"));
    const spec = taskSpecShape.make({ placement: placementShape.make({ maxReplicas: 1 }) });
    put(task("t1", { spec }), task("t2", { spec }), task("t3", { spec }));
    run();
    expect(perNode()).toEqual({ a: 1, b: 1, "": 1 });
    expect(store.get("task", "t3")!.status.error).toBe("no suitable node (max replicas per node limit exceed)");
  });

  it("confirms the node of a task that has one already", () => {
    put(node("a"), task("t", { nodeId: "a" }));
    run();
    const { status } = store.get("task", "t")!;
    expect(status.state).toBe("assigned");
    expect(status.message).toBe("scheduler confirmed task can run on preassigned node");
  });

  it("avoids a node on which the service failed five times in five minutes", () => {
    put(node("a"), node("b"));
    for (let round = 0; round < 10; round++) {
      put(task(`t${round}`));
      run();
      store.update((tx) => {
        const failed = tx.get("task", `t${round}`)!;
        if (failed.nodeId === "a") tx.update("task", { ...failed, status: { ...failed.status, state: "failed" } });
      });
      run();
    }
    // Node a, always empty again, is preferred until it has failed five times.
    expect(perNode()).toEqual({ a: 5, b: 5 });
    run(301 * SECOND);
    put(task("later"));
    run();
    expect(store.get("task", "later")!.nodeId).toBe("a");
  });

  it("takes over what an earlier leader left", () => {
    put(node("a"), node("b"), task("t1"));
    run();
    scheduler.stop();
    put(task("t2"));
    run();
    expect(store.get("task", "t2")!.nodeId).toBe("");
    scheduler = new Scheduler({ store, clock: simulation });
    run();
    expect(perNode()).toEqual({ a: 1, b: 1 });
  });

  it("decides for 1000 tasks on 100 nodes without counting them anew", () => {
    put(...Array.from({ length: 100 }, (_, index) => node(`n${index}`)));
    put(...Array.from({ length: 1000 }, (_, index) => task(`t${index}`, { serviceId: `s${index % 10}` })));
    run();
    expect(new Set(Object.values(perNode()))).toEqual(new Set([10]));
  });
});
