/** Runs command lines on hosts as processes of their own and keeps what they said and how they ended. */
import { type Host, TextBuffer } from "../commands/host.ts";
import { runLine } from "../commands/shell.ts";
import type { Process, Signal } from "../linux/process.ts";
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
  readonly #process: Process;

  constructor(host: Host, line: string, as?: string) {
    this.host = host;
    this.line = line;
    this.as = as;
    this.startedNs = host.world.simulation.nowNs;
    const streams = { stdout: this.#stdout, stderr: this.#stderr };
    this.#process = host.spawn("bash", streams, (process) => runLine(process, host.context(), line));
  }

  get ended(): boolean {
    return !this.#process.running;
  }

  signal(signal: Signal): void {
    this.#process.kill(signal);
  }

  /** As it stands now; `status` is undefined while it runs. */
  get result(): CommandResult {
    return {
      as: this.as,
      host: this.host.name,
      line: this.line,
      atNs: this.startedNs,
      stdout: this.#stdout.text,
      stderr: this.#stderr.text,
      status: this.#process.exitStatus,
    };
  }
}
