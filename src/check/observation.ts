/** A run with eyes on every device: what laws are checked against. */
import type { DropReason } from "../linux/drop-reason.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { Netem } from "../linux/qdisc/netem.ts";
import { WireEnd } from "../linux/wire-end.ts";
import type { World } from "../linux/world.ts";
import type { Lab } from "../scenario/lab.ts";
import type { Scenario } from "../scenario/load.ts";
import type { RunReport } from "../scenario/report.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { Memory } from "../wire/checksum.ts";

/** A frame as it passed a device. */
export interface ObservedFrame {
  readonly device: NetDevice;
  readonly place: string;
  readonly timeNs: Nanoseconds;
  readonly direction: "in" | "out";
  readonly packetId: number;
  /** The device's MTU at that time. */
  readonly mtu: number;
  /** The frame's own copy; it begins at 0, and `bytes.length` is its length. */
  readonly bytes: Uint8Array;
}

/** A frame's end before its goal. */
export interface ObservedDrop {
  readonly reason: DropReason;
  /** A device's place, or a namespace's name. */
  readonly place: string;
  readonly timeNs: Nanoseconds;
  readonly packetId: number;
}

/** What a link or a queue in front of it was told to do to frames. */
export type Disturbance = "loss" | "duplicate" | "reorder" | "corrupt" | "rate";

/** How the frames of a run ended. */
export interface Accounts {
  readonly made: number;
  readonly delivered: number;
  readonly consumed: number;
  readonly dropped: number;
  readonly inFlight: number;
  /** Counted one by one. */
  readonly holders: number;
  readonly dropsByReason: ReadonlyMap<DropReason, number>;
}

export interface Observation {
  readonly scenario: Scenario;
  readonly report: RunReport;
  /** In the order of events. */
  readonly frames: readonly ObservedFrame[];
  readonly drops: readonly ObservedDrop[];
  /** Those that were there when the run began. */
  readonly devices: readonly NetDevice[];
  readonly accounts: Accounts;
  /** A link was told to damage frames: what they carry may be anything. */
  readonly corrupts: boolean;
  readonly disturbances: ReadonlySet<Disturbance>;
  /** As it stands at the end: its tables may be read. */
  readonly world: World;
}

/** Runs the lab to its scenario's end, watching every device that it begins with. */
export function observe(lab: Lab): Observation {
  const watch = new Watch(lab);
  return watch.observation(lab.run());
}

/** Eyes on every device of a lab, from now on: for those who run the lab themselves. */
export class Watch {
  readonly #lab: Lab;
  readonly #frames: ObservedFrame[] = [];
  readonly #drops: ObservedDrop[] = [];
  readonly #devices: NetDevice[] = [];
  readonly #disturbances = new Set<Disturbance>();

  constructor(lab: Lab) {
    this.#lab = lab;
    const { frames, simulation, namespaces } = lab.world;
    for (const namespace of namespaces.values()) for (const device of namespace.devices) this.#watch(device);
    const before = frames.observer;
    frames.observer = {
      dropped: (frame, reason, where) => {
        const packetId = frames.packetId[frame]!;
        this.#drops.push({ reason, place: where.place, timeNs: simulation.nowNs, packetId });
        before?.dropped(frame, reason, where);
      },
    };
  }

  observation(report: RunReport): Observation {
    const store = this.#lab.world.frames;
    const { made, delivered, consumed, dropped, inFlight, dropsByReason } = store;
    return {
      scenario: this.#lab.scenario,
      report,
      frames: this.#frames,
      drops: this.#drops,
      devices: this.#devices,
      accounts: { made, delivered, consumed, dropped, inFlight, holders: store.countHolders(), dropsByReason },
      corrupts: this.#disturbances.has("corrupt"),
      disturbances: this.#disturbances,
      world: this.#lab.world,
    };
  }

  #watch(device: NetDevice): void {
    this.#devices.push(device);
    this.#lab.captures.listen(device, ({ timeNs, direction, packetId, bytes, at, end }) => {
      noteDisturbances(device, this.#disturbances);
      this.#frames.push({
        device,
        place: device.place,
        timeNs,
        direction,
        packetId,
        mtu: device.mtu,
        bytes: bytes.slice(at, end),
      });
    });
  }
}

function noteDisturbances({ driver, qdisc }: NetDevice, into: Set<Disturbance>): void {
  if (driver instanceof WireEnd) {
    const { settings } = driver;
    if (settings.loss.kind !== "none" || settings.dropFrames.length > 0) into.add("loss");
    if (settings.duplicatePartsPerMillion > 0) into.add("duplicate");
    if (settings.reorderPartsPerMillion > 0 || settings.jitterNs > 0) into.add("reorder");
    if (settings.corruptPartsPerMillion > 0) into.add("corrupt");
    if (settings.rateBitsPerSecond > 0) into.add("rate");
  }
  if (qdisc === undefined) return;
  into.add("rate"); // a queue may be full
  if (!(qdisc instanceof Netem)) return;
  const { options } = qdisc;
  if (options.loss !== undefined) into.add("loss");
  if ((options.duplicatePartsPerMillion ?? 0) > 0) into.add("duplicate");
  if ((options.reorderPartsPerMillion ?? 0) > 0 || (options.jitterNs ?? 0) > 0) into.add("reorder");
  if ((options.corruptPartsPerMillion ?? 0) > 0) into.add("corrupt");
}

/** A frame's bytes where checksums can be computed over them. */
export function memoryOf(frame: ObservedFrame): Memory {
  const buffer = new ArrayBuffer((frame.bytes.length + 1) & ~1);
  const bytes = new Uint8Array(buffer);
  bytes.set(frame.bytes);
  return { bytes, words: new Uint16Array(buffer) };
}
