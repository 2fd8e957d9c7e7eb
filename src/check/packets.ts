/** What laws ask of a frame's packet: its flow, its fragment, and a number that equal bytes share. */
import type { Ipv4Address } from "../wire/address.ts";
import { getU16 } from "../wire/bytes.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as icmp from "../wire/icmp.ts";
import * as ipv4 from "../wire/ipv4.ts";
import { type Layer, layersOf } from "./layers.ts";

/** One direction of a conversation. For echo messages both ports are the identifier. */
export interface Flow {
  readonly protocol: number;
  readonly source: Ipv4Address;
  readonly destination: Ipv4Address;
  readonly sourcePort: number;
  readonly destinationPort: number;
}

/** The flow of the frame's own packet (what a tunnel carries in it is another's); undefined: none, or a fragment, or an ICMP error. */
export function flowOf(bytes: Uint8Array): Flow | undefined {
  const layer = layersOf(bytes)[0];
  if (layer === undefined || !isIpv4(bytes, layer) || ipv4.isFragment(bytes, layer.network)) return undefined;
  const at = layer.network;
  const transport = at + ipv4.headerBytes(bytes, at);
  const protocol = ipv4.protocol(bytes, at);
  if (transport + 8 > bytes.length) return undefined;
  const ends = { protocol, source: ipv4.source(bytes, at), destination: ipv4.destination(bytes, at) };
  if (protocol === ipv4.PROTOCOL_TCP || protocol === ipv4.PROTOCOL_UDP)
    return { ...ends, sourcePort: getU16(bytes, transport), destinationPort: getU16(bytes, transport + 2) };
  if (protocol !== ipv4.PROTOCOL_ICMP) return undefined;
  const type = icmp.type(bytes, transport);
  if (type !== icmp.TYPE_ECHO_REQUEST && type !== icmp.TYPE_ECHO_REPLY) return undefined;
  const identifier = icmp.identifier(bytes, transport);
  return { ...ends, sourcePort: identifier, destinationPort: identifier };
}

export function reversed(flow: Flow): Flow {
  return {
    protocol: flow.protocol,
    source: flow.destination,
    destination: flow.source,
    sourcePort: flow.destinationPort,
    destinationPort: flow.sourcePort,
  };
}

export function flowKey(flow: Flow): string {
  return `${flow.protocol} ${flow.source}:${flow.sourcePort} ${flow.destination}:${flow.destinationPort}`;
}

/** Does the layer hold an IPv4 packet that can be read? */
export function isIpv4(bytes: Uint8Array, layer: Layer): boolean {
  return layer.type === ethernet.ETHERTYPE_IPV4 && ipv4.check(bytes, layer.network, layer.end) === undefined;
}

/** FNV-1a over the bytes from `at`, 32 bits. */
export function digest(bytes: Uint8Array, at = 0): number {
  let hash = 0x811c_9dc5;
  for (let index = at; index < bytes.length; index++) hash = Math.imul(hash ^ bytes[index]!, 0x0100_0193);
  return hash >>> 0;
}
