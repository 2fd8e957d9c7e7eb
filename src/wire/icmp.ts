/** Internet Control Message Protocol, RFC 792; the next-hop MTU in "fragmentation needed" is RFC 1191 §4. */
import type { Ipv4Address } from "./address.ts";
import { getU16, getU32, putU16, putU32 } from "./bytes.ts";
import { finish, type Memory, sum } from "./checksum.ts";

/** Of every message; an error's quote or an echo's data follows. */
export const HEADER_BYTES = 8;
/** A timestamp message whole. */
export const TIMESTAMP_BYTES = 20;

export const TYPE_ECHO_REPLY = 0;
export const TYPE_UNREACHABLE = 3;
export const TYPE_SOURCE_QUENCH = 4;
export const TYPE_REDIRECT = 5;
export const TYPE_ECHO_REQUEST = 8;
export const TYPE_TIME_EXCEEDED = 11;
export const TYPE_PARAMETER_PROBLEM = 12;
export const TYPE_TIMESTAMP_REQUEST = 13;
export const TYPE_TIMESTAMP_REPLY = 14;

/** Codes of "unreachable", RFC 792 and RFC 1812 §5.2.7.1. */
export const CODE_NETWORK_UNREACHABLE = 0;
export const CODE_HOST_UNREACHABLE = 1;
export const CODE_PROTOCOL_UNREACHABLE = 2;
export const CODE_PORT_UNREACHABLE = 3;
export const CODE_FRAGMENTATION_NEEDED = 4;
export const CODE_PROHIBITED = 13;
/** Codes of "time exceeded". */
export const CODE_TTL_EXCEEDED = 0;
export const CODE_REASSEMBLY_EXCEEDED = 1;
/** Codes of "redirect". */
export const CODE_REDIRECT_HOST = 1;

const TYPE = 0;
const CODE = 1;
const CHECKSUM = 2;
const REST = 4;

export type Icmp =
  | { readonly kind: "echo-request" | "echo-reply"; readonly identifier: number; readonly sequence: number }
  /** `mtu` is that of the next hop with code 4, else 0. */
  | { readonly kind: "unreachable"; readonly code: number; readonly mtu: number }
  | { readonly kind: "time-exceeded"; readonly code: number }
  | { readonly kind: "redirect"; readonly code: number; readonly gateway: Ipv4Address }
  /** `pointer` is the offset of the byte found wrong. */
  | { readonly kind: "parameter-problem"; readonly code: number; readonly pointer: number }
  /** Times in milliseconds since midnight UT. */
  | {
      readonly kind: "timestamp-request" | "timestamp-reply";
      readonly identifier: number;
      readonly sequence: number;
      readonly originateMs: number;
      readonly receiveMs: number;
      readonly transmitMs: number;
    }
  /** Any other type; `rest` is its bytes 4 to 7. */
  | { readonly kind: "other"; readonly type: number; readonly code: number; readonly rest: number };

export type Malformed = "icmp-truncated" | "icmp-bad-checksum";

/** Says why no message starts at `at`; the checksum is `checksumOk`'s matter. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  if (end - at < HEADER_BYTES) return "icmp-truncated";
  const is = bytes[at + TYPE]!;
  if ((is === TYPE_TIMESTAMP_REQUEST || is === TYPE_TIMESTAMP_REPLY) && end - at < TIMESTAMP_BYTES)
    return "icmp-truncated";
  return undefined;
}

export function type(bytes: Uint8Array, at: number): number {
  return bytes[at + TYPE]!;
}

export function code(bytes: Uint8Array, at: number): number {
  return bytes[at + CODE]!;
}

export function checksum(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + CHECKSUM);
}

/** Of echo and timestamp messages. */
export function identifier(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + REST);
}

/** Of echo and timestamp messages. */
export function sequence(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + REST + 2);
}

/** Of "fragmentation needed". */
export function mtu(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + REST + 2);
}

/** Of a redirect. */
export function gateway(bytes: Uint8Array, at: number): Ipv4Address {
  return getU32(bytes, at + REST) as Ipv4Address;
}

/** Bytes 4 to 7, whatever they mean. */
export function rest(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + REST);
}

/** RFC 1122 §3.2.2: errors quote a packet and are never answered with an error. */
export function isError(messageType: number): boolean {
  return (
    messageType === TYPE_UNREACHABLE ||
    messageType === TYPE_SOURCE_QUENCH ||
    messageType === TYPE_REDIRECT ||
    messageType === TYPE_TIME_EXCEEDED ||
    messageType === TYPE_PARAMETER_PROBLEM
  );
}

/** Does the checksum of the message from even `at` to `end` hold? */
export function checksumOk(memory: Memory, at: number, end: number): boolean {
  return finish(sum(memory, at, end)) === 0;
}

/** Writes the checksum of the message from even `at` to `end`. */
export function finishChecksum(memory: Memory, at: number, end: number): void {
  putU16(memory.bytes, at + CHECKSUM, 0);
  putU16(memory.bytes, at + CHECKSUM, finish(sum(memory, at, end)));
}

export function parse(bytes: Uint8Array, at: number, end: number): Icmp | Malformed {
  const reason = check(bytes, at, end);
  if (reason !== undefined) return reason;
  const is = type(bytes, at);
  switch (is) {
    case TYPE_ECHO_REQUEST:
    case TYPE_ECHO_REPLY:
      return {
        kind: is === TYPE_ECHO_REQUEST ? "echo-request" : "echo-reply",
        identifier: identifier(bytes, at),
        sequence: sequence(bytes, at),
      };
    case TYPE_UNREACHABLE: {
      const why = code(bytes, at);
      return { kind: "unreachable", code: why, mtu: why === CODE_FRAGMENTATION_NEEDED ? mtu(bytes, at) : 0 };
    }
    case TYPE_TIME_EXCEEDED:
      return { kind: "time-exceeded", code: code(bytes, at) };
    case TYPE_REDIRECT:
      return { kind: "redirect", code: code(bytes, at), gateway: gateway(bytes, at) };
    case TYPE_PARAMETER_PROBLEM:
      return { kind: "parameter-problem", code: code(bytes, at), pointer: bytes[at + REST]! };
    case TYPE_TIMESTAMP_REQUEST:
    case TYPE_TIMESTAMP_REPLY:
      return {
        kind: is === TYPE_TIMESTAMP_REQUEST ? "timestamp-request" : "timestamp-reply",
        identifier: identifier(bytes, at),
        sequence: sequence(bytes, at),
        originateMs: getU32(bytes, at + 8),
        receiveMs: getU32(bytes, at + 12),
        transmitMs: getU32(bytes, at + 16),
      };
    default:
      return { kind: "other", type: is, code: code(bytes, at), rest: rest(bytes, at) };
  }
}

/** Writes `HEADER_BYTES` (`TIMESTAMP_BYTES` for timestamps) with a zero checksum: call `finishChecksum` once the payload stands. */
export function emit(message: Icmp, bytes: Uint8Array, at: number): void {
  switch (message.kind) {
    case "echo-request":
      write(bytes, at, TYPE_ECHO_REQUEST, 0, message.identifier * 0x1_0000 + message.sequence);
      return;
    case "echo-reply":
      write(bytes, at, TYPE_ECHO_REPLY, 0, message.identifier * 0x1_0000 + message.sequence);
      return;
    case "unreachable":
      write(bytes, at, TYPE_UNREACHABLE, message.code, message.mtu);
      return;
    case "time-exceeded":
      write(bytes, at, TYPE_TIME_EXCEEDED, message.code, 0);
      return;
    case "redirect":
      write(bytes, at, TYPE_REDIRECT, message.code, message.gateway);
      return;
    case "parameter-problem":
      write(bytes, at, TYPE_PARAMETER_PROBLEM, message.code, message.pointer * 0x100_0000);
      return;
    case "timestamp-request":
    case "timestamp-reply": {
      const is = message.kind === "timestamp-request" ? TYPE_TIMESTAMP_REQUEST : TYPE_TIMESTAMP_REPLY;
      write(bytes, at, is, 0, message.identifier * 0x1_0000 + message.sequence);
      putU32(bytes, at + 8, message.originateMs);
      putU32(bytes, at + 12, message.receiveMs);
      putU32(bytes, at + 16, message.transmitMs);
      return;
    }
    case "other":
      write(bytes, at, message.type, message.code, message.rest);
      return;
  }
}

/** The 8 bytes of any message without an object; `rest` is bytes 4 to 7, the checksum is zero. */
export function write(bytes: Uint8Array, at: number, type: number, code: number, rest: number): void {
  bytes[at + TYPE] = type;
  bytes[at + CODE] = code;
  putU16(bytes, at + CHECKSUM, 0);
  putU32(bytes, at + REST, rest);
}
