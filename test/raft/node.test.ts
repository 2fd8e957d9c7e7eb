/** Single behaviours, those that the recorded Swarm shows among them. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { firstSave, forceNewCluster } from "../../src/raft/bootstrap.ts";
import type { Message } from "../../src/raft/messages.ts";
import { RaftNode } from "../../src/raft/node.ts";
import { canRemove } from "../../src/raft/quorum.ts";
import { SWARM_SETTINGS } from "../../src/raft/settings.ts";
import { MemoryDisk } from "../../src/raft/storage.ts";
import { Random } from "../../src/sim/random.ts";
import { Cluster, id } from "./cluster.ts";

const S1 = id(1);
const S2 = id(2);
const S3 = id(3);

/** A cluster that S1 leads, with nothing under way. */
function led(size: number, settings = {}): Cluster {
  const cluster = new Cluster(size, settings);
  cluster.campaign(S1);
  cluster.exchange();
  expect(cluster.node(S1).isReadyForProposals).toBe(true);
  return cluster;
}

const kinds = (messages: readonly Message[]) => messages.map(({ kind, to }) => `${kind} ${Number(to)}`);

describe("The first manager", () => {
  it("adds itself in term 1 and leads in term 2, as `swarm init` does", () => {
    const disk = new MemoryDisk();
    disk.save(firstSave(S1, new Uint8Array([1])));
    const node = new RaftNode(S1, SWARM_SETTINGS, new Random(1), disk.load());
    expect(node.takeOutput()?.apply.entries.map(({ index, kind }) => [index, kind])).toEqual([[1, "change"]]);
    node.campaign();
    expect([node.role, node.term, node.voters]).toEqual(["leader", 2, [S1]]);
    expect(node.takeOutput()?.apply.entries).toHaveLength(1);
    expect(node.isReadyForProposals).toBe(true);
  });

  it("can be made out of what is left of a cluster without a quorum", () => {
    const cluster = led(3);
    cluster.propose(S1, "kept");
    cluster.exchange();
    const stored = cluster.members.get(S1)?.disk.load();
    const disk = new MemoryDisk();
    disk.save(forceNewCluster(stored!, S1, new Uint8Array(0)));
    const node = new RaftNode(S1, SWARM_SETTINGS, new Random(1), disk.load());
    node.takeOutput();
    expect(node.voters).toEqual([S1]);
    node.campaign();
    expect(node.role).toBe("leader");
  });
});

describe("An election", () => {
  it("begins 10 to 19 ticks after the leader was last heard", () => {
    const seen = new Set<number>();
    for (let seed = 0; seed < 200; seed++) {
      const cluster = new Cluster(3, {}, seed);
      let ticks = 0;
      while (cluster.node(S1).role === "follower") {
        cluster.tick(S1);
        ticks++;
      }
      seen.add(ticks);
    }
    expect([...seen].sort((a, b) => a - b)).toEqual([10, 11, 12, 13, 14, 15, 16, 17, 18, 19]);
  });

  it("is not disturbed by a vote asked for while the leader lives", () => {
    const cluster = led(3);
    cluster.tick(S3, 19);
    cluster.exchange([S2, S3]);
    expect([cluster.node(S3).role, cluster.node(S2).term]).toEqual(["candidate", 2]);
  });

  it("is forced by one who comes back with a higher term, there being no pre-vote", () => {
    const cluster = led(3);
    cluster.tick(S3, 19);
    cluster.exchange([S1, S2]);
    cluster.lose();
    cluster.tick(S1);
    cluster.exchange();
    expect([cluster.node(S1).role, cluster.node(S1).term]).toEqual(["follower", 3]);
  });

  it("is not, with pre-vote", () => {
    const cluster = led(3, { preVote: true });
    cluster.tick(S3, 60);
    cluster.lose();
    cluster.tick(S1);
    cluster.exchange();
    expect([cluster.node(S1).role, cluster.node(S1).term, cluster.node(S3).leader]).toEqual(["leader", 2, S1]);
  });
});

describe("The death of a leader", () => {
  it("is made good 10 to 20 ticks later, mostly: those within the lease still do not hear the first to stand", () => {
    const late: number[] = [];
    for (let seed = 0; seed < 100; seed++) {
      const cluster = new Cluster(5, {}, seed);
      cluster.campaign(S1);
      cluster.exchange();
      cluster.crash(S1);
      let ticks = 0;
      for (; cluster.leader === undefined; ticks++)
        for (const { id } of cluster.running) {
          cluster.tick(id);
          cluster.exchange();
        }
      expect(ticks).toBeGreaterThanOrEqual(10);
      expect(ticks).toBeLessThanOrEqual(40);
      if (ticks > 20) late.push(seed);
    }
    expect(late.length).toBeLessThan(25);
  });

  it("costs another round when two stand at once and share the votes, as recorded", () => {
    const cluster = led(3);
    cluster.crash(S1);
    cluster.tick(S2, 9); // both within the lease still
    cluster.tick(S3, 9);
    while (cluster.node(S2).role === "follower") cluster.tick(S2);
    while (cluster.node(S3).role === "follower") cluster.tick(S3);
    cluster.exchange();
    expect([cluster.node(S2).role, cluster.node(S3).role, cluster.leader]).toEqual([
      "candidate",
      "candidate",
      undefined,
    ]);
    expect([cluster.node(S2).term, cluster.node(S3).term]).toEqual([3, 3]);
    for (let ticks = 0; ticks < 10; ticks++) cluster.tickAll();
    expect(cluster.heal(60)).toBeGreaterThan(0);
    expect(cluster.leader?.term).toBeGreaterThan(3);
  });
});

describe("A leader", () => {
  it("sends a heartbeat a tick to each follower and is answered", () => {
    const cluster = led(3);
    cluster.tick(S1);
    expect(kinds(cluster.inflight)).toEqual(["heartbeat 2", "heartbeat 3"]);
    cluster.deliver(0);
    cluster.deliver(0);
    expect(kinds(cluster.inflight)).toEqual(["heartbeat-response 1", "heartbeat-response 1"]);
  });

  it("cut off just before the check of its 100th tick steps down at the 110th, as recorded", () => {
    const cluster = led(3);
    for (let tick = 1; tick < 100; tick++) {
      cluster.tick(S1);
      cluster.exchange();
    }
    cluster.tick(S1, 10); // cut: the check of tick 100 still counts the answers to the nine heartbeats before
    expect(cluster.node(S1).role).toBe("leader");
    cluster.tick(S1);
    expect([cluster.node(S1).role, cluster.node(S1).term]).toEqual(["follower", 2]);
  });

  it("hands over to another that is up to date, at once and in spite of the lease", () => {
    const cluster = led(3);
    cluster.propose(S1);
    cluster.transfer(S1, S3);
    expect(cluster.node(S1).propose(new Uint8Array(1))).toBe("transferring-leadership");
    cluster.exchange();
    expect([cluster.node(S3).role, cluster.node(S1).leader]).toEqual(["leader", S3]);
  });

  it("gives a transfer up after an election timeout", () => {
    const cluster = led(3);
    cluster.crash(S3);
    cluster.transfer(S1, S3);
    for (let tick = 0; tick < 10; tick++) {
      cluster.tick(S1);
      cluster.exchange();
    }
    expect(typeof cluster.node(S1).propose(new Uint8Array(1))).toBe("object");
  });

  it("acknowledges a proposal when a majority has it, and not before", () => {
    const cluster = led(3);
    const text = cluster.propose(S1);
    expect(cluster.outcomes.get(text)).toBeUndefined();
    cluster.exchange([S1, S2]);
    expect(cluster.outcomes.get(text)).toBe("committed");
  });

  it("gives its proposers up when it loses the leadership", () => {
    const cluster = led(3);
    const text = cluster.propose(S1);
    cluster.lose();
    cluster.tick(S1, 20);
    expect(cluster.outcomes.get(text)).toBe("lost-leadership");
  });

  it("refuses proposals that are too large, and everyone else refuses all", () => {
    const cluster = led(2);
    expect(cluster.node(S1).propose(new Uint8Array(1_572_865))).toBe("too-large");
    expect(cluster.node(S2).propose(new Uint8Array(1))).toBe("not-leader");
  });

  it("keeps an append within the size, and appends under way within the window", () => {
    const cluster = led(2, { maxMessageBytes: 300, maxInflight: 3 });
    for (let count = 0; count < 20; count++) cluster.node(S1).propose(new Uint8Array(140));
    const messages = cluster.node(S1).takeOutput()?.messages ?? [];
    expect(messages.map((message) => message.kind === "append" && message.entries.length)).toEqual([1, 1, 1]);
    cluster.inflight.push(...messages);
    cluster.exchange();
    expect(cluster.node(S2).lastIndex).toBe(cluster.node(S1).lastIndex);
  });
});

describe("A follower far behind", () => {
  it("is sent a snapshot, then the entries after it", () => {
    const cluster = led(3, { keptEntries: 2 });
    cluster.crash(S3);
    for (let count = 0; count < 10; count++) cluster.propose(S1);
    cluster.exchange();
    cluster.takeSnapshot(S1);
    cluster.propose(S1);
    cluster.exchange();
    cluster.start(S3);
    cluster.tick(S1);
    const seen: string[] = [];
    while (cluster.inflight.length > 0) {
      if (cluster.inflight[0]?.to === S3) seen.push(cluster.inflight[0].kind);
      cluster.deliver(0);
    }
    expect(seen.filter((kind) => kind === "snapshot")).toHaveLength(1);
    expect(cluster.members.get(S3)?.applied).toEqual(cluster.members.get(S1)?.applied);
  });

  it("halts, rather than lie, when its disk forgot what it had acknowledged", () => {
    const cluster = led(3);
    cluster.propose(S1);
    cluster.exchange();
    const node = new RaftNode(S3, SWARM_SETTINGS, new Random(1), undefined);
    node.step({ kind: "heartbeat", from: S1, to: S3, term: 2, commit: 5 });
    expect(node.fault).toBe("raft-commit-beyond-log");
  });
});

describe("A snapshot", () => {
  it("is due after as many applied entries as the settings say, and shortens the log but for those kept", () => {
    const cluster = led(1, { snapshotInterval: 10, keptEntries: 3 });
    while (!cluster.node(S1).isSnapshotDue) cluster.propose(S1);
    expect(cluster.node(S1).appliedIndex).toBe(10);
    cluster.takeSnapshot(S1);
    expect([cluster.node(S1).firstIndex, cluster.node(S1).isSnapshotDue]).toEqual([8, false]);
    const { applied } = cluster.members.get(S1)!;
    cluster.crash(S1);
    cluster.start(S1);
    expect(cluster.members.get(S1)?.applied).toEqual(applied);
    expect(cluster.node(S1).firstIndex).toBe(11);
  });
});

describe("A change of membership", () => {
  it("makes a joiner a member that follows and can lead", () => {
    const cluster = led(1);
    cluster.proposeChange(S1, "add", S2);
    cluster.tick(S1);
    cluster.exchange();
    cluster.tick(S1); // the second heartbeat tells that all is committed
    cluster.exchange();
    expect(cluster.node(S2).voters).toEqual([S1, S2]);
    cluster.transfer(S1, S2);
    cluster.exchange();
    expect(cluster.node(S2).role).toBe("leader");
  });

  it("waits for the one before it", () => {
    const cluster = led(3);
    const change = { kind: "remove", request: id(0), context: new Uint8Array(0) } as const;
    expect(typeof cluster.node(S1).proposeChange({ ...change, member: S2 })).toBe("object");
    expect(cluster.node(S1).proposeChange({ ...change, member: S3 })).toBe("change-pending");
  });

  it("that removes a member lets a smaller majority commit", () => {
    const cluster = led(2);
    cluster.proposeChange(S1, "remove", S2);
    cluster.exchange();
    cluster.crash(S2);
    const text = cluster.propose(S1);
    expect(cluster.outcomes.get(text)).toBe("committed");
  });

  it("is allowed by Swarm when those who can be reached are a majority afterwards", () => {
    const voters = [S1, S2, S3];
    expect(canRemove(voters, S3, (voter) => voter !== S3)).toBe(true);
    expect(canRemove(voters, S3, (voter) => voter === S1)).toBe(false);
    expect(canRemove([S1, S2], S2, () => true)).toBe(true);
  });
});

describe("A node", () => {
  it("takes any message in any state without an exception", () => {
    const number = fc.nat(12);
    const anyKind = fc.constantFrom<Message["kind"]>(
      ...(["append", "append-response", "vote", "vote-response", "pre-vote", "pre-vote-response"] as const),
      ...(["heartbeat", "heartbeat-response", "timeout-now", "snapshot"] as const),
    );
    const anyRecord = fc.record({ kind: anyKind, term: number, index: number, logTerm: number, commit: number });
    fc.assert(
      fc.property(
        fc.array(fc.tuple(anyRecord, fc.boolean(), fc.integer({ min: 1, max: 3 })), { maxLength: 30 }),
        (all) => {
          const node = led(3).node(S1);
          for (const [record, flag, from] of all) {
            const { index, logTerm } = record;
            const message = {
              ...record,
              ...{
                from: id(from),
                to: S1,
                granted: flag,
                transfer: flag,
                rejected: flag ? { index, logTerm } : undefined,
              },
              entries: flag ? [{ kind: "normal", term: record.term, index: index + 1, data: new Uint8Array(1) }] : [],
              snapshot: { index: index + 1, term: logTerm, voters: [S1, S2], data: new Uint8Array(0) },
            } as Message;
            node.step(message);
            node.tick();
            node.takeOutput();
          }
        },
      ),
    );
  });
});
