/** Messages out of a stream's DATA: a flag octet, four of length, the message (gRPC over HTTP/2, "Length-Prefixed-Message"). */
import { getU32, putU32 } from "../../wire/bytes.ts";
import { type Status, status } from "./status.ts";

const PREFIX_BYTES = 5;

/** One message as it goes into DATA. */
export function frameMessage(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES + message.length);
  putU32(bytes, 1, message.length);
  bytes.set(message, PREFIX_BYTES);
  return bytes;
}

export class MessageReader {
  readonly #maximumBytes: number;
  readonly #prefix = new Uint8Array(PREFIX_BYTES);
  #prefixBytes = 0;
  #length = 0;
  #chunks: Uint8Array[] = [];
  #chunkBytes = 0;

  constructor(maximumBytes: number) {
    this.#maximumBytes = maximumBytes;
  }

  /** Bytes of the message in hand that have not come yet, once its length is known. */
  get missingBytes(): number {
    return this.#prefixBytes < PREFIX_BYTES ? 0 : this.#length - this.#chunkBytes;
  }

  /** Has a message been begun and not ended? */
  get inside(): boolean {
    return this.#prefixBytes > 0;
  }

  /** Hands every message that is whole to `take`, in an array of its own. A status: no more can be read. */
  read(bytes: Uint8Array, take: (message: Uint8Array) => void): Status | undefined {
    let at = 0;
    for (;;) {
      while (this.#prefixBytes < PREFIX_BYTES) {
        if (at === bytes.length) return undefined;
        this.#prefix[this.#prefixBytes++] = bytes[at++]!;
        if (this.#prefixBytes < PREFIX_BYTES) continue;
        const problem = this.#begin();
        if (problem !== undefined) return problem;
      }
      const count = Math.min(this.missingBytes, bytes.length - at);
      if (count > 0) {
        this.#chunks.push(bytes.slice(at, at + count));
        this.#chunkBytes += count;
        at += count;
      }
      if (this.missingBytes > 0) return undefined;
      take(this.#finish());
    }
  }

  #begin(): Status | undefined {
    if (this.#prefix[0] === 1) return status("Internal", "grpc: compressed flag set with identity or empty encoding");
    if (this.#prefix[0] !== 0) return status("Internal", `grpc: received unexpected payload format ${this.#prefix[0]}`);
    this.#length = getU32(this.#prefix, 1);
    if (this.#length <= this.#maximumBytes) return undefined;
    const compared = `(${this.#length} vs. ${this.#maximumBytes})`;
    return status("ResourceExhausted", `grpc: received message larger than max ${compared}`);
  }

  #finish(): Uint8Array {
    const message = new Uint8Array(this.#length);
    let at = 0;
    for (const chunk of this.#chunks) {
      message.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [];
    this.#chunkBytes = 0;
    this.#prefixBytes = 0;
    return message;
  }
}
