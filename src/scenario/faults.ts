/**
 * What a step's `fault:` does, and undoing it: faults of links, which add up (the latest setting of a kind wins), cuts of the underlay, and machines that fail.
 */
import type { LinkSettings } from "../linux/link-settings.ts";
import type { NetDevice } from "../linux/net-device.ts";
import { WireEnd } from "../linux/wire-end.ts";
import type { BlockSpec, FaultSpec } from "./format.ts";

/** Where faults find the links that they change. */
export interface LinkPlan {
  /** The device that `place` (`node2`, `node2/eth0`) names; undefined when there is none with a link. */
  linkAt(place: string): NetDevice | undefined;
  /** Cuts the underlay between groups of machines; returns how to mend it. */
  partition(groups: readonly (readonly string[])[]): () => void;
  /** Drops packets between a machine and the underlay; returns how to let them pass again. */
  block(block: BlockSpec): () => void;
  /** The machine loses its power; returns how to give it back. Undefined: it has no engine, or no power already. */
  cutPower(node: string): (() => void) | undefined;
  /** `systemctl stop docker`; returns how to start it again. Undefined as above. */
  stopEngine(node: string): (() => void) | undefined;
}

export class Faults {
  readonly #plan: LinkPlan;
  readonly #active = new Map<WireEnd, { readonly base: LinkSettings; readonly changes: Partial<LinkSettings>[] }>();

  constructor(plan: LinkPlan) {
    this.#plan = plan;
  }

  /** Begins a fault; returns how to end it, or why it cannot be. */
  begin(fault: FaultSpec): (() => void) | { readonly problem: string } {
    if (fault.partition !== undefined) return this.#plan.partition(fault.partition);
    if (fault.block !== undefined) return this.#plan.block(fault.block);
    if (fault.kill !== undefined)
      return this.#plan.cutPower(fault.kill) ?? { problem: `${fault.kill} cannot be killed: it has no power` };
    const stopped = fault["stop-engine"];
    if (stopped !== undefined)
      return (
        this.#plan.stopEngine(stopped) ?? { problem: `the engine of ${stopped} cannot be stopped: it does not run` }
      );
    if (fault.down !== undefined) {
      const device = this.#plan.linkAt(fault.down);
      if (device === undefined) return { problem: `there is no interface ${fault.down}` };
      device.setUp(false);
      return () => device.setUp(true);
    }
    const device = this.#plan.linkAt(fault.link ?? "");
    if (device === undefined || !(device.driver instanceof WireEnd))
      return { problem: `there is no link at ${fault.link}` };
    const out = device.driver;
    const back = out.peer?.driver;
    const ends = fault.direction === "out" ? [out] : fault.direction === "in" ? [back] : [out, back];
    const change = linkSettingsOf(fault);
    const undo = ends.filter((end) => end instanceof WireEnd).map((end) => this.#change(end, change));
    return () => {
      for (const one of undo) one();
    };
  }

  #change(end: WireEnd, change: Partial<LinkSettings>): () => void {
    const active = this.#active.get(end) ?? { base: end.settings, changes: [] };
    this.#active.set(end, active);
    active.changes.push(change);
    end.settings = Object.assign({ ...active.base }, ...active.changes);
    return () => {
      active.changes.splice(active.changes.indexOf(change), 1);
      end.settings = Object.assign({ ...active.base }, ...active.changes);
    };
  }
}

/** The settings of a link as a scenario spells them. */
export function linkSettingsOf(spec: Partial<FaultSpec>): Partial<LinkSettings> {
  const burst = spec.burst;
  return {
    ...(spec.delay !== undefined && { delayNs: spec.delay }),
    ...(spec.jitter !== undefined && { jitterNs: spec.jitter }),
    ...(spec.rate !== undefined && { rateBitsPerSecond: spec.rate }),
    ...(spec.queue !== undefined && { queueLimitBytes: spec.queue }),
    ...(spec.duplicate !== undefined && { duplicatePartsPerMillion: spec.duplicate }),
    ...(spec.reorder !== undefined && { reorderPartsPerMillion: spec.reorder }),
    ...(spec.corrupt !== undefined && { corruptPartsPerMillion: spec.corrupt }),
    ...(spec.loss !== undefined && { loss: { kind: "random" as const, partsPerMillion: spec.loss } }),
    ...(burst !== undefined && {
      loss: {
        kind: "gilbert-elliott" as const,
        goodToBadPartsPerMillion: burst.enter,
        badToGoodPartsPerMillion: burst.leave,
        lossInBadPartsPerMillion: burst.loss ?? 1_000_000,
        lossInGoodPartsPerMillion: spec.loss ?? 0,
      },
    }),
  };
}
