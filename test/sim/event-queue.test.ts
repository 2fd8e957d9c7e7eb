import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventQueue } from "../../src/sim/event-queue.ts";

interface Expected {
  readonly atNs: number;
  readonly sequence: number;
  readonly value: number;
}

describe("The event queue", () => {
  it("gives events by time, then in the order of scheduling, whatever is pushed between takes", () => {
    const anyDelay = fc.oneof(
      fc.constant(0),
      fc.nat(300),
      fc.nat(100_000),
      fc.nat(20_000_000),
      fc.integer({ min: 0, max: 90_000_000_000 }),
    );
    const anyAction = fc.oneof(
      fc.record({ push: anyDelay }),
      fc.record({ take: fc.constant(true) }),
      fc.record({ peek: fc.constant(true) }),
    );
    fc.assert(
      fc.property(fc.array(anyAction, { maxLength: 300 }), (actions) => {
        const queue = new EventQueue();
        let model: Expected[] = [];
        let sequence = 0;
        for (const action of actions) {
          if ("push" in action) {
            const atNs = queue.atNs + action.push;
            queue.nowNs = queue.atNs;
            queue.push(action.push, 1, sequence);
            model.push({ atNs, sequence, value: sequence });
            sequence++;
          } else {
            model = model.sort((a, b) => a.atNs - b.atNs || a.sequence - b.sequence);
            const first = model[0];
            expect(queue.peek()).toBe(first?.atNs);
            if ("peek" in action) continue;
            expect(queue.next(Number.MAX_SAFE_INTEGER)).toBe(first !== undefined);
            if (first === undefined) continue;
            expect([queue.atNs, queue.value]).toEqual([first.atNs, first.value]);
            model.shift();
          }
          expect(queue.pending).toBe(model.length);
        }
      }),
      { numRuns: 500 },
    );
  });

  it("keeps what is due after the end asked for", () => {
    const queue = new EventQueue();
    queue.push(10, 1, 1);
    queue.push(30, 1, 2);
    expect(queue.next(20)).toBe(true);
    expect(queue.next(20)).toBe(false);
    queue.push(25, 1, 3);
    expect(queue.next(30)).toBe(true);
    expect(queue.value).toBe(3);
    expect(queue.next(30)).toBe(true);
    expect(queue.value).toBe(2);
  });

  it("grows past its first capacity without losing an event", () => {
    const queue = new EventQueue();
    const count = 5_000;
    for (let index = 0; index < count; index++) queue.push((index * 7919) % 100_003, 0, index);
    let last = -1;
    let taken = 0;
    while (queue.next(Number.MAX_SAFE_INTEGER)) {
      expect(queue.atNs).toBeGreaterThanOrEqual(last);
      last = queue.atNs;
      taken++;
    }
    expect(taken).toBe(count);
  });

  it("keeps a ring of many events for one instant in order while it grows", () => {
    const queue = new EventQueue();
    queue.push(5, 0, -1);
    queue.next(5);
    for (let index = 0; index < 3_000; index++) {
      queue.push(5, 0, index);
      if (index % 3 === 0) expect(queue.next(5)).toBe(true);
    }
    let previous = queue.value;
    while (queue.next(5)) {
      expect(queue.value).toBe(previous + 1);
      previous = queue.value;
    }
    expect(previous).toBe(2_999);
  });
});
