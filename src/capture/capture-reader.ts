/** Reads a capture of either format: the first four bytes tell which. */

import { getU32 } from "../wire/bytes.ts";
import type { CapturedFrame, CaptureProblem, FrameReader } from "./capture-frame.ts";
import { PcapReader } from "./pcap-reader.ts";
import { SECTION_HEADER_BLOCK } from "./pcapng-format.ts";
import { PcapngReader } from "./pcapng-reader.ts";

const MAGIC_BYTES = 4;

export class CaptureReader implements FrameReader {
  #head = new Uint8Array(0);
  #reader: PcapReader | PcapngReader | undefined = undefined;

  /** Undefined until four bytes have come. */
  get reader(): PcapReader | PcapngReader | undefined {
    return this.#reader;
  }

  get problem(): CaptureProblem | undefined {
    return this.#reader?.problem;
  }

  push(chunk: Uint8Array): CapturedFrame[] {
    if (this.#reader !== undefined) return this.#reader.push(chunk);
    const head = new Uint8Array(this.#head.length + chunk.length);
    head.set(this.#head);
    head.set(chunk, this.#head.length);
    this.#head = head;
    if (head.length < MAGIC_BYTES) return [];
    this.#reader = getU32(head, 0) === SECTION_HEADER_BLOCK ? new PcapngReader() : new PcapReader();
    this.#head = new Uint8Array(0);
    return this.#reader.push(head);
  }

  finish(): CaptureProblem | undefined {
    if (this.#reader !== undefined) return this.#reader.finish();
    return { offset: 0, found: `a file of ${this.#head.length} bytes`, expected: "a pcap or pcapng file" };
  }
}

/** All frames of a capture that is in memory as a whole, and the problem at which reading ended, if there was one. */
export function readCapture(bytes: Uint8Array): { frames: CapturedFrame[]; problem: CaptureProblem | undefined } {
  const reader = new CaptureReader();
  const frames = reader.push(bytes);
  return { frames, problem: reader.finish() };
}
