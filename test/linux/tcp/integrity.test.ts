import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TcpSettings } from "../../../src/linux/tcp/settings.ts";
import { MILLISECOND, SECOND } from "../../../src/sim/time.ts";
import { Link, pattern, type Side } from "./two-hosts.ts";

/** What the link does to the n-th segment of a direction; the list repeats. */
interface Fault {
  readonly kind: "pass" | "lose" | "twice" | "late";
  readonly byMs: number;
}

interface Plan {
  readonly delayMs: number;
  readonly faults: { readonly a: readonly Fault[]; readonly b: readonly Fault[] };
  /** Faults stop after so many segments of a direction, so that the end can be reached. */
  readonly faultyFor: number;
  readonly writes: { readonly a: readonly number[]; readonly b: readonly number[] };
  readonly readPauseMs: number;
  readonly settings: { readonly a: Partial<TcpSettings>; readonly b: Partial<TcpSettings> };
}

function anyFault(): fc.Arbitrary<Fault> {
  return fc.record({
    kind: fc.oneof(
      { weight: 8, arbitrary: fc.constant("pass" as const) },
      { weight: 2, arbitrary: fc.constantFrom("lose" as const, "twice" as const, "late" as const) },
    ),
    byMs: fc.nat(300),
  });
}

function anySettings(): fc.Arbitrary<Partial<TcpSettings>> {
  return fc.record(
    {
      sack: fc.boolean(),
      timestamps: fc.boolean(),
      windowScaling: fc.boolean(),
      rack: fc.boolean(),
      tailLossProbe: fc.boolean(),
      congestionControl: fc.constantFrom("cubic" as const, "reno" as const),
      receiveMemory: fc.constantFrom<[number, number, number]>([4096, 131_072, 6_291_456], [2304, 9_216, 20_000]),
      sendMemory: fc.constantFrom<[number, number, number]>([4096, 16_384, 4_194_304], [4096, 5_000, 5_000]),
    },
    { requiredKeys: [] },
  );
}

function anyPlan(): fc.Arbitrary<Plan> {
  const faults = fc.array(anyFault(), { minLength: 1, maxLength: 30 });
  const writes = fc.array(fc.oneof(fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 30_000 })), {
    maxLength: 6,
  });
  return fc.record({
    delayMs: fc.integer({ min: 0, max: 100 }),
    faults: fc.record({ a: faults, b: faults }),
    faultyFor: fc.integer({ min: 0, max: 200 }),
    writes: fc.record({ a: writes, b: writes }),
    readPauseMs: fc.constantFrom(0, 0, 50, 700),
    settings: fc.record({ a: anySettings(), b: anySettings() }),
  });
}

/** Writes what the plan says and closes; reads as fast as the plan allows. */
function drive(link: Link, side: Side, sizes: readonly number[], readPauseMs: number): void {
  let written = 0;
  let finished = false;
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const queue = [...sizes];
  const go = (): void => {
    const c = side.connection;
    if (c === undefined || (c.state !== "established" && c.state !== "close-wait")) return;
    while (queue.length > 0) {
      const size = queue[0]!;
      const count = side.write(pattern(size, written));
      written += count;
      if (count < size) {
        queue[0] = size - count;
        c.writerWaits = true;
        return;
      }
      queue.shift();
    }
    if (!finished && written === total) {
      finished = true;
      side.finish();
    }
  };
  side.onChange = go;
  if (readPauseMs > 0) {
    side.readAll = false;
    const readLater = (): void => {
      if (side.connection !== undefined) side.read(5_000);
      if (!side.hasEnded || (side.connection?.receive.readable ?? 0) > 0)
        link.later(readPauseMs * MILLISECOND, readLater);
    };
    link.later(readPauseMs * MILLISECOND, readLater);
  }
}

function run(plan: Plan): Link {
  const link = new Link({ delayNs: plan.delayMs * MILLISECOND, a: plan.settings.a, b: plan.settings.b });
  link.fate = (segment) => {
    const list = plan.faults[segment.from];
    const fault = segment.number > plan.faultyFor ? undefined : list[segment.number % list.length]!;
    switch (fault?.kind) {
      case "lose":
        return [];
      case "twice":
        return [0, fault.byMs * MILLISECOND];
      case "late":
        return [fault.byMs * MILLISECOND];
      default:
        return [0];
    }
  };
  link.b.listen();
  drive(link, link.a, plan.writes.a, plan.readPauseMs);
  drive(link, link.b, plan.writes.b, plan.readPauseMs);
  link.a.connect();
  // Timeouts double to two minutes: sixty losses in a row take their time.
  link.run(50_000 * SECOND);
  return link;
}

function check(plan: Plan): void {
  const link = run(plan);
  for (const [receiver, sizes] of [
    [link.b, plan.writes.a],
    [link.a, plan.writes.b],
  ] as const) {
    const sent = pattern(sizes.reduce((sum, size) => sum + size, 0));
    const got = Uint8Array.from(receiver.received);
    const broken = link.a.connection?.error !== undefined || link.b.connection?.error !== undefined;
    // In order and once: a prefix of what was sent; all of it when nothing broke.
    expect(got.length).toBeLessThanOrEqual(sent.length);
    expect(got.every((byte, index) => byte === sent[index])).toBe(true);
    if (!broken && link.b.connection !== undefined) expect(got.length).toBe(sent.length);
  }
  // A side whose peer gave up without a word may wait for its FIN; nothing else may stand still.
  const gaveUp = link.a.connection?.error !== undefined || link.b.connection?.error !== undefined;
  if (link.b.connection !== undefined && !gaveUp) {
    expect(["closed", "time-wait"]).toContain(link.a.connection!.state);
    expect(["closed", "time-wait"]).toContain(link.b.connection.state);
  }
}

describe("Two TCP hosts on a link that loses, repeats, delays and reorders", () => {
  it("deliver every byte once and in order, or end with an errno", () => {
    fc.assert(fc.property(anyPlan(), check), { numRuns: 200 });
  });

  it("do so however much is lost", () => {
    const lossy = anyPlan().map((plan) => ({
      ...plan,
      faultyFor: 60,
      faults: {
        a: plan.faults.a.map((fault, index) => (index % 3 === 0 ? { ...fault, kind: "lose" as const } : fault)),
        b: plan.faults.b.map((fault, index) => (index % 4 === 0 ? { ...fault, kind: "lose" as const } : fault)),
      },
    }));
    fc.assert(fc.property(lossy, check));
  });

  it("do the same thing twice when the link does", () => {
    fc.assert(
      fc.property(anyPlan(), (plan) => {
        const trace = (): string =>
          run(plan)
            .log.map((seen) => `${seen.atNs} ${seen.from} ${seen.flags} ${seen.sequence} ${seen.bytes}`)
            .join("\n");
        expect(trace()).toBe(trace());
      }),
      { numRuns: 20 },
    );
  });
});
