/** Where a response's body ends, RFC 9112 §6.3: by its length, by its last chunk, or with the connection. */
import { ChunkedReader } from "../http/chunked.ts";
import { contentLength, field, type Head } from "../http/message.ts";
import { TransferError } from "./transfer-error.ts";

export class BodyReader {
  /** Undefined: not known. */
  readonly lengthBytes: number | undefined;
  receivedBytes = 0;
  readonly #chunks: ChunkedReader | undefined;

  constructor(head: Head, status: number, method: string) {
    const none = method === "HEAD" || status === 204 || status === 304;
    this.#chunks =
      !none && /\bchunked\b/i.test(field(head, "transfer-encoding") ?? "") ? new ChunkedReader() : undefined;
    this.lengthBytes = none ? 0 : this.#chunks === undefined ? contentLength(head) : undefined;
  }

  get complete(): boolean {
    return this.#chunks === undefined ? this.receivedBytes === this.lengthBytes : this.#chunks.ended;
  }

  /** The body's part of what came. */
  push(bytes: Uint8Array): Uint8Array {
    if (this.#chunks !== undefined) {
      const data = this.#chunks.push(bytes);
      if (this.#chunks.broken) throw new TransferError(56, "Malformed encoding found in chunked-encoding");
      this.receivedBytes += data.length;
      return data;
    }
    const left = this.lengthBytes === undefined ? bytes.length : this.lengthBytes - this.receivedBytes;
    const data = bytes.subarray(0, left);
    this.receivedBytes += data.length;
    return data;
  }

  /** The connection has ended. */
  end(): void {
    if (this.complete) return;
    if (this.#chunks !== undefined) throw new TransferError(18, "transfer closed with outstanding read data remaining");
    if (this.lengthBytes !== undefined)
      throw new TransferError(
        18,
        `transfer closed with ${this.lengthBytes - this.receivedBytes} bytes remaining to read`,
      );
  }
}
