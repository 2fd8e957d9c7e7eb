/** A run with eyes on every device: what laws are checked against. */
import type { DropReason } from "../linux/drop-reason.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { Netem } from "../linux/qdisc/netem.ts";
import { WireEnd } from "../linux/wire-end.ts";
import type { Lab } from "../scenario/lab.ts";
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
  readonly report: RunReport;
  /** In the order of events. */
  readonly frames: readonly ObservedFrame[];
  /** Those that were there when the run began. */
  readonly devices: readonly NetDevice[];
  readonly accounts: Accounts;
  /** A link was told to damage frames: what they carry may be anything. */
  readonly corrupts: boolean;
}

/** Runs the lab to its scenario's end, watching every device that it begins with. */
export function observe(lab: Lab): Observation {
  const frames: ObservedFrame[] = [];
  const devices: NetDevice[] = [];
  let corrupts = false;
  for (const namespace of lab.world.namespaces.values())
    for (const device of namespace.devices) {
      devices.push(device);
      lab.captures.listen(device, ({ place, timeNs, direction, packetId, bytes, at, end }) => {
        corrupts ||= mayDamage(device);
        frames.push({ device, place, timeNs, direction, packetId, mtu: device.mtu, bytes: bytes.slice(at, end) });
      });
    }
  const report = lab.run();
  const store = lab.world.frames;
  const { made, delivered, consumed, dropped, inFlight, dropsByReason } = store;
  return {
    report,
    frames,
    devices,
    accounts: { made, delivered, consumed, dropped, inFlight, holders: store.countHolders(), dropsByReason },
    corrupts,
  };
}

function mayDamage({ driver, qdisc }: NetDevice): boolean {
  if (driver instanceof WireEnd && driver.settings.corruptPartsPerMillion > 0) return true;
  return qdisc instanceof Netem && (qdisc.options.corruptPartsPerMillion ?? 0) > 0;
}

/** A frame's bytes where checksums can be computed over them. */
export function memoryOf(frame: ObservedFrame): Memory {
  const buffer = new ArrayBuffer((frame.bytes.length + 1) & ~1);
  const bytes = new Uint8Array(buffer);
  bytes.set(frame.bytes);
  return { bytes, words: new Uint16Array(buffer) };
}
