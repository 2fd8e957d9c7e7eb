import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FrameId } from "../../src/linux/frame-store.ts";
import type { LinkSettings } from "../../src/linux/link-settings.ts";
import type { NetDevice } from "../../src/linux/net-device.ts";
import { World } from "../../src/linux/world.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../../src/sim/time.ts";

interface Arrival {
  readonly atNs: number;
  readonly tag: number;
  readonly bytes: readonly number[];
  readonly checksumKnown: number;
}

/** Two namespaces with a link, both ends up; whatever reaches an end is noted and consumed. */
function makeLink(seed = "links", crossingNs = 1_000) {
  const world = new World({ seed, crossingNs });
  const a = world.createNamespace("a");
  const b = world.createNamespace("b");
  const link = world.createLink("nic", { namespace: a, name: "eth0" }, { namespace: b, name: "eth0" });
  const note = (device: NetDevice, arrivals: Arrival[]) => {
    device.ingress = {
      receive(frame: FrameId) {
        const { frames, simulation } = world;
        const start = frames.start(frame);
        arrivals.push({
          atNs: simulation.nowNs,
          tag: frames.bytes[start]! * 256 + frames.bytes[start + 1]!,
          bytes: [...frames.bytes.subarray(start, frames.end(frame))],
          checksumKnown: frames.checksumKnown[frame]!,
        });
        frames.consume(frame);
      },
    };
  };
  const atA: Arrival[] = [];
  const atB: Arrival[] = [];
  note(link.a, atA);
  note(link.b, atB);
  link.a.setUp(true);
  link.b.setUp(true);
  const send = (device: NetDevice, tag: number, lengthBytes = 100) => {
    const frame = world.frames.make(lengthBytes);
    const start = world.frames.start(frame);
    world.frames.bytes.fill(0, start, start + lengthBytes);
    world.frames.bytes[start] = tag >>> 8;
    world.frames.bytes[start + 1] = tag;
    world.frames.checksumKnown[frame] = 1;
    device.transmit(frame);
  };
  return { world, link, atA, atB, send };
}

/** Sends `count` frames from a to b, one each `everyNs`, and runs until all have arrived. */
function sendMany(settings: Partial<LinkSettings>, count: number, everyNs: number, seed?: string) {
  const made = makeLink(seed);
  made.link.aToB.change(settings);
  for (let tag = 0; tag < count; tag++) {
    made.send(made.link.a, tag);
    made.world.simulation.run(made.world.simulation.nowNs + everyNs);
  }
  made.world.simulation.run(made.world.simulation.nowNs + 10 * SECOND);
  return made;
}

const tags = (arrivals: readonly Arrival[]) => arrivals.map((arrival) => arrival.tag);

describe("A link", () => {
  it("has carrier at both ends while both are up, and says so when that changes", () => {
    const world = new World({ seed: 1 });
    const namespace = world.createNamespace("n");
    const link = world.createLink("veth", { namespace, name: "v0" }, { namespace, name: "v1" });
    const heard: string[] = [];
    link.a.listen({ deviceChanged: (device, change) => heard.push(`${device.name} ${change}`) });
    expect([link.a.carrier, link.b.carrier]).toEqual([false, false]);
    link.a.setUp(true);
    expect([link.a.carrier, link.b.carrier]).toEqual([false, false]);
    link.b.setUp(true);
    expect([link.a.running, link.b.running]).toEqual([true, true]);
    link.a.setUp(false);
    expect([link.a.carrier, link.b.carrier]).toEqual([false, false]);
    expect(heard.filter((text) => text === "v0 carrier")).toHaveLength(2);
  });

  it("drops what is sent while the peer is down, and what is too long for the peer", () => {
    const { world, link, send, atB } = makeLink();
    link.b.setUp(false);
    send(link.a, 1);
    expect(world.frames.dropsByReason.get("device-no-carrier")).toBe(1);
    link.b.setUp(true);
    link.b.setMtu(100);
    send(link.a, 2, 118);
    send(link.a, 3, 119);
    world.simulation.run(SECOND);
    expect(tags(atB)).toEqual([2]);
    expect(world.frames.dropsByReason.get("device-mtu-exceeded")).toBe(1);
    expect(world.frames.inFlight).toBe(0);
  });

  it("delivers after its delay and loses, cuts or delays one direction alone", () => {
    const { world, link, send, atA, atB } = makeLink();
    link.aToB.change({ delayNs: 10 * MILLISECOND });
    link.bToA.change({ partitioned: true });
    send(link.a, 1);
    send(link.b, 2);
    world.simulation.run(SECOND);
    expect(atB.map((arrival) => arrival.atNs)).toEqual([10 * MILLISECOND]);
    expect(atA).toEqual([]);
    expect(world.frames.dropsByReason.get("link-partition")).toBe(1);
    link.bToA.change({ partitioned: false });
    send(link.b, 3);
    world.simulation.run(2 * SECOND);
    expect(tags(atA)).toEqual([3]);
  });

  it("loses exactly the frames of its list", () => {
    const { atB, world } = sendMany({ dropFrames: [3, 4, 6] }, 8, MICROSECOND);
    expect(tags(atB)).toEqual([0, 1, 4, 6, 7]);
    expect(world.frames.dropsByReason.get("link-loss")).toBe(3);
  });

  it("loses about as many frames as it is told to", () => {
    const { atB } = sendMany({ loss: { kind: "random", partsPerMillion: 100_000 } }, 10_000, 1);
    expect(atB.length).toBeGreaterThan(8_880);
    expect(atB.length).toBeLessThan(9_120);
  });

  it("loses in bursts when told so by Gilbert and Elliott", () => {
    const { atB } = sendMany(
      {
        loss: {
          kind: "gilbert-elliott",
          goodToBadPartsPerMillion: 10_000,
          badToGoodPartsPerMillion: 100_000,
          lossInBadPartsPerMillion: 1_000_000,
          lossInGoodPartsPerMillion: 0,
        },
      },
      20_000,
      1,
    );
    // In the bad state p / (p + r) = 1/11 of the time, 10 frames long on average.
    const lost = 20_000 - atB.length;
    expect(lost).toBeGreaterThan(1_400);
    expect(lost).toBeLessThan(2_300);
    let bursts = 0;
    for (let index = 1; index < atB.length; index++) if (atB[index]!.tag !== atB[index - 1]!.tag + 1) bursts++;
    expect(lost / bursts).toBeGreaterThan(7);
    expect(lost / bursts).toBeLessThan(13);
  });

  it("draws each kind of chance from its own stream: loss leaves the jitter of those that arrive alone, and other links too", () => {
    const jitter: Partial<LinkSettings> = { delayNs: MILLISECOND, jitterNs: 100 * MICROSECOND };
    const without = sendMany({ ...jitter }, 500, SECOND);
    const lossy = sendMany({ ...jitter, dropFrames: [], duplicatePartsPerMillion: 1 }, 500, SECOND);
    expect(lossy.atB.map((arrival) => arrival.atNs)).toEqual(without.atB.map((arrival) => arrival.atNs));
    const losses = (alsoBack: boolean) => {
      const made = makeLink();
      made.link.aToB.change({ loss: { kind: "random", partsPerMillion: 500_000 } });
      if (alsoBack) made.link.bToA.change({ loss: { kind: "random", partsPerMillion: 300_000 } });
      for (let tag = 0; tag < 200; tag++) {
        made.send(made.link.b, tag);
        made.send(made.link.a, tag);
      }
      made.world.simulation.run(SECOND);
      return tags(made.atB);
    };
    expect(losses(true)).toEqual(losses(false));
  });

  it("takes exactly the time of the bits at its rate, however the rate divides", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1_000, max: 100_000_000_000 }),
        fc.array(fc.integer({ min: 14, max: 1_500 }), { minLength: 1, maxLength: 60 }),
        (rateBitsPerSecond, lengths) => {
          const { world, link, send, atB } = makeLink();
          link.aToB.change({ rateBitsPerSecond, delayNs: 5 });
          for (const [tag, length] of lengths.entries()) send(link.a, tag, length);
          world.simulation.run(4_000_000 * SECOND);
          let bits = 0n;
          const expected = lengths.map((length) => {
            bits += BigInt(length) * 8n;
            return Number((bits * 1_000_000_000n) / BigInt(rateBitsPerSecond)) + 5;
          });
          expect(atB.map((arrival) => arrival.atNs)).toEqual(expected);
        },
      ),
    );
  });

  it("drops at the tail when its queue is full, in frames or in bytes", () => {
    for (const limit of [{ queueLimitFrames: 3 }, { queueLimitBytes: 350 }]) {
      const { world, link, send, atB } = makeLink();
      link.aToB.change({ rateBitsPerSecond: 800_000, ...limit }); // 1 ms a frame
      for (let tag = 0; tag < 5; tag++) send(link.a, tag);
      world.simulation.run(MILLISECOND);
      send(link.a, 5);
      send(link.a, 6);
      world.simulation.run(SECOND);
      expect(tags(atB)).toEqual([0, 1, 2, 5]);
      expect(world.frames.dropsByReason.get("link-queue-full")).toBe(3);
      expect(world.frames.inFlight).toBe(0);
    }
  });

  it("spreads delays evenly or normally around the mean", () => {
    for (const distribution of ["uniform", "normal"] as const) {
      const { atB } = sendMany(
        { delayNs: 10 * MILLISECOND, jitterNs: MILLISECOND, distribution },
        4_000,
        50 * MILLISECOND,
      );
      const deviations = atB.map((arrival) => arrival.atNs - arrival.tag * 50 * MILLISECOND - 10 * MILLISECOND);
      const mean = deviations.reduce((sum, value) => sum + value, 0) / deviations.length;
      const variance = deviations.reduce((sum, value) => sum + (value - mean) ** 2, 0) / deviations.length;
      expect(Math.abs(mean)).toBeLessThan(60 * MICROSECOND);
      const expected = distribution === "uniform" ? 1 / Math.sqrt(3) : 1;
      expect(Math.sqrt(variance) / MILLISECOND).toBeGreaterThan(expected * 0.95);
      expect(Math.sqrt(variance) / MILLISECOND).toBeLessThan(expected * 1.05);
      if (distribution === "uniform") expect(Math.max(...deviations.map(Math.abs))).toBeLessThanOrEqual(MILLISECOND);
    }
  });

  it("lets jitter reorder frames, unless it keeps their order or has a rate", () => {
    const inOrder = (settings: Partial<LinkSettings>) => {
      const { atB } = sendMany({ delayNs: MILLISECOND, jitterNs: MILLISECOND, ...settings }, 200, 10 * MICROSECOND);
      expect(atB).toHaveLength(200);
      return tags(atB).every((tag, index) => tag === index);
    };
    expect(inOrder({})).toBe(false);
    expect(inOrder({ keepOrder: true })).toBe(true);
    expect(inOrder({ rateBitsPerSecond: 1_000_000_000 })).toBe(true);
  });

  it("lets every n-th frame overtake with reorder and a gap", () => {
    const { atB } = sendMany({ delayNs: MILLISECOND, reorderPartsPerMillion: 1_000_000, reorderGap: 3 }, 6, 1_000);
    expect(tags(atB)).toEqual([2, 5, 0, 1, 3, 4]);
  });

  it("duplicates: both copies arrive and both are accounted for", () => {
    const { atB, world } = sendMany({ duplicatePartsPerMillion: 1_000_000 }, 5, MICROSECOND);
    expect(tags(atB)).toEqual([0, 0, 1, 1, 2, 2, 3, 3, 4, 4]);
    expect(world.frames.inFlight).toBe(0);
  });

  it("corrupts one bit of a copy, and the checksum is no longer known", () => {
    const { world, link, atB } = makeLink();
    link.aToB.change({ corruptPartsPerMillion: 1_000_000 });
    const frame = world.frames.make(60);
    world.frames.bytes.fill(0, world.frames.start(frame), world.frames.end(frame));
    world.frames.checksumKnown[frame] = 1;
    world.frames.hold(frame);
    link.a.transmit(frame);
    world.simulation.run(SECOND);
    const ones = atB[0]!.bytes.reduce((sum, byte) => sum + byte.toString(2).replaceAll("0", "").length, 0);
    expect(ones).toBe(1);
    expect(atB[0]!.checksumKnown).toBe(0);
    const kept = world.frames.bytes.subarray(world.frames.start(frame), world.frames.end(frame));
    expect(kept.every((byte) => byte === 0)).toBe(true);
    world.frames.consume(frame);
    expect(world.frames.inFlight).toBe(0);
  });

  it("clears the sending host's marks from what crosses it", () => {
    const { world, link } = makeLink();
    const seen: number[] = [];
    link.b.ingress = {
      receive(frame) {
        seen.push(world.frames.mark[frame]!, world.frames.connection[frame]!);
        world.frames.consume(frame);
      },
    };
    const frame = world.frames.make(60);
    world.frames.mark[frame] = 7;
    world.frames.connection[frame] = 9;
    world.frames.hold(frame);
    link.a.transmit(frame);
    expect(world.frames.mark[frame]).toBe(7);
    world.frames.consume(frame);
    world.simulation.run(SECOND);
    expect(seen).toEqual([0, 0]);
  });
});
