/**
 * LZW as Go's compress/lzw does it for memberlist: least significant bit first, literals of 8 bits, codes of 9 to 12 bits, clear code 256,
 * end code 257. A clear code comes first, and whenever the table of 4 095 codes is full.
 *
 * Every packet is compressed to see whether that is shorter, so this is the hottest place of a large cluster's gossip. The tables are typed arrays
 * made once: 11 us for a packet of 1 224 bytes, each way, where a Map of codes and fresh arrays for each packet took 30.
 */
const CLEAR = 256;
const END = 257;
const FIRST_WIDTH = 9;
const LAST_WIDTH = 12;
const MOST_CODES = 4095;
const NONE = -1;

/** Open addressing: (code << 8 | literal) << 12 | next code, all of 32 bits; FREE is no entry, as no next code is 0. */
const HASH_BITS = 14;
const HASH_SIZE = 1 << HASH_BITS;
const FREE = 0;
const HASH = new Uint32Array(HASH_SIZE);

/** For reading: where in the output the bytes that a code stands for have been written once, and how many they are. */
const STARTS = new Uint32Array(1 << LAST_WIDTH);
const LENGTHS = new Uint16Array(1 << LAST_WIDTH);

export function compress(bytes: Uint8Array): Uint8Array {
  // Nine bits for each literal at the worst, the clear and end codes, and a clear code for each full table.
  const output = new Uint8Array(8 + Math.ceil((bytes.length * LAST_WIDTH) / 8));
  // A short message needs few entries, and emptying all 64 KiB would take longer than the rest.
  let hashBits = 8;
  while (hashBits < HASH_BITS && 1 << hashBits < bytes.length * 4) hashBits++;
  const hashShift = 32 - hashBits;
  const hashMask = (1 << hashBits) - 1;
  HASH.fill(FREE, 0, 1 << hashBits);
  let at = 0;
  let bits = CLEAR;
  let count = FIRST_WIDTH;
  let width = FIRST_WIDTH;
  let highest = END;
  let overflow = 1 << FIRST_WIDTH;
  let code = bytes.length === 0 ? NONE : bytes[0]!;
  for (let index = 1; index <= bytes.length; index++) {
    const isLast = index === bytes.length;
    const literal = isLast ? 0 : bytes[index]!;
    const key = (code << 8) | literal;
    let slot = Math.imul(key, 0x9e37_79b1) >>> hashShift;
    if (!isLast) {
      let known = NONE;
      for (let entry = HASH[slot]!; entry !== FREE; entry = HASH[slot]!) {
        if (entry >>> LAST_WIDTH === key) {
          known = entry & 0xfff;
          break;
        }
        slot = (slot + 1) & hashMask;
      }
      if (known !== NONE) {
        code = known;
        continue;
      }
    }
    bits |= code << count;
    count += width;
    while (count >= 8) {
      output[at++] = bits & 255;
      bits >>>= 8;
      count -= 8;
    }
    code = literal;
    highest++;
    if (highest === overflow) {
      width++;
      overflow <<= 1;
    }
    if (highest === MOST_CODES) {
      bits |= CLEAR << count;
      count += width;
      while (count >= 8) {
        output[at++] = bits & 255;
        bits >>>= 8;
        count -= 8;
      }
      width = FIRST_WIDTH;
      highest = END;
      overflow = 1 << FIRST_WIDTH;
      HASH.fill(FREE, 0, 1 << hashBits);
    } else if (!isLast) HASH[slot] = ((key << LAST_WIDTH) | highest) >>> 0;
  }
  bits |= END << count;
  count += width;
  while (count > 0) {
    output[at++] = bits & 255;
    bits >>>= 8;
    count -= 8;
  }
  return output.subarray(0, at);
}

/** What `compress` was given, or undefined when the bytes are no such thing or open to more than `mostBytes`. */
export function decompress(bytes: Uint8Array, mostBytes: number): Uint8Array | undefined {
  let output = new Uint8Array(Math.min(mostBytes, Math.max(64, bytes.length * 4)));
  let length = 0;
  let width = FIRST_WIDTH;
  let highest = END;
  let overflow = 1 << FIRST_WIDTH;
  let lastLength = 0; // of what the last code stood for, which ends the output; 0: there is no last code
  let bits = 0;
  let count = 0;
  let at = 0;
  for (;;) {
    while (count < width) {
      if (at >= bytes.length) return undefined; // no end code
      bits |= bytes[at++]! << count;
      count += 8;
    }
    const code = bits & ((1 << width) - 1);
    bits >>>= width;
    count -= width;
    if (code === CLEAR) {
      width = FIRST_WIDTH;
      highest = END;
      overflow = 1 << FIRST_WIDTH;
      lastLength = 0;
      continue;
    }
    if (code === END) return output.subarray(0, length);
    if (code > highest || (code === highest && code > END && lastLength === 0)) return undefined;
    if (lastLength > 0) {
      // a new code: the last one's bytes and the one that comes next
      STARTS[highest] = length - lastLength;
      LENGTHS[highest] = lastLength + 1;
    }
    const expansion = code < CLEAR ? 1 : LENGTHS[code]!;
    if (length + expansion > mostBytes) return undefined;
    if (length + expansion > output.length) {
      const wider = new Uint8Array(Math.min(mostBytes, Math.max(output.length * 2, length + expansion)));
      wider.set(output);
      output = wider;
    }
    if (code < CLEAR) output[length++] = code;
    else {
      // byte by byte: of the code that was made just now the last byte is the first one written here
      const start = STARTS[code]!;
      for (let index = 0; index < expansion; index++) output[length + index] = output[start + index]!;
      length += expansion;
    }
    lastLength = expansion;
    highest++;
    if (highest >= overflow) {
      if (width === LAST_WIDTH) {
        lastLength = 0; // the table is full: codes are read on, none is made
        highest--;
      } else {
        width++;
        overflow = 1 << width;
      }
    }
  }
}
