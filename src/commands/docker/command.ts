/** A command of the docker client: its path, its flags, what it takes and does; and what the client says when it is called wrongly. */
import type { Process, Program } from "../../linux/process.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext } from "../word.ts";
import { flagUsages } from "./flag-usages.ts";
import { type FlagDefinition, FlagError, type Flags, parseFlags } from "./flags.ts";

export interface DockerCommand {
  /** `network create`; the first is its own name. */
  readonly path: string;
  /** Other paths that mean the same: `ps`, `container list`. */
  readonly aliases?: readonly string[];
  /** Behind the path: `[OPTIONS] NETWORK`. */
  readonly takes: string;
  readonly summary: string;
  readonly flags: readonly FlagDefinition[];
  /** How many words may follow; `most` undefined: any number. */
  readonly least: number;
  readonly most: number | undefined;
  /** False: flags end at the first word that is none. */
  readonly interspersed?: boolean;
  /** A problem in here is a CommandError. A number is the status of a command that takes no time. */
  run(process: Process, context: CommandContext, flags: Flags, operands: readonly string[]): Program | number;
}

/** `docker network`: commands under one name. */
export interface DockerGroup {
  readonly path: string;
  /** Of the group itself, behind its path; nothing when absent. */
  readonly takes?: string;
  readonly summary: string;
}

const FLAG_PROBLEM = 125;

/** Runs `command`, which was called as `path`. */
export function* runCommand(
  process: Process,
  context: CommandContext,
  command: DockerCommand,
  path: string,
  argv: readonly string[],
): Program {
  try {
    const { flags, operands } = readArguments(command, path, argv);
    if (flags === undefined) {
      process.stdout.write(helpOf(command, path));
      return 0;
    }
    const running = command.run(process, context, flags, operands);
    return typeof running === "number" ? running : yield* running;
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return error.status;
  }
}

/** `flags` undefined: help was asked for. */
function readArguments(
  command: DockerCommand,
  path: string,
  argv: readonly string[],
): { flags: Flags | undefined; operands: readonly string[] } {
  const hasLetter = command.flags.some(({ letter }) => letter === "h");
  const help: FlagDefinition = { name: "help", kind: "bool", usage: "Print usage", ...(!hasLetter && { letter: "h" }) };
  const definitions = command.flags.some(({ name }) => name === "help") ? command.flags : [...command.flags, help];
  try {
    const { flags, operands } = parseFlags(definitions, argv, command.interspersed ?? true);
    if (flags.bool("help")) return { flags: undefined, operands };
    checkCount(command, path, operands.length);
    return { flags, operands };
  } catch (error) {
    if (!(error instanceof FlagError)) throw error;
    throw new CommandError(
      FLAG_PROBLEM,
      `${error.message}\n\n${usageOf(command, path)}\nRun 'docker ${path} --help' for more information`,
    );
  }
}

function checkCount(command: DockerCommand, path: string, count: number): void {
  const { least, most } = command;
  if (count >= least && (most === undefined || count <= most)) return;
  const words = (number: number) => `${number} argument${number === 1 ? "" : "s"}`;
  let rule: string;
  let see = "Run";
  if (most === 0) rule = "accepts no arguments";
  else if (least === most) rule = `requires ${words(least)}`;
  else if (most === undefined) {
    rule = `requires at least ${words(least)}`;
    see = "See";
  } else if (least === 0) {
    rule = `requires at most ${words(most)}`;
    see = "SRun"; // so says the client, release 28
  } else rule = `requires at least ${least} and at most ${words(most)}`;
  throw new CommandError(
    1,
    `docker: 'docker ${path}' ${rule}\n\n${usageOf(command, path)}\n${see} 'docker ${path} --help' for more information`,
  );
}

function usageOf({ takes }: DockerCommand, path: string): string {
  return `Usage:  docker ${path}${takes === "" ? "" : ` ${takes}`}\n`;
}

function helpOf(command: DockerCommand, path: string): string {
  let text = `${usageOf(command, path)}\n${command.summary}\n`;
  const { aliases = [] } = command;
  if (aliases.length > 0)
    text += `\nAliases:\n  ${[command.path, ...aliases].map((each) => `docker ${each}`).join(", ")}\n`;
  const options = flagUsages(command.flags);
  return options === "" ? text : `${text}\nOptions:\n${options}`;
}
