/**
 * When the rest of the kernel hears of a carrier: net/core/link_watch.c. A change that is urgent is reported at once, others together,
 * at most once a second. That is why a bridge port may begin to forward only up to a second after `ip link set up`, and why it may
 * go on sending into a cut cable for as long.
 */
import type { Clock } from "../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../sim/time.ts";
import { Timer } from "../sim/timer.ts";
import type { NetDevice } from "./net-device.ts";
import { WireEnd } from "./wire-end.ts";

export class LinkWatch {
  readonly #clock: Clock;
  readonly #report: (device: NetDevice) => void;
  readonly #timer: Timer;
  readonly #urgent = new Set<NetDevice>();
  readonly #waiting = new Set<NetDevice>();
  #nextNs: Nanoseconds = 0;

  /** `report` is called for a device whose carrier or state has changed since it was last called. */
  constructor(clock: Clock, report: (device: NetDevice) => void) {
    this.#clock = clock;
    this.#report = report;
    this.#timer = new Timer(clock, () => this.#run());
  }

  /** The device came up, or its carrier came or went. */
  changed(device: NetDevice, change: "up" | "carrier"): void {
    if (isUrgent(device, change)) {
      this.#urgent.add(device);
      this.#timer.set(0);
      return;
    }
    this.#waiting.add(device);
    if (this.#timer.armed) return;
    const nowNs = this.#clock.nowNs;
    this.#timer.set(this.#nextNs > nowNs ? this.#nextNs - nowNs : 0);
  }

  forget(device: NetDevice): void {
    this.#urgent.delete(device);
    this.#waiting.delete(device);
  }

  #run(): void {
    const nowNs = this.#clock.nowNs;
    const due = [...this.#urgent];
    this.#urgent.clear();
    if (this.#waiting.size > 0 && nowNs >= this.#nextNs) {
      due.push(...this.#waiting);
      this.#waiting.clear();
      this.#nextNs = nowNs + SECOND;
    }
    if (this.#waiting.size > 0) this.#timer.set(this.#nextNs - nowNs);
    for (const device of due) this.#report(device);
  }
}

/**
 * linkwatch_urgent_event(): a device stacked on another (for a veth: an index other than its peer's, in whatever namespace that is), or one that
 * gets its carrier while it is up.
 */
function isUrgent(device: NetDevice, change: "up" | "carrier"): boolean {
  if (device.driver instanceof WireEnd && device.kind === "veth" && device.driver.peer?.index !== device.index)
    return true;
  return change === "carrier" && device.running;
}
