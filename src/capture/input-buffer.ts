/** Bytes that have come in and are not used up: what a reader of a stream holds between two chunks, never more than one record and one chunk. */
export class InputBuffer {
  bytes: Uint8Array = new Uint8Array(0);
  /** Offset in `bytes` of the first byte not used up; the readable bytes end at `end`. */
  at = 0;
  end = 0;
  #consumed = 0;

  /** Takes a copy of the chunk. */
  push(chunk: Uint8Array): void {
    const kept = this.end - this.at;
    if (this.end + chunk.length > this.bytes.length) {
      // Moving costs `kept` bytes and pays only when as much room is won; else the buffer doubles. So small chunks cost no quadratic time.
      if (this.at >= kept && kept + chunk.length <= this.bytes.length) {
        this.bytes.copyWithin(0, this.at, this.end);
      } else {
        const wider = new Uint8Array(Math.max(kept + chunk.length, Math.min(2 * this.bytes.length, 4 * kept), 4_096));
        wider.set(this.bytes.subarray(this.at, this.end));
        this.bytes = wider;
      }
      this.at = 0;
      this.end = kept;
    }
    this.bytes.set(chunk, this.end);
    this.end += chunk.length;
  }

  /** Bytes there to be read. */
  get available(): number {
    return this.end - this.at;
  }

  /** Uses up `count` bytes, all of them available. */
  skip(count: number): void {
    this.at += count;
    this.#consumed += count;
  }

  /** Offset in the stream of the first byte not used up. */
  get offset(): number {
    return this.#consumed;
  }
}
