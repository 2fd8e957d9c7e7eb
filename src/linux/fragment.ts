/**
 * Cutting an IPv4 packet that is longer than the next link takes, RFC 791 §3.2, as Linux's ip_do_fragment: all fragments but the last carry a multiple
 * of 8 bytes. A packet that was put together from fragments on its way is cut as it came, where that fits.
 */
import * as ipv4 from "../wire/ipv4.ts";
import type { FrameId, FrameStore } from "./frame-store.ts";

const OPTION_END = 0;
const OPTION_NOOP = 1;
const COPIED = 0x80;

/** The fragments of `frame` (which starts at its IPv4 header), in order; the frame stays the caller's. `mtu` leaves room for 8 bytes at least. */
export function fragment(frames: FrameStore, frame: FrameId, mtu: number): FrameId[] {
  const at = frames.start(frame);
  const headerBytes = ipv4.headerBytes(frames.bytes, at);
  const payloadBytes = frames.length(frame) - headerBytes;
  const first = ipv4.fragmentOffsetBytes(frames.bytes, at);
  const moreBehind = ipv4.moreFragments(frames.bytes, at);
  const keepDontFragment = frames.fragmentLimit[frame] !== 0 && ipv4.dontFragment(frames.bytes, at);
  const pieces: FrameId[] = [];
  let offset = 0;
  for (const size of cuts(frames, frame, payloadBytes, headerBytes, mtu)) {
    const piece = frames.make(headerBytes + size);
    frames.inherit(piece, frame);
    frames.mark[piece] = frames.mark[frame]!;
    frames.connection[piece] = frames.connection[frame]!;
    frames.checksumKnown[piece] = 0; // the sum covers the whole datagram
    frames.flags[piece] = frames.flags[frame]!;
    const bytes = frames.bytes;
    const to = frames.start(piece);
    bytes.copyWithin(to, at, at + headerBytes);
    bytes.copyWithin(to + headerBytes, at + headerBytes + offset, at + headerBytes + offset + size);
    if (offset > 0) blankUncopiedOptions(bytes, to, headerBytes);
    const more = moreBehind || offset + size < payloadBytes ? ipv4.MORE_FRAGMENTS : 0;
    const flags = (keepDontFragment ? ipv4.DONT_FRAGMENT : 0) | more | ((first + offset) >> 3);
    bytes[to + 2] = (headerBytes + size) >>> 8;
    bytes[to + 3] = headerBytes + size;
    bytes[to + 6] = flags >>> 8;
    bytes[to + 7] = flags;
    ipv4.writeChecksum(bytes, to);
    pieces.push(piece);
    offset += size;
  }
  return pieces;
}

/** Payload sizes: as the fragments came, or the most that fits. */
function cuts(frames: FrameStore, frame: FrameId, payloadBytes: number, headerBytes: number, mtu: number): number[] {
  const came = frames.cuts(frame);
  const room = mtu - headerBytes;
  if (came !== undefined && came.every((size, index) => size <= room && (index === came.length - 1 || size % 8 === 0)))
    return [...came];
  const limit = frames.fragmentLimit[frame]!;
  const most = limit !== 0 && limit < mtu ? limit - headerBytes : room;
  const sizes: number[] = [];
  for (let left = payloadBytes; left > 0; ) {
    const size = left <= most ? left : most & ~7;
    sizes.push(size);
    left -= size;
  }
  return sizes;
}

/** RFC 791 §3.1: options without the copied bit stand in the first fragment only; no-operations take their place. */
function blankUncopiedOptions(bytes: Uint8Array, at: number, headerBytes: number): void {
  let option = at + ipv4.HEADER_BYTES;
  const end = at + headerBytes;
  while (option < end) {
    const type = bytes[option]!;
    if (type === OPTION_END) return;
    if (type === OPTION_NOOP) {
      option++;
      continue;
    }
    const length = option + 1 < end ? bytes[option + 1]! : 0;
    if (length < 2 || option + length > end) return;
    if ((type & COPIED) === 0) bytes.fill(OPTION_NOOP, option, option + length);
    option += length;
  }
}
