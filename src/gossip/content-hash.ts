/** Bytes that come again and again are found by their content. */
import { getU32 } from "../wire/bytes.ts";

/** Murmur3's mixing of every second word and the last one: what differs in shorter stretches has one hash, so equality is `isSame`'s to say. */
export function hashOf(bytes: Uint8Array): number {
  const end = bytes.length - 4;
  let hash = bytes.length;
  for (let at = 0; at <= end; at += 8) hash = mixed(hash, getU32(bytes, at));
  return end >= 0 ? mixed(hash, getU32(bytes, end)) : hash;
}

function mixed(hash: number, word: number): number {
  word = Math.imul(word, 0xcc9e_2d51);
  word = Math.imul((word << 15) | (word >>> 17), 0x1b87_3593);
  hash ^= word;
  return (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe654_6b64) | 0;
}

export function isSame(one: Uint8Array, other: Uint8Array): boolean {
  if (one.length !== other.length) return false;
  for (let index = 0; index < one.length; index++) if (one[index] !== other[index]) return false;
  return true;
}
