/** Cuts the peer's bytes into frames, RFC 9113 §3.4 and §4: first the preface of a client, then SETTINGS, then whatever comes. */
import * as http2 from "../../wire/http2.ts";
import { type Violation, violation } from "./violation.ts";

const PREFACE = new TextEncoder().encode(http2.CLIENT_PREFACE);

/** A frame, and what its payload counts in flow control, padding included. */
export interface ReadFrame {
  readonly frame: http2.Frame;
  readonly payloadBytes: number;
}

export class FrameReader {
  #bytes = new Uint8Array(0);
  #at = 0;
  #prefaceLeft: number;
  #first = true;

  /** `fromClient`: the peer's preface comes first. */
  constructor(fromClient: boolean) {
    this.#prefaceLeft = fromClient ? PREFACE.length : 0;
  }

  push(bytes: Uint8Array): void {
    const left = this.#bytes.length - this.#at;
    const joined = new Uint8Array(left + bytes.length);
    joined.set(this.#bytes.subarray(this.#at));
    joined.set(bytes, left);
    this.#bytes = joined;
    this.#at = 0;
  }

  /** The next whole frame; undefined: more bytes are needed. Its content is good until the next `push`. */
  next(): ReadFrame | Violation | undefined {
    while (this.#prefaceLeft > 0 && this.#at < this.#bytes.length) {
      if (this.#bytes[this.#at++] !== PREFACE[PREFACE.length - this.#prefaceLeft])
        return violation("PROTOCOL_ERROR", "bogus greeting from client");
      this.#prefaceLeft--;
    }
    const end = this.#bytes.length;
    if (end - this.#at < http2.HEADER_BYTES) return undefined;
    const size = http2.sizeAt(this.#bytes, this.#at);
    // Refused before it is there: nobody makes us hold more than one frame.
    if (size > http2.HEADER_BYTES + http2.DEFAULT_MAXIMUM_FRAME_BYTES)
      return violation("FRAME_SIZE_ERROR", "frame too large");
    const frame = http2.parse(this.#bytes, this.#at, end);
    if (frame === "http2-truncated") return undefined;
    if (frame === "http2-frame-size") return violation("FRAME_SIZE_ERROR", frame);
    if (typeof frame === "string") return violation("PROTOCOL_ERROR", frame);
    if (this.#first && (frame.kind !== "settings" || frame.ack))
      return violation("PROTOCOL_ERROR", "the first frame is not SETTINGS");
    this.#first = false;
    this.#at += size;
    return { frame, payloadBytes: size - http2.HEADER_BYTES };
  }
}
