/** Where a writer's bytes go: a file, a pipe, memory. Nothing in this folder touches files; who opens them implements this interface. */
export interface ByteSink {
  /** The bytes are valid during the call only: who keeps them takes a copy. */
  write(bytes: Uint8Array): void;
}

/** Keeps all that is written, as copies. */
export class MemorySink implements ByteSink {
  readonly #chunks: Uint8Array[] = [];
  #sizeBytes = 0;

  write(bytes: Uint8Array): void {
    this.#chunks.push(bytes.slice());
    this.#sizeBytes += bytes.length;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  /** Everything written so far, in one piece. */
  toBytes(): Uint8Array {
    const whole = new Uint8Array(this.#sizeBytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, at);
      at += chunk.length;
    }
    return whole;
  }
}
