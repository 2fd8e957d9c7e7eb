/**
 * Writes pcapng (draft-ietf-opsawg-pcapng): one section, all interfaces with one snap length (tcpdump refuses a file with several) and nanosecond
 * time stamps, frames as enhanced packet blocks.
 */
import { assert } from "../sim/assert.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { Ipv4Address } from "../wire/address.ts";
import { putU32 } from "../wire/bytes.ts";
import type { ByteSink } from "./byte-sink.ts";
import { littleEndian, OutputBuffer } from "./output-buffer.ts";
import * as format from "./pcapng-format.ts";

/** epb_flags bits 0 and 1: unknown, received by the interface, sent by it. */
export type Direction = 0 | 1 | 2;

export interface PcapngOptions {
  /** Frames are cut to this many bytes; 1 to 262 144, the default. */
  readonly snapLength?: number;
  /** What the section is; here: how to make it again. */
  readonly comment?: string;
  readonly hardware?: string;
  readonly operatingSystem?: string;
  /** The program that writes, such as `vxlab 1.0.0`. */
  readonly application?: string;
  /** The wall clock's second (since 1970, below 2^32) at which virtual time 0 lies. */
  readonly startSeconds?: number;
}

const BLOCK_BYTES = 12; // type, length in front, length behind
const ENHANCED_PACKET_BYTES = BLOCK_BYTES + 20;
const MAXIMUM_OPTION_BYTES = 0xffff;
/** Name resolution blocks are split here, so that a reader with a small limit on blocks reads them too. */
const NAMES_BYTES = 64 * 1024;
const TWO_TO_32 = 0x1_0000_0000;

interface NameRecord {
  readonly address: Ipv4Address;
  readonly name: string;
}

type Option = readonly [code: number, value: Uint8Array];

export class PcapngWriter {
  readonly #output: OutputBuffer;
  readonly #text = new TextEncoder();
  readonly #snapLength: number;
  // startSeconds in nanoseconds, as two halves of 32 bits: 64 bits do not fit in a double.
  readonly #startHigh: number;
  readonly #startLow: number;
  #interfaces = 0;
  #pendingNames: NameRecord[] = [];
  #closed = false;

  constructor(sink: ByteSink, options: PcapngOptions = {}) {
    this.#output = new OutputBuffer(sink);
    this.#snapLength = options.snapLength ?? format.MAXIMUM_SNAP_LENGTH;
    const snap = this.#snapLength;
    assert(Number.isInteger(snap) && snap >= 1 && snap <= format.MAXIMUM_SNAP_LENGTH, "snap length from 1 to 262144");
    const seconds = options.startSeconds ?? 0;
    assert(Number.isInteger(seconds) && seconds >= 0 && seconds < TWO_TO_32, "start from 1970 to 2106");
    const upper = Math.floor(seconds / 0x1_0000) * 1_000_000_000; // to be multiplied by 2^16: both products stay below 2^53
    const low = (seconds % 0x1_0000) * 1_000_000_000 + (upper % 0x1_0000) * 0x1_0000;
    this.#startHigh = Math.floor(upper / 0x1_0000) + Math.floor(low / TWO_TO_32);
    this.#startLow = low % TWO_TO_32;
    this.#writeSectionHeader(options);
  }

  /** Describes an interface; returns the id that frames name it by, 0 for the first. At any time. */
  addInterface(name: string, description?: string): number {
    const body = new Uint8Array(8);
    body[0] = format.LINK_TYPE_ETHERNET;
    putLittle32(body, 4, this.#snapLength);
    const options: Option[] = [[format.INTERFACE_NAME, this.#encode(name)]];
    if (description !== undefined) options.push([format.INTERFACE_DESCRIPTION, this.#encode(description)]);
    options.push([format.INTERFACE_TIME_RESOLUTION, new Uint8Array([9])]);
    this.#writeBlock(format.INTERFACE_DESCRIPTION_BLOCK, [body, ...encodeOptions(options)]);
    return this.#interfaces++;
  }

  /** Gives an address a name that readers may show in its place; written before the next frame. */
  addName(address: Ipv4Address, name: string): void {
    this.#pendingNames.push({ address, name });
  }

  /** Keys for what follows, such as a TLS key log: `type` is one of the format's secrets types. */
  addDecryptionSecrets(type: number, bytes: Uint8Array): void {
    const head = new Uint8Array(8);
    putLittle32(head, 0, type);
    putLittle32(head, 4, bytes.length);
    this.#writeBlock(format.DECRYPTION_SECRETS_BLOCK, [head, padded(bytes)]);
  }

  /**
   * Writes the frame from `at` to `end`, cut to the snap length. `timeNs` counts from `startSeconds`; `packetId` 0 means none. Frames are to come in
   * the order of their time.
   */
  frame(
    interfaceId: number,
    timeNs: Nanoseconds,
    bytes: Uint8Array,
    at: number,
    end: number,
    direction: Direction,
    packetId: number,
    comment?: string,
  ): void {
    assert(interfaceId < this.#interfaces, "a frame on an interface that was not described");
    assert(timeNs >= 0, "a frame before the start");
    if (this.#pendingNames.length > 0) this.#writeNames();
    const length = end - at;
    const captured = Math.min(length, this.#snapLength);
    const dataBytes = (captured + 3) & ~3;
    let blockBytes = ENHANCED_PACKET_BYTES + dataBytes;
    let remark: Uint8Array | undefined;
    if (comment !== undefined) {
      remark = this.#encode(comment);
      blockBytes += 4 + ((remark.length + 3) & ~3);
    }
    if (direction !== 0) blockBytes += 8;
    if (packetId !== 0) blockBytes += 12;
    const described = direction !== 0 || packetId !== 0 || remark !== undefined;
    if (described) blockBytes += 4;

    const output = this.#output;
    output.reserve(blockBytes);
    const words = output.words;
    const first = output.position >> 2;
    const timeHigh = Math.floor(timeNs / TWO_TO_32);
    const low = this.#startLow + (timeNs - timeHigh * TWO_TO_32);
    words[first] = littleEndian(format.ENHANCED_PACKET_BLOCK);
    words[first + 1] = littleEndian(blockBytes);
    words[first + 2] = littleEndian(interfaceId);
    words[first + 3] = littleEndian(this.#startHigh + timeHigh + (low >= TWO_TO_32 ? 1 : 0));
    words[first + 4] = littleEndian(low); // a typed array keeps the low 32 bits
    words[first + 5] = littleEndian(captured);
    words[first + 6] = littleEndian(length);
    output.position += 28;
    if (dataBytes > captured) words[(output.position + dataBytes - 4) >> 2] = 0; // the padding; frame bytes go over the rest
    output.copy(bytes, at, at + captured);
    let next = first + 7 + (dataBytes >> 2);
    if (described) {
      if (direction !== 0) {
        words[next] = littleEndian(format.PACKET_FLAGS | (4 << 16));
        words[next + 1] = littleEndian(direction);
        next += 2;
      }
      if (packetId !== 0) {
        words[next] = littleEndian(format.PACKET_ID | (8 << 16));
        words[next + 1] = littleEndian(packetId);
        words[next + 2] = littleEndian(Math.floor(packetId / TWO_TO_32));
        next += 3;
      }
      if (remark !== undefined) {
        words[next] = littleEndian(format.OPTION_COMMENT | (remark.length << 16));
        next += 1 + ((remark.length + 3) >> 2);
        if (remark.length > 0) words[next - 1] = 0;
        output.bytes.set(remark, (next << 2) - ((remark.length + 3) & ~3));
      }
      words[next++] = format.OPTION_END;
    }
    words[next] = littleEndian(blockBytes);
    output.position = (next + 1) << 2;
  }

  /** Hands all that was written to the sink. */
  flush(): void {
    if (this.#pendingNames.length > 0) this.#writeNames();
    this.#output.flush();
  }

  /** Flushes; the sink is its owner's to close. */
  close(): void {
    assert(!this.#closed, "a capture closed twice");
    this.flush();
    this.#closed = true;
  }

  #writeSectionHeader(options: PcapngOptions): void {
    const body = new Uint8Array(16).fill(0xff); // the section's length is not known: -1
    putLittle32(body, 0, format.BYTE_ORDER_MAGIC);
    putLittle32(body, 4, 1); // version 1.0, two fields of 16 bits
    const list: Option[] = [];
    if (options.hardware !== undefined) list.push([format.SECTION_HARDWARE, this.#encode(options.hardware)]);
    if (options.operatingSystem !== undefined) {
      list.push([format.SECTION_OPERATING_SYSTEM, this.#encode(options.operatingSystem)]);
    }
    if (options.application !== undefined) list.push([format.SECTION_APPLICATION, this.#encode(options.application)]);
    if (options.comment !== undefined) list.push([format.OPTION_COMMENT, this.#encode(options.comment)]);
    this.#writeBlock(format.SECTION_HEADER_BLOCK, [body, ...encodeOptions(list)]);
  }

  #writeNames(): void {
    const end = new Uint8Array(4); // nrb_record_end
    let records: Uint8Array[] = [];
    let sizeBytes = 0;
    for (const { address, name } of this.#pendingNames) {
      const text = this.#encode(name);
      const record = new Uint8Array((8 + text.length + 1 + 3) & ~3); // zero-terminated, then padded
      record[0] = format.NAME_RECORD_IPV4;
      const valueBytes = 4 + text.length + 1;
      record[2] = valueBytes;
      record[3] = valueBytes >>> 8;
      putU32(record, 4, address); // network order in either kind of section
      record.set(text, 8);
      records.push(record);
      sizeBytes += record.length;
      if (sizeBytes >= NAMES_BYTES) {
        this.#writeBlock(format.NAME_RESOLUTION_BLOCK, [...records, end]);
        records = [];
        sizeBytes = 0;
      }
    }
    if (records.length > 0) this.#writeBlock(format.NAME_RESOLUTION_BLOCK, [...records, end]);
    this.#pendingNames = [];
  }

  /** Each part is a multiple of 4 bytes long. */
  #writeBlock(type: number, parts: readonly Uint8Array[]): void {
    assert(!this.#closed, "a block after the end");
    const blockBytes = parts.reduce((sum, part) => sum + part.length, BLOCK_BYTES);
    const output = this.#output;
    output.reserve(blockBytes);
    const head = new Uint8Array(8);
    putLittle32(head, 0, type);
    putLittle32(head, 4, blockBytes);
    for (const part of [head, ...parts, head.subarray(4)]) output.copy(part, 0, part.length);
  }

  /** UTF-8, cut between two characters where an option would become too long. */
  #encode(text: string): Uint8Array {
    const bytes = this.#text.encode(text);
    if (bytes.length <= MAXIMUM_OPTION_BYTES - 8) return bytes;
    let end = MAXIMUM_OPTION_BYTES - 8;
    while ((bytes[end]! & 0xc0) === 0x80) end--; // never inside a character
    return bytes.slice(0, end);
  }
}

function encodeOptions(options: readonly Option[]): Uint8Array[] {
  if (options.length === 0) return [];
  const parts: Uint8Array[] = [];
  for (const [code, value] of options) {
    parts.push(new Uint8Array([code, code >>> 8, value.length, value.length >>> 8]), padded(value));
  }
  parts.push(new Uint8Array(4)); // opt_endofopt
  return parts;
}

function padded(bytes: Uint8Array): Uint8Array {
  if (bytes.length % 4 === 0) return bytes;
  const whole = new Uint8Array((bytes.length + 3) & ~3);
  whole.set(bytes);
  return whole;
}

function putLittle32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value;
  bytes[at + 1] = value >>> 8;
  bytes[at + 2] = value >>> 16;
  bytes[at + 3] = value >>> 24;
}
