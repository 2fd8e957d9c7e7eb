/**
 * Every frame of the emulated world, in one slab: what Linux calls sk_buff. A frame is an integer id; its bytes lie in a slot of one
 * ArrayBuffer with headroom in front, so that encapsulation writes headers in place and copies nothing (52 ns for a packet's life, where
 * one Buffer a packet costs 520 to 640).
 *
 * A frame may have several holders (a flood shares the slot). Who changes a byte asks `writable` first, which copies unless
 * it is the last holder; moving the start (`push`, `pull`) is such a change too. Every holder ends in exactly one of `deliver`, `consume` and
 * `drop`, so that at any time
 *
 *     made = delivered + consumed + dropped + inFlight
 *
 * where `made` counts holders: one for each `make` or `clone`, and one for each `hold`.
 *
 * `bytes` and `words` are replaced when the slab grows. It grows between two events only, never inside a handler.
 */
import { assert } from "../sim/assert.ts";
import type { Simulation } from "../sim/simulation.ts";
import type { Memory } from "../wire/checksum.ts";
import type { DropReason } from "./drop-reason.ts";

export type FrameId = number & { readonly brand: "FrameId" };
/** In place of a frame: it has ended, there is none to go on with. */
export const NO_FRAME = -1 as FrameId;

/** Where something happens, in words: `node1/br0`, or a namespace's name. */
export interface Place {
  readonly place: string;
}

/** Told of frames' ends when somebody wants to know; nobody listening costs nothing. */
export interface FrameObserver {
  /** Called before the slot is freed; the frame's bytes from `start` may be read. */
  dropped(frame: FrameId, reason: DropReason, where: Place): void;
}

/** Room in front of a new frame's first byte: Ethernet, VXLAN, UDP, IP and ESP in front of another Ethernet header, and some. */
const HEADROOM_BYTES = 192;
/** Small slots hold an Ethernet frame of 1 500 bytes with ESP around VXLAN; large ones hold 64 KiB (loopback, jumbo). */
const SMALL_SLOT_BYTES = 2_304;
const LARGE_SLOT_BYTES = 66_304;
/** Room behind the last byte, for padding and ESP's trailer. */
const TAILROOM_BYTES = 64;
/** A slot takes so much in front of its frame when the frame is moved back: as many tunnels inside each other as may be, and ESP. */
const MOST_HEADROOM_BYTES = 384;
export const SMALL_FRAME_BYTES = SMALL_SLOT_BYTES - MOST_HEADROOM_BYTES - TAILROOM_BYTES;
export const LARGE_FRAME_BYTES = LARGE_SLOT_BYTES - MOST_HEADROOM_BYTES - TAILROOM_BYTES;

export class FrameStore implements Memory {
  bytes: Uint8Array;
  words: Uint16Array;

  // One row a slot. Only this class writes `#start`, `#length` and `#holders`.
  #start: Int32Array;
  #length: Int32Array;
  #holders: Int32Array;
  /** skb->mark, 32 bits. */
  mark: Int32Array;
  /** Number of the connection this packet belongs to in its namespace's conntrack table; 0 = none yet. Bits above are conntrack's own. */
  connection: Int32Array;
  /** Set when the transport checksum is known to be right (made here and not corrupted since): CHECKSUM_UNNECESSARY. */
  checksumKnown: Uint8Array;
  /** Bits for the path through one host (see FRAME_FLAG_…); cleared on leaving it. */
  flags: Uint8Array;
  /** The packet's life number: copies, encapsulation, NAT and fragments keep it; the pcapng packet id. */
  packetId: Int32Array;
  /** The life number of the packet that caused this one (a reply, an ICMP error); 0 = none. */
  cause: Int32Array;
  /** The longest fragment, as an IPv4 total length, that a reassembled packet came in; 0: it came whole (IPCB frag_max_size). */
  fragmentLimit: Uint16Array;
  /** How many bridges have relayed the frame, its earlier copies included; counted no further than the storm guard wants. */
  relays: Uint8Array;
  /** How the packets with a `fragmentLimit` were cut: payload bytes of each fragment. */
  readonly #cuts = new Map<FrameId, readonly number[]>();

  // Slots are numbered in the order in which they were added, so that growing renames none.
  #base: Int32Array; // offset of the slot's first byte
  #large: Uint8Array; // 1 for a large slot
  #slots = 0;
  #smallSlots = 0;
  #largeSlots = 0;
  #endOfSlots = 0; // in bytes
  #free: Int32Array;
  #freeCount = 0;
  #freeLarge: Int32Array;
  #freeLargeCount = 0;

  readonly #simulation: Pick<Simulation, "betweenEvents">;
  #growing = false;
  #nextPacketId = 0;

  /**
   * Moves whenever something may have changed, at any host, that the shortcuts of established flows were decided by: an address, a route, a hook,
   * a socket, a device's state. One number for the whole world, because it stays in the cache, where one for each host would be
   * another line to fetch for every packet.
   */
  shortcutEpoch = 0;
  /** How many tunnels are sending at this moment, one inside the other (softnet_data.xmit.recursion). */
  tunnelDepth = 0;

  made = 0;
  delivered = 0;
  consumed = 0;
  dropped = 0;
  readonly dropsByReason = new Map<DropReason, number>();
  observer: FrameObserver | undefined;

  /** `smallSlots` and `largeSlots` are what it begins with; address space that is never touched costs no memory. */
  constructor(simulation: Pick<Simulation, "betweenEvents">, smallSlots = 8_192, largeSlots = 128) {
    this.#simulation = simulation;
    const slots = smallSlots + largeSlots;
    const buffer = new ArrayBuffer(smallSlots * SMALL_SLOT_BYTES + largeSlots * LARGE_SLOT_BYTES);
    this.bytes = new Uint8Array(buffer);
    this.words = new Uint16Array(buffer);
    this.#base = new Int32Array(slots);
    this.#large = new Uint8Array(slots);
    this.#start = new Int32Array(slots);
    this.#length = new Int32Array(slots);
    this.#holders = new Int32Array(slots);
    this.mark = new Int32Array(slots);
    this.connection = new Int32Array(slots);
    this.checksumKnown = new Uint8Array(slots);
    this.flags = new Uint8Array(slots);
    this.packetId = new Int32Array(slots);
    this.cause = new Int32Array(slots);
    this.fragmentLimit = new Uint16Array(slots);
    this.relays = new Uint8Array(slots);
    this.#free = new Int32Array(smallSlots);
    this.#freeLarge = new Int32Array(largeSlots);
    this.#addSlots(smallSlots, largeSlots);
  }

  /** What was decided may no longer hold: every shortcut is taken anew. */
  forgetShortcuts(): void {
    this.shortcutEpoch = (this.shortcutEpoch + 1) | 0;
  }

  /** Frames that have not ended. */
  get inFlight(): number {
    return this.made - this.delivered - this.consumed - this.dropped;
  }

  /** Holders of all slots, counted one by one: equals `inFlight`, or something has been lost. For audits. */
  countHolders(): number {
    let sum = 0;
    for (let slot = 0; slot < this.#slots; slot++) sum += this.#holders[slot]!;
    return sum;
  }

  /** A new frame of `lengthBytes` (0 to `LARGE_FRAME_BYTES`); its bytes are dirty, its start is even; it begins a life of its own. */
  make(lengthBytes: number): FrameId {
    const frame = this.#take(lengthBytes);
    this.packetId[frame] = ++this.#nextPacketId;
    this.cause[frame] = 0;
    this.mark[frame] = 0;
    this.connection[frame] = 0;
    this.checksumKnown[frame] = 0;
    this.flags[frame] = 0;
    this.fragmentLimit[frame] = 0;
    this.relays[frame] = 0;
    return frame;
  }

  /** A copy of the bytes and of all that is known of the packet; the same life. The original keeps its holder. */
  clone(frame: FrameId): FrameId {
    const length = this.#length[frame]!;
    const copy = this.#take(length);
    const start = this.#start[frame]!;
    this.bytes.copyWithin(this.#start[copy]!, start, start + length);
    this.inherit(copy, frame);
    this.mark[copy] = this.mark[frame]!;
    this.connection[copy] = this.connection[frame]!;
    this.checksumKnown[copy] = this.checksumKnown[frame]!;
    this.flags[copy] = this.flags[frame]!;
    this.fragmentLimit[copy] = this.fragmentLimit[frame]!;
    this.relays[copy] = this.relays[frame]!;
    return copy;
  }

  /** Makes `frame` a part of `from`'s life (a fragment, a reassembled or re-encapsulated packet). */
  inherit(frame: FrameId, from: FrameId): void {
    this.packetId[frame] = this.packetId[from]!;
    this.cause[frame] = this.cause[from]!;
  }

  /** Remembers how a packet was cut that has been put together: the length of its longest fragment and each one's payload. */
  setCuts(frame: FrameId, fragmentLimit: number, payloadBytes: readonly number[]): void {
    this.fragmentLimit[frame] = fragmentLimit;
    this.#cuts.set(frame, payloadBytes);
  }

  /** Payload bytes of the fragments that the packet came in; undefined when it came whole or is a copy. */
  cuts(frame: FrameId): readonly number[] | undefined {
    return this.fragmentLimit[frame] === 0 ? undefined : this.#cuts.get(frame);
  }

  /** Notes that `frame` (a reply, an error) would not be without `because`. */
  causedBy(frame: FrameId, because: FrameId): void {
    this.cause[frame] = this.packetId[because]!;
  }

  /** Offset in `bytes` of the frame's first byte. */
  start(frame: FrameId): number {
    return this.#start[frame]!;
  }

  length(frame: FrameId): number {
    return this.#length[frame]!;
  }

  /** Offset behind the frame's last byte. */
  end(frame: FrameId): number {
    return this.#start[frame]! + this.#length[frame]!;
  }

  holders(frame: FrameId): number {
    return this.#holders[frame]!;
  }

  /** `count` more holders share the frame. */
  hold(frame: FrameId, count = 1): void {
    assert(this.#holders[frame]! > 0, "hold of a frame that has ended");
    this.#holders[frame] = this.#holders[frame]! + count;
    this.made += count;
  }

  /** The frame itself when the caller is its last holder, else a copy in place of the caller's hold. */
  writable(frame: FrameId): FrameId {
    if (this.#holders[frame] === 1) return frame;
    const copy = this.clone(frame);
    this.#holders[frame] = this.#holders[frame]! - 1;
    this.made--; // the hold has moved to the copy
    return copy;
  }

  /**
   * Moves the start `count` bytes back, into the headroom: the caller writes a header there. Last holder only. The bytes may come to lie elsewhere
   * in their slot: offsets from before are void.
   */
  push(frame: FrameId, count: number): void {
    assert(this.#holders[frame] === 1, "push on a shared frame");
    if (this.#start[frame]! - count < this.#base[frame]!) this.#makeHeadroom(frame, count);
    this.#start[frame] = this.#start[frame]! - count;
    this.#length[frame] = this.#length[frame]! + count;
  }

  /** Moves the start `count` bytes on, past a header; the bytes stay. Last holder only. */
  pull(frame: FrameId, count: number): void {
    assert(this.#holders[frame] === 1, "pull on a shared frame");
    assert(count <= this.#length[frame]!, "pull past the end");
    this.#start[frame] = this.#start[frame]! + count;
    this.#length[frame] = this.#length[frame]! - count;
  }

  /** Sets the length: shorter (padding, a trim) or longer (a trailer; the bytes behind are dirty). Last holder only. */
  resize(frame: FrameId, lengthBytes: number): void {
    assert(this.#holders[frame] === 1, "resize of a shared frame");
    assert(
      this.#start[frame]! + lengthBytes <=
        this.#base[frame]! + (this.#large[frame] === 1 ? LARGE_SLOT_BYTES : SMALL_SLOT_BYTES),
      "no tailroom left",
    );
    this.#length[frame] = lengthBytes;
  }

  /** Ends the frame: an application got what it carries. */
  deliver(frame: FrameId): void {
    this.delivered++;
    this.#release(frame);
  }

  /** Ends the frame: the emulated kernel took it in (ARP, an echo request, a fragment that became part of a whole, a segment). */
  consume(frame: FrameId): void {
    this.consumed++;
    this.#release(frame);
  }

  /** Ends the frame for a reason of the closed list. */
  drop(frame: FrameId, reason: DropReason, where: Place): void {
    this.dropped++;
    this.dropsByReason.set(reason, (this.dropsByReason.get(reason) ?? 0) + 1);
    if (this.observer !== undefined) this.observer.dropped(frame, reason, where);
    this.#release(frame);
  }

  /** Tunnels in tunnels use the headroom up: the bytes move to the back of their slot (skb_cow_head). */
  #makeHeadroom(frame: FrameId, count: number): void {
    const base = this.#base[frame]!;
    const start = this.#start[frame]!;
    const length = this.#length[frame]!;
    const slotBytes = this.#large[frame] === 1 ? LARGE_SLOT_BYTES : SMALL_SLOT_BYTES;
    const moved = (base + slotBytes - TAILROOM_BYTES - length) & ~1; // slots begin at even offsets
    const to = moved | (start & 1);
    assert(to - count >= base, "no headroom left");
    this.bytes.copyWithin(to, start, start + length);
    this.#start[frame] = to;
  }

  #take(lengthBytes: number): FrameId {
    let frame: number;
    if (lengthBytes <= SMALL_FRAME_BYTES) {
      assert(this.#freeCount > 0, "frame store: one event made more frames than the slab's reserve");
      frame = this.#free[--this.#freeCount]!;
      if (this.#freeCount < this.#smallSlots >> 1) this.#growSoon();
    } else {
      assert(lengthBytes <= LARGE_FRAME_BYTES, "a frame longer than 64 KiB");
      assert(this.#freeLargeCount > 0, "frame store: one event made more large frames than the slab's reserve");
      frame = this.#freeLarge[--this.#freeLargeCount]!;
      if (this.#freeLargeCount < this.#largeSlots >> 1) this.#growSoon();
    }
    this.#start[frame] = this.#base[frame]! + HEADROOM_BYTES;
    this.#length[frame] = lengthBytes;
    this.#holders[frame] = 1;
    this.made++;
    return frame as FrameId;
  }

  #release(frame: FrameId): void {
    const holders = this.#holders[frame]! - 1;
    assert(holders >= 0, "a frame ended twice");
    this.#holders[frame] = holders;
    if (holders > 0) return;
    if (this.fragmentLimit[frame] !== 0) this.#cuts.delete(frame);
    if (this.#large[frame] === 1) this.#freeLarge[this.#freeLargeCount++] = frame;
    else this.#free[this.#freeCount++] = frame;
  }

  /** Half of the slots of a kind are in use: more are added when the event in hand is over. */
  #growSoon(): void {
    if (this.#growing) return;
    this.#growing = true;
    this.#simulation.betweenEvents(() => this.#grow());
  }

  #grow(): void {
    this.#growing = false;
    const moreSmall = this.#freeCount < this.#smallSlots >> 1 ? this.#smallSlots : 0;
    const moreLarge = this.#freeLargeCount < this.#largeSlots >> 1 ? this.#largeSlots : 0;
    const sizeBytes = this.#endOfSlots + moreSmall * SMALL_SLOT_BYTES + moreLarge * LARGE_SLOT_BYTES;
    assert(sizeBytes < 2 ** 31, "frame store: more than 2 GiB of frames in flight");
    const buffer = new ArrayBuffer(sizeBytes);
    const bytes = new Uint8Array(buffer);
    bytes.set(this.bytes);
    this.bytes = bytes;
    this.words = new Uint16Array(buffer);
    const slots = this.#slots + moreSmall + moreLarge;
    this.#base = widen(this.#base, new Int32Array(slots));
    this.#large = widen(this.#large, new Uint8Array(slots));
    this.#start = widen(this.#start, new Int32Array(slots));
    this.#length = widen(this.#length, new Int32Array(slots));
    this.#holders = widen(this.#holders, new Int32Array(slots));
    this.mark = widen(this.mark, new Int32Array(slots));
    this.connection = widen(this.connection, new Int32Array(slots));
    this.checksumKnown = widen(this.checksumKnown, new Uint8Array(slots));
    this.flags = widen(this.flags, new Uint8Array(slots));
    this.packetId = widen(this.packetId, new Int32Array(slots));
    this.cause = widen(this.cause, new Int32Array(slots));
    this.fragmentLimit = widen(this.fragmentLimit, new Uint16Array(slots));
    this.relays = widen(this.relays, new Uint8Array(slots));
    this.#free = widen(this.#free, new Int32Array(this.#smallSlots + moreSmall));
    this.#freeLarge = widen(this.#freeLarge, new Int32Array(this.#largeSlots + moreLarge));
    this.#addSlots(moreSmall, moreLarge);
  }

  #addSlots(small: number, large: number): void {
    const first = this.#slots;
    for (let slot = first; slot < first + small + large; slot++) {
      const isLarge = slot >= first + small;
      this.#base[slot] = this.#endOfSlots;
      this.#large[slot] = isLarge ? 1 : 0;
      this.#endOfSlots += isLarge ? LARGE_SLOT_BYTES : SMALL_SLOT_BYTES;
    }
    // Free lists are last in, first out: the slots used last are still in the cache. The lowest is taken first.
    for (let slot = first + small - 1; slot >= first; slot--) this.#free[this.#freeCount++] = slot;
    for (let slot = first + small + large - 1; slot >= first + small; slot--)
      this.#freeLarge[this.#freeLargeCount++] = slot;
    this.#slots += small + large;
    this.#smallSlots += small;
    this.#largeSlots += large;
  }
}

function widen<T extends Int32Array | Uint16Array | Uint8Array>(old: T, wider: T): T {
  wider.set(old);
  return wider;
}
