/**
 * A network card that offers to compute checksums (the feature tx-checksum-ip-generic) and does it wrongly for packets inside VXLAN, as vmxnet3 and others did
 * (moby issue 41775, flannel 1279): the outer UDP checksum is right, the inner one stays what the kernel leaves to a card, the folded sum of the pseudo-header.
 * ICMP has no such offload and is never hit, which is why ping works.
 */
import { finish, pseudoSum } from "../wire/checksum.ts";
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as udp from "../wire/udp.ts";
import * as vxlan from "../wire/vxlan.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";

const TCP_CHECKSUM = 16;
const UDP_CHECKSUM = 6;

export class ChecksumOffload {
  /** The feature is switched on. */
  enabled = false;
  /** The card has the fault. */
  faulty = false;
  readonly #frames: FrameStore;

  constructor(frames: FrameStore) {
    this.#frames = frames;
  }

  /** The frame as it leaves the card; the caller's hold goes over. */
  transmit(frame: FrameId): FrameId {
    if (!this.enabled || !this.faulty) return frame;
    const frames = this.#frames;
    const { bytes } = frames;
    const end = frames.end(frame);
    const outer = packetAt(bytes, frames.start(frame), end);
    if (outer < 0 || ipv4.protocol(bytes, outer) !== ipv4.PROTOCOL_UDP) return frame;
    const datagram = outer + ipv4.headerBytes(bytes, outer);
    if (udp.check(bytes, datagram, end) !== undefined || udp.destinationPort(bytes, datagram) !== vxlan.UDP_PORT)
      return frame;
    const inner = packetAt(bytes, datagram + udp.HEADER_BYTES + vxlan.HEADER_BYTES, end);
    if (inner < 0) return frame;
    const checksumAt = checksumOffset(ipv4.protocol(bytes, inner));
    if (checksumAt < 0) return frame;

    // Offsets from the frame's start: a copy lies elsewhere.
    const start = frames.start(frame);
    const own = frames.writable(frame);
    frames.checksumKnown[own] = 0;
    const shift = frames.start(own) - start;
    const at = inner + shift;
    const segment = at + ipv4.headerBytes(frames.bytes, at);
    const length = ipv4.totalLength(frames.bytes, at) - ipv4.headerBytes(frames.bytes, at);
    const source = ipv4.source(frames.bytes, at);
    const destination = ipv4.destination(frames.bytes, at);
    const left = ~finish(pseudoSum(source, destination, ipv4.protocol(frames.bytes, at), length)) & 0xffff;
    frames.bytes[segment + checksumAt] = left >>> 8;
    frames.bytes[segment + checksumAt + 1] = left & 0xff;
    if (udp.checksum(frames.bytes, datagram + shift) !== 0)
      udp.finishChecksum(
        frames,
        datagram + shift,
        ipv4.source(frames.bytes, outer + shift),
        ipv4.destination(frames.bytes, outer + shift),
      );
    return own;
  }
}

/** Where the IPv4 packet of an Ethernet frame begins; -1: none whose transport header is here. */
function packetAt(bytes: Uint8Array, at: number, end: number): number {
  if (ethernet.check(bytes, at, end) !== undefined) return -1;
  if (ethernet.etherType(bytes, at) !== ethernet.ETHERTYPE_IPV4) return -1;
  const packet = at + ethernet.HEADER_BYTES;
  if (ipv4.check(bytes, packet, end) !== undefined || ipv4.isFragment(bytes, packet)) return -1;
  return packet;
}

function checksumOffset(protocol: number): number {
  return protocol === ipv4.PROTOCOL_TCP ? TCP_CHECKSUM : protocol === ipv4.PROTOCOL_UDP ? UDP_CHECKSUM : -1;
}
