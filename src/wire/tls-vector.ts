/** TLS's presentation language, RFC 8446 §3: numbers and vectors that carry their length in front. */
import { getU16, getU24, putU16, putU24 } from "./bytes.ts";

export function concat(...parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

export function u16(...values: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(2 * values.length);
  values.forEach((value, index) => {
    putU16(bytes, 2 * index, value);
  });
  return bytes;
}

/** The parts behind their length in one, two or three octets. */
export function vector8(...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts);
  return concat(Uint8Array.of(content.length), content);
}

export function vector16(...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts);
  return concat(u16(content.length), content);
}

export function vector24(...parts: readonly Uint8Array[]): Uint8Array {
  const content = concat(...parts);
  const length = new Uint8Array(3);
  putU24(length, 0, content.length);
  return concat(length, content);
}

/** Reads one field behind the other. A read that fails makes `malformed` true and gives nothing. */
export class VectorReader {
  readonly #bytes: Uint8Array;
  #at = 0;
  malformed = false;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get more(): boolean {
    return !this.malformed && this.#at < this.#bytes.length;
  }

  /** Was everything read, and well? */
  get finished(): boolean {
    return !this.malformed && this.#at === this.#bytes.length;
  }

  /** A copy. */
  take(count: number): Uint8Array {
    if (this.malformed || count > this.#bytes.length - this.#at) {
      this.malformed = true;
      return new Uint8Array(0);
    }
    this.#at += count;
    return this.#bytes.slice(this.#at - count, this.#at);
  }

  u8(): number {
    return this.take(1)[0] ?? 0;
  }

  u16(): number {
    const bytes = this.take(2);
    return bytes.length === 2 ? getU16(bytes, 0) : 0;
  }

  vector8(): Uint8Array {
    return this.take(this.u8());
  }

  vector16(): Uint8Array {
    return this.take(this.u16());
  }

  vector24(): Uint8Array {
    const bytes = this.take(3);
    return this.take(bytes.length === 3 ? getU24(bytes, 0) : 0);
  }
}
