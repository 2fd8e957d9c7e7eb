/** What a container's program says, line by line, with the time: the json-file log driver. */
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";

export type LogStream = "stdout" | "stderr";

export interface LogLine {
  readonly atNs: Nanoseconds;
  readonly stream: LogStream;
  /** Without its newline. */
  readonly text: string;
}

/** The oldest lines go when there are more. */
const LINE_LIMIT = 100_000;
/** A line without an end is cut into pieces of this size (moby daemon/logger/copier.go). */
const PIECE_CHARACTERS = 16_384;

export class ContainerLog {
  readonly #clock: Clock;
  readonly #lines: LogLine[] = [];
  readonly #rest: Record<LogStream, string> = { stdout: "", stderr: "" };
  /** Called for each new line (`docker logs -f`). */
  readonly listeners: ((line: LogLine) => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get lines(): readonly LogLine[] {
    return this.#lines;
  }

  /** The program has ended: what was begun is a line, too. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      if (this.#rest[stream] !== "") this.#add(stream, this.#rest[stream]);
      this.#rest[stream] = "";
    }
  }

  write(stream: LogStream, text: string): void {
    const lines = (this.#rest[stream] + text).split("\n");
    this.#rest[stream] = lines.pop()!;
    for (const line of lines) this.#add(stream, line);
    while (this.#rest[stream].length >= PIECE_CHARACTERS) {
      this.#add(stream, this.#rest[stream].slice(0, PIECE_CHARACTERS));
      this.#rest[stream] = this.#rest[stream].slice(PIECE_CHARACTERS);
    }
  }

  #add(stream: LogStream, text: string): void {
    const line: LogLine = { atNs: this.#clock.nowNs, stream, text };
    this.#lines.push(line);
    if (this.#lines.length > LINE_LIMIT) this.#lines.splice(0, LINE_LIMIT / 10);
    for (const listener of [...this.listeners]) listener(line);
  }
}
