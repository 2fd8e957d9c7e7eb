import * as fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { SECOND } from "../../../src/sim/time.ts";
import { placementShape, restartPolicyShape, taskSpecShape, updateConfigShape } from "../../../src/swarm/api/specs.ts";
import { SimulatedCluster } from "./simulated-cluster.ts";

let cluster: SimulatedCluster;
const update = (given: Parameters<typeof updateConfigShape.make>[0]) =>
  updateConfigShape.make({ parallelism: 1, delay: 0, monitor: 5 * SECOND, ...given });
const restart = (given: Parameters<typeof restartPolicyShape.make>[0]) =>
  taskSpecShape.make({ restart: restartPolicyShape.make({ condition: "any", ...given }) });

beforeEach(() => {
  cluster = new SimulatedCluster();
  for (const id of ["a", "b", "c"]) cluster.addNode(id);
});

describe("a replicated service", () => {
  it("gets its slots, one task each, on all nodes", () => {
    cluster.createService("web", { replicated: { replicas: 5 } });
    cluster.run(2 * SECOND);
    expect(
      cluster
        .running("web")
        .map(({ slot }) => slot)
        .sort(),
    ).toEqual([1, 2, 3, 4, 5]);
    expect(new Set(cluster.running("web").map(({ nodeId }) => nodeId)).size).toBe(3);
  });

  it("takes the lowest free slots when it grows, and gives up tasks of the fullest nodes when it shrinks", () => {
    cluster.createService("web", { replicated: { replicas: 4 } });
    cluster.run(2 * SECOND);
    cluster.scale("web", 3);
    cluster.run(2 * SECOND);
    expect(new Set(cluster.running("web").map(({ nodeId }) => nodeId)).size).toBe(3);
    expect(cluster.tasks("web")).toHaveLength(3); // the fourth is gone without a trace
    cluster.scale("web", 6);
    cluster.run(2 * SECOND);
    expect(
      cluster
        .running("web")
        .map(({ slot }) => slot)
        .sort(),
    ).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it("replaces a task that failed five seconds later, in its slot", () => {
    cluster.endings.set("v1", { afterNs: 10 * SECOND, state: "failed" });
    cluster.createService("web", {});
    cluster.run(11 * SECOND);
    expect(cluster.running("web")).toHaveLength(0);
    const successor = cluster.tasks("web").find((task) => task.desiredState === "ready")!;
    expect(successor.slot).toBe(1);
    expect(successor.status.state).toBe("ready");
    cluster.run(5 * SECOND);
    expect(cluster.running("web").map(({ id }) => id)).toEqual([successor.id]);
  });

  it("restarts so often as the policy allows, and with on-failure not after a good end", () => {
    cluster.endings.set("v1", { afterNs: SECOND, state: "failed" });
    cluster.createService("bad", { task: restart({ delay: SECOND, maxAttempts: 2 }) });
    cluster.endings.set("fine", { afterNs: SECOND, state: "complete" });
    cluster.createService("good", { task: restart({ condition: "on-failure" }) }, "fine");
    cluster.run(60 * SECOND);
    expect(cluster.tasks("bad").map(({ status }) => status.state)).toEqual(["failed", "failed", "failed"]);
    expect(cluster.tasks("good").map(({ status }) => status.state)).toEqual(["complete"]);
  });

  it("moves at once from a drained node, and from a dead one without waiting for its tasks", () => {
    cluster.createService("web", { replicated: { replicas: 3 } });
    cluster.run(2 * SECOND);
    cluster.drain("a");
    cluster.run(2 * SECOND);
    expect(cluster.running("web")).toHaveLength(3);
    expect(cluster.running("web").some(({ nodeId }) => nodeId === "a")).toBe(false);
    cluster.kill("b");
    cluster.run(4 * SECOND);
    expect(cluster.running("web").filter(({ nodeId }) => nodeId === "c")).toHaveLength(1);
    cluster.run(3 * SECOND); // five seconds of restart delay are over
    expect(cluster.running("web").filter(({ nodeId }) => nodeId === "c")).toHaveLength(3);
  });

  it("keeps five dead tasks a slot", () => {
    cluster.endings.set("v1", { afterNs: SECOND, state: "failed" });
    cluster.createService("bad", { task: restart({ delay: SECOND }) });
    cluster.run(60 * SECOND);
    const dead = cluster.tasks("bad").filter(({ status }) => status.state === "failed");
    expect(dead.length).toBeGreaterThanOrEqual(4);
    expect(cluster.tasks("bad").length).toBeLessThanOrEqual(6);
  });

  it("ends with all its tasks when it is removed", () => {
    cluster.createService("web", { replicated: { replicas: 3 } });
    cluster.run(2 * SECOND);
    cluster.store.update((tx) => void tx.remove("service", "web"));
    cluster.run(2 * SECOND);
    expect(cluster.tasks("web")).toEqual([]);
  });

  it("has each slot running once, whatever happened, when all is quiet", () => {
    const event = fc.oneof(
      fc.record({ kind: fc.constant("scale" as const), to: fc.nat(8) }),
      fc.record({ kind: fc.constant("image" as const), to: fc.nat(3) }),
      fc.record({ kind: fc.constant("lead" as const), to: fc.constant(0) }),
      fc.record({ kind: fc.constant("drain" as const), to: fc.nat(1) }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(event, fc.nat(7_000)), { maxLength: 8 }), (events) => {
        const own = new SimulatedCluster();
        for (const id of ["a", "b", "c"]) own.addNode(id);
        own.createService("web", { replicated: { replicas: 3 } });
        let replicas = 3;
        let image = "v1";
        for (const [{ kind, to }, milliseconds] of events) {
          own.run(milliseconds * 1_000_000);
          if (kind === "scale") replicas = to;
          if (kind === "image") image = `v${to}`;
          if (kind === "scale") own.scale("web", replicas);
          else if (kind === "image") own.setImage("web", image);
          else if (kind === "lead") own.lead();
          else own.drain(["a", "b"][to]!);
        }
        own.run(200 * SECOND);
        expect(own.running("web")).toHaveLength(replicas);
        expect(new Set(own.running("web").map(({ slot }) => slot)).size).toBe(replicas);
        // A task of the update that a drain stops soon after its start counts as failed, and pauses it.
        if (own.service("web").updateStatus?.state !== "paused")
          expect(new Set(own.images("web"))).toEqual(new Set(replicas === 0 ? [] : [image]));
      }),
      { numRuns: 100 },
    );
  });
});

describe("a rolling update", () => {
  it("replaces one slot after the other, the old task first, and says that it is complete", () => {
    cluster.createService("web", { replicated: { replicas: 3 } });
    cluster.run(2 * SECOND);
    cluster.setImage("web", "v2");
    let fewest = 3;
    for (let step = 0; step < 100; step++) {
      cluster.run(SECOND / 20);
      fewest = Math.min(fewest, cluster.running("web").length);
    }
    expect(fewest).toBe(2);
    expect(cluster.images("web")).toEqual(["v2", "v2", "v2"]);
    expect(cluster.service("web").updateStatus?.state).toBe("updating");
    cluster.run(10 * SECOND);
    expect(cluster.service("web").updateStatus).toMatchObject({ state: "completed", message: "update completed" });
  });

  it("has as many slots in hand as its parallelism, and waits its delay", () => {
    cluster.createService("web", {
      replicated: { replicas: 4 },
      update: update({ parallelism: 2, delay: 20 * SECOND }),
    });
    cluster.run(2 * SECOND);
    cluster.setImage("web", "v2");
    cluster.run(10 * SECOND);
    expect(cluster.images("web").sort()).toEqual(["v1", "v1", "v2", "v2"]);
    cluster.run(15 * SECOND);
    expect(cluster.images("web").sort()).toEqual(["v2", "v2", "v2", "v2"]);
  });

  it("with start-first never has fewer running than wanted", () => {
    cluster.createService("web", { replicated: { replicas: 3 }, update: update({ order: "start-first" }) });
    cluster.run(2 * SECOND);
    cluster.setImage("web", "v2");
    for (let step = 0; step < 100; step++) {
      cluster.run(SECOND / 20);
      expect(cluster.running("web").length).toBeGreaterThanOrEqual(3);
    }
    expect(cluster.images("web")).toEqual(["v2", "v2", "v2"]);
  });

  it("pauses when a task of it fails soon after its start", () => {
    cluster.endings.set("bad", { afterNs: 1, state: "failed" });
    cluster.createService("web", { replicated: { replicas: 3 } });
    cluster.run(2 * SECOND);
    cluster.setImage("web", "bad");
    cluster.run(30 * SECOND);
    const { updateStatus } = cluster.service("web");
    expect(updateStatus?.state).toBe("paused");
    expect(updateStatus?.message).toMatch(/^update paused due to failure or early termination of task id/);
    expect(cluster.images("web").filter((image) => image === "v1").length).toBeGreaterThanOrEqual(1);
  });

  it("turns back when it is told to, to the very spec before", () => {
    cluster.endings.set("bad", { afterNs: SECOND, state: "failed" });
    cluster.createService("web", { replicated: { replicas: 3 }, update: update({ failureAction: "rollback" }) });
    cluster.run(2 * SECOND);
    cluster.setImage("web", "bad");
    cluster.run(60 * SECOND);
    expect(cluster.service("web").updateStatus).toMatchObject({
      state: "rollback_completed",
      message: "rollback completed",
    });
    expect(cluster.images("web")).toEqual(["v1", "v1", "v1"]);
  });

  it("bears so many failures as its ratio allows", () => {
    cluster.endings.set("bad", { afterNs: SECOND, state: "failed" });
    cluster.createService("web", { replicated: { replicas: 2 }, update: update({ maxFailureRatio: 1 }) });
    cluster.run(2 * SECOND);
    cluster.setImage("web", "bad");
    cluster.run(20 * SECOND);
    expect(cluster.service("web").updateStatus?.state).toBe("completed");
  });

  it("goes on under a new leader", () => {
    cluster.createService("web", { replicated: { replicas: 4 }, update: update({ delay: 5 * SECOND }) });
    cluster.run(2 * SECOND);
    cluster.setImage("web", "v2");
    cluster.run(6 * SECOND);
    cluster.lead();
    cluster.run(60 * SECOND);
    expect(cluster.images("web")).toEqual(["v2", "v2", "v2", "v2"]);
    expect(cluster.service("web").updateStatus?.state).toBe("completed");
  });

  it("leaves tasks alone whose node satisfies new constraints", () => {
    for (const id of ["a", "b", "c"]) cluster.label(id, "zone", id === "c" ? "west" : "east");
    cluster.createService("web", { replicated: { replicas: 3 } });
    cluster.run(2 * SECOND);
    const before = cluster.running("web");
    cluster.updateService("web", (spec) => ({
      ...spec,
      task: { ...spec.task, placement: placementShape.make({ constraints: ["node.labels.zone == east"] }) },
    }));
    cluster.run(30 * SECOND);
    const stayed = cluster.running("web").filter(({ id }) => before.some((task) => task.id === id));
    expect(stayed.map(({ nodeId }) => nodeId).sort()).toEqual(["a", "b"]);
    expect(cluster.running("web")).toHaveLength(3);
  });
});

describe("a global service", () => {
  it("has one task on every node, and on one that comes later", () => {
    cluster.createService("agent", { replicated: undefined, global: {} });
    cluster.run(2 * SECOND);
    expect(
      cluster
        .running("agent")
        .map(({ nodeId }) => nodeId)
        .sort(),
    ).toEqual(["a", "b", "c"]);
    cluster.addNode("d");
    cluster.run(2 * SECOND);
    expect(cluster.running("agent")).toHaveLength(4);
  });

  it("leaves drained nodes and those that do not meet its constraints, and comes back", () => {
    cluster.label("a", "zone", "east");
    cluster.createService("agent", {
      replicated: undefined,
      global: {},
      task: taskSpecShape.make({ placement: placementShape.make({ constraints: ["node.labels.zone != west"] }) }),
    });
    cluster.run(2 * SECOND);
    expect(cluster.running("agent")).toHaveLength(3);
    cluster.label("a", "zone", "west");
    cluster.drain("b");
    cluster.run(2 * SECOND);
    expect(cluster.running("agent").map(({ nodeId }) => nodeId)).toEqual(["c"]);
    cluster.label("a", "zone", "north");
    cluster.run(10 * SECOND);
    expect(
      cluster
        .running("agent")
        .map(({ nodeId }) => nodeId)
        .sort(),
    ).toEqual(["a", "c"]);
  });

  it("gives a paused node nothing new, but leaves it what it has", () => {
    cluster.changeNode("a", ({ spec }) => ({ spec: { ...spec, availability: "pause" } }));
    cluster.createService("agent", { replicated: undefined, global: {} });
    cluster.run(2 * SECOND);
    expect(
      cluster
        .running("agent")
        .map(({ nodeId }) => nodeId)
        .sort(),
    ).toEqual(["b", "c"]);
    cluster.changeNode("b", ({ spec }) => ({ spec: { ...spec, availability: "pause" } }));
    cluster.run(2 * SECOND);
    expect(
      cluster
        .running("agent")
        .map(({ nodeId }) => nodeId)
        .sort(),
    ).toEqual(["b", "c"]);
  });
});

describe("a job", () => {
  it("runs so many tasks at a time until so many are complete, and none again", () => {
    cluster.endings.set("v1", { afterNs: SECOND, state: "complete" });
    cluster.createService("job", { replicatedJob: { maxConcurrent: 2, totalCompletions: 5 } });
    let most = 0;
    for (let step = 0; step < 300; step++) {
      cluster.run(SECOND / 20);
      most = Math.max(most, cluster.running("job").length);
    }
    expect(most).toBe(2);
    expect(cluster.tasks("job").map(({ status }) => status.state)).toEqual(Array(5).fill("complete"));
  });

  it("of the global kind completes once on every node", () => {
    cluster.endings.set("v1", { afterNs: SECOND, state: "complete" });
    cluster.createService("job", { globalJob: {} });
    cluster.run(20 * SECOND);
    expect(
      cluster
        .tasks("job")
        .map(({ nodeId, status }) => `${nodeId} ${status.state}`)
        .sort(),
    ).toEqual(["a complete", "b complete", "c complete"]);
  });
});

describe("the constraint enforcer", () => {
  it("rejects a running task whose node no longer fits, and the service moves on", () => {
    for (const id of ["a", "b", "c"]) cluster.label(id, "zone", "east");
    cluster.createService("web", {
      task: taskSpecShape.make({ placement: placementShape.make({ constraints: ["node.labels.zone == east"] }) }),
    });
    cluster.run(2 * SECOND);
    const [task] = cluster.running("web");
    cluster.label(task!.nodeId, "zone", "west");
    const rejected = cluster.store.get("task", task!.id)!;
    expect(rejected.status).toMatchObject({
      state: "rejected",
      message: "task rejected by constraint enforcer",
      error: "assigned node no longer meets constraints",
    });
    cluster.run(10 * SECOND);
    expect(cluster.running("web").map(({ nodeId }) => nodeId)).not.toContain(task!.nodeId);
    expect(cluster.running("web")).toHaveLength(1);
  });
});
