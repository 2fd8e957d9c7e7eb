/** How far a run has come, on one line of a terminal; nothing where there is none. */
import type { WriteStream } from "node:tty";
import { formatSeconds, type Nanoseconds } from "../sim/time.ts";

const CLEAR_LINE = "\r\u001b[K";
/** Redraws are at least this far apart. */
const REDRAW_MS = 100;

export class Progress {
  readonly #stream: WriteStream;
  readonly #on: boolean;
  #lastMs = Date.now(); // the first redraw is due after a while: a short run shows none
  #shown = false;

  constructor(stream: WriteStream, wanted: boolean) {
    this.#stream = stream;
    this.#on = wanted && stream.isTTY === true;
  }

  show(nowNs: Nanoseconds, events: number): void {
    if (!this.#on || Date.now() - this.#lastMs < REDRAW_MS) return;
    this.#lastMs = Date.now();
    this.#shown = true;
    this.#stream.write(`${CLEAR_LINE}${formatSeconds(nowNs, 3)} s of virtual time, ${events} events`);
  }

  clear(): void {
    if (this.#shown) this.#stream.write(CLEAR_LINE);
  }
}
