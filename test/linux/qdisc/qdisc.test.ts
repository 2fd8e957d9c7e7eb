import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { scaledDeviationNs } from "../../../src/linux/delay-distribution.ts";
import type { FrameId } from "../../../src/linux/frame-store.ts";
import { CorrelatedRandom } from "../../../src/linux/qdisc/correlated-random.ts";
import { Netem, type NetemOptions } from "../../../src/linux/qdisc/netem.ts";
import { RateClock } from "../../../src/linux/qdisc/rate-clock.ts";
import { Tbf, type TbfOptions } from "../../../src/linux/qdisc/tbf.ts";
import { World } from "../../../src/linux/world.ts";
import { Random } from "../../../src/sim/random.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../../../src/sim/time.ts";

/** A link whose sending end a qdisc can be put on; arrivals by time and tag. */
function makeDevice() {
  const world = new World({ seed: "qdiscs", crossingNs: 0 });
  const namespace = world.createNamespace("n");
  const { a, b } = world.createLink("veth", { namespace, name: "a" }, { namespace, name: "b" });
  const arrivals: { atNs: number; tag: number }[] = [];
  b.ingress = {
    receive(frame: FrameId) {
      arrivals.push({ atNs: world.simulation.nowNs, tag: world.frames.bytes[world.frames.start(frame)]! });
      world.frames.consume(frame);
    },
  };
  a.setUp(true);
  b.setUp(true);
  const send = (tag: number, lengthBytes = 100) => {
    const frame = world.frames.make(lengthBytes);
    world.frames.bytes.fill(0, world.frames.start(frame), world.frames.end(frame));
    world.frames.bytes[world.frames.start(frame)] = tag;
    a.transmit(frame);
  };
  return { world, device: a, arrivals, send };
}

function withTbf(options: TbfOptions) {
  const made = makeDevice();
  const tbf = new Tbf(made.world.simulation, made.device, options);
  made.device.qdisc = tbf;
  return { ...made, tbf };
}

function withNetem(options: NetemOptions) {
  const made = makeDevice();
  const netem = new Netem(made.world.simulation, made.device, made.world.random.fork("netem"), options);
  made.device.qdisc = netem;
  return { ...made, netem };
}

describe("tbf", () => {
  it("lets a burst pass and then spaces frames at its rate", () => {
    const { send, arrivals, world } = withTbf({
      rateBitsPerSecond: 10_000_000,
      burstBytes: 2_000,
      limitBytes: 400_000,
    });
    for (let tag = 0; tag < 4; tag++) send(tag, 1_250); // 1 ms each
    world.simulation.run(SECOND);
    // 2000 bytes of tokens are 1.6 ms: the first goes at once, the second when 0.4 ms have come in, then one each ms.
    expect(arrivals.map(({ atNs }) => atNs)).toEqual([0, 0.4 * MILLISECOND, 1.4 * MILLISECOND, 2.4 * MILLISECOND]);
  });

  it("drops frames longer than its burst, and those beyond its limit", () => {
    const { send, arrivals, world, tbf } = withTbf({ rateBitsPerSecond: 64_000, burstBytes: 100, limitBytes: 250 });
    send(0, 101);
    for (let tag = 1; tag < 5; tag++) send(tag);
    expect(tbf.backlogBytes).toBe(200);
    world.simulation.run(10 * SECOND);
    expect(arrivals.map(({ tag }) => tag)).toEqual([1, 2, 3]);
    expect(tbf.dropped).toBe(2);
    expect(world.frames.dropsByReason.get("qdisc-drop")).toBe(2);
    expect(world.frames.inFlight).toBe(0);
  });

  it("never sends more than the burst and what the rate brings, in any interval", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 64_000, max: 1_000_000_000 }),
        fc.integer({ min: 1_514, max: 20_000 }),
        fc.array(fc.record({ gap: fc.nat(2_000), length: fc.integer({ min: 14, max: 1_514 }) }), { maxLength: 60 }),
        (rateBitsPerSecond, burstBytes, frames) => {
          const { send, arrivals, world } = withTbf({ rateBitsPerSecond, burstBytes, limitBytes: 1_000_000 });
          const lengths: number[] = [];
          for (const [tag, { gap, length }] of frames.entries()) {
            world.simulation.run(world.simulation.nowNs + gap * MICROSECOND);
            send(tag, length);
            lengths.push(length);
          }
          world.simulation.run(world.simulation.nowNs + 100 * SECOND);
          expect(arrivals.map(({ tag }) => tag)).toEqual(frames.map((_, tag) => tag));
          for (let from = 0; from < arrivals.length; from++) {
            let bytes = 0;
            for (let to = from; to < arrivals.length; to++) {
              bytes += lengths[to]!;
              const allowed = burstBytes + ((arrivals[to]!.atNs - arrivals[from]!.atNs) * rateBitsPerSecond) / 8e9;
              // The kernel rounds a frame's time down by less than a nanosecond a frame, and the rate to whole bytes.
              expect(bytes).toBeLessThanOrEqual(allowed * 1.0001 + (to - from + 2));
            }
          }
        },
      ),
      { numRuns: 50 },
    );
  });

  it("counts time as the kernel does: a product and a shift, rounded down", () => {
    expect(new RateClock(10_000_000).timeNs(1_514)).toBe(1_211_200);
    expect(new RateClock(64_000).timeNs(52)).toBe(6_500_000);
    const third = new RateClock(24); // 3 bytes a second
    expect([third.timeNs(1), third.timeNs(3)]).toEqual([333_333_333, 999_999_999]);
    expect(new RateClock(1_000_000_000).timeNs(10_000_000)).toBe(80_000_000);
  });

  it("spaces a burst at its peak rate", () => {
    const { send, arrivals, world } = withTbf({
      rateBitsPerSecond: 8_000_000,
      burstBytes: 10_000,
      limitBytes: 100_000,
      peakRateBitsPerSecond: 80_000_000,
      peakBurstBytes: 1_000,
    });
    for (let tag = 0; tag < 3; tag++) send(tag, 1_000);
    world.simulation.run(SECOND);
    expect(arrivals.map(({ atNs }) => atNs)).toEqual([0, 100 * MICROSECOND, 200 * MICROSECOND]);
  });

  it("drops what waits when its device goes down", () => {
    const { send, device, world, arrivals } = withTbf({
      rateBitsPerSecond: 8_000,
      burstBytes: 100,
      limitBytes: 10_000,
    });
    for (let tag = 0; tag < 3; tag++) send(tag);
    device.setUp(false);
    world.simulation.run(10 * SECOND);
    expect(arrivals.map(({ tag }) => tag)).toEqual([0]); // it was on the wire already
    expect(world.frames.dropsByReason.get("qdisc-drop")).toBe(2);
    expect(world.frames.inFlight).toBe(0);
  });

  it("is shown as tc shows it", () => {
    const show = (options: TbfOptions) => withTbf(options).tbf.describe();
    const rate = 10_000_000;
    expect(show({ rateBitsPerSecond: rate, burstBytes: 2_000, limitBytes: 400_000 })).toBe(
      "rate 10Mbit burst 2000b lat 318ms",
    );
    expect(show({ rateBitsPerSecond: 64_000, burstBytes: 100, limitBytes: 100_000 })).toBe(
      "rate 64Kbit burst 99b lat 12.5s",
    );
    expect(show({ rateBitsPerSecond: 1_000_000, burstBytes: 4_096, latencyNs: 400 * MILLISECOND })).toBe(
      "rate 1Mbit burst 4Kb lat 400ms",
    );
    expect(show({ rateBitsPerSecond: 1_000_000_000, burstBytes: 1_048_576, latencyNs: 50 * MILLISECOND })).toBe(
      "rate 1Gbit burst 1048500b lat 50ms",
    );
    expect(show({ rateBitsPerSecond: 1_500_000, burstBytes: 5_120, limitBytes: 3_000 })).toBe(
      "rate 1500Kbit burst 5Kb limit 3000b",
    );
    expect(
      show({
        rateBitsPerSecond: rate,
        burstBytes: 10_240,
        limitBytes: 400_000,
        peakRateBitsPerSecond: 20_000_000,
        peakBurstBytes: 1_540,
      }),
    ).toBe("rate 10Mbit burst 10Kb peakrate 20Mbit minburst 1540b lat 312ms");
  });
});

describe("netem", () => {
  it("delays every frame alike without jitter", () => {
    const { send, arrivals, world } = withNetem({ delayNs: 100 * MILLISECOND });
    send(0);
    world.simulation.run(MILLISECOND);
    send(1);
    world.simulation.run(SECOND);
    expect(arrivals).toEqual([
      { atNs: 100 * MILLISECOND, tag: 0 },
      { atNs: 101 * MILLISECOND, tag: 1 },
    ]);
  });

  it("reorders by jitter, but not with a rate", () => {
    const orderOf = (options: NetemOptions) => {
      const { send, arrivals, world } = withNetem(options);
      for (let tag = 0; tag < 50; tag++) send(tag);
      world.simulation.run(SECOND);
      return arrivals.map(({ tag }) => tag);
    };
    const inOrder = Array.from({ length: 50 }, (_, tag) => tag);
    const jitter = { delayNs: 10 * MILLISECOND, jitterNs: 5 * MILLISECOND };
    expect(orderOf(jitter)).not.toEqual(inOrder);
    expect(orderOf({ ...jitter, rateBitsPerSecond: 10_000_000 })).toEqual(inOrder);
  });

  it("keeps to its rate and its limit", () => {
    const { send, arrivals, world, netem } = withNetem({ rateBitsPerSecond: 800_000, limitFrames: 3 });
    for (let tag = 0; tag < 5; tag++) send(tag);
    world.simulation.run(SECOND);
    expect(arrivals.map(({ atNs }) => atNs)).toEqual([MILLISECOND, 2 * MILLISECOND, 3 * MILLISECOND]);
    expect(netem.dropped).toBe(2);
    expect(world.frames.inFlight).toBe(0);
  });

  it("loses, repeats, and lets every n-th frame overtake", () => {
    const all = 1_000_000;
    const lossy = withNetem({ loss: { kind: "random", partsPerMillion: all } });
    lossy.send(1);
    expect(lossy.world.frames.dropsByReason.get("qdisc-drop")).toBe(1);
    const twice = withNetem({ duplicatePartsPerMillion: all });
    twice.send(1);
    twice.world.simulation.run(SECOND);
    expect(twice.arrivals).toHaveLength(2);
    const overtaking = withNetem({ delayNs: MILLISECOND, reorderPartsPerMillion: all, gap: 3 });
    for (let tag = 0; tag < 6; tag++) overtaking.send(tag);
    overtaking.world.simulation.run(SECOND);
    expect(overtaking.arrivals.map(({ tag }) => tag)).toEqual([2, 5, 0, 1, 3, 4]);
    for (const { world } of [lossy, twice, overtaking]) expect(world.frames.inFlight).toBe(0);
  });

  it("draws numbers that lean on the last one when correlated", () => {
    const stepOf = (correlationPartsPerMillion: number) => {
      const draws = new CorrelatedRandom(new Random("lean"), correlationPartsPerMillion);
      let last = draws.next();
      let steps = 0;
      for (let index = 0; index < 1_000; index++) {
        const next = draws.next();
        steps += Math.abs(next - last);
        last = next;
      }
      return steps / 1_000;
    };
    expect(stepOf(900_000)).toBeLessThan(stepOf(0) / 4);
    expect(stepOf(0) / 2 ** 32).toBeCloseTo(1 / 3, 1);
  });

  it("is shown as tc shows it", () => {
    expect(
      withNetem({
        delayNs: 100 * MILLISECOND,
        jitterNs: 10 * MILLISECOND,
        delayCorrelationPartsPerMillion: 250_000,
        loss: { kind: "random", partsPerMillion: 10_000 },
        duplicatePartsPerMillion: 10_000,
        corruptPartsPerMillion: 1_000,
        rateBitsPerSecond: 1_000_000,
      }).netem.describe(),
    ).toBe("limit 1000 delay 100ms  10ms 25% loss 1% duplicate 1% corrupt 0.1% rate 1Mbit");
  });
});

describe("The normal distribution of delays", () => {
  it("is symmetric, rising, and has the jitter as its standard deviation", () => {
    const values = Array.from({ length: 4_096 }, (_, index) => scaledDeviationNs(8_192, index));
    let squares = 0;
    for (const [index, value] of values.entries()) {
      expect(value).toBe(-values[4_095 - index]! + 0);
      if (index > 0) expect(value).toBeGreaterThanOrEqual(values[index - 1]!);
      squares += value * value;
    }
    expect(Math.sqrt(squares / 4_096) / 8_192).toBeCloseTo(1, 2);
    expect(values[(4_096 * 0.841_345 - 0.5) | 0]! / 8_192).toBeCloseTo(1, 2);
  });
});
