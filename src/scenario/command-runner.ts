/** Runs command lines on hosts as processes of their own and keeps what they said and how they ended. */
import { type Host, TextBuffer } from "../commands/host.ts";
import { runLine } from "../commands/shell.ts";
import type { Process, Signal, WaitQueue } from "../linux/process.ts";
import type { Nanoseconds } from "../sim/time.ts";
import type { CommandResult } from "./expectations.ts";

/** A command line that has been started. */
export class RunningCommand {
  readonly host: Host;
  readonly line: string;
  readonly as: string | undefined;
  readonly startedNs: Nanoseconds;
  readonly #stdout = new TextBuffer();
  readonly #stderr = new TextBuffer();
  readonly #figures = new Map<string, number>();
  readonly #shownAs: string;
  readonly #process: Process;

  /** `shownAs`: what the scenario calls the host, where it calls itself otherwise. */
  constructor(host: Host, line: string, as?: string, shownAs = host.name) {
    this.host = host;
    this.#shownAs = shownAs;
    this.line = line;
    this.as = as;
    this.startedNs = host.world.simulation.nowNs;
    const streams = { stdout: this.#stdout, stderr: this.#stderr };
    this.#process = host.spawn("bash", streams, (process) =>
      runLine(process, { ...host.context(), figures: this.#figures }, line),
    );
  }

  get ended(): boolean {
    return !this.#process.running;
  }

  /** Woken when it has ended. */
  get exited(): WaitQueue {
    return this.#process.exited;
  }

  signal(signal: Signal): void {
    this.#process.kill(signal);
  }

  /** As it stands now; `status` is undefined while it runs. */
  get result(): CommandResult {
    return {
      as: this.as,
      host: this.#shownAs,
      line: this.line,
      atNs: this.startedNs,
      stdout: this.#stdout.text,
      stderr: this.#stderr.text,
      status: this.#process.exitStatus,
      httpStatus: this.#figures.get("status"),
    };
  }
}
