import { describe, expect, it } from "vitest";
import { SwarmLab } from "../swarm-lab.ts";

describe("a swarm's managers", () => {
  it("begin with one, which leads at once", () => {
    const lab = new SwarmLab(1);
    expect(lab.init(1)).toBe("ok");
    expect(lab.at(1).node.state).toBe("active");
    expect(lab.listManagers()).toEqual(["node1 Leader"]);
    const store = lab.leader!.store!;
    expect([...store.all("network")].map(({ spec }) => spec.annotations.name).sort()).toEqual([
      "bridge",
      "host",
      "ingress",
    ]);
    expect(store.cluster!.spec.annotations.name).toBe("default");
  });

  it("are joined by others with the manager's token, and hold the same objects", () => {
    const lab = new SwarmLab(3).cluster(3);
    expect(lab.listManagers()).toEqual(["node1 Leader", "node2 reachable", "node3 reachable"]);
    const objects = lab.manager(1).store!.save();
    expect(lab.manager(2).store!.save()).toEqual(objects);
    expect(lab.manager(3).store!.save()).toEqual(objects);
  });
});
