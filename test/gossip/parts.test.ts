/** The parts of memberlist that decide when and how often. */
import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Agenda } from "../../src/gossip/agenda.ts";
import { BroadcastQueue } from "../../src/gossip/broadcast-queue.ts";
import { LAN, pushPullIntervalNs, retransmitLimit, suspicionMinimumNs } from "../../src/gossip/settings.ts";
import { Suspicion } from "../../src/gossip/suspicion.ts";
import { Ticker } from "../../src/gossip/ticker.ts";
import { SECOND } from "../../src/sim/time.ts";

describe("a rumour", () => {
  it("is sent four times for each digit of the cluster's size", () => {
    expect([1, 9, 10, 99, 100, 999].map((nodes) => retransmitLimit(4, nodes))).toEqual([4, 4, 8, 8, 12, 12]);
  });

  it("goes out least sent first, then longest that fits, then newest", () => {
    const queue = new BroadcastQueue(1, () => 50); // twice each
    queue.add("a", Uint8Array.of(1));
    queue.add("b", Uint8Array.of(2, 2, 2));
    queue.add("c", Uint8Array.of(3));
    expect(queue.take(2, 8).map((bytes) => bytes[0])).toEqual([2, 3]);
    expect(queue.take(2, 100).map((bytes) => bytes[0])).toEqual([1, 2, 3]);
    expect(queue.take(2, 100).map((bytes) => bytes[0])).toEqual([1]);
    expect(queue.length).toBe(0);
  });

  it("is replaced by a newer one about its subject, and says when it is done with", () => {
    const queue = new BroadcastQueue(4, () => 1);
    const ended: string[] = [];
    queue.add("a", Uint8Array.of(1), () => ended.push("old"));
    queue.add("a", Uint8Array.of(2), () => ended.push("new"));
    expect(ended).toEqual(["old"]);
    for (let round = 0; round < 4; round++) expect(queue.take(2, 100)).toEqual([Uint8Array.of(2)]);
    expect(ended).toEqual(["old", "new"]);
    expect(queue.take(2, 100)).toEqual([]);
  });

  it("never takes more room than there is", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(60)), fc.nat(200), (lengths, limitBytes) => {
        const queue = new BroadcastQueue(4, () => 3);
        for (const length of lengths) queue.add(undefined, new Uint8Array(length));
        for (let round = 0; round < 5; round++) {
          const used = queue.take(2, limitBytes).reduce((sum, bytes) => sum + bytes.length + 2, 0);
          expect(used).toBeLessThanOrEqual(limitBytes);
        }
      }),
    );
  });
});

describe("a suspicion", () => {
  it("lasts 24 s among four to ten, 11.4 s after one confirmation, 4 s after two", () => {
    for (const nodes of [4, 7, 10]) {
      const suspicion = new Suspicion(LAN, nodes, "a", 0);
      expect(suspicion.deadlineNs).toBe(24 * SECOND);
      expect(suspicion.confirm("a")).toBe(false);
      expect(suspicion.confirm("b")).toBe(true);
      expect(suspicion.deadlineNs).toBe(11.381 * SECOND);
      expect(suspicion.confirm("c")).toBe(true);
      expect(suspicion.deadlineNs).toBe(4 * SECOND);
      expect(suspicion.confirm("d")).toBe(false);
    }
  });

  it("lasts 4 s among three, who cannot confirm it", () => {
    const suspicion = new Suspicion(LAN, 3, "a", 0);
    expect(suspicion.deadlineNs).toBe(4 * SECOND);
    expect(suspicion.confirm("b")).toBe(false);
  });

  it("grows with the logarithm of the cluster, as push-pulls become rarer", () => {
    expect([1, 10, 100, 1000].map((nodes) => suspicionMinimumNs(LAN, nodes) / SECOND)).toEqual([4, 4, 8, 12]);
    expect([2, 32, 33, 64, 65].map((nodes) => pushPullIntervalNs(LAN, nodes) / SECOND)).toEqual([30, 30, 60, 60, 90]);
  });
});

describe("an agenda", () => {
  it("runs what is due by time, then by entry, and nothing that was cancelled", () => {
    fc.assert(
      fc.property(fc.array(fc.record({ delay: fc.nat(20), isCancelled: fc.boolean() })), (plans) => {
        const agenda = new Agenda(0);
        const ran: number[] = [];
        const made = plans.map(({ delay }, index) => agenda.after(delay, () => ran.push(index)));
        for (const [index, { isCancelled }] of plans.entries()) if (isCancelled) agenda.cancel(made[index]!);
        agenda.advance(20);
        const expected = plans
          .map(({ delay, isCancelled }, index) => ({ delay, isCancelled, index }))
          .filter(({ isCancelled }) => !isCancelled)
          .sort((one, other) => one.delay - other.delay || one.index - other.index);
        expect(ran).toEqual(expected.map(({ index }) => index));
        expect(agenda.nextNs).toBe(undefined);
      }),
    );
  });

  it("keeps one tick for a worker that is busy", () => {
    const agenda = new Agenda(0);
    const starts: number[] = [];
    new Ticker(agenda, 10, (done) => {
      starts.push(agenda.nowNs);
      agenda.after(starts.length === 1 ? 25 : 0, done);
    });
    agenda.advance(60);
    expect(starts).toEqual([10, 35, 40, 50, 60]);
  });
});
