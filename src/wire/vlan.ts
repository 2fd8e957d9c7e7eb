/** VLAN tag, IEEE 802.1Q-2018 §9.6: the four bytes behind an Ethernet header whose type is 0x8100. */
import { getU16, putU16 } from "./bytes.ts";

export const HEADER_BYTES = 4;
/** A tag that carries a priority only (§9.6 Table 9-2). */
export const VID_NONE = 0;

const CONTROL = 0;
const TYPE = 2;
const DROP_ELIGIBLE = 0x1000;

export interface Vlan {
  /** Priority code point, 0 to 7. */
  readonly priority: number;
  readonly dropEligible: boolean;
  /** 0 to 4095; 0 is no VLAN, 4095 is reserved. */
  readonly vid: number;
  /** Of what follows the tag. */
  readonly etherType: number;
}

export type Malformed = "vlan-truncated";

/** Says why no tag starts at `at`, the byte behind the type 0x8100. */
export function check(_bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  return end - at < HEADER_BYTES ? "vlan-truncated" : undefined;
}

export function priority(bytes: Uint8Array, at: number): number {
  return bytes[at + CONTROL]! >>> 5;
}

export function dropEligible(bytes: Uint8Array, at: number): boolean {
  return (getU16(bytes, at + CONTROL) & DROP_ELIGIBLE) !== 0;
}

export function vid(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + CONTROL) & 0xfff;
}

export function etherType(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + TYPE);
}

export function parse(bytes: Uint8Array, at: number, end: number): Vlan | Malformed {
  return (
    check(bytes, at, end) ?? {
      priority: priority(bytes, at),
      dropEligible: dropEligible(bytes, at),
      vid: vid(bytes, at),
      etherType: etherType(bytes, at),
    }
  );
}

/** Writes `HEADER_BYTES` at `at`. */
export function emit(header: Vlan, bytes: Uint8Array, at: number): void {
  putU16(bytes, at + CONTROL, (header.priority << 13) | (header.dropEligible ? DROP_ELIGIBLE : 0) | header.vid);
  putU16(bytes, at + TYPE, header.etherType);
}
