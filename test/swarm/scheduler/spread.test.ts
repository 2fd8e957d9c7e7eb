import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { nodeShape, taskShape } from "../../../src/swarm/api/objects.ts";
import { nodeSpecShape } from "../../../src/swarm/api/specs.ts";
import { NodeInfo } from "../../../src/swarm/scheduler/node-info.ts";
import { spread } from "../../../src/swarm/scheduler/spread.ts";

const SERVICE = "service";

function nodeOf(index: number, zone: string): NodeInfo {
  const annotations = { name: "", labels: new Map([["zone", zone]]) };
  return new NodeInfo(nodeShape.make({ id: `n${index}`, spec: nodeSpecShape.make({ annotations }) }));
}

/** Spreads and tells how many tasks of the service each node has afterwards. */
function placed(tasks: number, nodes: readonly NodeInfo[], labels: readonly string[], mostANode = Infinity) {
  let number = 0;
  const count = spread(tasks, nodes, labels, {
    serviceId: SERVICE,
    passes: (info) => info.activeOfService(SERVICE) < mostANode,
    isBetter: (a, b) => a.activeOfService(SERVICE) < b.activeOfService(SERVICE),
    place: (info) => info.add(task(`t${number++}`)),
  });
  return { count, each: nodes.map((info) => info.activeOfService(SERVICE)) };
}

function task(id: string) {
  return taskShape.make({ id, serviceId: SERVICE, desiredState: "running" });
}

describe("spreading tasks", () => {
  it("differs by at most one among nodes that were even before", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 12 }), fc.nat(60), (size, tasks) => {
        const nodes = Array.from({ length: size }, (_, index) => nodeOf(index, "a"));
        const { count, each } = placed(tasks, nodes, []);
        expect(count).toBe(tasks);
        expect(Math.max(...each) - Math.min(...each)).toBeLessThanOrEqual(1);
      }),
    );
  });

  it("stays with a node until the next in order would be better, as swarmkit does: the last of the emptier nodes gets the rest", () => {
    const nodes = [nodeOf(0, "a"), nodeOf(1, "a"), nodeOf(2, "a")];
    for (let index = 0; index < 4; index++) nodes[0]!.add(task(`old${index}`));
    expect(placed(5, nodes, []).each).toEqual([4, 1, 4]);
  });

  it("places as many as have room and no more", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 8 }), fc.integer({ min: 1, max: 4 }), fc.nat(60), (size, most, tasks) => {
        const nodes = Array.from({ length: size }, (_, index) => nodeOf(index, `z${index % 3}`));
        expect(placed(tasks, nodes, ["node.labels.zone"], most).count).toBe(Math.min(tasks, size * most));
      }),
    );
  });

  it("divides evenly among the values of a label, however many nodes each has", () => {
    const nodes = [nodeOf(0, "east"), nodeOf(1, "west"), nodeOf(2, "west"), nodeOf(3, "west")];
    const { each } = placed(12, nodes, ["node.labels.zone"]);
    expect(each[0]).toBe(6);
    expect(each.slice(1)).toEqual([2, 2, 2]);
  });

  it("makes up for branches that are full", () => {
    const nodes = [nodeOf(0, "east"), nodeOf(1, "west"), nodeOf(2, "west")];
    const { count, each } = placed(6, nodes, ["node.labels.zone"], 2);
    expect(count).toBe(6);
    expect(each).toEqual([2, 2, 2]);
  });
});
