import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Random } from "../../src/sim/random.ts";
import { OBSERVATION_WEIGHT, type Peer, Remotes } from "../../src/swarm/remotes.ts";

const A: Peer = { nodeId: "a", address: "10.0.0.1:2377" };
const B: Peer = { nodeId: "b", address: "10.0.0.2:2377" };

describe("the managers that a node knows", () => {
  it("gain and lose weight by half of the way to what is said of them", () => {
    const remotes = new Remotes(new Random(1), [A]);
    expect(remotes.weightOf(A)).toBe(5);
    remotes.observe(A, OBSERVATION_WEIGHT);
    expect(remotes.weightOf(A)).toBe(8);
    remotes.observe(A, -OBSERVATION_WEIGHT);
    expect(remotes.weightOf(A)).toBe(-1);
    remotes.observeIfKnown(B, OBSERVATION_WEIGHT);
    expect(remotes.weightOf(B)).toBeUndefined();
  });

  it("are never chosen when they are excluded, by id or address, and always when they alone are left", () => {
    const remotes = new Remotes(new Random(1), [A, B]);
    for (let count = 0; count < 50; count++) {
      expect(remotes.select("a")).toBe(B);
      expect(remotes.select(B.address)).toBe(A);
    }
    expect(remotes.select("a", "b")).toBeUndefined();
    expect(new Remotes(new Random(1)).select()).toBeUndefined();
  });

  it("are chosen more often the better they have served", () => {
    const remotes = new Remotes(new Random("choice"), [A, B]);
    for (let count = 0; count < 10; count++) remotes.observe(A, 100);
    let chosen = 0;
    for (let count = 0; count < 1000; count++) if (remotes.select() === A) chosen++;
    expect(chosen).toBeGreaterThan(900);
    expect(chosen).toBeLessThan(1000);
  });

  it("are those of the last list, whatever was known before", () => {
    const anyPeers = fc.uniqueArray(
      fc.nat(9).map((n) => ({ nodeId: `n${n}`, address: `10.0.0.${n}:2377` })),
      {
        selector: ({ nodeId }) => nodeId,
      },
    );
    fc.assert(
      fc.property(anyPeers, anyPeers, (before, after) => {
        const remotes = new Remotes(new Random(1), before);
        remotes.replace(after.map((peer) => ({ ...peer, weight: OBSERVATION_WEIGHT })));
        expect(remotes.peers.map(({ nodeId }) => nodeId).sort()).toEqual(after.map(({ nodeId }) => nodeId).sort());
      }),
    );
  });
});
