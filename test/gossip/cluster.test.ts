/** A cluster that gossips: who is noticed to be gone, and when; who is not; and that all come to the same tables. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Keyring } from "../../src/gossip/keyring.ts";
import { NETWORKDB } from "../../src/gossip/networkdb-settings.ts";
import { SECOND } from "../../src/sim/time.ts";
import { Cluster } from "./cluster.ts";

const NETWORK = "1acqcenrj8c1";
const PEERS = "overlay_peer_table";
const VALUE = Uint8Array.of(1, 2, 3);

function formed(nodes: number, seed: string | number = 1, more: object = {}): Cluster {
  const cluster = new Cluster({ nodes, seed, ...more });
  cluster.form(5 * SECOND);
  // Rumours are sent a few times and may miss one of many (some 1 % of seven); a push-pull tells it then.
  const isWhole = (): boolean => cluster.nodes.every((node) => node.db.members.length === nodes);
  expect(cluster.run(cluster.nowNs + 90 * SECOND, isWhole)).toBe(true);
  return cluster;
}
function everyPair(cluster: Cluster, check: (index: number, other: number) => void): void {
  for (const index of cluster.nodes.keys()) for (const other of cluster.nodes.keys()) check(index, other);
}

describe("a gossiping cluster", () => {
  it("knows all its members a few seconds after the last one joined", () => {
    const cluster = formed(7);
    everyPair(cluster, (index, other) => expect(cluster.belief(index, other)).toBe("alive"));
  });

  it("notices a dead node of three within the recorded times: suspected by its next probe, dead four seconds later", () => {
    const cluster = formed(3);
    const cutNs = cluster.nowNs;
    cluster.nodes[2]!.isUp = false;
    // at most two probe intervals of 1 s to come to it, one to fail, 4 s of suspicion
    const isDead = (): boolean => cluster.belief(0, 2) === "dead" && cluster.belief(1, 2) === "dead";
    expect(cluster.run(cutNs + 10 * SECOND, isDead)).toBe(true);
    const tookNs = cluster.nowNs - cutNs;
    expect(tookNs).toBeGreaterThanOrEqual(4 * SECOND);
    expect(tookNs).toBeLessThanOrEqual(7.5 * SECOND);
    expect(cluster.nodes[0]!.heard.at(-1)).toBe(`failed ${cluster.nodes[2]!.name}`);
  });

  it("notices any dead node, whatever its size", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 9 }), fc.nat(1000), (nodes, seed) => {
        const cluster = formed(nodes, seed);
        const victim = seed % nodes;
        cluster.nodes[victim]!.isUp = false;
        const others = [...cluster.nodes.keys()].filter((index) => index !== victim);
        const isNoticed = (): boolean => others.every((index) => cluster.belief(index, victim) === "dead");
        // a round of probes, the longest suspicion of 24 s, and slack for stretched intervals
        expect(cluster.run(cluster.nowNs + (2 * nodes + 2 + 24 + 8) * SECOND, isNoticed)).toBe(true);
      }),
      { numRuns: 25 },
    );
  });

  it("never believes a node dead while no datagram is lost", () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 6 }), fc.nat(1000), (nodes, seed) => {
        const cluster = formed(nodes, seed);
        cluster.run(cluster.nowNs + 60 * SECOND);
        everyPair(cluster, (index, other) => expect(cluster.belief(index, other)).toBe("alive"));
        for (const node of cluster.nodes) {
          expect(node.heard.filter((line) => line.startsWith("failed"))).toEqual([]);
          expect(node.db.healthScore).toBe(0);
          expect(node.db.members.every((member) => member.incarnation === 1)).toBe(true);
        }
      }),
      { numRuns: 10 },
    );
  });

  it("keeps a node whose datagrams are lost alive by pings over streams", () => {
    const cluster = formed(3);
    cluster.passesDatagrams = (from, to) => from !== 2 && to !== 2;
    cluster.run(cluster.nowNs + 40 * SECOND);
    expect(cluster.belief(0, 2)).toBe("alive");
    expect(cluster.belief(1, 2)).toBe("alive");
  });

  it("keeps a node alive through others when one way alone is lost", () => {
    const cluster = formed(4);
    cluster.passesDatagrams = (from, to) => !(from === 0 && to === 3);
    cluster.isReachable = (from, to) => !(from === 0 && to === 3);
    cluster.run(cluster.nowNs + 40 * SECOND);
    for (const index of [0, 1, 2]) expect(cluster.belief(index, 3)).toBe("alive");
  });

  it("believes a suspect that refutes, with a higher incarnation", () => {
    const cluster = formed(5);
    cluster.isReachable = (from, to) => from !== 4 && to !== 4;
    const isSuspected = (): boolean => [0, 1, 2, 3].some((index) => cluster.belief(index, 4) === "suspect");
    expect(cluster.run(cluster.nowNs + 20 * SECOND, isSuspected)).toBe(true);
    cluster.isReachable = () => true;
    cluster.run(cluster.nowNs + 15 * SECOND);
    everyPair(cluster, (index, other) => expect(cluster.belief(index, other)).toBe("alive"));
    const incarnation = cluster.nodes[0]!.db.members.find(
      (member) => member.name === cluster.nodes[4]!.name,
    )?.incarnation;
    expect(incarnation).toBeGreaterThan(1);
  });

  it("hears of a node that leaves as one that left, at once", () => {
    const cluster = formed(4);
    let isLeft = false;
    cluster.act(1, (db) =>
      db.leave(() => {
        isLeft = true;
      }),
    );
    cluster.run(cluster.nowNs + 8 * SECOND);
    expect(isLeft).toBe(true);
    for (const index of [0, 2, 3]) {
      expect(cluster.belief(index, 1)).toBe("left");
      expect(cluster.nodes[index]!.heard.at(-1)).toBe(`left ${cluster.nodes[1]!.name}`);
    }
  });

  it("comes together again after a split, and to the same tables", () => {
    const cluster = formed(5);
    for (const index of cluster.nodes.keys()) cluster.act(index, (db) => db.joinNetwork(NETWORK));
    cluster.run(cluster.nowNs + 3 * SECOND);
    for (const index of cluster.nodes.keys())
      expect(cluster.act(index, (db) => db.createEntry(NETWORK, PEERS, `ep${index}`, VALUE))).toBe(undefined);
    cluster.run(cluster.nowNs + 3 * SECOND);
    for (const index of cluster.nodes.keys()) expect(cluster.table(index, NETWORK)).toHaveLength(5);
    cluster.isReachable = (from, to) => from < 3 === to < 3;
    cluster.run(cluster.nowNs + 60 * SECOND);
    expect(cluster.table(0, NETWORK)).toHaveLength(3);
    expect(cluster.table(4, NETWORK)).toHaveLength(2);
    cluster.act(0, (db) => db.deleteEntry(NETWORK, PEERS, "ep0"));
    cluster.act(4, (db) => db.createEntry(NETWORK, PEERS, "late", VALUE));
    cluster.isReachable = () => true;
    cluster.run(cluster.nowNs + 60 * SECOND);
    everyPair(cluster, (index, other) => expect(cluster.belief(index, other)).toBe("alive"));
    const expected = cluster.table(0, NETWORK);
    expect(expected.map((line) => line.split("=")[0])).toEqual(
      ["ep1", "ep2", "ep3", "ep4", "late"].map((key) => `${PEERS}/${key}`),
    );
    for (const index of cluster.nodes.keys()) expect(cluster.table(index, NETWORK)).toEqual(expected);
  });

  it("does the same with the entries of failed nodes deleted instead of hidden", () => {
    const cluster = formed(3, 1, { options: { networkDb: { ...NETWORKDB, failedNodeEntries: "delete" } } });
    for (const index of cluster.nodes.keys()) cluster.act(index, (db) => db.joinNetwork(NETWORK));
    cluster.run(cluster.nowNs + 2 * SECOND);
    cluster.act(2, (db) => db.createEntry(NETWORK, PEERS, "c", VALUE));
    cluster.run(cluster.nowNs + 2 * SECOND);
    cluster.isReachable = (from, to) => from !== 2 && to !== 2;
    cluster.run(cluster.nowNs + 20 * SECOND);
    expect(cluster.table(0, NETWORK)).toEqual([]);
    cluster.isReachable = () => true;
    cluster.run(cluster.nowNs + 45 * SECOND);
    expect(cluster.table(0, NETWORK)).toHaveLength(1);
    const changes = cluster.nodes[0]!.heard.filter((line) => line.includes(PEERS)).map((line) => line.split(" ")[0]);
    expect(changes).toEqual(["create", "delete", "create"]);
  });

  it("comes to the same tables in spite of loss, whatever is written where", () => {
    const operation = fc.record({
      node: fc.nat(3),
      key: fc.nat(5),
      what: fc.constantFrom("create" as const, "update" as const, "delete" as const),
      value: fc.uint8Array({ minLength: 1, maxLength: 300 }),
    });
    fc.assert(
      fc.property(fc.nat(1000), fc.array(operation, { maxLength: 12 }), (seed, operations) => {
        const cluster = formed(4, seed, { loss: 50_000 });
        for (const index of cluster.nodes.keys()) cluster.act(index, (db) => db.joinNetwork(NETWORK));
        cluster.run(cluster.nowNs + 2 * SECOND);
        for (const { node, key, what, value } of operations) {
          const name = `key${node}-${key}`; // as endpoints: each is written by its own node
          cluster.act(node, (db) => {
            if (what === "create") db.createEntry(NETWORK, PEERS, name, value);
            else if (what === "update") db.updateEntry(NETWORK, PEERS, name, value);
            else db.deleteEntry(NETWORK, PEERS, name);
          });
          cluster.run(cluster.nowNs + 0.3 * SECOND);
        }
        cluster.loss = 0;
        cluster.run(cluster.nowNs + 65 * SECOND);
        for (const index of [1, 2, 3]) expect(cluster.table(index, NETWORK)).toEqual(cluster.table(0, NETWORK));
      }),
      { numRuns: 10 },
    );
  });

  it("tells tables to the nodes of a network alone", () => {
    const cluster = formed(3);
    for (const index of [0, 1]) cluster.act(index, (db) => db.joinNetwork(NETWORK));
    cluster.run(cluster.nowNs + 2 * SECOND);
    cluster.act(0, (db) => db.createEntry(NETWORK, PEERS, "a", VALUE));
    cluster.run(cluster.nowNs + 40 * SECOND);
    expect(cluster.table(1, NETWORK)).toHaveLength(1);
    expect(cluster.table(2, NETWORK)).toHaveLength(0);
    expect(cluster.nodes[2]!.db.peers(NETWORK)).toHaveLength(2);
    cluster.act(2, (db) => db.joinNetwork(NETWORK)); // now it gets all by bulk sync
    cluster.run(cluster.nowNs + SECOND);
    expect(cluster.table(2, NETWORK)).toHaveLength(1);
    cluster.act(0, (db) => db.leaveNetwork(NETWORK));
    cluster.run(cluster.nowNs + 2 * SECOND);
    expect(cluster.table(1, NETWORK)).toHaveLength(0);
    expect(cluster.nodes[1]!.heard.at(-1)).toBe(`delete ${NETWORK} ${PEERS} a`);
  });

  it("spreads an entry within a second", () => {
    const cluster = formed(5);
    for (const index of cluster.nodes.keys()) cluster.act(index, (db) => db.joinNetwork(NETWORK));
    cluster.run(cluster.nowNs + 2 * SECOND);
    cluster.act(3, (db) => db.createEntry(NETWORK, PEERS, "x", VALUE));
    const isSpread = (): boolean => cluster.nodes.every((_, index) => cluster.table(index, NETWORK).length === 1);
    expect(cluster.run(cluster.nowNs + SECOND, isSpread)).toBe(true);
  });

  it("sends the same bytes for the same seed, sealed ones too", () => {
    const run = (seed: number): string => {
      const keyring = new Keyring([new Uint8Array(16).fill(9)]);
      const cluster = formed(3, seed, { keyring, loss: 20_000 });
      cluster.act(1, (db) => db.joinNetwork(NETWORK));
      cluster.run(cluster.nowNs + 20 * SECOND);
      return cluster.sent.join("\n");
    };
    expect(run(7)).toBe(run(7));
    expect(run(7)).not.toBe(run(8));
  });

  it("gossips on while its keys change", () => {
    const first = new Uint8Array(16).fill(1);
    const second = new Uint8Array(16).fill(2);
    const keyring = new Keyring([first, second]);
    const cluster = formed(3, 1, { keyring });
    keyring.use(second);
    cluster.run(cluster.nowNs + 3 * SECOND);
    expect(keyring.remove(first)).toBe(true);
    cluster.run(cluster.nowNs + 20 * SECOND);
    everyPair(cluster, (index, other) => expect(cluster.belief(index, other)).toBe("alive"));
  });
});
