/**
 * VLAN filtering of a bridge, IEEE 802.1Q-2018 §8.6 as net/bridge/br_vlan.c does it: which VLANs a port (or the bridge's own device)
 * carries, which one untagged frames belong to, and in which ones frames leave without a tag.
 */
import { getU16, putU16, putU32 } from "../wire/bytes.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as vlan from "../wire/vlan.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";

/** In place of a VLAN: the frame may not pass. */
export const VLAN_REFUSED = -1;
/** `vlan_default_pvid`: what a new port is in, as its pvid and untagged. */
export const DEFAULT_PVID = 1;
export const LAST_VLAN = 4094;

const ADDRESSES_BYTES = 12; // in front of the tag
const VID_MASK = 0xfff;

export interface VlanMembership {
  readonly vid: number;
  readonly pvid: boolean;
  readonly untagged: boolean;
}

/** The VLANs of one port. */
export class VlanGroup {
  /** 0: untagged frames are refused. */
  pvid = DEFAULT_PVID;
  /** By VLAN: do frames leave untagged? Not made while it is the default, for there are many ports. */
  #members: Map<number, boolean> | undefined = undefined;

  /** `vid` from 1 to `LAST_VLAN`. A pvid takes the place of the one before. */
  add(vid: number, options: { pvid: boolean; untagged: boolean }): void {
    this.#own().set(vid, options.untagged);
    if (options.pvid) this.pvid = vid;
    else if (this.pvid === vid) this.pvid = 0;
  }

  delete(vid: number): boolean {
    if (this.pvid === vid) this.pvid = 0;
    return this.#own().delete(vid);
  }

  has(vid: number): boolean {
    return this.#members === undefined ? vid === DEFAULT_PVID : this.#members.has(vid);
  }

  leavesUntagged(vid: number): boolean {
    return this.#members === undefined ? vid === DEFAULT_PVID : this.#members.get(vid) === true;
  }

  list(): VlanMembership[] {
    return [...this.#own()]
      .sort(([a], [b]) => a - b)
      .map(([vid, untagged]) => ({ vid, untagged, pvid: vid === this.pvid }));
  }

  #own(): Map<number, boolean> {
    this.#members ??= new Map([[DEFAULT_PVID, true]]);
    return this.#members;
  }
}

/** The VLAN of a frame that comes in by a port with these VLANs, or `VLAN_REFUSED`. The frame starts at its Ethernet header. */
export function classify(frames: FrameStore, frame: FrameId, group: VlanGroup): number {
  const bytes = frames.bytes;
  const at = frames.start(frame);
  let vid = vlan.VID_NONE;
  if (ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_VLAN) {
    const tag = at + ethernet.HEADER_BYTES;
    if (vlan.check(bytes, tag, frames.end(frame)) !== undefined) return VLAN_REFUSED;
    vid = vlan.vid(bytes, tag);
  }
  if (vid === vlan.VID_NONE) vid = group.pvid;
  return vid !== 0 && group.has(vid) ? vid : VLAN_REFUSED;
}

/** Gives a frame of VLAN `vid` the tag with which it leaves by a port, or takes its tag away. Answers the frame to go on with. */
export function dress(frames: FrameStore, frame: FrameId, group: VlanGroup, vid: number): FrameId {
  const bytes = frames.bytes;
  const at = frames.start(frame);
  const tagged = ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_VLAN;
  if (group.leavesUntagged(vid)) return tagged ? untag(frames, frame) : frame;
  if (!tagged) return tag(frames, frame, vid);
  const control = getU16(bytes, at + ethernet.HEADER_BYTES);
  if ((control & VID_MASK) === vid) return frame;
  const own = frames.writable(frame); // a priority tag gets its VLAN
  putU16(frames.bytes, frames.start(own) + ethernet.HEADER_BYTES, (control & ~VID_MASK) | vid);
  return own;
}

/** Puts a tag between the addresses and the type. */
export function tag(frames: FrameStore, frame: FrameId, vid: number, priority = 0): FrameId {
  const own = frames.writable(frame);
  frames.push(own, vlan.HEADER_BYTES);
  const at = frames.start(own);
  frames.bytes.copyWithin(at, at + vlan.HEADER_BYTES, at + vlan.HEADER_BYTES + ADDRESSES_BYTES);
  putU32(frames.bytes, at + ADDRESSES_BYTES, ((ethernet.ETHERTYPE_VLAN << 16) | (priority << 13) | vid) >>> 0);
  return own;
}

/** Takes the tag away. The frame has one, whole. */
export function untag(frames: FrameStore, frame: FrameId): FrameId {
  const own = frames.writable(frame);
  const at = frames.start(own);
  frames.bytes.copyWithin(at + vlan.HEADER_BYTES, at, at + ADDRESSES_BYTES);
  frames.pull(own, vlan.HEADER_BYTES);
  return own;
}
