/** Frames on their way to the transport: what is queued in one turn goes out in one write, as grpc-go's loopy writer does it. */
import type { Clock } from "../../sim/simulation.ts";
import { Timer } from "../../sim/timer.ts";
import * as http2 from "../../wire/http2.ts";
import type { ByteStream } from "./byte-stream.ts";
import { WAKE_UP_NS } from "./tcp-stream.ts";

/** grpc-go's write buffer. */
const WRITE_BYTES = 32 * 1024;

export class FrameOutput {
  readonly #transport: ByteStream;
  readonly #timer: Timer;
  #finished: (() => void) | undefined;
  #chunks: Uint8Array[] = [];
  #bytes = 0;

  /** `fill` is called at the end of a turn, to add what has been waiting for it; then all is written. */
  constructor(clock: Clock, transport: ByteStream, fill: () => void) {
    this.#transport = transport;
    this.#timer = new Timer(clock, () => {
      fill();
      this.flush();
      if (this.#finished !== undefined && transport.unsentBytes === 0) this.#finished();
    });
  }

  get waitingBytes(): number {
    return this.#bytes + this.#transport.unsentBytes;
  }

  /** The end of this turn is to come soon. */
  schedule(): void {
    if (!this.#timer.armed) this.#timer.set(WAKE_UP_NS);
  }

  add(frame: http2.Frame): void {
    const bytes = new Uint8Array(http2.size(frame));
    http2.emit(frame, bytes, 0);
    this.#chunks.push(bytes);
    this.#bytes += bytes.length;
    if (this.#bytes >= WRITE_BYTES) this.flush();
    else this.schedule();
  }

  /** Writes what has gathered, now. */
  flush(): void {
    if (this.#bytes === 0) return;
    const joined = new Uint8Array(this.#bytes);
    let at = 0;
    for (const chunk of this.#chunks) {
      joined.set(chunk, at);
      at += chunk.length;
    }
    this.#chunks = [];
    this.#bytes = 0;
    this.#transport.write(joined);
  }

  /** Calls `finished` when all that was queued is with the kernel. */
  finish(finished: () => void): void {
    this.#finished = finished;
    this.schedule();
  }

  stop(): void {
    this.#finished = undefined;
    this.#timer.stop();
    this.#chunks = [];
    this.#bytes = 0;
  }
}
