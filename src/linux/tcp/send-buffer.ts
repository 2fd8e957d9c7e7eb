/** What was written and is not acknowledged: the bytes, and the chunks that say how they were and will be sent. */
import { ByteRing } from "./byte-ring.ts";
import { ChunkQueue } from "./chunk.ts";
import { add, distance } from "./sequence.ts";

export class SendBuffer {
  readonly ring = new ByteRing();
  readonly chunks = new ChunkQueue();
  /** The first byte kept, the oldest without acknowledgement. */
  #start = 0;
  /** Behind the last byte written. */
  end = 0;
  /** The most bytes that the program may have waiting (SO_SNDBUF). */
  limitBytes = 0;
  /** Set by SO_SNDBUF: no automatic growth. */
  fixed = false;

  begin(sequence: number): void {
    this.#start = sequence;
    this.end = sequence;
  }

  get usedBytes(): number {
    return distance(this.#start, this.end);
  }

  get full(): boolean {
    return this.usedBytes >= this.limitBytes;
  }

  /** Linux tells a blocked writer of room only when a third of what is used would fit (sk_stream_is_writeable). */
  get writable(): boolean {
    const used = this.usedBytes;
    return this.limitBytes - used >= used >>> 1 && used < this.limitBytes;
  }

  /** Stores `count` bytes; says the sequence number of the first. */
  store(bytes: Uint8Array, at: number, count: number): number {
    const first = this.end;
    this.ring.reserve(this.#start, first, add(first, count));
    this.ring.write(first, bytes, at, count);
    this.end = add(first, count);
    return first;
  }

  /** All before `sequence` is acknowledged. FIN lies behind the data and is not kept. */
  release(sequence: number): void {
    this.#start = distance(sequence, this.end) < 0 ? this.end : sequence;
  }

  clear(): void {
    this.ring.clear();
    this.chunks.clear();
    this.#start = this.end;
  }
}
