/**
 * ESP in transport mode around an IPv4 payload, RFC 4303 §3.1.1: IP header, ESP header, IV, payload, padding to 4 bytes, its length, next header, ICV
 * (net/ipv4/esp4.c). Both ways work in place: 16 bytes of headroom, up to 21 of tailroom.
 */
import { putU16 } from "../../wire/bytes.ts";
import * as esp from "../../wire/esp.ts";
import * as ipv4 from "../../wire/ipv4.ts";
import type { FrameId, FrameStore } from "../frame-store.ts";
import { IV_BYTES } from "./aes-gcm.ts";
import type { XfrmState } from "./state.ts";

/** ESP header and IV. */
const FRONT_BYTES = esp.HEADER_BYTES + IV_BYTES;
/** Pad length and next header. */
const TRAILER_BYTES = 2;
const ALIGNMENT = 4;
const NO_NEXT_HEADER = 59;
const LONGEST_PACKET_BYTES = 65_535;

/** Length of an IPv4 packet once `state` has wrapped it. */
export function wrappedLength(lengthBytes: number, headerBytes: number, icvBytes: number): number {
  const inner = lengthBytes - headerBytes + TRAILER_BYTES;
  return headerBytes + FRONT_BYTES + ((inner + ALIGNMENT - 1) & -ALIGNMENT) + icvBytes;
}

/** xfrm_state_mtu: the longest IPv4 packet that fits `mtu` bytes when wrapped. 1500 gives 1474 with 8 bytes of ICV, hence Docker's 1424. */
export function mtuInside(mtu: number, icvBytes: number): number {
  return ((mtu - ipv4.HEADER_BYTES - FRONT_BYTES - icvBytes) & -ALIGNMENT) + ipv4.HEADER_BYTES - TRAILER_BYTES;
}

/** Wraps a packet that starts at its IPv4 header; last holder. `sequence` has been taken from `state`. False: it would be too long for IPv4, nothing was done. */
export function wrap(frames: FrameStore, frame: FrameId, state: XfrmState, sequence: number): boolean {
  const { icvBytes } = state.cipher;
  const headerBytes = ipv4.headerBytes(frames.bytes, frames.start(frame));
  const oldLength = frames.length(frame);
  const payloadBytes = oldLength - headerBytes;
  const length = wrappedLength(oldLength, headerBytes, icvBytes);
  if (length > LONGEST_PACKET_BYTES) return false;
  frames.push(frame, FRONT_BYTES);
  frames.resize(frame, length);
  const bytes = frames.bytes;
  const at = frames.start(frame);
  const old = at + FRONT_BYTES;
  bytes.copyWithin(at, old, old + headerBytes);
  const header = at + headerBytes;
  esp.write(bytes, header, state.request.spi, sequence);
  state.writeIv(bytes, header + esp.HEADER_BYTES, sequence);
  const icvAt = at + length - icvBytes;
  let padding = old + headerBytes + payloadBytes;
  for (let value = 1; padding < icvAt - TRAILER_BYTES; value++) bytes[padding++] = value;
  bytes[icvAt - 2] = padding - (old + headerBytes + payloadBytes);
  bytes[icvAt - 1] = ipv4.protocol(bytes, at);
  state.cipher.seal(bytes, header, icvAt);
  setLengthAndProtocol(bytes, at, length, ipv4.PROTOCOL_ESP);
  return true;
}

export type UnwrapProblem = "xfrm-malformed" | "xfrm-integrity";

/** Takes the protection off a packet that starts at its IPv4 header; last holder. The length of what it carried, or why it is no good. */
export function unwrap(frames: FrameStore, frame: FrameId, state: XfrmState): number | UnwrapProblem {
  const { icvBytes } = state.cipher;
  const bytes = frames.bytes;
  const at = frames.start(frame);
  const headerBytes = ipv4.headerBytes(bytes, at);
  const header = at + headerBytes;
  const icvAt = frames.end(frame) - icvBytes;
  const sealedBytes = icvAt - header - FRONT_BYTES;
  if (sealedBytes < TRAILER_BYTES) return "xfrm-malformed";
  if (!state.cipher.open(bytes, header, icvAt)) return "xfrm-integrity";
  const payloadBytes = sealedBytes - TRAILER_BYTES - bytes[icvAt - 2]!;
  const protocol = bytes[icvAt - 1]!;
  if (payloadBytes <= 0 || protocol === NO_NEXT_HEADER) return "xfrm-malformed";
  bytes.copyWithin(at + FRONT_BYTES, at, at + headerBytes);
  frames.pull(frame, FRONT_BYTES);
  frames.resize(frame, headerBytes + payloadBytes);
  setLengthAndProtocol(bytes, at + FRONT_BYTES, headerBytes + payloadBytes, protocol);
  return payloadBytes;
}

function setLengthAndProtocol(bytes: Uint8Array, at: number, length: number, protocol: number): void {
  putU16(bytes, at + 2, length);
  bytes[at + 9] = protocol;
  ipv4.writeChecksum(bytes, at);
}
