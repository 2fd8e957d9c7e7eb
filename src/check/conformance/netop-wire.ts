/**
 * The verb `wire` of netop.py: a bump in the wire that takes every frame of one interface, holds it for a while and sends it on by the other; it may drop
 * the n-th frame of a direction. As the script does, it stands in a namespace without addresses.
 */
import type { CommandContext } from "../../commands/word.ts";
import type { FrameId } from "../../linux/frame-store.ts";
import type { IngressHandler, NetDevice } from "../../linux/net-device.ts";
import type { Process, Program } from "../../linux/process.ts";
import type { Clock, Receiver, ReceiverId } from "../../sim/simulation.ts";
import { MICROSECOND, type Nanoseconds } from "../../sim/time.ts";
import { usage } from "./netop-arguments.ts";

/** `wire A B DELAY_US [a2b:N | b2a:N …]` */
export function* wire(process: Process, { namespace }: CommandContext, args: readonly string[]): Program {
  const [nameA = "", nameB = "", delayUs = "0", ...drops] = args;
  const a = namespace.device(nameA);
  const b = namespace.device(nameB);
  if (a === undefined || b === undefined) return usage(process, "wire");
  const delayNs = Number(delayUs) * MICROSECOND;
  const lost = (direction: string): ReadonlySet<number> =>
    new Set(drops.filter((drop) => drop.startsWith(`${direction}:`)).map((drop) => Number(drop.slice(4))));
  a.ingress = new Direction(process.clock, delayNs, b, lost("a2b"));
  b.ingress = new Direction(process.clock, delayNs, a, lost("b2a"));
  process.atExit(() => {
    a.ingress = undefined;
    b.ingress = undefined;
  });
  for (;;) if ((yield { queues: [] }) === "signal") return 143;
}

class Direction implements IngressHandler, Receiver {
  readonly #clock: Clock;
  readonly #delayNs: Nanoseconds;
  readonly #egress: NetDevice;
  readonly #lost: ReadonlySet<number>;
  readonly #arrival: Arrival;
  #count = 0;

  constructor(clock: Clock, delayNs: Nanoseconds, egress: NetDevice, lost: ReadonlySet<number>) {
    this.#clock = clock;
    this.#delayNs = delayNs;
    this.#egress = egress;
    this.#lost = lost;
    this.#arrival = new Arrival(clock, egress);
  }

  receive(frame: number): void {
    this.#count++;
    if (this.#lost.has(this.#count)) this.#egress.frames.drop(frame as FrameId, "link-loss", this.#egress);
    else this.#clock.schedule(this.#delayNs, this.#arrival.id, frame);
  }
}

/** A frame's time has come. */
class Arrival implements Receiver {
  readonly id: ReceiverId;
  readonly #egress: NetDevice;

  constructor(clock: Clock, egress: NetDevice) {
    this.id = clock.register(this);
    this.#egress = egress;
  }

  receive(frame: number): void {
    this.#egress.transmit(frame as FrameId);
  }
}
