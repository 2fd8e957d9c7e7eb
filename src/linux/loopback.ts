/** The loopback device, drivers/net/loopback.c: what is sent arrives at the device itself, past its capture point once each way. */
import type { Clock, ReceiverId } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { FrameId } from "./frame-store.ts";
import type { Driver, NetDevice } from "./net-device.ts";

export const LOOPBACK_MTU = 65_536;

export class Loopback implements Driver {
  readonly #clock: Clock;
  readonly #delayNs: Nanoseconds;
  #receiver: ReceiverId = -1;

  constructor(clock: Clock, delayNs: Nanoseconds) {
    this.#clock = clock;
    this.#delayNs = delayNs;
  }

  connect(device: NetDevice): void {
    this.#receiver = this.#clock.register(device);
  }

  transmit(frame: FrameId): void {
    this.#clock.schedule(this.#delayNs, this.#receiver, frame);
  }
}
