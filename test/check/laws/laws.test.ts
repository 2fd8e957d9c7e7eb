import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkLaws, checkObservation } from "../../../src/check/check-laws.ts";
import { CHECKSUMS } from "../../../src/check/laws/checksums.ts";
import { CONSERVATION } from "../../../src/check/laws/conservation.ts";
import { checkDeterminism } from "../../../src/check/laws/determinism.ts";
import { checkIndependentLinks } from "../../../src/check/laws/independent-links.ts";
import { ISOLATION } from "../../../src/check/laws/isolation.ts";
import { MTU } from "../../../src/check/laws/mtu.ts";
import { TIME_TO_LIVE } from "../../../src/check/laws/time-to-live.ts";
import { layersOf } from "../../../src/check/layers.ts";
import { observe } from "../../../src/check/observation.ts";
import { World } from "../../../src/linux/world.ts";
import { Lab } from "../../../src/scenario/lab.ts";
import * as ethernet from "../../../src/wire/ethernet.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";
import { observationOf, SCENARIOS, scenarioOf, tamper } from "./observed.ts";

/** a - r - b, each side a network of its own, a ping across. */
function routed() {
  const setup = [
    ["ip netns add a", "ip netns add r", "ip netns add b"],
    ["ip -n a link add eth0 type veth peer name ra netns r", "ip -n b link add eth0 type veth peer name rb netns r"],
    ["ip -n a addr add 10.1.0.2/24 dev eth0", "ip -n b addr add 10.2.0.2/24 dev eth0"],
    ["ip -n r addr add 10.1.0.1/24 dev ra", "ip -n r addr add 10.2.0.1/24 dev rb"],
    ["ip -n a link set eth0 up", "ip -n b link set eth0 up", "ip -n r link set ra up", "ip -n r link set rb up"],
    ["ip -n a route add default via 10.1.0.1", "ip -n b route add default via 10.2.0.1"],
    ["ip netns exec r sysctl -w net.ipv4.ip_forward=1"],
  ].flat();
  return new Lab({ name: "router", setup, steps: [{ at: "1s", run: "ip netns exec a ping -c 2 10.2.0.2" }] });
}

const isIpv4 = (bytes: Uint8Array): boolean => ethernet.etherType(bytes, 0) === ethernet.ETHERTYPE_IPV4;

describe("The laws of the emulated world", () => {
  it.each(SCENARIOS)("hold in scenarios/%s", (name) => {
    const observation = observationOf(name);
    expect(observation.frames.length).toBeGreaterThan(0);
    expect(checkObservation(observation)).toEqual([]);
  });

  it("hold behind a router", () => {
    const observation = observe(routed());
    expect(observation.frames.filter(({ bytes }) => isIpv4(bytes)).length).toBeGreaterThan(12);
    expect(checkObservation(observation)).toEqual([]);
  });

  it("are checked all at once by checkLaws, which takes a plain object too", () => {
    expect(
      checkLaws({
        name: "pair",
        nodes: { a: { role: "host" }, b: { role: "host" } },
        steps: [{ at: "1s", in: "a", run: "ping -c 1 b" }],
      }),
    ).toEqual([]);
  });
});

describe("Conservation", () => {
  const observation = observationOf("first-ping.yaml");

  it("fails when a frame has vanished", () => {
    const accounts = { ...observation.accounts, holders: observation.accounts.holders - 1 };
    expect(CONSERVATION.check({ ...observation, accounts })).toHaveLength(1);
  });

  it("fails when a delivery was not counted", () => {
    const accounts = { ...observation.accounts, delivered: observation.accounts.delivered - 1 };
    expect(CONSERVATION.check({ ...observation, accounts })).toHaveLength(1);
  });

  it("fails when a drop has no reason", () => {
    const accounts = { ...observation.accounts, dropsByReason: new Map([["device-down" as const, 10_000]]) };
    expect(CONSERVATION.check({ ...observation, accounts })).toHaveLength(1);
  });
});

describe("The law of checksums", () => {
  const observation = observationOf("first-ping-flood-and-learn.yaml");

  it("fails on any damaged byte of an echo request, inside VXLAN too", () => {
    const index = observation.frames.findIndex(({ bytes }) => layersOf(bytes).length === 2 && bytes.length > 130);
    const frame = observation.frames[index]!;
    const inner = layersOf(frame.bytes)[1]!;
    fc.assert(
      fc.property(
        fc.integer({ min: inner.network + 8, max: frame.bytes.length - 1 }),
        fc.integer({ min: 1, max: 255 }),
        (at, bits) => {
          const damaged = tamper(
            observation,
            (other) => other === frame,
            (bytes) => {
              bytes[at] = bytes[at]! ^ bits;
              return bytes;
            },
          );
          expect(CHECKSUMS.check({ ...damaged, frames: [damaged.frames[index]!] }).length).toBeGreaterThan(0);
        },
      ),
    );
  });

  it("asks nothing of links that damage frames", () => {
    const damaged = tamper(
      observation,
      ({ bytes }) => isIpv4(bytes),
      (bytes) => {
        bytes[24] = bytes[24]! ^ 1;
        return bytes;
      },
    );
    expect(CHECKSUMS.check(damaged)).toHaveLength(1);
    expect(CHECKSUMS.check({ ...damaged, corrupts: true })).toEqual([]);
  });
});

describe("The law of the time to live", () => {
  it("fails when a router forgets to lower it", () => {
    const forgetful = tamper(
      observe(routed()),
      ({ place, direction, bytes }) => place.endsWith("r/rb") && direction === "out" && isIpv4(bytes),
      (bytes) => {
        bytes[ethernet.HEADER_BYTES + 8] = ipv4.timeToLive(bytes, ethernet.HEADER_BYTES) + 1;
        return bytes;
      },
    );
    expect(TIME_TO_LIVE.check(forgetful)).toMatchObject([
      { words: "a router sent on with a time to live of 64 what came with 64" },
    ]);
  });

  it("fails when it rises on the way", () => {
    const risen = tamper(
      observationOf("first-ping.yaml"),
      ({ place, direction, bytes }) => direction === "in" && /c\d\/eth0/.test(place) && isIpv4(bytes),
      (bytes) => {
        bytes[ethernet.HEADER_BYTES + 8] = 65;
        return bytes;
      },
    );
    expect(TIME_TO_LIVE.check(risen).length).toBeGreaterThan(0);
  });
});

describe("The law of the MTU", () => {
  it("fails on a frame that is one byte too long, and on no shorter one", () => {
    const observation = observationOf("first-ping.yaml");
    const grown = (length: number) =>
      tamper(
        observation,
        ({ direction, mtu }) => direction === "out" && mtu === 1_450,
        () => new Uint8Array(length),
      );
    expect(MTU.check(grown(1_450 + 18))).toEqual([]);
    expect(MTU.check(grown(1_450 + 19))).toHaveLength(1);
  });
});

describe("The law of isolation", () => {
  it("fails when a frame of one network is seen in another with the same addresses", () => {
    const observation = observationOf("two-networks-same-addresses.yaml");
    const containers = observation.frames.filter(
      ({ place, bytes }) => place.endsWith("/eth0") && isIpv4(bytes) && layersOf(bytes).length === 1,
    );
    const frame = containers.find(({ device }) => device.mtu === 1_450)!;
    const others = observation.devices.filter(
      (device) => device.mtu === 1_450 && device !== frame.device && device.name === "eth0",
    );
    // Shown at every other container: those of the same network may see it, those of the other must not.
    const violations = others.flatMap((device) =>
      ISOLATION.check({ ...observation, frames: [frame, { ...frame, device, place: device.place }] }),
    );
    expect(violations.length).toBeGreaterThan(0);
    expect(violations.length).toBeLessThan(others.length);
  });

  it("fails when a tunnel packet has another network's number", () => {
    const observation = observationOf("two-networks-same-addresses.yaml");
    const astray = tamper(
      observation,
      ({ bytes }) => layersOf(bytes).length === 2,
      (bytes) => {
        const vni = layersOf(bytes)[1]!.at - 4;
        bytes[vni + 1] = bytes[vni + 1]! ^ 1;
        return bytes;
      },
    );
    expect(ISOLATION.check(astray).length).toBeGreaterThan(0);
  });
});

describe("Determinism", () => {
  it("holds for a lossy link", () => {
    expect(checkDeterminism(scenarioOf("lossy-link.yaml"))).toEqual([]);
  });

  it("fails when something outside of scenario and seed has a say", () => {
    let runs = 0;
    const violations = checkDeterminism(
      scenarioOf("lossy-link.yaml"),
      (scenario) => new Lab({ ...scenario, seed: `seed ${runs++}` }),
    );
    expect(violations).toHaveLength(1);
  });
});

describe("Links", () => {
  const anyChange = () =>
    fc.record({
      seed: fc.integer(),
      losses: fc.array(fc.integer({ min: 0, max: 600_000 }), { minLength: 2, maxLength: 5 }),
      changed: fc.nat(1),
      lossAfter: fc.integer({ min: 0, max: 1_000_000 }),
    });

  it("keep their luck when another's loss is changed", () => {
    fc.assert(
      fc.property(anyChange(), (change) => void expect(checkIndependentLinks(change)).toEqual([])),
      { numRuns: 25 },
    );
  });

  it("are caught when they share one stream of chance", () => {
    const change = { seed: 1, losses: [300_000, 300_000, 300_000], changed: 0, lossAfter: 0 };
    const shared = (seed: string | number): World => {
      const world = new World({ seed });
      world.random.fork = () => world.random;
      return world;
    };
    expect(checkIndependentLinks(change, shared).length).toBeGreaterThan(0);
  });
});
