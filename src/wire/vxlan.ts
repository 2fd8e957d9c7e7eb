/** VXLAN header, RFC 7348 §5: 8 bytes between the outer UDP header and the inner frame. */
import type { Vni } from "./address.ts";
import { getU32, putU32 } from "./bytes.ts";

export const HEADER_BYTES = 8;
/** IANA's port; Linux without `dstport` takes 8472. */
export const UDP_PORT = 4789;

const FLAGS = 0;
const VNI = 4; // byte offsets
const I_FLAG = 0x08;

export interface Vxlan {
  readonly vni: Vni;
}

export type Malformed = "vxlan-truncated" | "vxlan-without-vni";

/** Says why no header starts at `at`. Reserved bits are ignored, as §5 asks of receivers. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  if (end - at < HEADER_BYTES) return "vxlan-truncated";
  if ((bytes[at + FLAGS]! & I_FLAG) === 0) return "vxlan-without-vni";
  return undefined;
}

/** The network's number, 24 bits. The bytes have passed `check`. */
export function vni(bytes: Uint8Array, at: number): Vni {
  return (getU32(bytes, at + VNI) >>> 8) as Vni;
}

/** Is any bit set beside the I flag and the VNI? The kernel drops such packets, though §5 asks to ignore those bits. */
export function reservedBitsSet(bytes: Uint8Array, at: number): boolean {
  return getU32(bytes, at + FLAGS) !== I_FLAG * 0x100_0000 || bytes[at + VNI + 3] !== 0;
}

export function parse(bytes: Uint8Array, at: number, end: number): Vxlan | Malformed {
  return check(bytes, at, end) ?? { vni: vni(bytes, at) };
}

/** Writes `HEADER_BYTES` at `at`; the bytes may be dirty; reserved bits become zero. */
export function emit(header: Vxlan, bytes: Uint8Array, at: number): void {
  write(bytes, at, header.vni);
}

/** `emit` without an object. */
export function write(bytes: Uint8Array, at: number, vni: Vni): void {
  putU32(bytes, at + FLAGS, I_FLAG * 0x100_0000);
  putU32(bytes, at + VNI, vni * 0x100);
}
