/**
 * HPACK, RFC 7541: lists of header fields to blocks and back, with the tables that both peers build. The encoder chooses as Go's does, which is what
 * Swarm's managers and agents run: every field is indexed that fits into the table, strings take the Huffman code when that is shorter.
 */
import * as huffman from "./hpack-huffman.ts";
import { type HeaderField, HeaderTable, sizeOf } from "./hpack-table.ts";

export type { HeaderField } from "./hpack-table.ts";

/** SETTINGS_HEADER_TABLE_SIZE until the peer says otherwise. */
export const DEFAULT_TABLE_BYTES = 4_096;

export type Malformed =
  | "hpack-truncated"
  | "hpack-integer-too-large"
  | "hpack-bad-index"
  | "hpack-bad-huffman"
  | "hpack-bad-table-size"
  | "hpack-list-too-large";

const INDEXED = 0x80;
const LITERAL_INDEXED = 0x40;
const TABLE_SIZE = 0x20;
const NEVER_INDEXED = 0x10;
const HUFFMAN = 0x80;
/** No length or index of ours comes near; larger ones are refused before they overflow. */
const MAXIMUM_INTEGER = 0x3fff_ffff;

export class HpackEncoder {
  readonly #table = new HeaderTable(DEFAULT_TABLE_BYTES);
  #bytes = new Uint8Array(256);
  #length = 0;
  /** The smallest size since the last block, and that a change is to be told (§4.2). */
  #smallestBytes = DEFAULT_TABLE_BYTES;
  #sizeChanged = false;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE; ours stays at most the default. */
  limitTable(bytes: number): void {
    const limit = Math.min(bytes, DEFAULT_TABLE_BYTES);
    if (limit === this.#table.maximumBytes) return;
    this.#table.maximumBytes = limit;
    this.#smallestBytes = this.#sizeChanged ? Math.min(this.#smallestBytes, limit) : limit;
    this.#sizeChanged = true;
  }

  /** One header block, in an array of its own. */
  encode(fields: readonly HeaderField[]): Uint8Array {
    this.#length = 0;
    if (this.#sizeChanged) this.#tellSize();
    for (const field of fields) this.#field(field);
    return this.#bytes.slice(0, this.#length);
  }

  #tellSize(): void {
    const now = this.#table.maximumBytes;
    if (this.#smallestBytes < now) this.#integer(TABLE_SIZE, 5, this.#smallestBytes);
    this.#integer(TABLE_SIZE, 5, now);
    this.#sizeChanged = false;
  }

  #field(field: HeaderField): void {
    const found = this.#table.find(field);
    if (found?.whole === true) {
      this.#integer(INDEXED, 7, found.index);
      return;
    }
    const indexed = field.sensitive !== true && sizeOf(field) <= this.#table.maximumBytes;
    const index = found?.index ?? 0;
    if (indexed) this.#integer(LITERAL_INDEXED, 6, index);
    else this.#integer(field.sensitive === true ? NEVER_INDEXED : 0, 4, index);
    if (index === 0) this.#string(field.name);
    this.#string(field.value);
    if (indexed) this.#table.add(field);
  }

  /** §5.1: the low `prefixBits` of the first octet, then groups of 7 bits. */
  #integer(pattern: number, prefixBits: number, value: number): void {
    this.#reserve(6);
    const most = 2 ** prefixBits - 1;
    if (value < most) {
      this.#bytes[this.#length++] = pattern | value;
      return;
    }
    this.#bytes[this.#length++] = pattern | most;
    let rest = value - most;
    while (rest >= 0x80) {
      this.#bytes[this.#length++] = 0x80 | (rest & 0x7f);
      rest >>>= 7;
    }
    this.#bytes[this.#length++] = rest;
  }

  #string(text: string): void {
    const short = huffman.encodedLength(text);
    if (short < text.length) {
      this.#integer(HUFFMAN, 7, short);
      this.#reserve(short);
      huffman.encode(text, this.#bytes, this.#length);
      this.#length += short;
      return;
    }
    this.#integer(0, 7, text.length);
    this.#reserve(text.length);
    for (let index = 0; index < text.length; index++) this.#bytes[this.#length++] = text.charCodeAt(index);
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return;
    const wider = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + count));
    wider.set(this.#bytes);
    this.#bytes = wider;
  }
}

export class HpackDecoder {
  readonly #table = new HeaderTable(DEFAULT_TABLE_BYTES);
  readonly #maximumTableBytes: number;
  readonly #maximumListBytes: number;
  // The block in hand.
  #bytes = new Uint8Array(0);
  #at = 0;

  /** `maximumTableBytes`: what our SETTINGS allow. Longer lists than `maximumListBytes` (counted as §4.1 does) are refused. */
  constructor(maximumListBytes: number, maximumTableBytes = DEFAULT_TABLE_BYTES) {
    this.#maximumListBytes = maximumListBytes;
    this.#maximumTableBytes = maximumTableBytes;
    this.#table.maximumBytes = maximumTableBytes;
  }

  /** The dynamic table, newest first, and its size as §4.1 counts it. */
  get table(): { readonly fields: readonly HeaderField[]; readonly sizeBytes: number } {
    return { fields: this.#table.dynamicFields, sizeBytes: this.#table.sizeBytes };
  }

  /** A whole header block. After a reason the tables of the peers differ: the connection is lost (RFC 9113 §4.3). */
  decode(block: Uint8Array): HeaderField[] | Malformed {
    this.#bytes = block as Uint8Array<ArrayBuffer>;
    this.#at = 0;
    const fields: HeaderField[] = [];
    let listBytes = 0;
    while (this.#at < block.length) {
      const first = block[this.#at]!;
      if ((first & 0xe0) === TABLE_SIZE) {
        const size = this.#integer(5);
        if (typeof size === "string") return size;
        if (fields.length > 0 || size > this.#maximumTableBytes) return "hpack-bad-table-size";
        this.#table.maximumBytes = size;
        continue;
      }
      const field = this.#field(first);
      if (typeof field === "string") return field;
      listBytes += sizeOf(field);
      if (listBytes > this.#maximumListBytes) return "hpack-list-too-large";
      fields.push(field);
    }
    return fields;
  }

  #field(first: number): HeaderField | Malformed {
    if ((first & INDEXED) !== 0) {
      const index = this.#integer(7);
      if (typeof index === "string") return index;
      return this.#table.field(index) ?? "hpack-bad-index";
    }
    const added = (first & LITERAL_INDEXED) !== 0;
    const index = this.#integer(added ? 6 : 4);
    if (typeof index === "string") return index;
    const known = index === 0 ? undefined : this.#table.field(index);
    if (index !== 0 && known === undefined) return "hpack-bad-index";
    const name = known === undefined ? this.#string() : { text: known.name };
    if (typeof name === "string") return name;
    const value = this.#string();
    if (typeof value === "string") return value;
    const field = { name: name.text, value: value.text };
    if (added) this.#table.add(field);
    return (first & 0xf0) === NEVER_INDEXED ? { ...field, sensitive: true } : field;
  }

  #integer(prefixBits: number): number | Malformed {
    const most = 2 ** prefixBits - 1;
    let value = this.#bytes[this.#at++]! & most;
    if (value < most) return value;
    for (let scale = 1; this.#at < this.#bytes.length; scale *= 0x80) {
      const octet = this.#bytes[this.#at++]!;
      if (scale > MAXIMUM_INTEGER) return "hpack-integer-too-large"; // zeros without end, too
      value += (octet & 0x7f) * scale;
      if (value > MAXIMUM_INTEGER) return "hpack-integer-too-large";
      if (octet < 0x80) return value;
    }
    return "hpack-truncated";
  }

  #string(): { readonly text: string } | Malformed {
    if (this.#at >= this.#bytes.length) return "hpack-truncated";
    const coded = (this.#bytes[this.#at]! & HUFFMAN) !== 0;
    const length = this.#integer(7);
    if (typeof length === "string") return length;
    const end = this.#at + length;
    if (end > this.#bytes.length) return "hpack-truncated";
    const start = this.#at;
    this.#at = end;
    if (!coded) {
      let text = "";
      for (let index = start; index < end; index++) text += String.fromCharCode(this.#bytes[index]!);
      return { text };
    }
    const text = huffman.decode(this.#bytes, start, end);
    return text === undefined ? "hpack-bad-huffman" : { text };
  }
}
