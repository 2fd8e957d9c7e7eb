import { describe, expect, it } from "vitest";
import { SECOND } from "../../../src/sim/time.ts";
import { secretShape, taskShape } from "../../../src/swarm/api/objects.ts";
import { secretSpecShape } from "../../../src/swarm/api/specs.ts";
import type { Seen } from "../../linux/two-hosts.ts";
import { SwarmLab } from "../swarm-lab.ts";

/** Segments with data on port 2377: `out 192.168.50.12 94`. */
function segments(seen: readonly Seen[], fromNs: number, toNs: number): string[] {
  return seen.flatMap(({ timeNs, direction, bytes }) => {
    if (timeNs < fromNs || timeNs >= toNs || bytes[23] !== 6) return [];
    const tcp = 14 + (bytes[14]! & 0x0f) * 4;
    const end = 14 + bytes[16]! * 256 + bytes[17]!;
    const size = end - tcp - (bytes[tcp + 12]! >> 4) * 4;
    const peer = direction === "out" ? bytes[33] : bytes[29];
    return size > 0 ? [`${direction} .${peer} ${size}`] : [];
  });
}

/** Of the segments from and to one follower in 10 s. */
function sizes(lab: SwarmLab, direction: "in" | "out"): number[] {
  lab.run(10);
  const fromNs = lab.nowNs;
  lab.run(10);
  return segments(lab.at(1).seen, fromNs, fromNs + 10 * SECOND)
    .filter((line) => line.startsWith(`${direction} .12 `))
    .map((line) => Number(line.split(" ")[2]));
}

// Recorded: 8 segments a follower and second; heartbeats of 116 and 115 bytes at commit index 232, answers of 88, window updates and pings of 69 and 39.
// TLS has 22 bytes in each of them.
describe("raft on the wire", () => {
  it.each([
    { direction: "out", heartbeat: 116 },
    { direction: "in", heartbeat: 115 },
  ] as const)("takes as many segments and bytes a second as recorded, less what TLS adds ($direction)", (recorded) => {
    const found = sizes(new SwarmLab(3, { watched: true }).cluster(3), recorded.direction);
    expect(found).toHaveLength(40);
    const heartbeats = found.filter((size) => size > 66);
    expect(heartbeats).toHaveLength(10);
    for (const size of heartbeats) expect(Math.abs(size + 22 - recorded.heartbeat)).toBeLessThanOrEqual(18);
    for (const size of [88, 69, 39]) expect(found.filter((each) => each + 22 === size)).toHaveLength(10);
  });

  it("takes the recorded sizes under TLS", () => {
    const lab = new SwarmLab(3, { watched: true, sealed: true }).cluster(3);
    expect(lab.listManagers()).toEqual(["node1 Leader", "node2 reachable", "node3 reachable"]);
    const found = sizes(lab, "out");
    expect(found).toHaveLength(40);
    for (const size of [88, 69, 39]) expect(found.filter((each) => each === size)).toHaveLength(10);
    for (const size of found.filter((each) => each > 88)) expect(Math.abs(size - 116)).toBeLessThanOrEqual(18);
  });
});

describe("a follower that was away for long", () => {
  it("is sent a snapshot, in pieces when it is large", () => {
    const lab = new SwarmLab(3);
    expect(lab.init(1, { cluster: { snapshotInterval: 100 } })).toBe("ok");
    const { manager } = lab.tokens;
    for (const number of [2, 3]) expect(lab.join(number, manager)).toBe("ok");
    lab.run(3);
    lab.at(3).node.powerOff();
    const store = lab.leader!.store!;
    for (let at = 0; at < 10; at++) {
      const data = new Uint8Array(450_000).fill(at);
      const spec = secretSpecShape.make({ annotations: { name: `s${at}`, labels: new Map() }, data });
      store.update((tx) => tx.create("secret", secretShape.make({ id: `s${at}`, spec })));
      lab.run(1);
    }
    for (let at = 0; at < 700; at++) store.update((tx) => tx.create("task", taskShape.make({ id: `t${at}` })));
    lab.run(20);
    expect(store.count("task")).toBe(700);
    lab.at(3).node.restart();
    lab.run(20);
    expect(lab.manager(3).store!.count("task")).toBe(700);
    expect(Buffer.compare(lab.manager(3).store!.save(), lab.leader!.store!.save())).toBe(0);
    expect(lab.listManagers()).toEqual(["node1 Leader", "node2 reachable", "node3 reachable"]);
  });
});
