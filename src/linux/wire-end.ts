/**
 * One end of a link: the driver of veth and nic devices. A frame handed to it arrives at the peer device after the link's
 * delay, one event a hop. Each direction has its own settings.
 */
import type { Clock, ReceiverId } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import type { Driver, NetDevice } from "./net-device.ts";

export class WireEnd implements Driver {
  readonly #clock: Clock;
  readonly #frames: FrameStore;
  #device: NetDevice | undefined = undefined;
  #peer: NetDevice | undefined = undefined;
  #peerReceiver: ReceiverId = -1;
  /** Time from one end to the other. */
  delayNs: Nanoseconds;
  /** 0: no limit, a frame takes no time to be put on the wire. */
  rateBitsPerSecond: number;
  #busyUntilNs: Nanoseconds = 0;

  constructor(clock: Clock, frames: FrameStore, delayNs: Nanoseconds, rateBitsPerSecond = 0) {
    this.#clock = clock;
    this.#frames = frames;
    this.delayNs = delayNs;
    this.rateBitsPerSecond = rateBitsPerSecond;
  }

  get peer(): NetDevice | undefined {
    return this.#peer;
  }

  /** Puts this end into `device` and leads it to `peer`, whose number at the clock is `peerReceiver`. */
  connect(device: NetDevice, peer: NetDevice, peerReceiver: ReceiverId): void {
    this.#device = device;
    this.#peer = peer;
    this.#peerReceiver = peerReceiver;
  }

  transmit(frame: FrameId): void {
    const device = this.#device!;
    if (this.#peer === undefined || !device.carrier) {
      this.#frames.drop(frame, "device-no-carrier", device);
      return;
    }
    if (this.rateBitsPerSecond === 0) {
      this.#clock.schedule(this.delayNs, this.#peerReceiver, frame);
      return;
    }
    const nowNs = this.#clock.nowNs;
    const startNs = this.#busyUntilNs > nowNs ? this.#busyUntilNs : nowNs;
    this.#busyUntilNs = startNs + Math.ceil((this.#frames.length(frame) * 8_000_000_000) / this.rateBitsPerSecond);
    this.#clock.schedule(this.#busyUntilNs - nowNs + this.delayNs, this.#peerReceiver, frame);
  }
}
