import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventPool } from "../../src/gossip/event-pool.ts";
import { emit, parse, type TableEvent } from "../../src/gossip/networkdb-messages.ts";

const anyText = fc.string({ unit: "binary", maxLength: 40 });
const anyEvent: fc.Arbitrary<TableEvent> = fc.record({
  kind: fc.constant("table-event" as const),
  operation: fc.constantFrom("create", "update", "delete"),
  time: fc.nat(),
  node: anyText,
  network: anyText,
  table: anyText,
  key: anyText,
  value: fc.uint8Array({ maxLength: 300 }),
  residualReapSeconds: fc.nat(),
});

describe("a pool of table events", () => {
  it("gives one object for equal events, by value or by bytes, that says what they say", () => {
    fc.assert(
      fc.property(fc.array(anyEvent, { minLength: 1, maxLength: 20 }), (events) => {
        const pool = new EventPool();
        for (const event of events) {
          const pooled = pool.of(event);
          expect(pool.of({ ...event, value: event.value.slice() })).toBe(pooled);
          expect(pool.parse(emit(event))).toBe(pooled);
          expect(pooled).toMatchObject({ ...event, path: `${event.table}\0${event.key}` });
          expect(pooled.bytes).toEqual(emit(event));
        }
      }),
    );
  });

  it("reads all other bytes as they are read without it", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        const pool = new EventPool();
        const expected = parse(bytes);
        for (let time = 0; time < 2; time++)
          if (typeof expected === "string") expect(pool.parse(bytes)).toBe(expected);
          else expect(pool.parse(bytes)).toMatchObject(expected);
      }),
    );
  });

  it("keeps nothing of the packet that brought an event", () => {
    const [event] = fc.sample(anyEvent, { numRuns: 1, seed: 1 });
    const packet = new Uint8Array([1, 2, 3, ...emit(event!)]);
    const pooled = new EventPool().parse(packet.subarray(3));
    packet.fill(0);
    expect(pooled).toMatchObject(event!);
  });
});
