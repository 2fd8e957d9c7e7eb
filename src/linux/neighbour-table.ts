/**
 * The neighbour table of a namespace (`ip neigh`): entries by device and address. What an entry cannot do by itself, sending ARP requests
 * and ICMP errors, is given by `resolver`.
 */
import type { Clock } from "../sim/simulation.ts";
import { type Ipv4Address, isMulticastIpv4, MAC_BROADCAST, type MacAddress, multicastMac } from "../wire/address.ts";
import type { Errno } from "./errno.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import type { InetDevices } from "./inet-device.ts";
import { HZ, jiffiesAt } from "./jiffies.ts";
import { jiffiesToSeconds, Neighbour, type NeighbourOwner, type NeighbourState } from "./neighbour.ts";
import type { DeviceChange, NetDevice } from "./net-device.ts";

export interface NeighbourResolver {
  solicit(neighbour: Neighbour, target: MacAddress | undefined, because: FrameId | undefined): void;
  unreachable(frame: FrameId, device: NetDevice): void;
}

/** For `ip monitor neigh`, and for the notifications of VXLAN's l2miss and l3miss. */
export interface NeighbourListener {
  neighbourChanged(neighbour: Neighbour): void;
  neighbourRemoved?(neighbour: Neighbour): void;
  /** Somebody looked for an entry that is not there (RTM_GETNEIGH with `miss`): an address, or a MAC address. */
  neighbourMissed?(device: NetDevice, missing: { address?: Ipv4Address; mac?: MacAddress }): void;
}

/** What an administrator sets; `nud` of `ip neigh`. */
export interface NeighbourRequest {
  readonly device: NetDevice;
  readonly address: Ipv4Address;
  readonly mac?: MacAddress | undefined;
  /** PERMANENT unless given. */
  readonly state?: NeighbourState | undefined;
  readonly externallyLearnt?: boolean | undefined;
}

export class NeighbourTable implements NeighbourOwner {
  readonly clock: Clock;
  readonly frames: FrameStore;
  readonly #devices: InetDevices;
  readonly #byDevice: (Map<number, Neighbour> | undefined)[] = [];
  #count = 0;
  /** Entries that may be collected, the oldest first: all but permanent ones and those that a control plane has told (neigh_update_gc_list). */
  #collectable: Set<Neighbour> | undefined = undefined;
  // In jiffies: when entries unused were last looked for, and when room was last made.
  #lastPeriodic = 0;
  #lastForced = -FORCED_INTERVAL_JIFFIES;
  resolver: NeighbourResolver | undefined = undefined;
  readonly listeners: NeighbourListener[] = [];
  /** gc_thresh1, 2 and 3: below the first nothing is collected; from the second on room is made every 5 s, from the third on at once. */
  collectFrom = 128;
  makeRoomFrom = 512;
  fullFrom = 1_024;

  constructor(clock: Clock, frames: FrameStore, devices: InetDevices) {
    this.clock = clock;
    this.frames = frames;
    this.#devices = devices;
  }

  get(device: NetDevice, address: Ipv4Address): Neighbour | undefined {
    return this.#byDevice[device.index]?.get(address | 0);
  }

  /** The MAC address behind `address`, if one is known that may be used. */
  lookup(device: NetDevice, address: Ipv4Address): MacAddress | undefined {
    const neighbour = this.get(device, address);
    return neighbour?.valid === true ? neighbour.mac : undefined;
  }

  /** The entry for a next hop, made if need be: what a path ends with. */
  obtain(device: NetDevice, address: Ipv4Address, broadcast = false): Neighbour {
    return this.get(device, address) ?? this.#make(device, address, broadcast, true);
  }

  #make(device: NetDevice, address: Ipv4Address, broadcast: boolean, collectable: boolean): Neighbour {
    if (this.#count >= this.collectFrom) this.#collectUnused();
    if (collectable) this.#makeRoom();
    let entries = this.#byDevice[device.index];
    if (entries === undefined) {
      entries = new Map();
      this.#byDevice[device.index] = entries;
    }
    const neighbour = new Neighbour(this, this.#devices.of(device), address);
    entries.set(address | 0, neighbour);
    this.#count++;
    this.#enlist(neighbour, collectable);
    // arp_constructor: group addresses and devices without ARP need no resolution.
    if (isMulticastIpv4(address)) neighbour.update(multicastMac(address), "NOARP", { administrative: true });
    else if (device.noArp || device.kind === "loopback")
      neighbour.update(device.address, "NOARP", { administrative: true });
    else if (broadcast) neighbour.update(MAC_BROADCAST, "NOARP", { administrative: true });
    return neighbour;
  }

  /** `ip neigh add`: EEXIST when there is an entry. */
  add(request: NeighbourRequest): Errno | undefined {
    if (this.get(request.device, request.address) !== undefined) return "EEXIST";
    return this.replace(request);
  }

  /** `ip neigh change`: ENOENT when there is none. */
  change(request: NeighbourRequest): Errno | undefined {
    if (this.get(request.device, request.address) === undefined) return "ENOENT";
    return this.replace(request);
  }

  /** `ip neigh replace`. EINVAL: the state needs a MAC address that is neither given nor known. */
  replace(request: NeighbourRequest): Errno | undefined {
    const state = request.state ?? "PERMANENT";
    const needsMac = state !== "NONE" && state !== "INCOMPLETE" && state !== "FAILED" && state !== "NOARP";
    const known = this.lookup(request.device, request.address);
    if (needsMac && request.mac === undefined && known === undefined) return "EINVAL";
    const exempt = state === "PERMANENT" || request.externallyLearnt === true;
    const neighbour =
      this.get(request.device, request.address) ?? this.#make(request.device, request.address, false, !exempt);
    neighbour.externallyLearnt = request.externallyLearnt ?? false;
    neighbour.update(request.mac, state, { override: true, administrative: true });
    this.#enlist(neighbour, neighbour.state !== "PERMANENT" && !neighbour.externallyLearnt);
    return undefined;
  }

  /** `ip neigh del`. */
  delete(device: NetDevice, address: Ipv4Address): Errno | undefined {
    const neighbour = this.get(device, address);
    if (neighbour === undefined) return "ENOENT";
    this.#remove(neighbour);
    return undefined;
  }

  /** Removes the device's entries; with `keepPermanent` only those that were learnt. */
  flush(device: NetDevice, keepPermanent = false): void {
    for (const neighbour of [...(this.#byDevice[device.index]?.values() ?? [])])
      if (!keepPermanent || neighbour.state !== "PERMANENT") this.#remove(neighbour);
  }

  /** In the order in which they were made, device by device. */
  list(device?: NetDevice): Neighbour[] {
    if (device !== undefined) return [...(this.#byDevice[device.index]?.values() ?? [])];
    return this.#byDevice.flatMap((entries) => [...(entries?.values() ?? [])]);
  }

  /** Tells the listeners of a lookup that found nothing. */
  miss(device: NetDevice, missing: { address?: Ipv4Address; mac?: MacAddress }): void {
    for (const listener of this.listeners) listener.neighbourMissed?.(device, missing);
  }

  deviceChanged(device: NetDevice, change: DeviceChange): void {
    if (change === "down" || change === "removed" || change === "address") this.flush(device);
    else if (change === "carrier" && !device.carrier) this.flush(device, true);
  }

  solicit(neighbour: Neighbour, target: MacAddress | undefined, because: FrameId | undefined): void {
    this.resolver?.solicit(neighbour, target, because);
  }

  unreachable(frame: FrameId, device: NetDevice): void {
    this.resolver?.unreachable(frame, device);
  }

  changed(neighbour: Neighbour): void {
    for (const listener of this.listeners) listener.neighbourChanged(neighbour);
  }

  #remove(neighbour: Neighbour): void {
    if (this.#byDevice[neighbour.device.index]?.delete(neighbour.address | 0) !== true) return;
    this.#count--;
    this.#collectable?.delete(neighbour);
    neighbour.remove();
    for (const listener of this.listeners) listener.neighbourRemoved?.(neighbour);
  }

  #enlist(neighbour: Neighbour, collectable: boolean): void {
    if (!collectable) {
      this.#collectable?.delete(neighbour);
      return;
    }
    this.#collectable ??= new Set();
    this.#collectable.add(neighbour);
  }

  /**
   * neigh_periodic_work, done as far apart as the kernel does it, but only when the table grows: failed entries go, and those unused for
   * gc_stale_time.
   */
  #collectUnused(): void {
    const now = jiffiesAt(this.clock.nowNs);
    if (now - this.#lastPeriodic < PERIODIC_INTERVAL_JIFFIES) return;
    this.#lastPeriodic = now;
    for (const neighbour of this.#collectable ?? []) {
      const staleMs = this.#devices.of(neighbour.device).neighbourSettings.gcStaleMs;
      const idle = jiffiesToSeconds(Math.min(neighbour.ages.used, neighbour.ages.confirmed)) * 1_000 > staleMs;
      if (neighbour.state === "FAILED" || (neighbour.state === "STALE" && idle)) this.#remove(neighbour);
    }
  }

  /**
   * neigh_forced_gc: the oldest entries that have failed or have not changed for 5 s go, until gc_thresh2 are left. The kernel refuses an entry
   * when that does not help at gc_thresh3 ("neighbour table overflow"); here the table grows on, and looks again in the next tick.
   */
  #makeRoom(): void {
    const entries = this.#collectable;
    if (entries === undefined || entries.size < this.makeRoomFrom) return;
    const now = jiffiesAt(this.clock.nowNs);
    const since = now - this.#lastForced;
    if (since <= (entries.size >= this.fullFrom ? 0 : FORCED_INTERVAL_JIFFIES)) return;
    this.#lastForced = now;
    for (const neighbour of entries) {
      if (entries.size <= this.makeRoomFrom) return;
      const { state } = neighbour;
      const inUse = state === "INCOMPLETE" || state === "REACHABLE" || state === "DELAY" || state === "PROBE";
      if (inUse) continue; // its timer holds it
      if (state === "FAILED" || state === "NOARP" || neighbour.ages.updated > FORCED_INTERVAL_JIFFIES)
        this.#remove(neighbour);
    }
  }
}

/** Half of base_reachable_time. */
const PERIODIC_INTERVAL_JIFFIES = 15 * HZ;
const FORCED_INTERVAL_JIFFIES = 5 * HZ;
