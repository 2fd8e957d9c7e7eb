/**
 * One round of fuzzing: a fresh network with its own traffic, and frames put into its devices: real ones seen there a moment ago, others from
 * elsewhere, nonsense; most of them damaged. What must hold: no exception, no endless loop, and every frame is accounted for, at any time and after
 * all queues have run empty. A round is decided by its seed alone, so that a failure is found again by running it.
 */
import type { FrameId, FrameStore } from "../../linux/frame-store.ts";
import type { NetDevice, Tap } from "../../linux/net-device.ts";
import type { Random } from "../../sim/random.ts";
import type { Receiver, ReceiverId, Simulation } from "../../sim/simulation.ts";
import { MICROSECOND, MILLISECOND, SECOND } from "../../sim/time.ts";
import { putU48, toHex } from "../../wire/bytes.ts";
import * as ethernet from "../../wire/ethernet.ts";
import { Draft } from "./draft.ts";
import { FuzzNetwork } from "./fuzz-network.ts";
import { FuzzTraffic } from "./fuzz-traffic.ts";
import { mutate, noise } from "./mutation.ts";

/** How the round failed. */
export interface FuzzFinding {
  /** How many frames had been put in, the guilty one among them. */
  readonly frames: number;
  readonly what: string;
  readonly device: string;
  readonly direction: "in" | "out";
  readonly frameHex: string;
  readonly stack: string | undefined;
}

export interface FuzzRound {
  readonly frames: number;
  readonly events: number;
  readonly drops: ReadonlyMap<string, number>;
  readonly delivered: number;
  readonly finding: FuzzFinding | undefined;
}

/** Own traffic runs for so long before the first frame. */
const WARM_UP_NS = 2 * SECOND;
/** Events between two frames: far more than the network's own traffic has in the time between them. */
const EVENTS_A_MILLISECOND = 20_000;
const EVENTS_AT_LEAST = 100_000;
/** Fragments wait 30 s, connections are given up after minutes. */
const SETTLE_NS = 1_200 * SECOND;
/** Bridges with a spanning tree speak every 2 s: a moment without a frame on its way comes within this. */
const QUIET_WITHIN_NS = 5 * SECOND;
const RECENT = 16;
const SLOT_BYTES = 2_048;
const AUDIT_EVERY = 64;

export interface FuzzHooks {
  /** May change the network before the first frame. */
  readonly prepare?: (network: FuzzNetwork) => void;
  /** Told of each frame before it is put in, for those who watch over loops that never come back. The bytes are valid during the call. */
  readonly before?: (number: number, device: NetDevice, direction: "in" | "out", bytes: Uint8Array) => void;
}

/** Runs a round of `frames` frames. */
export function fuzzRound(seed: string, frames: number, hooks: FuzzHooks = {}): FuzzRound {
  return new Round(seed, hooks).run(frames);
}

class Round implements Receiver {
  readonly #hooks: FuzzHooks;
  readonly #network: FuzzNetwork;
  readonly #traffic: FuzzTraffic;
  readonly #simulation: Simulation;
  readonly #frames: FrameStore;
  readonly #random: Random;
  readonly #devices: readonly NetDevice[];
  readonly #recents: readonly RecentFrames[];
  readonly #receiver: ReceiverId;
  readonly #draft = new Draft();
  #putIn = 0;
  #device: NetDevice;
  #direction: "in" | "out" = "in";

  constructor(seed: string, hooks: FuzzHooks) {
    this.#hooks = hooks;
    this.#network = new FuzzNetwork(seed);
    hooks.prepare?.(this.#network);
    const { world } = this.#network;
    this.#simulation = world.simulation;
    this.#frames = world.frames;
    this.#random = world.random.fork("fuzz");
    this.#devices = [...world.namespaces.values()].flatMap((namespace) => [...namespace.devices]);
    this.#device = this.#devices[0]!;
    this.#recents = this.#devices.map((device) => new RecentFrames(this.#frames, device));
    this.#receiver = this.#simulation.register(this);
    this.#traffic = new FuzzTraffic(this.#network);
    this.#simulation.run(this.#simulation.nowNs + WARM_UP_NS);
  }

  run(frames: number): FuzzRound {
    let what: string | undefined;
    let stack: string | undefined;
    try {
      while (this.#putIn < frames && what === undefined) what = this.#step();
      what ??= this.#settle();
    } catch (error) {
      what = String(error);
      stack = error instanceof Error ? error.stack : undefined;
    }
    const finding = what === undefined ? undefined : { ...this.#culprit(), what, stack };
    return {
      frames: this.#putIn,
      events: this.#simulation.events,
      drops: this.#frames.dropsByReason,
      delivered: this.#frames.delivered,
      finding,
    };
  }

  /** One frame, and some time behind it. */
  #step(): string | undefined {
    this.#prepare();
    this.#simulation.schedule(0, this.#receiver, 0);
    const waitNs = this.#wait();
    const budget = EVENTS_AT_LEAST + Math.ceil(waitNs / MILLISECOND) * EVENTS_A_MILLISECOND;
    if (this.#simulation.run(this.#simulation.nowNs + waitNs, undefined, budget)) {
      const storm = this.#network.world.stormGuard?.report;
      return storm === undefined
        ? `more than ${budget} events within ${waitNs} ns`
        : `a storm: ${storm.relays} times past ${storm.bridges.join(", ")}`;
    }
    return this.#putIn % AUDIT_EVERY === 0 ? this.#audit() : undefined;
  }

  /** Puts the prepared frame in: between two events there is always room for it. */
  receive(): void {
    const { bytes, length } = this.#draft;
    const frame = this.#frames.make(length);
    this.#frames.bytes.set(bytes.subarray(0, length), this.#frames.start(frame));
    this.#putIn++;
    this.#hooks.before?.(this.#putIn, this.#device, this.#direction, bytes.subarray(0, length));
    if (this.#direction === "in") this.#device.receive(frame);
    else this.#device.transmit(frame);
  }

  #prepare(): void {
    const random = this.#random;
    const index = random.below(this.#devices.length);
    this.#device = this.#devices[index]!;
    // A program with a packet socket may send anything that has an Ethernet header.
    this.#direction = random.below(6) === 0 ? "out" : "in";
    const own = this.#recents[index]!.pick(random, this.#direction);
    const other = this.#recents[random.below(this.#recents.length)]!.pick(random, this.#direction);
    const kind = random.below(20);
    const base = kind < 14 ? (own ?? other) : (other ?? own);
    if (base === undefined || kind === 19) noise(this.#draft, random);
    else this.#draft.load(base);
    if (random.below(3) === 0 && this.#draft.length >= ethernet.HEADER_BYTES) this.#address();
    mutate(this.#draft, random, other ?? NOTHING);
    // What is longer than this never gets past a cable.
    this.#draft.length = Math.min(this.#draft.length, this.#device.mtu + 18);
    if (this.#draft.length < ethernet.HEADER_BYTES) this.#direction = "in";
  }

  /** Makes the frame one for the device itself. */
  #address(): void {
    putU48(this.#draft.bytes, 0, this.#device.address);
  }

  #wait(): number {
    const random = this.#random;
    const choice = random.below(10_000);
    if (choice < 1) return random.below(40) * SECOND;
    if (choice < 20) return random.below(500) * MILLISECOND;
    if (choice < 2_000) return random.below(300) * MICROSECOND;
    return random.below(4) * MICROSECOND;
  }

  #audit(): string | undefined {
    const { made, delivered, consumed, dropped, inFlight } = this.#frames;
    const holders = this.#frames.countHolders();
    if (holders === inFlight) return undefined;
    return `made ${made}, delivered ${delivered}, consumed ${consumed}, dropped ${dropped}, but ${holders} in flight`;
  }

  /** The programs end, everything runs dry: then no frame may be left anywhere. */
  #settle(): string | undefined {
    this.#traffic.stop();
    const simulation = this.#simulation;
    simulation.run(simulation.nowNs + SETTLE_NS);
    const quiet = simulation.run(simulation.nowNs + QUIET_WITHIN_NS, () => this.#frames.inFlight === 0);
    if (this.#frames.inFlight === 0) return this.#audit();
    return `${this.#frames.inFlight} frames are still held when all has run dry${quiet ? " (stopped)" : ""}`;
  }

  #culprit(): Pick<FuzzFinding, "frames" | "device" | "direction" | "frameHex"> {
    return {
      frames: this.#putIn,
      device: this.#device.place,
      direction: this.#direction,
      frameHex: toHex(this.#draft.bytes, 0, this.#draft.length),
    };
  }
}

const NOTHING = new Uint8Array(0);

/** The last frames that a device received, and those that it sent; what is longer than a slot is kept in part. */
class RecentFrames implements Tap {
  readonly #frames: FrameStore;
  readonly #bytes = new Uint8Array(2 * RECENT * SLOT_BYTES);
  readonly #lengths = new Int32Array(2 * RECENT);
  /** How many frames were seen in each direction. */
  readonly #seen = { in: 0, out: 0 };

  constructor(frames: FrameStore, device: NetDevice) {
    this.#frames = frames;
    device.tap = this;
  }

  frame(frame: FrameId, direction: "in" | "out"): void {
    const slot = (direction === "in" ? 0 : RECENT) + (this.#seen[direction]++ % RECENT);
    const start = this.#frames.start(frame);
    const length = Math.min(SLOT_BYTES, this.#frames.length(frame));
    this.#bytes.set(this.#frames.bytes.subarray(start, start + length), slot * SLOT_BYTES);
    this.#lengths[slot] = length;
  }

  /** One of them; valid until the next frame comes past. */
  pick(random: Random, direction: "in" | "out"): Uint8Array | undefined {
    const count = Math.min(this.#seen[direction], RECENT);
    if (count === 0) return undefined;
    const slot = (direction === "in" ? 0 : RECENT) + random.below(count);
    return this.#bytes.subarray(slot * SLOT_BYTES, slot * SLOT_BYTES + this.#lengths[slot]!);
  }
}
