/** The Raft paper's figures 7 and 8, played. */
import { describe, expect, it } from "vitest";
import type { Entry, Message, RaftId } from "../../src/raft/messages.ts";
import { RaftNode } from "../../src/raft/node.ts";
import { type Settings, SWARM_SETTINGS } from "../../src/raft/settings.ts";
import { Random } from "../../src/sim/random.ts";
import { id } from "./cluster.ts";

const NONE = new Uint8Array(0);

/** Nodes whose logs have entries of these terms, in the term given, none committed. */
class Figure {
  readonly nodes: RaftNode[];
  inflight: Message[] = [];

  constructor(logs: readonly (readonly number[])[], term: number, settings: Partial<Settings> = {}) {
    const voters: RaftId[] = logs.map((_, at) => id(at + 1));
    this.nodes = logs.map((terms, at) => {
      const entries = terms.map((term, at): Entry => ({ kind: "normal", term, index: at + 1, data: NONE }));
      const hardState = { term, vote: undefined, commit: 0 };
      const stored = { snapshot: { index: 0, term: 0, voters, data: NONE }, entries, hardState };
      const all = { ...SWARM_SETTINGS, checkQuorum: false, ...settings };
      return new RaftNode(id(at + 1), all, new Random(`figure ${at}`), stored);
    });
  }

  /** S1 is 1. Messages among `members` until none is left, or until `until`; the rest is lost. */
  exchange(members: readonly number[], until: () => boolean = () => false): void {
    for (;;) {
      for (const node of this.nodes) this.inflight.push(...(node.takeOutput()?.messages ?? []));
      const message = this.inflight.shift();
      if (message === undefined || until()) break;
      const isHeard = members.includes(Number(message.from)) && members.includes(Number(message.to));
      if (isHeard) this.nodes[Number(message.to) - 1]?.step(message);
    }
    this.inflight = [];
  }

  node(number: number): RaftNode {
    return this.nodes[number - 1]!;
  }

  terms(number: number): number[] {
    const node = this.node(number);
    return node.entries(1, node.lastIndex).map(({ term }) => term);
  }
}

describe("Figure 7: a leader and followers with missing and with extra entries", () => {
  const LEADER = [1, 1, 1, 4, 4, 5, 5, 6, 6, 6];
  const FOLLOWERS = [
    [1, 1, 1, 4, 4, 5, 5, 6, 6], // a
    [1, 1, 1, 4], // b
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6], // c
    [1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7], // d
    [1, 1, 1, 4, 4, 4, 4], // e
    [1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3], // f
  ];
  const everyone = [1, 2, 3, 4, 5, 6, 7];

  it("ends with all logs equal to the leader's, and all of it committed", () => {
    const figure = new Figure([LEADER, ...FOLLOWERS], 7);
    figure.node(1).campaign();
    figure.exchange(everyone);
    expect(figure.node(1).role).toBe("leader");
    expect(figure.node(1).term).toBe(8);
    for (const number of everyone) {
      expect(figure.terms(number)).toEqual([...LEADER, 8]);
      expect(figure.node(number).commitIndex).toBe(11);
    }
  });

  it("has c and d refuse their votes, and the four others suffice", () => {
    const figure = new Figure([LEADER, ...FOLLOWERS], 7);
    figure.node(1).campaign();
    const votes = figure.node(1).takeOutput()?.messages ?? [];
    const granted = votes.map((vote) => {
      const follower = figure.node(Number(vote.to));
      follower.step(vote);
      const answer = follower.takeOutput()?.messages[0];
      return answer?.kind === "vote-response" && answer.granted;
    });
    expect(granted).toEqual([true, true, false, false, true, true]);
  });

  it("finds where f agrees in one refusal a term, not one an entry", () => {
    const figure = new Figure([LEADER, FOLLOWERS[5]!], 7);
    figure.node(1).campaign();
    let refusals = 0;
    figure.exchange([1, 2], () => {
      const next = figure.inflight[0];
      if (next?.kind === "append-response" && next.rejected !== undefined) refusals++;
      return false;
    });
    expect(figure.terms(2)).toEqual([...LEADER, 8]);
    expect(refusals).toBeLessThanOrEqual(2);
  });
});

describe("Figure 8: an entry of an older term on a majority is not committed by that alone", () => {
  /** (a) to (c): S1 led term 2 and reached S2; S5 led term 3 and reached nobody; S1 leads term 4 and S3 has the entry of term 2. */
  function upToC(): Figure {
    const figure = new Figure([[1, 2], [1, 2], [1], [1], [1, 3]], 3, { maxMessageBytes: 1 });
    figure.node(1).campaign();
    figure.exchange([1, 2, 3], () => figure.terms(3).length === 2);
    expect(figure.node(1).role).toBe("leader");
    expect(figure.terms(3)).toEqual([1, 2]);
    return figure;
  }

  it("(d): S5 may still lead, and replace it", () => {
    const figure = upToC();
    expect(figure.node(1).commitIndex).toBe(0);
    figure.node(5).tick();
    for (const number of [3, 4, 5]) expect(figure.node(number).term).toBeLessThanOrEqual(4);
    figure.node(5).campaign(); // term 4: S3 has voted in it
    figure.exchange([3, 4, 5]);
    figure.node(5).campaign();
    figure.exchange([3, 4, 5]);
    expect(figure.node(5).role).toBe("leader");
    expect(figure.terms(3)).toEqual([1, 3, 5]);
    expect(figure.node(3).fault).toBeUndefined();
  });

  it("(e): an entry of term 4 on a majority commits it too, and S5 cannot lead any more", () => {
    const figure = upToC();
    figure.node(1).step({ kind: "append-response", from: id(3), to: id(1), term: 4, index: 2, rejected: undefined });
    expect(figure.node(1).commitIndex).toBe(0);
    for (let tick = 0; tick < 2; tick++) {
      figure.node(1).tick();
      figure.exchange([1, 2, 3]);
    }
    expect(figure.terms(3)).toEqual([1, 2, 4]);
    expect(figure.node(1).commitIndex).toBe(3);
    for (let attempt = 0; attempt < 3; attempt++) {
      figure.node(5).campaign();
      figure.exchange([2, 3, 4, 5]);
      expect(figure.node(5).role).not.toBe("leader");
    }
  });
});
