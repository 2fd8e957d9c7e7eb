import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/sim/time.ts";
import { formatStatus } from "../../../src/swarm/grpc/status.ts";
import type { Result } from "../../../src/swarm/manager/channel.ts";
import { SwarmLab } from "../swarm-lab.ts";

/** Asks for the root certificate over a node's local socket. */
function ask(lab: SwarmLab, number: number, mostSeconds = 40): string {
  const said: string[] = [];
  const done = (result: Result) => said.push("status" in result ? formatStatus(result.status) : "ok");
  const method = "/docker.swarmkit.v1.CA/GetRootCACertificate";
  lab.manager(number).channel!.unary(method, new Uint8Array(0), 20 * SECOND, done);
  lab.world.simulation.run(lab.nowNs + mostSeconds * SECOND, () => said.length > 0);
  return said[0] ?? "no answer";
}

describe("managers of which one fails", () => {
  it("elect another 10 to 20 s after the last heartbeat, or a round later, when the leader is killed", () => {
    const lab = new SwarmLab(3, { seed: "kill" }).cluster(3);
    lab.at(1).node.powerOff();
    const seconds = lab.until(() => lab.leader !== undefined);
    expect(seconds).toBeGreaterThan(9);
    expect(seconds).toBeLessThan(45);
    lab.run(5);
    const number = lab.leaderNumber;
    expect(lab.listManagers()).toEqual(
      ["node1 unreachable", ...[2, 3].map((at) => `node${at} ${at === number ? "Leader" : "reachable"}`)].sort(),
    );
    expect(ask(lab, 2)).toBe("ok");
    expect(ask(lab, 3)).toBe("ok");
  });

  it("take the old leader back as a follower when it is started again", () => {
    const lab = new SwarmLab(3, { seed: "back" }).cluster(3);
    lab.at(1).node.powerOff();
    lab.until(() => lab.leader !== undefined);
    lab.run(5);
    lab.at(1).node.restart();
    lab.run(20);
    expect(lab.at(1).node.state).toBe("active");
    expect(lab.listManagers().filter((line) => line.endsWith("Leader"))).toHaveLength(1);
    expect(lab.listManagers().filter((line) => line.endsWith("reachable"))).toHaveLength(2);
    expect(lab.manager(1).store!.save()).toEqual(lab.leader!.store!.save());
  });

  it("have a leader that steps down within 10 s when it is cut off, and another one soon after", () => {
    const lab = new SwarmLab(3, { seed: "cut" }).cluster(3);
    const old = lab.manager(1);
    lab.cut(1, true);
    const down = lab.until(() => !old.isReady);
    expect(down).toBeLessThanOrEqual(20);
    lab.until(() => lab.leader !== undefined && lab.leader !== old, 60);
    expect(ask(lab, lab.leaderNumber)).toBe("ok");
    lab.cut(1, false);
    lab.run(40);
    expect(lab.listManagers().filter((line) => line.endsWith("reachable"))).toHaveLength(2);
    expect(lab.manager(1).store!.save()).toEqual(lab.leader!.store!.save());
  });

  it("say that there is no leader when most of them are gone, and go on when they come back", () => {
    const lab = new SwarmLab(3, { seed: "quorum" }).cluster(3);
    lab.at(2).node.powerOff();
    lab.at(3).node.powerOff();
    lab.run(40);
    expect(lab.leader).toBeUndefined();
    expect(ask(lab, 1)).toBe(
      "rpc error: code = Unknown desc = The swarm does not have a leader. It's possible that too few managers are online. " +
        "Make sure more than half of the managers are online.",
    );
    lab.at(3).node.restart();
    lab.until(() => lab.leader !== undefined, 90);
    expect(ask(lab, 1)).toBe("ok");
  });

  it("let a caller wait until its time is over while an election is under way", () => {
    const lab = new SwarmLab(3, { seed: "wait" }).cluster(3);
    lab.at(2).node.powerOff();
    lab.at(3).node.powerOff();
    lab.until(() => lab.leader === undefined, 30);
    expect(ask(lab, 1)).toBe("rpc error: code = DeadlineExceeded desc = context deadline exceeded");
  });
});

describe("a manager that is to be a worker", () => {
  it("leaves raft, and becomes a manager again when it is promoted", () => {
    const lab = new SwarmLab(3, { seed: "roles" }).cluster(3);
    lab.setRole(3, "worker");
    lab.run(10);
    expect(lab.at(3).node.manager).toBeUndefined();
    expect(lab.listManagers()).toEqual(["node1 Leader", "node2 reachable"]);
    expect("error" in lab.at(3).node.control && lab.at(3).node.control).toMatchObject({
      error: expect.stringContaining("Worker nodes can't be used to view or modify cluster state."),
    });
    lab.setRole(3, "manager");
    lab.run(10);
    expect(lab.listManagers()).toEqual(["node1 Leader", "node2 reachable", "node3 reachable"]);
    expect(lab.manager(3).store!.save()).toEqual(lab.leader!.store!.save());
  });

  it("hands the leadership over first when it leads", () => {
    const lab = new SwarmLab(3, { seed: "demote leader" }).cluster(3);
    lab.setRole(1, "worker");
    lab.run(30);
    expect(lab.at(1).node.manager).toBeUndefined();
    expect(lab.leaderNumber).toBeGreaterThan(1);
    expect(lab.listManagers()).toHaveLength(2);
  });
});
