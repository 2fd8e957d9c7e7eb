/** Reads classic pcap (draft-ietf-opsawg-pcap): either byte order, microseconds or nanoseconds. */
import { SECOND } from "../sim/time.ts";
import { readU16, readU32 } from "./byte-order.ts";
import { type CapturedFrame, type CaptureProblem, type FrameReader, MAXIMUM_RECORD_BYTES } from "./capture-frame.ts";
import { InputBuffer } from "./input-buffer.ts";
import { FILE_HEADER_BYTES, MAGIC_MICROSECONDS, MAGIC_NANOSECONDS, RECORD_HEADER_BYTES } from "./pcap-file-writer.ts";

export class PcapReader implements FrameReader {
  readonly #input = new InputBuffer();
  #littleEndian = true;
  #nanosecondsATick = 1;
  #linkType = 0;
  #snapLength = 0;
  #headerRead = false;
  #problem: CaptureProblem | undefined = undefined;

  get problem(): CaptureProblem | undefined {
    return this.#problem;
  }

  /** From the file's header; 0 before it was read. */
  get snapLength(): number {
    return this.#snapLength;
  }

  get linkType(): number {
    return this.#linkType;
  }

  push(chunk: Uint8Array): CapturedFrame[] {
    const frames: CapturedFrame[] = [];
    if (this.#problem !== undefined) return frames;
    this.#input.push(chunk);
    if (!this.#headerRead && !this.#readHeader()) return frames;
    for (let frame = this.#readRecord(); frame !== undefined; frame = this.#readRecord()) frames.push(frame);
    return frames;
  }

  finish(): CaptureProblem | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const available = this.#input.available;
    if (!this.#headerRead) {
      this.#fail(`a file of ${available} bytes`, `a pcap file header of ${FILE_HEADER_BYTES} bytes`);
    } else if (available > 0) {
      const { bytes, at } = this.#input;
      const whole =
        available < RECORD_HEADER_BYTES
          ? RECORD_HEADER_BYTES
          : RECORD_HEADER_BYTES + readU32(bytes, at + 8, this.#littleEndian);
      this.#fail(`the end of the file after ${available} bytes of a record`, `${whole} bytes`);
    }
    return this.#problem;
  }

  #readHeader(): boolean {
    const input = this.#input;
    if (input.available < FILE_HEADER_BYTES) return false;
    const { bytes, at } = input;
    const magic = readU32(bytes, at, true);
    const swapped = readU32(bytes, at, false);
    this.#littleEndian = magic === MAGIC_MICROSECONDS || magic === MAGIC_NANOSECONDS;
    const known = this.#littleEndian ? magic : swapped;
    if (known !== MAGIC_MICROSECONDS && known !== MAGIC_NANOSECONDS) {
      return this.#fail(
        `the magic 0x${swapped.toString(16).padStart(8, "0")}`,
        "a1b2c3d4 or a1b23c4d in either byte order",
      );
    }
    const major = readU16(bytes, at + 4, this.#littleEndian);
    const minor = readU16(bytes, at + 6, this.#littleEndian);
    if (major !== 2) return this.#fail(`version ${major}.${minor}`, "version 2.4");
    this.#nanosecondsATick = known === MAGIC_NANOSECONDS ? 1 : 1_000;
    this.#snapLength = readU32(bytes, at + 16, this.#littleEndian);
    this.#linkType = readU32(bytes, at + 20, this.#littleEndian) & 0xffff; // above: the length of the frame check sequence
    this.#headerRead = true;
    input.skip(FILE_HEADER_BYTES);
    return true;
  }

  /** Undefined when the next record is not there as a whole, or is broken. */
  #readRecord(): CapturedFrame | undefined {
    const input = this.#input;
    if (input.available < RECORD_HEADER_BYTES) return undefined;
    const { bytes, at } = input;
    const captured = readU32(bytes, at + 8, this.#littleEndian);
    const originalLength = readU32(bytes, at + 12, this.#littleEndian);
    if (captured > MAXIMUM_RECORD_BYTES) {
      this.#fail(`a frame of ${captured} bytes`, `at most ${MAXIMUM_RECORD_BYTES}`);
      return undefined;
    }
    if (input.available < RECORD_HEADER_BYTES + captured) return undefined;
    // Some writers let the fraction run over the second.
    const fraction = readU32(bytes, at + 4, this.#littleEndian) * this.#nanosecondsATick;
    const carry = Math.floor(fraction / SECOND);
    const frame: CapturedFrame = {
      interfaceId: 0,
      interfaceName: "",
      time: { seconds: readU32(bytes, at, this.#littleEndian) + carry, nanoseconds: fraction - carry * SECOND },
      bytes: bytes.slice(at + RECORD_HEADER_BYTES, at + RECORD_HEADER_BYTES + captured),
      originalLength,
      direction: 0,
      packetId: 0,
      comment: undefined,
      linkType: this.#linkType,
    };
    input.skip(RECORD_HEADER_BYTES + captured);
    return frame;
  }

  #fail(found: string, expected: string): false {
    this.#problem ??= { offset: this.#input.offset, found, expected };
    return false;
  }
}
