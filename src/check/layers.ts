/** The Ethernet frames inside each other that a frame is: itself, and what VXLAN carries in it. */
import type { Vni } from "../wire/address.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as udp from "../wire/udp.ts";
import * as vlan from "../wire/vlan.ts";
import * as vxlan from "../wire/vxlan.ts";

export interface Layer {
  /** Undefined for the frame itself, else that of the tunnel it is in. */
  readonly vni: Vni | undefined;
  /** Offset of the Ethernet header, of what follows it and its VLAN tags, and behind the last byte. */
  readonly at: number;
  readonly network: number;
  readonly end: number;
  readonly type: number;
}

/** The outermost first; as many as can be read. */
export function layersOf(bytes: Uint8Array): Layer[] {
  const layers: Layer[] = [];
  let at = 0;
  let vni: Vni | undefined;
  while (at + ethernet.HEADER_BYTES <= bytes.length) {
    let network = at + ethernet.HEADER_BYTES;
    let type = ethernet.etherType(bytes, at);
    while (type === ethernet.ETHERTYPE_VLAN && network + vlan.HEADER_BYTES <= bytes.length) {
      type = vlan.etherType(bytes, network);
      network += vlan.HEADER_BYTES;
    }
    layers.push({ vni, at, network, end: bytes.length, type });
    const inner = insideVxlan(bytes, type, network);
    if (inner === undefined) break;
    vni = vxlan.vni(bytes, inner - vxlan.HEADER_BYTES);
    at = inner;
  }
  return layers;
}

/** Offset of the Ethernet frame that a whole VXLAN packet carries. */
function insideVxlan(bytes: Uint8Array, type: number, network: number): number | undefined {
  if (type !== ethernet.ETHERTYPE_IPV4 || ipv4.check(bytes, network, bytes.length) !== undefined) return undefined;
  if (ipv4.protocol(bytes, network) !== ipv4.PROTOCOL_UDP || ipv4.isFragment(bytes, network)) return undefined;
  const datagram = network + ipv4.headerBytes(bytes, network);
  const header = datagram + udp.HEADER_BYTES;
  if (header > bytes.length || udp.destinationPort(bytes, datagram) !== vxlan.UDP_PORT) return undefined;
  if (vxlan.check(bytes, header, bytes.length) !== undefined) return undefined;
  return header + vxlan.HEADER_BYTES;
}
