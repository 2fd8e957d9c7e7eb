/**
 * One entry of the neighbour table: the state machine of neighbour unreachability detection, RFC 4861 §7.3, as Linux applies it to ARP
 * (net/core/neighbour.c). An entry is also the last step of a packet's way: it writes the Ethernet header, or keeps the packet
 * until the address is known.
 */
import type { Clock } from "../sim/simulation.ts";
import { Timer } from "../sim/timer.ts";
import type { Ipv4Address, MacAddress } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import { type InetDevice, msToJiffies } from "./inet-device.ts";
import { HZ, JIFFY_NS, jiffiesAt, wheelDelayNs } from "./jiffies.ts";
import type { NetDevice } from "./net-device.ts";
import type { LinkOutput } from "./path.ts";

export type NeighbourState =
  | "NONE"
  | "INCOMPLETE"
  | "REACHABLE"
  | "STALE"
  | "DELAY"
  | "PROBE"
  | "FAILED"
  | "NOARP"
  | "PERMANENT";

/** What an entry asks of its table. */
export interface NeighbourOwner {
  readonly clock: Clock;
  readonly frames: FrameStore;
  /** Sends an ARP request: by unicast to `target`, or by broadcast when that is undefined. */
  solicit(neighbour: Neighbour, target: MacAddress | undefined, because: FrameId | undefined): void;
  /** Nobody answered `frame`'s next hop: an ICMP error may go out. The frame is still the entry's to end. */
  unreachable(frame: FrameId, device: NetDevice): void;
  /** The entry's state or address has changed: for `ip monitor neigh`. */
  changed(neighbour: Neighbour): void;
}

const HEADER = ethernet.HEADER_BYTES;
const SHORTEST_DELAY_JIFFIES = HZ / 100;
const UNKNOWN_LONG_AGO = -1e9;

export class Neighbour implements LinkOutput {
  readonly address: Ipv4Address;
  readonly device: NetDevice;
  /** Taken out of the table: who holds it asks the table anew. */
  removed = false;
  /** `extern_learn` and `router` as `ip neigh` shows them. */
  externallyLearnt = false;

  readonly #owner: NeighbourOwner;
  readonly #inet: InetDevice;
  readonly #frames: FrameStore;
  #state: NeighbourState = "NONE";
  /** REACHABLE, PERMANENT, NOARP: frames go straight out. */
  #connected = false;
  #mac: MacAddress = 0 as MacAddress;
  #macHigh = 0;
  #macLow = 0;
  // In jiffies: last change, last proof of life, last use outside the fast path.
  #updated = 0;
  #confirmed = UNKNOWN_LONG_AGO;
  #used = 0;
  #probes = 0;
  #timer: Timer | undefined = undefined;
  #dueJiffies = 0;
  #queue: FrameId[] = [];

  constructor(owner: NeighbourOwner, inet: InetDevice, address: Ipv4Address) {
    this.#owner = owner;
    this.#inet = inet;
    this.#frames = owner.frames;
    this.address = address;
    this.device = inet.device;
    this.#updated = this.#now();
    this.#used = this.#updated;
  }

  get state(): NeighbourState {
    return this.#state;
  }

  /** Meaningful while `valid`. */
  get mac(): MacAddress {
    return this.#mac;
  }

  /** There is an address that frames may be sent to (NUD_VALID). */
  get valid(): boolean {
    const state = this.#state;
    return state !== "NONE" && state !== "INCOMPLETE" && state !== "FAILED";
  }

  /** In jiffies: since the last use, confirmation and update, as `ip -s neigh` shows them. */
  get ages(): { used: number; confirmed: number; updated: number } {
    const now = this.#now();
    return { used: now - this.#used, confirmed: now - this.#confirmed, updated: now - this.#updated };
  }

  get probes(): number {
    return this.#probes;
  }

  get queued(): number {
    return this.#queue.length;
  }

  confirm(): void {
    this.#confirmed = this.#now();
  }

  output(frame: FrameId): void {
    if (!this.#connected && !this.#mayPass(frame)) return;
    const frames = this.#frames;
    const own = frames.writable(frame);
    frames.push(own, HEADER);
    const device = this.device;
    ethernet.writeHalves(
      frames.bytes,
      frames.start(own),
      this.#macHigh,
      this.#macLow,
      device.addressHigh,
      device.addressLow,
      ethernet.ETHERTYPE_IPV4,
    );
    device.transmit(own);
  }

  /** neigh_event_send without a packet: begins resolution where there is none. True when the address may be used. */
  resolve(): boolean {
    return this.#connected || this.#event(undefined);
  }

  /** Sets state and address as an administrator or as ARP does: neigh_update. */
  update(
    mac: MacAddress | undefined,
    state: NeighbourState,
    options: { override?: boolean; administrative?: boolean } = {},
  ): void {
    const old = this.#state;
    const administrative = options.administrative === true;
    if (!administrative && (old === "NOARP" || old === "PERMANENT")) return;
    if (!isValid(state)) {
      this.#timer?.stop();
      this.#enter(state);
      this.#dropQueue();
      this.#owner.changed(this);
      return;
    }
    const wasValid = this.valid;
    const newMac = mac ?? this.#mac;
    const changesMac = !wasValid || newMac !== this.#mac;
    let next = state;
    if (isConnected(state)) this.#confirmed = this.#now();
    if (wasValid) {
      if (changesMac && options.override !== true) return;
      if (!changesMac && state === "STALE" && !administrative) next = old;
    }
    if (next !== old || changesMac) this.#updated = this.#now();
    if (changesMac) {
      this.#setMac(newMac);
      if (!isConnected(next))
        this.#confirmed = this.#now() - 2 * msToJiffies(this.#inet.neighbourSettings.baseReachableMs);
    }
    if (next !== old) {
      this.#timer?.stop();
      if (next === "PROBE") this.#probes = 0;
      this.#enter(next);
      if (next === "REACHABLE") this.#setTimer(this.#now() + this.#inet.reachableJiffies());
      else if (next === "DELAY" || next === "PROBE") this.#setTimer(this.#now());
    }
    if (next !== old || changesMac) this.#owner.changed(this);
    if (!wasValid) this.#sendQueue();
  }

  /** Has the entry been changed within `locktime`? Then only a proper gratuitous ARP overrides it. */
  get locked(): boolean {
    return this.#now() <= this.#updated + msToJiffies(this.#inet.neighbourSettings.lockMs);
  }

  /** Takes the entry out of use; its queue ends here. */
  remove(): void {
    this.removed = true;
    this.#frames.forgetShortcuts();
    this.#timer?.stop();
    this.#connected = false;
    this.#state = "FAILED";
    for (const frame of this.#queue.splice(0)) this.#frames.drop(frame, "neighbour-failed", this.device);
  }

  /** neigh_resolve_output before the entry is connected: true when the frame may go, else it was taken. */
  #mayPass(frame: FrameId): boolean {
    if (this.removed) {
      this.#frames.drop(frame, "neighbour-failed", this.device);
      return false;
    }
    return this.#event(frame);
  }

  /** neigh_event_send. Takes over `frame` when it answers false. */
  #event(frame: FrameId | undefined): boolean {
    const now = this.#now();
    this.#used = now;
    const state = this.#state;
    if (state === "DELAY" || state === "PROBE" || isConnected(state)) return true;
    if (state === "STALE") {
      this.#updated = now;
      this.#enter("DELAY");
      this.#setTimer(now + msToJiffies(this.#inet.neighbourSettings.delayFirstProbeMs));
      this.#owner.changed(this);
      return true;
    }
    const settings = this.#inet.neighbourSettings;
    if (state !== "INCOMPLETE") {
      if (settings.multicastSolicit + settings.applicationSolicit === 0) {
        this.#enter("FAILED");
        if (frame !== undefined) this.#fail(frame);
        return false;
      }
      this.#probes = settings.unicastSolicit;
      this.#updated = now;
      this.#enter("INCOMPLETE");
      this.#setTimer(now + this.#retransJiffies());
      if (frame !== undefined) this.#enqueue(frame);
      this.#owner.changed(this);
      this.#probe();
    } else if (frame !== undefined) {
      this.#enqueue(frame);
    }
    return false;
  }

  #enqueue(frame: FrameId): void {
    this.#queue.push(frame);
    if (this.#queue.length > this.#inet.neighbourSettings.queueLength)
      this.#frames.drop(this.#queue.shift()!, "neighbour-queue-full", this.device);
  }

  #sendQueue(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const frame of queue) this.output(frame);
  }

  /** neigh_timer_handler. */
  #fire(): void {
    const now = this.#now();
    const settings = this.#inet.neighbourSettings;
    const delay = msToJiffies(settings.delayFirstProbeMs);
    let next = now + HZ;
    switch (this.#state) {
      case "REACHABLE":
        if (now <= this.#confirmed + this.#inet.reachableJiffies()) {
          next = this.#confirmed + this.#inet.reachableJiffies();
        } else if (now <= this.#used + delay) {
          this.#enter("DELAY");
          this.#updated = now;
          next = now + delay;
        } else {
          this.#enter("STALE");
          this.#updated = now;
          this.#owner.changed(this);
          return;
        }
        break;
      case "DELAY":
        if (now <= this.#confirmed + delay) {
          this.#enter("REACHABLE");
          this.#updated = now;
          next = this.#confirmed + this.#inet.reachableJiffies();
        } else {
          this.#enter("PROBE");
          this.#updated = now;
          this.#probes = 0;
          next = now + this.#retransJiffies();
        }
        this.#owner.changed(this);
        break;
      case "INCOMPLETE":
      case "PROBE":
        next = now + this.#retransJiffies();
        break;
      default:
        return;
    }
    if ((this.#state === "INCOMPLETE" || this.#state === "PROBE") && this.#probes >= this.#maximumProbes()) {
      this.#enter("FAILED");
      this.#updated = now;
      this.#owner.changed(this);
      this.#dropQueue();
      return;
    }
    this.#setTimer(Math.max(next, now + SHORTEST_DELAY_JIFFIES));
    if (this.#state === "INCOMPLETE" || this.#state === "PROBE") this.#probe();
  }

  /** arp_solicit: unicast while unicast probes are left, then broadcast. */
  #probe(): void {
    const unicast = this.#state === "PROBE" && this.#probes < this.#inet.neighbourSettings.unicastSolicit;
    this.#probes++;
    this.#owner.solicit(this, unicast ? this.#mac : undefined, this.#queue.at(-1));
  }

  #maximumProbes(): number {
    const settings = this.#inet.neighbourSettings;
    const rest = this.#state === "PROBE" ? settings.multicastResolicit : settings.multicastSolicit;
    return settings.unicastSolicit + settings.applicationSolicit + rest;
  }

  #retransJiffies(): number {
    return Math.max(msToJiffies(this.#inet.neighbourSettings.retransMs), SHORTEST_DELAY_JIFFIES);
  }

  #dropQueue(): void {
    const queue = this.#queue;
    this.#queue = [];
    for (const frame of queue) this.#fail(frame);
  }

  #fail(frame: FrameId): void {
    this.#owner.unreachable(frame, this.device);
    this.#frames.drop(frame, "neighbour-failed", this.device);
  }

  #enter(state: NeighbourState): void {
    this.#state = state;
    this.#connected = isConnected(state);
  }

  #setMac(mac: MacAddress): void {
    this.#mac = mac;
    this.#macHigh = Math.floor(mac / 0x1_0000_0000);
    this.#macLow = (mac % 0x1_0000_0000) | 0;
  }

  #setTimer(expires: number): void {
    this.#dueJiffies = expires;
    this.#timer ??= new Timer(this.#owner.clock, () => this.#fire());
    this.#timer.stop();
    this.#timer.set(wheelDelayNs(this.#owner.clock.nowNs, this.#dueJiffies));
  }

  #now(): number {
    return jiffiesAt(this.#inet.nowNs);
  }
}

/** For display: jiffies as whole seconds. */
export function jiffiesToSeconds(jiffies: number): number {
  return Math.floor((jiffies * JIFFY_NS) / 1_000_000_000);
}

function isConnected(state: NeighbourState): boolean {
  return state === "REACHABLE" || state === "PERMANENT" || state === "NOARP";
}

function isValid(state: NeighbourState): boolean {
  return state !== "NONE" && state !== "INCOMPLETE" && state !== "FAILED";
}
