/**
 * Compressed messages that will come back soon, with what is in them: in one process the sender of a message has just compressed what its receivers would
 * have to decompress (for a swarm of 100 nodes and 1 000 tasks a tenth of gossip's time). A few are kept, for as long as messages are on their way; nothing
 * but time depends on which.
 */
import { hashOf, isSame } from "./content-hash.ts";

const MOST_MESSAGES = 64;
const MOST_BYTES = 8 * 1024 * 1024;

interface Opened {
  readonly compressed: Uint8Array;
  readonly message: Uint8Array;
}

export class OpenedMessages {
  /** By hash, the oldest first. */
  readonly #byHash = new Map<number, Opened>();
  #bytes = 0;

  /** Neither is written any more. */
  add(compressed: Uint8Array, message: Uint8Array): void {
    const hash = hashOf(compressed);
    this.#forget(hash);
    this.#byHash.set(hash, { compressed, message });
    this.#bytes += compressed.length + message.length;
    for (const oldest of this.#byHash.keys()) {
      if (this.#byHash.size <= MOST_MESSAGES && this.#bytes <= MOST_BYTES) break;
      this.#forget(oldest);
    }
  }

  /** The message; undefined: not known, or not any more. */
  get(compressed: Uint8Array): Uint8Array | undefined {
    const opened = this.#byHash.get(hashOf(compressed));
    return opened !== undefined && isSame(opened.compressed, compressed) ? opened.message : undefined;
  }

  #forget(hash: number): void {
    const opened = this.#byHash.get(hash);
    if (opened === undefined) return;
    this.#byHash.delete(hash);
    this.#bytes -= opened.compressed.length + opened.message.length;
  }
}
