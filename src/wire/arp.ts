/** Address Resolution Protocol, RFC 826, for Ethernet and IPv4: 28 bytes behind the Ethernet header. */
import type { Ipv4Address, MacAddress } from "./address.ts";
import { getU16, getU32, getU48, putU16, putU32, putU48 } from "./bytes.ts";

export const HEADER_BYTES = 28;
export const OPERATION_REQUEST = 1;
export const OPERATION_REPLY = 2;

const HARDWARE_TYPE = 0;
const PROTOCOL_TYPE = 2;
const HARDWARE_LENGTH = 4;
const PROTOCOL_LENGTH = 5;
const OPERATION = 6;
const SENDER_HARDWARE = 8;
const SENDER_PROTOCOL = 14;
const TARGET_HARDWARE = 18;
const TARGET_PROTOCOL = 24;

const ETHERNET = 1;
const IPV4 = 0x0800;

export interface Arp {
  /** 1 request, 2 reply; others are read and left to the receiver to ignore. */
  readonly operation: number;
  readonly senderHardwareAddress: MacAddress;
  readonly senderProtocolAddress: Ipv4Address;
  readonly targetHardwareAddress: MacAddress;
  readonly targetProtocolAddress: Ipv4Address;
}

export type Malformed = "arp-truncated" | "arp-bad-hardware-type" | "arp-bad-protocol-type" | "arp-bad-address-length";

/** Says why no ARP packet for Ethernet and IPv4 starts at `at`. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  if (end - at < HEADER_BYTES) return "arp-truncated";
  if (getU16(bytes, at + HARDWARE_TYPE) !== ETHERNET) return "arp-bad-hardware-type";
  if (getU16(bytes, at + PROTOCOL_TYPE) !== IPV4) return "arp-bad-protocol-type";
  if (bytes[at + HARDWARE_LENGTH] !== 6 || bytes[at + PROTOCOL_LENGTH] !== 4) return "arp-bad-address-length";
  return undefined;
}

export function operation(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + OPERATION);
}

export function senderHardwareAddress(bytes: Uint8Array, at: number): MacAddress {
  return getU48(bytes, at + SENDER_HARDWARE) as MacAddress;
}

export function senderProtocolAddress(bytes: Uint8Array, at: number): Ipv4Address {
  return getU32(bytes, at + SENDER_PROTOCOL) as Ipv4Address;
}

export function targetHardwareAddress(bytes: Uint8Array, at: number): MacAddress {
  return getU48(bytes, at + TARGET_HARDWARE) as MacAddress;
}

export function targetProtocolAddress(bytes: Uint8Array, at: number): Ipv4Address {
  return getU32(bytes, at + TARGET_PROTOCOL) as Ipv4Address;
}

export function parse(bytes: Uint8Array, at: number, end: number): Arp | Malformed {
  return (
    check(bytes, at, end) ?? {
      operation: operation(bytes, at),
      senderHardwareAddress: senderHardwareAddress(bytes, at),
      senderProtocolAddress: senderProtocolAddress(bytes, at),
      targetHardwareAddress: targetHardwareAddress(bytes, at),
      targetProtocolAddress: targetProtocolAddress(bytes, at),
    }
  );
}

/** Writes `HEADER_BYTES` at `at`. */
export function emit(header: Arp, bytes: Uint8Array, at: number): void {
  write(
    bytes,
    at,
    header.operation,
    header.senderHardwareAddress,
    header.senderProtocolAddress,
    header.targetHardwareAddress,
    header.targetProtocolAddress,
  );
}

/** `emit` without an object. */
export function write(
  bytes: Uint8Array,
  at: number,
  operation: number,
  senderHardwareAddress: MacAddress,
  senderProtocolAddress: Ipv4Address,
  targetHardwareAddress: MacAddress,
  targetProtocolAddress: Ipv4Address,
): void {
  putU16(bytes, at + HARDWARE_TYPE, ETHERNET);
  putU16(bytes, at + PROTOCOL_TYPE, IPV4);
  bytes[at + HARDWARE_LENGTH] = 6;
  bytes[at + PROTOCOL_LENGTH] = 4;
  putU16(bytes, at + OPERATION, operation);
  putU48(bytes, at + SENDER_HARDWARE, senderHardwareAddress);
  putU32(bytes, at + SENDER_PROTOCOL, senderProtocolAddress);
  putU48(bytes, at + TARGET_HARDWARE, targetHardwareAddress);
  putU32(bytes, at + TARGET_PROTOCOL, targetProtocolAddress);
}
