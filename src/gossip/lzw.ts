/**
 * LZW as Go's compress/lzw does it for memberlist: least significant bit first, literals of 8 bits, codes of 9 to 12 bits, clear code 256,
 * end code 257. A clear code comes first, and whenever the table of 4 095 codes is full.
 */
const CLEAR = 256;
const END = 257;
const FIRST_WIDTH = 9;
const LAST_WIDTH = 12;
const MOST_CODES = 4095;
const NONE = -1;

/** Bits into bytes, least significant first. */
class BitWriter {
  readonly #bytes: number[] = [];
  #bits = 0;
  #count = 0;

  write(code: number, width: number): void {
    this.#bits |= code << this.#count;
    this.#count += width;
    while (this.#count >= 8) {
      this.#bytes.push(this.#bits & 255);
      this.#bits >>>= 8;
      this.#count -= 8;
    }
  }

  finish(): Uint8Array {
    if (this.#count > 0) this.#bytes.push(this.#bits & 255);
    return Uint8Array.from(this.#bytes);
  }
}

export function compress(bytes: Uint8Array): Uint8Array {
  const output = new BitWriter();
  const table = new Map<number, number>(); // (code << 8 | literal) -> code
  let width = FIRST_WIDTH;
  let highest = END;
  let overflow = 1 << FIRST_WIDTH;
  /** The next code is taken; false when the table was full and began anew. */
  const advance = (): boolean => {
    highest++;
    if (highest === overflow) {
      width++;
      overflow <<= 1;
    }
    if (highest !== MOST_CODES) return true;
    output.write(CLEAR, width);
    width = FIRST_WIDTH;
    highest = END;
    overflow = 1 << FIRST_WIDTH;
    table.clear();
    return false;
  };
  output.write(CLEAR, width);
  let code = NONE;
  for (const literal of bytes) {
    if (code === NONE) {
      code = literal;
      continue;
    }
    const key = (code << 8) | literal;
    const known = table.get(key);
    if (known !== undefined) {
      code = known;
      continue;
    }
    output.write(code, width);
    code = literal;
    if (advance()) table.set(key, highest);
  }
  if (code !== NONE) {
    output.write(code, width);
    advance();
  }
  output.write(END, width);
  return output.finish();
}

/** What `compress` was given, or undefined when the bytes are no such thing or open to more than `mostBytes`. */
export function decompress(bytes: Uint8Array, mostBytes: number): Uint8Array | undefined {
  const prefix = new Uint16Array(1 << LAST_WIDTH);
  const suffix = new Uint8Array(1 << LAST_WIDTH);
  const stack = new Uint8Array(1 << LAST_WIDTH); // one code's expansion, last byte first
  let output = new Uint8Array(Math.min(mostBytes, Math.max(64, bytes.length * 4)));
  let length = 0;
  let width = FIRST_WIDTH;
  let highest = END;
  let overflow = 1 << FIRST_WIDTH;
  let last = NONE;
  let bits = 0;
  let count = 0;
  let at = 0;
  for (;;) {
    while (count < width) {
      if (at >= bytes.length) return undefined; // no end code
      bits |= bytes[at++]! << count;
      count += 8;
    }
    let code = bits & ((1 << width) - 1);
    bits >>>= width;
    count -= width;
    if (code === CLEAR) {
      width = FIRST_WIDTH;
      highest = END;
      overflow = 1 << FIRST_WIDTH;
      last = NONE;
      continue;
    }
    if (code === END) return output.slice(0, length);
    if (code > highest || (code === highest && code > END && last === NONE)) return undefined;
    const taken = code;
    let depth = 0;
    if (code === highest && code > END) {
      // the code being made right now: the last expansion and its own first byte
      let first = last;
      while (first > END) first = prefix[first]!;
      stack[depth++] = first;
      code = last;
    }
    while (code > END) {
      stack[depth++] = suffix[code]!;
      code = prefix[code]!;
    }
    stack[depth++] = code;
    if (last !== NONE) {
      suffix[highest] = code;
      prefix[highest] = last;
    }
    if (length + depth > mostBytes) return undefined;
    if (length + depth > output.length) {
      const wider = new Uint8Array(Math.min(mostBytes, Math.max(output.length * 2, length + depth)));
      wider.set(output);
      output = wider;
    }
    while (depth > 0) output[length++] = stack[--depth]!;
    last = taken;
    highest++;
    if (highest >= overflow) {
      if (width === LAST_WIDTH) {
        last = NONE; // the table is full: codes are read on, none is made
        highest--;
      } else {
        width++;
        overflow = 1 << width;
      }
    }
  }
}
