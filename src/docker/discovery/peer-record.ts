/**
 * Where an endpoint of an overlay network lives: its address, its MAC address and the VTEP of its node. libnetwork overlay.proto, in networkdb's table
 * `overlay_peer_table` under the endpoint's id.
 */
import { formatIpv4, formatMac, formatPrefix, parseIpv4, parseMac, parsePrefix } from "../../wire/address.ts";
import { message, text } from "../../wire/protobuf-message.ts";
import type { PeerRecord } from "../overlay/peers.ts";

export const PEER_TABLE = "overlay_peer_table";

const RECORD = message({ address: text(1), mac: text(2), vtep: text(3) });

export function emit({ address, mac, vtep }: PeerRecord): Uint8Array {
  return RECORD.emit({ address: formatPrefix(address), mac: formatMac(mac), vtep: formatIpv4(vtep) });
}

/** Undefined: no such record. */
export function parse(bytes: Uint8Array): PeerRecord | undefined {
  const record = RECORD.parse(bytes);
  if (record === undefined || !record.address.includes("/")) return undefined;
  const address = parsePrefix(record.address);
  const mac = parseMac(record.mac);
  const vtep = parseIpv4(record.vtep);
  return address === undefined || mac === undefined || vtep === undefined ? undefined : { address, mac, vtep };
}
