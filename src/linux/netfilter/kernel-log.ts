/** The kernel's log, as `dmesg` shows it: what `-j LOG` writes to. Old lines go when it is full. */
import type { Nanoseconds } from "../../sim/time.ts";

export interface LogLine {
  readonly timeNs: Nanoseconds;
  /** 0 emergency to 7 debug. */
  readonly level: number;
  readonly text: string;
}

const MAXIMUM_LINES = 4_096;

export class KernelLog {
  readonly #lines: LogLine[] = [];

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  write(timeNs: Nanoseconds, level: number, text: string): void {
    if (this.#lines.length === MAXIMUM_LINES) this.#lines.shift();
    this.#lines.push({ timeNs, level, text });
  }

  clear(): void {
    this.#lines.length = 0;
  }
}
