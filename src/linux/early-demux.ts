/**
 * The short way in of an established UDP flow: what Linux does as early demultiplexing (net/ipv4/udp.c, udp_v4_early_demux), taken further.
 * Once a datagram has passed every check and every table on the long way, the next one for the same port goes from the device straight to
 * its taker. Whatever is unusual about a frame (options, fragments, padding, a checksum that has to be added up, another holder) sends it the
 * long way; whatever could change a decision moves `FrameStore.shortcutEpoch`, after which the long way is taken once more.
 *
 * Header fields are compared as raw words of the frame that took the long way: one comparison each, in either byte order.
 */
import * as ethernet from "../wire/ethernet.ts";
import * as ipv4 from "../wire/ipv4.ts";
import * as udp from "../wire/udp.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";
import type { Ipv4Core } from "./ipv4-core.ts";
import type { NetDevice, ReceiveShortcut } from "./net-device.ts";

/** Who takes the datagrams: a socket, or a tunnel's port. Takes over the hold. */
export interface DatagramTaker {
  /** The frame starts at the IPv4 header; the UDP header stands at `at`. */
  datagram(frame: FrameId, at: number, device: NetDevice): void;
}

const IP = ethernet.HEADER_BYTES;
const UDP = IP + ipv4.HEADER_BYTES;
const SHORTEST_BYTES = UDP + udp.HEADER_BYTES;
const VERSION_WITHOUT_OPTIONS = 0x45;
const FRAGMENT_BITS = 0x3f; // of the byte that holds DF, MF and the upper offset bits: all but DF and the reserved one

export class EarlyDemux implements ReceiveShortcut {
  readonly #frames: FrameStore;
  readonly #device: NetDevice;
  #epoch = -1;
  #taker: DatagramTaker | undefined = undefined;
  // As words or pairs of words of the frame.
  #hardwareHigh = 0;
  #hardwareLow = 0;
  #etherType = 0;
  #destination = 0;
  #destinationPort = 0;
  #source = 0;
  #sourcePort = 0;
  /** The taker is connected: it hears one peer only. */
  #connected = false;
  /** A bit for each hash of this host's own addresses: a source whose bit is clear is none of them. */
  #ownAddresses = 0;

  constructor(frames: FrameStore, device: NetDevice) {
    this.#frames = frames;
    this.#device = device;
  }

  take(frame: FrameId): boolean {
    const frames = this.#frames;
    if (this.#epoch !== frames.shortcutEpoch) return false;
    const at = frames.start(frame);
    const length = frames.length(frame);
    if (
      (at & 1) !== 0 ||
      length < SHORTEST_BYTES ||
      frames.checksumKnown[frame] === 0 ||
      frames.flags[frame] !== 0 ||
      frames.holders(frame) !== 1
    )
      return false;
    const words = frames.words;
    const word = at >> 1;
    if (
      words[word] !== this.#hardwareHigh ||
      pair(words, word + 1) !== this.#hardwareLow ||
      words[word + 6] !== this.#etherType ||
      pair(words, word + 15) !== this.#destination ||
      words[word + 18] !== this.#destinationPort
    )
      return false;
    const bytes = frames.bytes;
    if (
      bytes[at + IP] !== VERSION_WITHOUT_OPTIONS ||
      bytes[at + IP + 9] !== ipv4.PROTOCOL_UDP ||
      ((bytes[at + IP + 6]! & FRAGMENT_BITS) | bytes[at + IP + 7]!) !== 0 ||
      ipv4.totalLength(bytes, at + IP) !== length - IP ||
      udp.length(bytes, at + UDP) !== length - UDP
    )
      return false;
    const source = pair(words, word + 13);
    if (source === this.#source) {
      if (this.#connected && words[word + 17] !== this.#sourcePort) return false;
    } else if (this.#connected || !this.#admits(ipv4.sourceBits(bytes, at + IP))) {
      return false;
    }
    frames.pull(frame, IP);
    this.#taker!.datagram(frame, at + UDP, this.#device);
    return true;
  }

  /** `frame`, which starts at its IPv4 header behind the Ethernet header it came with, went the long way to `taker`. */
  remember(frame: FrameId, core: Ipv4Core, taker: DatagramTaker, connected: boolean): void {
    const frames = this.#frames;
    const at = frames.start(frame) - IP;
    const bytes = frames.bytes;
    const device = this.#device;
    const ours =
      (at & 1) === 0 &&
      ethernet.destinationHigh(bytes, at) === device.addressHigh &&
      ethernet.destinationLow(bytes, at) === device.addressLow &&
      ethernet.etherType(bytes, at) === ethernet.ETHERTYPE_IPV4;
    if (!ours) return; // a packet put together here, or taken off a tunnel
    const words = frames.words;
    const word = at >> 1;
    this.#taker = taker;
    this.#connected = connected;
    this.#hardwareHigh = words[word]!;
    this.#hardwareLow = pair(words, word + 1);
    this.#etherType = words[word + 6]!;
    this.#source = pair(words, word + 13);
    this.#destination = pair(words, word + 15);
    this.#sourcePort = words[word + 17]!;
    this.#destinationPort = words[word + 18]!;
    let own = 0;
    for (const address of core.routing.ownAddresses()) own |= bitOf(address);
    this.#ownAddresses = own;
    this.#epoch = frames.shortcutEpoch;
  }

  /** A source that can be seen to be no martian; a host that is asked by many is served one after the other. */
  #admits(source: number): boolean {
    const first = source >>> 24;
    return first !== 0 && first !== 127 && first < 224 && (this.#ownAddresses & bitOf(source)) === 0;
  }
}

/** May datagrams that come in by `device` take the short way at all? Only where nobody between the device and UDP has to be asked. */
export function allowsEarlyDemux(core: Ipv4Core, device: NetDevice): boolean {
  if (core.hooks !== undefined || core.transform !== undefined || (core.rawListeners?.size ?? 0) > 0) return false;
  if (core.packetListeners.length > 0 || core.routing.hasCustomRules || device.kind === "loopback") return false;
  return core.devices.of(device).settings.rpFilter === 0;
}

function pair(words: Uint16Array, at: number): number {
  return words[at]! | (words[at + 1]! << 16);
}

function bitOf(address: number): number {
  return 1 << ((address ^ (address >>> 5) ^ (address >>> 10)) & 31);
}
