/**
 * A word that people type: a command line's first word, and the program behind it. A word gets what a real program gets: arguments, the
 * namespace it runs in, an environment, text on standard input; it writes text, and ends with a status.
 */
import type { NetworkNamespace } from "../linux/namespace.ts";
import type { Process, Program } from "../linux/process.ts";
import type { Host } from "./host.ts";

export interface CommandContext {
  readonly host: Host;
  /** Where the command runs; another than the host's own behind `ip netns exec`. */
  readonly namespace: NetworkNamespace;
  readonly environment: Map<string, string>;
  /** What a pipe or a here-string gives; empty otherwise. */
  readonly stdin: string;
  /** Figures that whoever runs the command wants beside its text, by name: `status`, of the last HTTP answer. */
  readonly figures?: Map<string, number> | undefined;
}

export interface Word {
  readonly name: string;
  /** `argv` holds the arguments, without the word itself. */
  run(process: Process, context: CommandContext, argv: readonly string[]): Program;
}

/** What a word that takes no virtual time comes to. */
export interface Outcome {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

export function success(stdout = ""): Outcome {
  return { status: 0, stdout, stderr: "" };
}

/** `message` ends without a newline. */
export function failure(status: number, message: string): Outcome {
  return { status, stdout: "", stderr: `${message}\n` };
}

/** A word that runs at once, as `ip` does: text and status from arguments. */
export function instantWord(
  name: string,
  run: (argv: readonly string[], context: CommandContext, process: Process) => Outcome,
): Word {
  return {
    name,
    // biome-ignore lint/correctness/useYield: a program that never waits is a program all the same
    *run(process, context, argv) {
      const outcome = run(argv, context, process);
      if (outcome.stdout !== "") process.stdout.write(outcome.stdout);
      if (outcome.stderr !== "") process.stderr.write(outcome.stderr);
      return outcome.status;
    },
  };
}
