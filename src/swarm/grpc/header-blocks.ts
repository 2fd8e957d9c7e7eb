/** HEADERS and the CONTINUATIONs behind it to one list of fields, RFC 9113 §4.3 and §6.10, with bounds against floods. */
import { type HeaderField, HpackDecoder } from "../../wire/hpack.ts";
import type { Frame } from "../../wire/http2.ts";
import { type Violation, violation } from "./violation.ts";

/** Of fields as RFC 7541 §4.1 counts them; enough for any call of Swarm. */
const MAXIMUM_LIST_BYTES = 65_536;
const MAXIMUM_BLOCK_BYTES = 65_536;
const MAXIMUM_FRAGMENTS = 32;

export interface HeaderList {
  readonly streamId: number;
  readonly endStream: boolean;
  readonly fields: readonly HeaderField[];
}

export class HeaderBlocks {
  readonly #decoder = new HpackDecoder(MAXIMUM_LIST_BYTES);
  #streamId = 0;
  #endStream = false;
  #fragments: Uint8Array[] = [];
  #blockBytes = 0;

  /** True: only a CONTINUATION of this stream may come now. */
  get open(): boolean {
    return this.#fragments.length > 0;
  }

  /** Takes a HEADERS frame, or the CONTINUATION that belongs to it. Undefined: more is to come. */
  take(frame: Frame & { readonly kind: "headers" | "continuation" }): HeaderList | Violation | undefined {
    if (frame.kind === "headers") {
      this.#streamId = frame.streamId;
      this.#endStream = frame.endStream;
    } else if (!this.open || frame.streamId !== this.#streamId) {
      return violation("PROTOCOL_ERROR", "CONTINUATION of nothing");
    }
    this.#fragments.push(frame.fragment.slice());
    this.#blockBytes += frame.fragment.length;
    if (this.#blockBytes > MAXIMUM_BLOCK_BYTES || this.#fragments.length > MAXIMUM_FRAGMENTS)
      return violation("ENHANCE_YOUR_CALM", "header block too large");
    return frame.endHeaders ? this.#decode() : undefined;
  }

  #decode(): HeaderList | Violation {
    const block = new Uint8Array(this.#blockBytes);
    let at = 0;
    for (const fragment of this.#fragments) {
      block.set(fragment, at);
      at += fragment.length;
    }
    this.#fragments = [];
    this.#blockBytes = 0;
    const fields = this.#decoder.decode(block);
    // The tables of the two sides would differ from here on.
    if (fields === "hpack-list-too-large") return violation("ENHANCE_YOUR_CALM", fields);
    if (typeof fields === "string") return violation("COMPRESSION_ERROR", fields);
    return { streamId: this.#streamId, endStream: this.#endStream, fields };
  }
}
