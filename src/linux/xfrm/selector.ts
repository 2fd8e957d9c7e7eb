/**
 * What traffic a policy or an association is for: addresses by prefix, protocol, ports (struct xfrm_selector, RFC 4301 §4.4.1.1), and the flow of a packet that
 * it is held against (struct flowi4).
 */
import type { Prefix } from "../../wire/address.ts";
import { getU16 } from "../../wire/bytes.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { FrameId, FrameStore } from "../frame-store.ts";

export interface Selector {
  readonly source: Prefix;
  readonly destination: Prefix;
  /** IP protocol; 0: any. */
  readonly protocol: number;
  /** Of ICMP, the type; undefined: any. */
  readonly sourcePort: number | undefined;
  /** Of ICMP, the code; undefined: any. */
  readonly destinationPort: number | undefined;
  /** Index of the device; 0: any. */
  readonly device: number;
}

/** A value under a mask, as marks are compared; a mask of 0 fits every mark. */
export interface Mark {
  readonly value: number;
  readonly mask: number;
}

export const ANY_MARK: Mark = { value: 0, mask: 0 };

/** What of a packet selectors look at; written over for every packet. */
export interface Flow {
  source: number;
  destination: number;
  protocol: number;
  sourcePort: number;
  destinationPort: number;
  mark: number;
  device: number;
}

export function makeFlow(): Flow {
  return { source: 0, destination: 0, protocol: 0, sourcePort: 0, destinationPort: 0, mark: 0, device: 0 };
}

/** Fills `flow` from a packet that starts at a checked IPv4 header. Fragments have no ports. */
export function readFlow(frames: FrameStore, frame: FrameId, device: number, flow: Flow): void {
  const bytes = frames.bytes;
  const at = frames.start(frame);
  flow.source = ipv4.source(bytes, at);
  flow.destination = ipv4.destination(bytes, at);
  flow.protocol = ipv4.protocol(bytes, at);
  flow.mark = frames.mark[frame]! >>> 0;
  flow.device = device;
  flow.sourcePort = 0;
  flow.destinationPort = 0;
  const transport = at + ipv4.headerBytes(bytes, at);
  if (ipv4.isFragment(bytes, at) || frames.end(frame) - transport < 4) return;
  if (flow.protocol === ipv4.PROTOCOL_ICMP) {
    flow.sourcePort = bytes[transport]!;
    flow.destinationPort = bytes[transport + 1]!;
  } else if (
    flow.protocol === ipv4.PROTOCOL_TCP ||
    flow.protocol === ipv4.PROTOCOL_UDP ||
    flow.protocol === PROTOCOL_SCTP
  ) {
    flow.sourcePort = getU16(bytes, transport);
    flow.destinationPort = getU16(bytes, transport + 2);
  }
}

const PROTOCOL_SCTP = 132;

export function selects(selector: Selector, flow: Flow): boolean {
  return (
    inPrefix(selector.source, flow.source) &&
    inPrefix(selector.destination, flow.destination) &&
    (selector.protocol === 0 || selector.protocol === flow.protocol) &&
    (selector.sourcePort === undefined || selector.sourcePort === flow.sourcePort) &&
    (selector.destinationPort === undefined || selector.destinationPort === flow.destinationPort) &&
    (selector.device === 0 || selector.device === flow.device)
  );
}

export function fitsMark(mark: Mark, packetMark: number): boolean {
  return (packetMark & mark.mask) >>> 0 === mark.value >>> 0;
}

/** Same selector, word for word: what a policy is deleted by. */
export function sameSelector(a: Selector, b: Selector): boolean {
  return (
    a.source.address === b.source.address &&
    a.source.length === b.source.length &&
    a.destination.address === b.destination.address &&
    a.destination.length === b.destination.length &&
    a.protocol === b.protocol &&
    a.sourcePort === b.sourcePort &&
    a.destinationPort === b.destinationPort &&
    a.device === b.device
  );
}

function inPrefix(prefix: Prefix, address: number): boolean {
  return prefix.length === 0 || (prefix.address ^ address) >>> (32 - prefix.length) === 0;
}
