/**
 * Spanning tree BPDUs, IEEE 802.1D-1998 §9 (the kernel's bridge speaks this older protocol; 802.1D-2004 §9 keeps the
 * forms): configuration and topology change notification, behind the LLC header 42 42 03 of an Ethernet length frame.
 */
import type { MacAddress } from "./address.ts";
import { getU16, getU32, getU48, putU16, putU24, putU32, putU48 } from "./bytes.ts";

/** Destination of BPDUs, 802.1D §7.12.3: never forwarded by a bridge. */
export const BRIDGE_GROUP_ADDRESS = 0x0180_c200_0000 as MacAddress;
/** LLC and configuration BPDU: the Ethernet length field. */
export const CONFIGURATION_BYTES = 38;
/** LLC and notification. */
export const NOTIFICATION_BYTES = 7;
/** Times are counted in 1/256 s, here called ticks. */
export const TICKS_PER_SECOND = 256;

export const TYPE_CONFIGURATION = 0x00;
export const TYPE_NOTIFICATION = 0x80;

export const FLAG_TOPOLOGY_CHANGE = 0x01;
export const FLAG_TOPOLOGY_CHANGE_ACKNOWLEDGEMENT = 0x80;

const LLC = 0x42_4203; // DSAP, SSAP, control: unnumbered information
const PROTOCOL = 3;
const VERSION = 5;
const TYPE = 6;
const FLAGS = 7;
const ROOT_PRIORITY = 8;
const ROOT_ADDRESS = 10;
const ROOT_PATH_COST = 16;
const BRIDGE_PRIORITY = 20;
const BRIDGE_ADDRESS = 22;
const PORT_IDENTIFIER = 28;
const MESSAGE_AGE = 30;
const MAXIMUM_AGE = 32;
const HELLO_TIME = 34;
const FORWARD_DELAY = 36;

export interface BridgeIdentifier {
  readonly priority: number;
  readonly address: MacAddress;
}

export type Stp =
  | {
      readonly kind: "configuration";
      readonly topologyChange: boolean;
      readonly topologyChangeAcknowledgement: boolean;
      readonly root: BridgeIdentifier;
      readonly rootPathCost: number;
      readonly bridge: BridgeIdentifier;
      /** Priority in the high byte, port number in the low one. */
      readonly portIdentifier: number;
      readonly messageAgeTicks: number;
      readonly maximumAgeTicks: number;
      readonly helloTimeTicks: number;
      readonly forwardDelayTicks: number;
    }
  | { readonly kind: "topology-change-notification" };

export type Malformed = "stp-truncated" | "stp-without-llc" | "stp-bad-protocol" | "stp-unknown-type";

/** Says why no BPDU of this protocol starts at `at`, the LLC header; a version other than 0 is not 802.1D-1998's. */
export function check(bytes: Uint8Array, at: number, end: number): Malformed | undefined {
  if (end - at < NOTIFICATION_BYTES) return "stp-truncated";
  if (!isLlc(bytes, at)) return "stp-without-llc";
  if (getU16(bytes, at + PROTOCOL) !== 0 || bytes[at + VERSION] !== 0) return "stp-bad-protocol";
  const is = bytes[at + TYPE]!;
  if (is === TYPE_NOTIFICATION) return undefined;
  if (is !== TYPE_CONFIGURATION) return "stp-unknown-type";
  return end - at < CONFIGURATION_BYTES ? "stp-truncated" : undefined;
}

/** Does `at` hold the LLC header of BPDUs? Three bytes are there. */
export function isLlc(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === 0x42 && bytes[at + 1] === 0x42 && bytes[at + 2] === 0x03;
}

export function type(bytes: Uint8Array, at: number): number {
  return bytes[at + TYPE]!;
}

/** Of a configuration BPDU, as are all views below. */
export function flags(bytes: Uint8Array, at: number): number {
  return bytes[at + FLAGS]!;
}

/** Priority and address in one: 64 bits do not fit a number, so they are compared one after the other. */
export function root(bytes: Uint8Array, at: number): BridgeIdentifier {
  return { priority: getU16(bytes, at + ROOT_PRIORITY), address: getU48(bytes, at + ROOT_ADDRESS) as MacAddress };
}

export function rootPathCost(bytes: Uint8Array, at: number): number {
  return getU32(bytes, at + ROOT_PATH_COST);
}

export function bridge(bytes: Uint8Array, at: number): BridgeIdentifier {
  return { priority: getU16(bytes, at + BRIDGE_PRIORITY), address: getU48(bytes, at + BRIDGE_ADDRESS) as MacAddress };
}

export function portIdentifier(bytes: Uint8Array, at: number): number {
  return getU16(bytes, at + PORT_IDENTIFIER);
}

export function parse(bytes: Uint8Array, at: number, end: number): Stp | Malformed {
  const reason = check(bytes, at, end);
  if (reason !== undefined) return reason;
  if (type(bytes, at) === TYPE_NOTIFICATION) return { kind: "topology-change-notification" };
  const bits = flags(bytes, at);
  return {
    kind: "configuration",
    topologyChange: (bits & FLAG_TOPOLOGY_CHANGE) !== 0,
    topologyChangeAcknowledgement: (bits & FLAG_TOPOLOGY_CHANGE_ACKNOWLEDGEMENT) !== 0,
    root: root(bytes, at),
    rootPathCost: rootPathCost(bytes, at),
    bridge: bridge(bytes, at),
    portIdentifier: portIdentifier(bytes, at),
    messageAgeTicks: getU16(bytes, at + MESSAGE_AGE),
    maximumAgeTicks: getU16(bytes, at + MAXIMUM_AGE),
    helloTimeTicks: getU16(bytes, at + HELLO_TIME),
    forwardDelayTicks: getU16(bytes, at + FORWARD_DELAY),
  };
}

/** Writes LLC header and BPDU: `CONFIGURATION_BYTES` or `NOTIFICATION_BYTES`. */
export function emit(message: Stp, bytes: Uint8Array, at: number): void {
  putU24(bytes, at, LLC);
  putU24(bytes, at + PROTOCOL, 0);
  if (message.kind === "topology-change-notification") {
    bytes[at + TYPE] = TYPE_NOTIFICATION;
    return;
  }
  bytes[at + TYPE] = TYPE_CONFIGURATION;
  bytes[at + FLAGS] =
    (message.topologyChange ? FLAG_TOPOLOGY_CHANGE : 0) |
    (message.topologyChangeAcknowledgement ? FLAG_TOPOLOGY_CHANGE_ACKNOWLEDGEMENT : 0);
  putU16(bytes, at + ROOT_PRIORITY, message.root.priority);
  putU48(bytes, at + ROOT_ADDRESS, message.root.address);
  putU32(bytes, at + ROOT_PATH_COST, message.rootPathCost);
  putU16(bytes, at + BRIDGE_PRIORITY, message.bridge.priority);
  putU48(bytes, at + BRIDGE_ADDRESS, message.bridge.address);
  putU16(bytes, at + PORT_IDENTIFIER, message.portIdentifier);
  putU16(bytes, at + MESSAGE_AGE, message.messageAgeTicks);
  putU16(bytes, at + MAXIMUM_AGE, message.maximumAgeTicks);
  putU16(bytes, at + HELLO_TIME, message.helloTimeTicks);
  putU16(bytes, at + FORWARD_DELAY, message.forwardDelayTicks);
}
