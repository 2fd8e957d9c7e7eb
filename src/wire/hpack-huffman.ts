/**
 * HPACK's Huffman code, RFC 7541 §5.2 and Appendix B. The code is canonical: codes of one length follow each other in the order of their symbols,
 * and the next length goes on where the last one ended; so the lengths alone say everything.
 */

const EOS = 256;
const LONGEST_BITS = 30;

/** Bits of each octet's code, and of EOS behind them. */
// biome-ignore format: sixteen octets a line
const LENGTHS: readonly number[] = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
  28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
  6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
  5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
  7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
  15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
  6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
  20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
  24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
  22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
  21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
  26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
  19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
  20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
  26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
  30,
];

/** The code of each symbol; the symbols in the order of their codes; and for each length its first code and where its symbols begin. */
const { CODES, SYMBOLS, FIRST_CODE, FIRST_SYMBOL, COUNT } = canonicalCode();

function canonicalCode() {
  const codes = new Uint32Array(LENGTHS.length);
  const symbols: number[] = [];
  const firstCode = new Uint32Array(LONGEST_BITS + 1);
  const firstSymbol = new Uint16Array(LONGEST_BITS + 1);
  const count = new Uint16Array(LONGEST_BITS + 1);
  let code = 0;
  for (let length = 1; length <= LONGEST_BITS; length++) {
    code *= 2;
    firstCode[length] = code;
    firstSymbol[length] = symbols.length;
    LENGTHS.forEach((bits, symbol) => {
      if (bits !== length) return;
      codes[symbol] = code++;
      symbols.push(symbol);
    });
    count[length] = symbols.length - firstSymbol[length]!;
  }
  return { CODES: codes, SYMBOLS: symbols, FIRST_CODE: firstCode, FIRST_SYMBOL: firstSymbol, COUNT: count };
}

/** Bytes that the text takes when encoded, padding included. `text` holds one octet a character. */
export function encodedLength(text: string): number {
  let bits = 0;
  for (let index = 0; index < text.length; index++) bits += LENGTHS[text.charCodeAt(index)]!;
  return (bits + 7) >>> 3;
}

/** Writes `encodedLength(text)` bytes at `at`. */
export function encode(text: string, bytes: Uint8Array, at: number): void {
  let held = 0; // bits not written yet, fewer than 8
  let heldBits = 0;
  for (let index = 0; index < text.length; index++) {
    const symbol = text.charCodeAt(index);
    let left = LENGTHS[symbol]!;
    const code = CODES[symbol]!;
    while (left > 0) {
      const taken = Math.min(8 - heldBits, left);
      held = (held << taken) | ((code >>> (left - taken)) & ((1 << taken) - 1));
      heldBits += taken;
      left -= taken;
      if (heldBits === 8) {
        bytes[at++] = held;
        held = 0;
        heldBits = 0;
      }
    }
  }
  if (heldBits > 0) bytes[at] = (held << (8 - heldBits)) | (0xff >>> heldBits); // the beginning of EOS
}

/** The text from `at` to `end`; undefined: EOS inside, or padding that is no beginning of EOS or longer than 7 bits (§5.2). */
export function decode(bytes: Uint8Array, at: number, end: number): string | undefined {
  let text = "";
  let code = 0;
  let length = 0;
  for (let index = at; index < end; index++) {
    const octet = bytes[index]!;
    for (let bit = 7; bit >= 0; bit--) {
      code = code * 2 + ((octet >>> bit) & 1);
      length++;
      const offset = code - FIRST_CODE[length]!;
      if (offset < COUNT[length]! && offset >= 0) {
        const symbol = SYMBOLS[FIRST_SYMBOL[length]! + offset]!;
        if (symbol === EOS) return undefined;
        text += String.fromCharCode(symbol);
        code = 0;
        length = 0;
      }
    }
  }
  return length > 7 || code !== 2 ** length - 1 ? undefined : text;
}
