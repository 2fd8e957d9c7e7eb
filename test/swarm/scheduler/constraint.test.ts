import { describe, expect, it } from "vitest";
import { type Node, nodeDescriptionShape, nodeShape } from "../../../src/swarm/api/objects.ts";
import { nodeSpecShape } from "../../../src/swarm/api/specs.ts";
import { meetsConstraints, parseConstraints } from "../../../src/swarm/scheduler/constraint.ts";

const description = nodeDescriptionShape.make({
  hostname: "Node2",
  platform: { architecture: "x86_64", os: "linux" },
  engine: { engineVersion: "28.2", labels: new Map([["disk", "SSD"]]), plugins: [] },
});
const node: Node = nodeShape.make({
  id: "n0de",
  role: "worker",
  description,
  spec: nodeSpecShape.make({
    annotations: { name: "", labels: new Map([["zone", "east"]]) },
  }),
  status: { state: "ready", message: "", address: "192.168.50.12" },
});

function holds(...lines: string[]): boolean {
  const parsed = parseConstraints(lines);
  if ("problem" in parsed) throw new Error(parsed.problem);
  return meetsConstraints(parsed, node);
}

function problemOf(line: string): string {
  const parsed = parseConstraints([line]);
  return "problem" in parsed ? parsed.problem : "none";
}

describe("a placement constraint", () => {
  it("compares without regard to case and to spaces around the operator", () => {
    expect(holds("node.hostname==node2")).toBe(true);
    expect(holds("NODE.HOSTNAME  ==  NODE2")).toBe(true);
    expect(holds("node.hostname != node2")).toBe(false);
  });

  it("knows labels of the node and of its engine; an absent one is empty", () => {
    expect(holds("node.labels.zone == EAST", "engine.labels.disk==ssd")).toBe(true);
    expect(holds("node.labels.rack != 7")).toBe(true);
    expect(holds("node.labels.rack == 7")).toBe(false);
  });

  it("compares addresses as numbers and looks into subnets", () => {
    expect(holds("node.ip == 192.168.50.12", "node.ip==192.168.50.0/24", "node.ip != 10.0.0.0/8")).toBe(true);
    expect(holds("node.ip != 192.168.50.0/24")).toBe(false);
    expect(holds("node.ip != east")).toBe(false);
  });

  it("knows role and platform, the architecture as reported", () => {
    expect(holds("node.role==worker", "node.platform.os==linux", "node.platform.arch==x86_64")).toBe(true);
    expect(holds("node.platform.arch==amd64")).toBe(false);
  });

  it("holds of no node when its key is unknown", () => {
    expect(holds("node.colour != red")).toBe(false);
    expect(holds("node.labels. != red")).toBe(false);
  });

  it("is refused in swarmkit's words", () => {
    expect(problemOf("node.id=1")).toBe("constraint expected one operator from ==, !=");
    expect(problemOf("1node==a")).toBe("key '1node' is invalid");
    expect(problemOf("node.id == ")).toBe("value '' is invalid");
    expect(problemOf("node.id == a,b")).toBe("value 'a,b' is invalid");
  });
});
