/**
 * Reads pcapng (draft-ietf-opsawg-pcapng): several sections of either byte order, packets of all three kinds of block, interfaces with any time
 * resolution, names, secrets, statistics. Blocks of other types are skipped, as the format asks.
 */
import { formatIpv4, type Ipv4Address } from "../wire/address.ts";
import { getU32 } from "../wire/bytes.ts";
import { readU16, readU32, readU64 } from "./byte-order.ts";
import { type CapturedFrame, type CaptureProblem, type FrameReader, MAXIMUM_RECORD_BYTES } from "./capture-frame.ts";
import { InputBuffer } from "./input-buffer.ts";
import * as format from "./pcapng-format.ts";
import type { Direction } from "./pcapng-writer.ts";
import { captureTime, MICROSECONDS, type TimeResolution, timeResolution } from "./time-resolution.ts";

export interface CaptureInterface {
  readonly name: string;
  readonly description: string;
  readonly linkType: number;
  /** 0 = no limit. */
  readonly snapLength: number;
  /** Counters of the last interface statistics block, if there was one. */
  received: number | undefined;
  dropped: number | undefined;
}

export interface CaptureSection {
  readonly comment: string;
  readonly hardware: string;
  readonly operatingSystem: string;
  readonly application: string;
  readonly interfaces: readonly CaptureInterface[];
}

interface DecryptionSecrets {
  readonly type: number;
  readonly bytes: Uint8Array;
}

const BLOCK_BYTES = 12; // type, length in front, length behind
/** Limits on what is kept while a file is read: a hostile one must not fill the memory. */
const MAXIMUM_INTERFACES = 65_536;
const MAXIMUM_NAMES = 1_000_000;
const MAXIMUM_SECRETS_BYTES = 16 * 1024 * 1024;

type Section = { -readonly [Key in keyof CaptureSection]: CaptureSection[Key] };

export class PcapngReader implements FrameReader {
  readonly #input = new InputBuffer();
  readonly #text = new TextDecoder("utf-8", { ignoreBOM: true });
  #littleEndian = true;
  #section: Section | undefined = undefined;
  #interfaces: CaptureInterface[] = [];
  #resolutions: TimeResolution[] = [];
  readonly #names = new Map<Ipv4Address, string>();
  readonly #secrets: DecryptionSecrets[] = [];
  #secretsBytes = 0;
  #problem: CaptureProblem | undefined = undefined;

  get problem(): CaptureProblem | undefined {
    return this.#problem;
  }

  /** The section in hand, the last one at the end of the file. */
  get section(): CaptureSection | undefined {
    return this.#section;
  }

  /** All names resolved so far; an address with several has the first. */
  get names(): ReadonlyMap<Ipv4Address, string> {
    return this.#names;
  }

  get secrets(): readonly DecryptionSecrets[] {
    return this.#secrets;
  }

  push(chunk: Uint8Array): CapturedFrame[] {
    const frames: CapturedFrame[] = [];
    if (this.#problem !== undefined) return frames;
    this.#input.push(chunk);
    while (this.#readBlock(frames));
    return frames;
  }

  finish(): CaptureProblem | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const { available, offset } = this.#input;
    if (available > 0) this.#fail(0, `the end of the file after ${available} bytes of a block`, "the whole block");
    else if (offset === 0) this.#fail(0, "an empty file", "a section header block");
    return this.#problem;
  }

  /** False when the next block is not there as a whole, or is broken. */
  #readBlock(frames: CapturedFrame[]): boolean {
    const input = this.#input;
    if (input.available < BLOCK_BYTES) return false;
    const { bytes, at } = input;
    const type = readU32(bytes, at, this.#littleEndian);
    if (type === format.SECTION_HEADER_BLOCK) {
      // The type reads the same in either order; the order stands behind the length, which depends on it.
      this.#littleEndian = readU32(bytes, at + 8, true) === format.BYTE_ORDER_MAGIC;
      if (!this.#littleEndian && readU32(bytes, at + 8, false) !== format.BYTE_ORDER_MAGIC) {
        const found = getU32(bytes, at + 8)
          .toString(16)
          .padStart(8, "0");
        return this.#fail(8, `the byte-order magic 0x${found}`, "1a2b3c4d in either byte order");
      }
    } else if (this.#section === undefined) {
      return this.#fail(0, `a block of type 0x${getU32(bytes, at).toString(16)}`, "a section header block");
    }
    const length = readU32(bytes, at + 4, this.#littleEndian);
    if (length < BLOCK_BYTES || length > MAXIMUM_RECORD_BYTES || length % 4 !== 0) {
      const limits = `a multiple of 4 from ${BLOCK_BYTES} to ${MAXIMUM_RECORD_BYTES}`;
      return this.#fail(4, `a block length of ${length}`, limits);
    }
    if (input.available < length) return false;
    const behind = readU32(bytes, at + length - 4, this.#littleEndian);
    if (behind !== length) {
      return this.#fail(length - 4, `the length ${behind} behind the block`, `${length}, as in front of it`);
    }
    if (!this.#readBody(type, bytes, at + 8, at + length - 4, frames)) return false;
    input.skip(length);
    return true;
  }

  #readBody(type: number, bytes: Uint8Array, at: number, end: number, frames: CapturedFrame[]): boolean {
    switch (type) {
      case format.SECTION_HEADER_BLOCK:
        return this.#readSectionHeader(bytes, at, end);
      case format.INTERFACE_DESCRIPTION_BLOCK:
        return this.#readInterface(bytes, at, end);
      case format.ENHANCED_PACKET_BLOCK:
      case format.PACKET_BLOCK:
        return this.#readPacket(type, bytes, at, end, frames);
      case format.SIMPLE_PACKET_BLOCK:
        return this.#readSimplePacket(bytes, at, end, frames);
      case format.NAME_RESOLUTION_BLOCK:
        return this.#readNames(bytes, at, end);
      case format.INTERFACE_STATISTICS_BLOCK:
        return this.#readStatistics(bytes, at, end);
      case format.DECRYPTION_SECRETS_BLOCK:
        return this.#readSecrets(bytes, at, end);
      default:
        return true;
    }
  }

  #readSectionHeader(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 16) return this.#failAt(at, `a section header of ${end - at} bytes`, "at least 16");
    const major = readU16(bytes, at + 4, this.#littleEndian);
    const minor = readU16(bytes, at + 6, this.#littleEndian);
    if (major !== 1) return this.#failAt(at + 4, `version ${major}.${minor}`, "version 1.0");
    this.#interfaces = [];
    this.#resolutions = [];
    const section: Section = {
      comment: "",
      hardware: "",
      operatingSystem: "",
      application: "",
      interfaces: this.#interfaces,
    };
    this.#section = section;
    return this.#options(bytes, at + 16, end, (code, from, to) => {
      if (code === format.OPTION_COMMENT) section.comment = this.#decode(bytes, from, to);
      else if (code === format.SECTION_HARDWARE) section.hardware = this.#decode(bytes, from, to);
      else if (code === format.SECTION_OPERATING_SYSTEM) section.operatingSystem = this.#decode(bytes, from, to);
      else if (code === format.SECTION_APPLICATION) section.application = this.#decode(bytes, from, to);
    });
  }

  #readInterface(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 8) return this.#failAt(at, `an interface description of ${end - at} bytes`, "at least 8");
    if (this.#interfaces.length >= MAXIMUM_INTERFACES) {
      return this.#failAt(at, "one more interface", `at most ${MAXIMUM_INTERFACES} in a section`);
    }
    let name = "";
    let description = "";
    let code = 6; // microseconds, unless an option says otherwise
    let offsetSeconds = 0;
    const whole = this.#options(bytes, at + 8, end, (option, from, to) => {
      if (option === format.INTERFACE_NAME) name = this.#decode(bytes, from, to);
      else if (option === format.INTERFACE_DESCRIPTION) description = this.#decode(bytes, from, to);
      else if (option === format.INTERFACE_TIME_RESOLUTION && to - from === 1) code = bytes[from]!;
      else if (option === format.INTERFACE_TIME_OFFSET && to - from === 8) {
        const lowAt = this.#littleEndian ? from : from + 4;
        const highAt = this.#littleEndian ? from + 4 : from;
        const high = readU32(bytes, highAt, this.#littleEndian) | 0; // signed
        offsetSeconds = high * 0x1_0000_0000 + readU32(bytes, lowAt, this.#littleEndian);
      }
    });
    if (!whole) return false;
    const resolution = code === 6 && offsetSeconds === 0 ? MICROSECONDS : timeResolution(code, offsetSeconds);
    if (resolution === undefined) {
      return this.#failAt(at + 8, `a time resolution of 0x${code.toString(16)}`, "10^-19 s, 2^-63 s, or coarser");
    }
    this.#resolutions.push(resolution);
    this.#interfaces.push({
      name,
      description,
      linkType: readU16(bytes, at, this.#littleEndian),
      snapLength: readU32(bytes, at + 4, this.#littleEndian),
      received: undefined,
      dropped: undefined,
    });
    return true;
  }

  /** Enhanced packet block, and the obsolete packet block: it has 16 bits each for the interface and a count of drops. */
  #readPacket(type: number, bytes: Uint8Array, at: number, end: number, frames: CapturedFrame[]): boolean {
    if (end - at < 20) return this.#failAt(at, `a packet block of ${end - at} bytes`, "at least 20");
    const order = this.#littleEndian;
    const interfaceId = type === format.PACKET_BLOCK ? readU16(bytes, at, order) : readU32(bytes, at, order);
    const owner = this.#interfaces[interfaceId];
    const resolution = this.#resolutions[interfaceId];
    if (owner === undefined || resolution === undefined) return this.#failInterface(at, interfaceId);
    const captured = readU32(bytes, at + 12, order);
    const room = end - at - 20;
    if (captured > room) {
      return this.#failAt(at + 12, `${captured} captured bytes`, `at most ${room}, the room in the block`);
    }
    let direction: Direction = 0;
    let packetId = 0;
    let comment: string | undefined;
    const whole = this.#options(bytes, at + 20 + ((captured + 3) & ~3), end, (code, from, to) => {
      if (code === format.PACKET_FLAGS && to - from === 4) {
        const bits = readU32(bytes, from, order) & 3;
        direction = bits === 1 ? 1 : bits === 2 ? 2 : 0;
      } else if (code === format.PACKET_ID && to - from === 8 && type === format.ENHANCED_PACKET_BLOCK) {
        packetId = readU64(bytes, from, order);
      } else if (code === format.OPTION_COMMENT) {
        const text = this.#decode(bytes, from, to);
        comment = comment === undefined ? text : `${comment}\n${text}`;
      }
    });
    if (!whole) return false;
    frames.push({
      interfaceId,
      interfaceName: owner.name,
      time: captureTime(readU32(bytes, at + 4, order), readU32(bytes, at + 8, order), resolution),
      bytes: bytes.slice(at + 20, at + 20 + captured),
      originalLength: readU32(bytes, at + 16, order),
      direction,
      packetId,
      comment,
      linkType: owner.linkType,
    });
    return true;
  }

  #readSimplePacket(bytes: Uint8Array, at: number, end: number, frames: CapturedFrame[]): boolean {
    if (end - at < 4) return this.#failAt(at, `a simple packet block of ${end - at} bytes`, "at least 4");
    const owner = this.#interfaces[0];
    if (owner === undefined) return this.#failInterface(at, 0);
    const originalLength = readU32(bytes, at, this.#littleEndian);
    const snap = owner.snapLength === 0 ? originalLength : owner.snapLength;
    const captured = Math.min(originalLength, snap);
    if (captured > end - at - 4) {
      return this.#failAt(at, `${captured} captured bytes`, `at most ${end - at - 4}, the room in the block`);
    }
    frames.push({
      interfaceId: 0,
      interfaceName: owner.name,
      time: { seconds: 0, nanoseconds: 0 },
      bytes: bytes.slice(at + 4, at + 4 + captured),
      originalLength,
      direction: 0,
      packetId: 0,
      comment: undefined,
      linkType: owner.linkType,
    });
    return true;
  }

  #readNames(bytes: Uint8Array, at: number, end: number): boolean {
    let next = at;
    while (end - next >= 4) {
      const type = readU16(bytes, next, this.#littleEndian);
      const length = readU16(bytes, next + 2, this.#littleEndian);
      if (type === format.NAME_RECORD_END) return true;
      if (length > end - next - 4)
        return this.#failAt(next, `a name record of ${length} bytes`, `at most ${end - next - 4}`);
      if (type === format.NAME_RECORD_IPV4 && length >= 5) {
        const address = getU32(bytes, next + 4) as Ipv4Address;
        let stop = next + 8;
        while (stop < next + 4 + length && bytes[stop] !== 0) stop++; // of several names the first
        if (this.#names.size >= MAXIMUM_NAMES) {
          return this.#failAt(next, `one more name, for ${formatIpv4(address)}`, `at most ${MAXIMUM_NAMES}`);
        }
        if (!this.#names.has(address)) this.#names.set(address, this.#decode(bytes, next + 8, stop));
      }
      next += 4 + ((length + 3) & ~3);
    }
    return true;
  }

  #readStatistics(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 12) return this.#failAt(at, `interface statistics of ${end - at} bytes`, "at least 12");
    const interfaceId = readU32(bytes, at, this.#littleEndian);
    const owner = this.#interfaces[interfaceId];
    if (owner === undefined) return this.#failInterface(at, interfaceId);
    return this.#options(bytes, at + 12, end, (code, from, to) => {
      if (to - from !== 8) return;
      if (code === format.STATISTICS_RECEIVED) owner.received = readU64(bytes, from, this.#littleEndian);
      else if (code === format.STATISTICS_DROPPED) owner.dropped = readU64(bytes, from, this.#littleEndian);
    });
  }

  #readSecrets(bytes: Uint8Array, at: number, end: number): boolean {
    if (end - at < 8) return this.#failAt(at, `decryption secrets of ${end - at} bytes`, "at least 8");
    const length = readU32(bytes, at + 4, this.#littleEndian);
    if (length > end - at - 8) return this.#failAt(at + 4, `${length} bytes of secrets`, `at most ${end - at - 8}`);
    this.#secretsBytes += length + 64; // 64: what an empty one costs
    if (this.#secretsBytes > MAXIMUM_SECRETS_BYTES) {
      return this.#failAt(at, "more decryption secrets", `at most ${MAXIMUM_SECRETS_BYTES} bytes in all`);
    }
    this.#secrets.push({ type: readU32(bytes, at, this.#littleEndian), bytes: bytes.slice(at + 8, at + 8 + length) });
    return true;
  }

  /** Calls `use` with the place of each option's value; false when an option does not fit. The end marker may be missing. */
  #options(bytes: Uint8Array, at: number, end: number, use: (code: number, from: number, to: number) => void): boolean {
    let next = at;
    while (end - next >= 4) {
      const code = readU16(bytes, next, this.#littleEndian);
      const length = readU16(bytes, next + 2, this.#littleEndian);
      if (code === format.OPTION_END) return true;
      if (length > end - next - 4)
        return this.#failAt(next, `an option of ${length} bytes`, `at most ${end - next - 4}`);
      use(code, next + 4, next + 4 + length);
      next += 4 + ((length + 3) & ~3);
    }
    return true;
  }

  #decode(bytes: Uint8Array, at: number, end: number): string {
    return this.#text.decode(bytes.subarray(at, end));
  }

  #failInterface(at: number, interfaceId: number): false {
    return this.#failAt(at, `interface ${interfaceId}`, `one of the ${this.#interfaces.length} described so far`);
  }

  /** `at` counts in the input's buffer. */
  #failAt(at: number, found: string, expected: string): false {
    return this.#fail(at - this.#input.at, found, expected);
  }

  /** `within` counts from the first byte of the block in hand. */
  #fail(within: number, found: string, expected: string): false {
    this.#problem ??= { offset: this.#input.offset + within, found, expected };
    return false;
  }
}
