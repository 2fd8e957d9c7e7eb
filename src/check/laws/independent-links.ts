/**
 * Every link has luck of its own: what is lost on one does not change when the loss of another is changed. Many cables between two hosts carry the
 * same frames at the same times, twice; between the runs one of them gets another chance of loss.
 */
import { PERFECT_LINK } from "../../linux/link-settings.ts";
import type { NetDevice } from "../../linux/net-device.ts";
import { World } from "../../linux/world.ts";
import { MICROSECOND } from "../../sim/time.ts";
import type { MacAddress } from "../../wire/address.ts";
import * as ethernet from "../../wire/ethernet.ts";
import type { Violation } from "../law.ts";

export const INDEPENDENT_LINKS_NAME = "independent links";
export const INDEPENDENT_LINKS_SOURCE = "every user of chance has a stream of its own, forked by name from the seed";

export interface LossChange {
  readonly seed: string | number;
  /** Chance of loss of each link, in millionths. */
  readonly losses: readonly number[];
  /** The link that is changed between the runs, and its chance then. */
  readonly changed: number;
  readonly lossAfter: number;
}

const FRAMES = 50;
const FRAME_BYTES = 60;

/** `makeWorld` makes the world of each of the two runs. */
export function checkIndependentLinks(
  change: LossChange,
  makeWorld: (seed: string | number) => World = (seed) => new World({ seed }),
): readonly Violation[] {
  const before = arrivals(makeWorld(change.seed), change.losses);
  const lossesAfter = change.losses.map((loss, link) => (link === change.changed ? change.lossAfter : loss));
  const after = arrivals(makeWorld(change.seed), lossesAfter);
  const violations: Violation[] = [];
  for (const [link, arrived] of before.entries()) {
    if (link === change.changed || arrived === after[link]) continue;
    const words = `link ${link} delivered ${arrived}, and ${after[link]} when the loss of link ${change.changed} was changed`;
    violations.push({ law: INDEPENDENT_LINKS_NAME, words });
  }
  return violations;
}

/** For each link the numbers of the frames that arrived, in order. */
function arrivals(world: World, losses: readonly number[]): string[] {
  const near = world.createNamespace("near");
  const far = world.createNamespace("far");
  const { frames } = world;
  const arrived: number[][] = [];
  const senders: NetDevice[] = losses.map((partsPerMillion, link) => {
    const { a, b, aToB } = world.createLink(
      "veth",
      { namespace: near, name: `l${link}` },
      { namespace: far, name: `l${link}` },
    );
    aToB.settings = { ...PERFECT_LINK, delayNs: MICROSECOND, loss: { kind: "random", partsPerMillion } };
    const numbers: number[] = [];
    arrived.push(numbers);
    b.ingress = {
      receive: (frame) => {
        numbers.push(frames.bytes[frames.start(frame) + ethernet.HEADER_BYTES]!);
        frames.deliver(frame);
      },
    };
    b.setUp(true);
    a.setUp(true);
    return a;
  });
  for (let number = 0; number < FRAMES; number++) {
    for (const device of senders) {
      const frame = frames.make(FRAME_BYTES);
      const at = frames.start(frame);
      frames.bytes.fill(number, at, at + FRAME_BYTES);
      ethernet.write(frames.bytes, at, 0x0242_0a00_0002 as MacAddress, device.address, 0x88b5);
      device.transmit(frame);
    }
    world.simulation.run(world.simulation.nowNs + MICROSECOND);
  }
  world.simulation.run(world.simulation.nowNs + 10 * MICROSECOND);
  return arrived.map((numbers) => numbers.join(" "));
}
