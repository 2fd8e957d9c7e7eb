/**
 * A frame under a filter's eyes: loads that know where the frame ends, and where the layers lie. As in the BPF machine, a load beyond the end
 * fails the whole filter, also below a `not`: what was not captured matches nothing.
 */
import { getU16, getU32 } from "../wire/bytes.ts";

/** Which Ethernet frame a primitive speaks of: each `vxlan` or `geneve` in front of it goes one level in, each `vlan` one tag on. */
export interface Layer {
  readonly level: number;
  readonly tagBytes: number;
}

/** In place of an offset: there is no such layer in this frame. */
export const ABSENT = -1;
const ETHERNET_TYPE = 12;
export const ETHERNET_BYTES = 14;

export class FilterProbe {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  /** Set by a load beyond the end or a division by zero. */
  failed = false;
  /** Length on the wire. */
  length = 0;
  // One row a level: the frame's first byte, its type field, its payload.
  readonly #link: number[] = [];
  readonly #type: number[] = [];
  readonly #payload: number[] = [];

  constructor(levels: number) {
    for (let level = 0; level < levels; level++) {
      this.#link.push(ABSENT);
      this.#type.push(ABSENT);
      this.#payload.push(ABSENT);
    }
  }

  start(bytes: Uint8Array, at: number, end: number, length: number): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
    this.length = length;
    this.failed = false;
    for (let level = 1; level < this.#link.length; level++) this.leave(level);
    this.enter(0, at);
  }

  /** An Ethernet frame begins at `at`. */
  enter(level: number, at: number): void {
    this.#link[level] = at;
    this.#type[level] = at + ETHERNET_TYPE;
    this.#payload[level] = at + ETHERNET_BYTES;
  }

  /** A packet without Ethernet header begins at `payload`; its EtherType stands at `type`. */
  enterBare(level: number, type: number, payload: number): void {
    this.#link[level] = payload; // where libpcap lets `ether[0]` look, too
    this.#type[level] = type;
    this.#payload[level] = payload;
  }

  leave(level: number): void {
    this.#link[level] = ABSENT;
    this.#type[level] = ABSENT;
    this.#payload[level] = ABSENT;
  }

  /** Whether the layer is there and begins with an Ethernet header. */
  hasEthernet(layer: Layer): boolean {
    return this.#link[layer.level]! !== this.#payload[layer.level]!;
  }

  /** Offset of the layer's first byte, or ABSENT. */
  link(layer: Layer): number {
    return this.#link[layer.level]!;
  }

  /** The type or length field, or ABSENT. */
  etherType(layer: Layer): number {
    const at = this.#type[layer.level]!;
    return at === ABSENT ? ABSENT : this.load16(at + layer.tagBytes);
  }

  typeOffset(layer: Layer): number {
    return this.#type[layer.level]! + layer.tagBytes;
  }

  payload(layer: Layer): number {
    return this.#payload[layer.level]! + layer.tagBytes;
  }

  load8(offset: number): number {
    if (!this.#holds(offset, 1)) return 0;
    return this.#bytes[offset]!;
  }

  load16(offset: number): number {
    if (!this.#holds(offset, 2)) return 0;
    return getU16(this.#bytes, offset);
  }

  load32(offset: number): number {
    if (!this.#holds(offset, 4)) return 0;
    return getU32(this.#bytes, offset);
  }

  #holds(offset: number, count: number): boolean {
    if (offset >= this.#at && offset + count <= this.#end) return true;
    this.failed = true;
    return false;
  }
}
