/**
 * Protocol Buffers, the wire format (protobuf.dev "Encoding"): fields of a tag (number and wire type) and a value. 64-bit integers that
 * are identifiers travel as 16 hex digits, since a `number` is exact to 2^53 only; all others are numbers.
 */
const VARINT = 0;
const FIXED64 = 1;
const DELIMITED = 2;
const FIXED32 = 5;
const INITIAL_BYTES = 64;
/** Longer texts go to the platform's coders, which are slow to call (a loop over 12 letters takes 15 ns, TextEncoder 150). */
const SHORT_TEXT = 96;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A 64-bit integer as 16 lower-case hex digits: ordered as text as it is ordered as a number. */
export type Hex64 = string;

/** Writes fields in the order of the calls, as generated code does in the order of their numbers. */
export class ProtobufWriter {
  #bytes: Uint8Array;
  #length = 0;

  /** `capacityBytes`: how much is to be expected. */
  constructor(capacityBytes = INITIAL_BYTES) {
    this.#bytes = new Uint8Array(capacityBytes);
  }

  /** A varint field; `value` from 0 to 2^53 - 1. Zero is written too: leaving it out is the caller's choice (proto3 does, proto2 does not). */
  uint(field: number, value: number): void {
    this.#tag(field, VARINT);
    this.#varint(Math.floor(value / 0x1_0000_0000), value >>> 0);
  }

  hex64(field: number, value: Hex64): void {
    this.#tag(field, VARINT);
    this.#varint(Number.parseInt(value.slice(0, 8), 16), Number.parseInt(value.slice(8), 16));
  }

  /** IEEE 754 single precision. */
  float(field: number, value: number): void {
    this.#tag(field, FIXED32);
    this.#reserve(4);
    new DataView(this.#bytes.buffer).setFloat32(this.#length, value, true);
    this.#length += 4;
  }

  bool(field: number, value: boolean): void {
    this.uint(field, value ? 1 : 0);
  }

  bytes(field: number, value: Uint8Array): void {
    this.#tag(field, DELIMITED);
    this.#varint(0, value.length);
    this.raw(value);
  }

  /** UTF-8. */
  text(field: number, value: string): void {
    const length = value.length;
    if (length > SHORT_TEXT) {
      this.bytes(field, ENCODER.encode(value));
      return;
    }
    const start = this.begin(field);
    this.#reserve(length);
    const bytes = this.#bytes;
    for (let index = 0; index < length; index++) {
      const unit = value.charCodeAt(index);
      if (unit >= 0x80) {
        this.#length = start;
        this.raw(ENCODER.encode(value));
        break;
      }
      bytes[this.#length++] = unit;
    }
    this.end(start);
  }

  /** Bytes that are fields already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** Begins a message inside the message: its fields are written next, then `end` is called with what comes back here. */
  begin(field: number): number {
    this.#tag(field, DELIMITED);
    this.#reserve(1);
    return ++this.#length; // most are shorter than 128 bytes
  }

  /** Ends the message that `begin` began. */
  end(start: number): void {
    const length = this.#length - start;
    if (length >= 0x80) {
      const more = varintBytes(length) - 1;
      this.#reserve(more);
      this.#bytes.copyWithin(start + more, start, this.#length);
    }
    this.#length = start - 1;
    this.#varint(0, length);
    this.#length += length;
  }

  /** What has been written so far, in an array of its own. */
  finish(): Uint8Array {
    return this.#bytes.slice(0, this.#length);
  }

  #tag(field: number, wireType: number): void {
    this.#varint(0, ((field << 3) | wireType) >>> 0);
  }

  #varint(high: number, low: number): void {
    this.#reserve(10);
    while (high > 0 || low > 0x7f) {
      this.#bytes[this.#length++] = (low & 0x7f) | 0x80;
      low = ((low >>> 7) | (high << 25)) >>> 0;
      high >>>= 7;
    }
    this.#bytes[this.#length++] = low;
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const wider = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    wider.set(this.#bytes);
    this.#bytes = wider;
  }
}

function varintBytes(value: number): number {
  let count = 1;
  while (value > 0x7f) {
    value >>>= 7;
    count++;
  }
  return count;
}

/**
 * Reads one message field by field: `next` until it says false, then `malformed` tells whether the bytes ended well. A field
 * asked for as what it is not makes the whole message malformed; nothing throws.
 */
export class ProtobufReader {
  /** The field that `next` read. */
  field = 0;
  malformed = false;
  readonly #bytes: Uint8Array;
  readonly #end: number;
  #at: number;
  #wireType = VARINT;
  #high = 0;
  #low = 0;
  #start = 0; // of a delimited value; it ends at #at

  constructor(bytes: Uint8Array, at = 0, end = bytes.length) {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  next(): boolean {
    if (this.malformed || this.#at >= this.#end || !this.#varint()) return false;
    this.field = (this.#high * 0x2000_0000 + (this.#low >>> 3)) | 0;
    this.#wireType = this.#low & 7;
    if (this.field < 1 || this.#high !== 0) return this.#refuse();
    switch (this.#wireType) {
      case VARINT:
        return this.#varint();
      case DELIMITED:
        return this.#varint() && (this.#high === 0 ? this.#skip(this.#low) : this.#refuse());
      case FIXED64:
        return this.#skip(8);
      case FIXED32:
        return this.#skip(4);
      default:
        return this.#refuse();
    }
  }

  uint(): number {
    if (this.#wireType !== VARINT || this.#high > 0x1f_ffff) {
      this.malformed = true;
      return 0;
    }
    return this.#high * 0x1_0000_0000 + this.#low;
  }

  hex64(): Hex64 {
    if (this.#wireType !== VARINT) this.malformed = true;
    return this.#high.toString(16).padStart(8, "0") + this.#low.toString(16).padStart(8, "0");
  }

  bool(): boolean {
    if (this.#wireType !== VARINT) this.malformed = true;
    return this.#high !== 0 || this.#low !== 0;
  }

  float(): number {
    if (this.#wireType !== FIXED32) this.malformed = true;
    if (this.malformed) return 0;
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat32(this.#start, true);
  }

  /** The field's bytes, copied. */
  bytes(): Uint8Array {
    if (this.#wireType !== DELIMITED) this.malformed = true;
    return this.malformed ? new Uint8Array(0) : this.#bytes.slice(this.#start, this.#at);
  }

  /** The field's bytes where they lie. */
  view(): Uint8Array {
    if (this.#wireType !== DELIMITED) this.malformed = true;
    return this.malformed ? new Uint8Array(0) : this.#bytes.subarray(this.#start, this.#at);
  }

  /** The field's bytes as UTF-8. */
  text(): string {
    const view = this.view();
    const length = view.length;
    if (length > SHORT_TEXT) return DECODER.decode(view);
    for (let index = 0; index < length; index++) if (view[index]! >= 0x80) return DECODER.decode(view);
    return String.fromCharCode.apply(null, view as unknown as number[]);
  }

  /** The field as a message of its own. */
  message(): ProtobufReader {
    if (this.#wireType !== DELIMITED) this.malformed = true;
    return this.malformed
      ? new ProtobufReader(this.#bytes, 0, 0)
      : new ProtobufReader(this.#bytes, this.#start, this.#at);
  }

  #varint(): boolean {
    let high = 0;
    let low = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#at >= this.#end) return this.#refuse();
      const byte = this.#bytes[this.#at++]!;
      const bits = byte & 0x7f;
      if (shift < 28) low |= bits << shift;
      else if (shift === 28) {
        low |= bits << 28;
        high = bits >>> 4;
      } else if (shift < 63) high |= bits << (shift - 32);
      else high |= (bits & 1) << 31;
      if (byte < 0x80) {
        this.#high = high >>> 0;
        this.#low = low >>> 0;
        return true;
      }
    }
    return this.#refuse();
  }

  #skip(count: number): boolean {
    if (count > this.#end - this.#at) return this.#refuse();
    this.#start = this.#at;
    this.#at += count;
    return true;
  }

  #refuse(): boolean {
    this.malformed = true;
    return false;
  }
}
