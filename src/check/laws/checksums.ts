/**
 * Every checksum on the wire is right: IPv4 (RFC 791), ICMP (RFC 792), IGMP, UDP (RFC 768, 0 means none) and TCP (RFC 9293), inside VXLAN too.
 * Fragments carry a part of the sum's bytes and are left out; so are runs whose links damage frames.
 */
import type { Memory } from "../../wire/checksum.ts";
import { finish, sum } from "../../wire/checksum.ts";
import * as ethernet from "../../wire/ethernet.ts";
import * as icmp from "../../wire/icmp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import * as tcp from "../../wire/tcp.ts";
import * as udp from "../../wire/udp.ts";
import type { Law, Violation } from "../law.ts";
import { type Layer, layersOf } from "../layers.ts";
import { memoryOf } from "../observation.ts";

const NAME = "checksums";

export const CHECKSUMS: Law = {
  name: NAME,
  source: "RFC 1071; RFC 791, 792, 768, 9293 for what each covers",
  check({ frames, corrupts }) {
    const violations: Violation[] = [];
    if (corrupts) return violations;
    for (const frame of frames) {
      const memory = memoryOf(frame);
      for (const layer of layersOf(frame.bytes)) {
        const wrong = wrongChecksum(memory, layer);
        if (wrong === undefined) continue;
        const { place, timeNs, packetId } = frame;
        violations.push({ law: NAME, words: `the ${wrong} checksum is wrong`, place, timeNs, packetId });
      }
    }
    return violations;
  },
};

/** Whose checksum does not hold. What no header can be read in has none. */
function wrongChecksum(memory: Memory, layer: Layer): string | undefined {
  const { bytes } = memory;
  const at = layer.network;
  if (layer.type !== ethernet.ETHERTYPE_IPV4 || ipv4.check(bytes, at, layer.end) !== undefined) return undefined;
  if (!ipv4.checksumOk(memory, at)) return "IPv4";
  if (ipv4.isFragment(bytes, at)) return undefined;
  const source = ipv4.source(bytes, at);
  const destination = ipv4.destination(bytes, at);
  const next = at + ipv4.headerBytes(bytes, at);
  const end = at + ipv4.totalLength(bytes, at);
  switch (ipv4.protocol(bytes, at)) {
    case ipv4.PROTOCOL_ICMP:
      return icmp.check(bytes, next, end) !== undefined || icmp.checksumOk(memory, next, end) ? undefined : "ICMP";
    case ipv4.PROTOCOL_IGMP:
      return finish(sum(memory, next, end)) === 0 ? undefined : "IGMP";
    case ipv4.PROTOCOL_UDP:
      if (udp.check(bytes, next, end) !== undefined) return undefined;
      return udp.checksumOk(memory, next, source, destination) ? undefined : "UDP";
    case ipv4.PROTOCOL_TCP:
      if (tcp.check(bytes, next, end) !== undefined) return undefined;
      return tcp.checksumOk(memory, next, end, source, destination) ? undefined : "TCP";
    default:
      return undefined;
  }
}
