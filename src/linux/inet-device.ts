/** What IPv4 keeps of a device, Linux's in_device: its sysctls, combined and at hand, and the reachable time that ARP has drawn for it. */
import type { Random } from "../sim/random.ts";
import type { Clock } from "../sim/simulation.ts";
import type { Nanoseconds } from "../sim/time.ts";
import { HZ, jiffiesAt } from "./jiffies.ts";
import type { NetDevice } from "./net-device.ts";
import type { DeviceSettings, NeighbourSettings, Sysctl } from "./sysctl.ts";

/** neigh_periodic_work draws a new reachable time this often. */
const REACHABLE_REDRAW_JIFFIES = 300 * HZ;

export class InetDevice {
  readonly device: NetDevice;
  readonly #clock: Clock;
  readonly #sysctl: Sysctl;
  readonly #root: Random;
  #random: Random | undefined = undefined;
  settings: DeviceSettings;
  neighbourSettings: NeighbourSettings;
  #reachableJiffies = 0;
  #drawnAt = 0; // in jiffies
  #drawnFor = -1; // the base that it was drawn for

  /** `random` is the namespace's; the device takes its own stream of it when it first needs one. */
  constructor(device: NetDevice, clock: Clock, sysctl: Sysctl, random: Random) {
    this.device = device;
    this.#clock = clock;
    this.#sysctl = sysctl;
    this.#root = random;
    this.settings = sysctl.device(device.name);
    this.neighbourSettings = sysctl.neighbour(device.name);
  }

  /** Reads the sysctls again. */
  refresh(): void {
    this.settings = this.#sysctl.device(this.device.name);
    this.neighbourSettings = this.#sysctl.neighbour(this.device.name);
  }

  /** RFC 4861 §6.3.2: uniformly between 0.5 and 1.5 of the base, drawn again every 300 s. */
  reachableJiffies(): number {
    const now = jiffiesAt(this.#clock.nowNs);
    const baseMs = this.neighbourSettings.baseReachableMs;
    if (baseMs !== this.#drawnFor || now - this.#drawnAt > REACHABLE_REDRAW_JIFFIES) {
      const base = msToJiffies(baseMs);
      this.#reachableJiffies = base === 0 ? 0 : this.#stream().below(base) + (base >> 1);
      this.#drawnFor = baseMs;
      this.#drawnAt = now;
    }
    return this.#reachableJiffies;
  }

  #stream(): Random {
    this.#random ??= this.#root.fork(`reachable time of ${this.device.name}`);
    return this.#random;
  }

  get nowNs(): Nanoseconds {
    return this.#clock.nowNs;
  }
}

export function msToJiffies(ms: number): number {
  return Math.ceil((ms * HZ) / 1_000);
}

/** The devices of a namespace as IPv4 sees them: each record is made when it is first asked for. */
export class InetDevices {
  readonly #clock: Clock;
  readonly #sysctl: Sysctl;
  readonly #random: Random;
  readonly #devices: { readonly list: readonly NetDevice[] };

  constructor(clock: Clock, sysctl: Sysctl, random: Random, devices: { readonly list: readonly NetDevice[] }) {
    this.#clock = clock;
    this.#sysctl = sysctl;
    this.#random = random;
    this.#devices = devices;
  }

  /** The device leaves the namespace. */
  remove(device: NetDevice): void {
    device.inet = undefined;
  }

  /** The device's record; the device is one of the namespace's. */
  of(device: NetDevice): InetDevice {
    return (device.inet as InetDevice | undefined) ?? this.#make(device);
  }

  sysctlChanged(): void {
    for (const device of this.#devices.list) (device.inet as InetDevice | undefined)?.refresh();
  }

  #make(device: NetDevice): InetDevice {
    const made = new InetDevice(device, this.#clock, this.#sysctl, this.#random);
    device.inet = made;
    return made;
  }
}
