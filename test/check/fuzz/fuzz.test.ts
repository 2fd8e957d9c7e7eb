import { describe, expect, it } from "vitest";
import { Draft } from "../../../src/check/fuzz/draft.ts";
import type { FuzzNetwork } from "../../../src/check/fuzz/fuzz-network.ts";
import { fuzzRound } from "../../../src/check/fuzz/fuzz-round.ts";
import { mutate, noise } from "../../../src/check/fuzz/mutation.ts";
import { repairChecksums } from "../../../src/check/fuzz/repair.ts";
import type { FrameId } from "../../../src/linux/frame-store.ts";
import { Random } from "../../../src/sim/random.ts";
import { fromHex } from "../../../src/wire/bytes.ts";
import * as icmp from "../../../src/wire/icmp.ts";
import * as ipv4 from "../../../src/wire/ipv4.ts";

/** An echo request of 8 bytes with both checksums wrong. */
const ECHO = fromHex(
  "02420a00000302420a00000208004500002400014000400100000a0000020a000003080000000001000161626364656667680000",
)!;

describe("Damaged frames", () => {
  // Seeds are fixed: the suite is the same everywhere. For other seeds: node dist/cli/fuzz.js --seed S.
  it.each(["a", "b", "c", "d"])(
    "neither break the emulated kernel nor get lost in it (seed %s)",
    (seed) => {
      const round = fuzzRound(seed, 5_000);
      expect(round.finding).toBeUndefined();
      expect(round.frames).toBe(5_000);
      expect(round.drops.size).toBeGreaterThan(30);
    },
    60_000,
  );

  it("are announced before they are put in", () => {
    const seen: number[] = [];
    fuzzRound("announced", 50, { before: (number, _device, _direction, bytes) => seen.push(number, bytes.length) });
    expect(seen.filter((_, index) => index % 2 === 0)).toEqual(Array.from({ length: 50 }, (_, index) => index + 1));
  });

  it("are the same for the same seed", () => {
    const [one, other] = [fuzzRound("same", 300), fuzzRound("same", 300)];
    expect([...one.drops]).toEqual([...other.drops]);
    expect(one.events).toBe(other.events);
  });
});

describe("A round of fuzzing", () => {
  const FRAMES = 2_000;

  /** Changes what happens to IPv4 packets that n2 receives with options: `instead` gets the frame. */
  const sabotage = (instead: (network: FuzzNetwork, frame: FrameId) => void) => {
    const prepare = (network: FuzzNetwork): void => {
      const { ipv4: stack, frames } = network.namespace("n2");
      const real = stack.receive.bind(stack);
      stack.receive = (device, frame) => {
        if (frames.length(frame) > 0 && frames.bytes[frames.start(frame)]! > 0x45) instead(network, frame);
        else real(device, frame);
      };
    };
    return { prepare };
  };

  it("finds an exception, and shows the frame and how many it took", () => {
    const throwing = sabotage(() => {
      throw new RangeError("planted");
    });
    const { finding } = fuzzRound("planted", FRAMES, throwing);
    expect(finding).toMatchObject({ what: "RangeError: planted" });
    expect(finding?.frameHex).toMatch(/^([0-9a-f]{2})+$/);
    // The same round with just so many frames fails on the same one.
    expect(fuzzRound("planted", finding!.frames, throwing).finding).toMatchObject({ frameHex: finding!.frameHex });
    expect(fuzzRound("planted", finding!.frames - 1, throwing).finding).toBeUndefined();
  });

  it("finds a frame that is forgotten", () => {
    const { finding } = fuzzRound(
      "planted",
      FRAMES,
      sabotage(() => undefined),
    );
    expect(finding?.what).toMatch(/still held when all has run dry/);
  });

  it("finds events without end", () => {
    const endless = sabotage((network, frame) => {
      const { simulation, frames } = network.world;
      const again = simulation.register({ receive: () => simulation.schedule(0, again, 0) });
      simulation.schedule(0, again, 0);
      frames.consume(frame);
    });
    expect(fuzzRound("planted", FRAMES, endless).finding?.what).toMatch(/more than \d+ events within/);
  });
});

describe("A mutation", () => {
  it("keeps the draft within its buffer, whatever it is given", () => {
    const random = new Random("mutations");
    const draft = new Draft();
    const other = new Uint8Array(2_000).fill(0x45);
    for (let turn = 0; turn < 5_000; turn++) {
      if (turn % 3 === 0) noise(draft, random);
      else if (turn % 3 === 1) draft.load(ECHO);
      mutate(draft, random, other.subarray(0, random.below(other.length)));
      expect(draft.length).toBeLessThanOrEqual(60_000);
    }
  });

  it("may leave checksums right, so that the damage is seen", () => {
    const draft = new Draft();
    draft.load(ECHO);
    repairChecksums(draft.memory, 0, draft.length);
    expect(ipv4.checksumOk(draft.memory, 14)).toBe(true);
    expect(icmp.checksumOk(draft.memory, 34, 50)).toBe(true);
  });
});
