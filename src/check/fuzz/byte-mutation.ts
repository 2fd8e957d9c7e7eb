/** Damage to any bytes, for readers of files and messages: bits, bytes, numbers at edges, cuts, pieces doubled and taken from elsewhere. */
import type { Random } from "../../sim/random.ts";

const EDGES = [0, 1, 2, 7, 8, 10, 13, 0x20, 0x22, 0x27, 0x2d, 0x3a, 0x5b, 0x7b, 0x7f, 0x80, 0xc0, 0xfe, 0xff];
const MOST_BYTES = 16_384;

/** A damaged copy of `bytes`; `other` gives pieces. */
export function mutateBytes(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  let result: Uint8Array = bytes.slice();
  for (let count = 1 + random.below(4); count > 0; count--) result = once(result, other, random);
  return result.subarray(0, MOST_BYTES);
}

function once(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const at = random.below(bytes.length + 1);
  const length = Math.min(bytes.length - at, random.below(random.below(4) === 0 ? 64 : 5) + 1);
  switch (random.below(8)) {
    case 0:
      if (at < bytes.length) bytes[at] = bytes[at]! ^ (1 << random.below(8));
      return bytes;
    case 1:
      if (at < bytes.length) bytes[at] = random.below(256);
      return bytes;
    case 2:
      if (at < bytes.length) bytes[at] = EDGES[random.below(EDGES.length)]!;
      return bytes;
    case 3: // a number of up to four bytes at an edge
      return bytes.fill(random.below(2) * 0xff, at, at + length);
    case 4:
      return joined(bytes.subarray(0, at), bytes.subarray(at + length));
    case 5:
      return joined(bytes.subarray(0, at + length), bytes.subarray(at));
    case 6:
      return bytes.slice(0, at);
    default: {
      const from = random.below(other.length + 1);
      const piece = other.subarray(from, from + 1 + random.below(64));
      return joined(bytes.subarray(0, at), piece, bytes.subarray(at));
    }
  }
}

function joined(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
