/** The command line `vxlab`: reads the arguments, runs a word, ends with the exit code that DESIGN promises. */
import { Command, CommanderError, InvalidArgumentError } from "commander";
import { ScenarioError } from "../scenario/problem.ts";
import { VERSION } from "../version.ts";
import { checkCommand } from "./check.ts";
import { ClosedPipeError } from "./closed-pipe.ts";
import { completionCommand } from "./completion.ts";
import { dockerCommand } from "./docker.ts";
import { EXIT_FAULT, EXIT_HOLDS, EXIT_INTERRUPTED, EXIT_USAGE } from "./exit-codes.ts";
import { initCommand } from "./init.ts";
import { InterruptedError } from "./interruption.ts";
import { listCommand } from "./list.ts";
import { runCommand } from "./run.ts";
import { schemaCommand } from "./schema.ts";
import { UsageError } from "./usage-error.ts";
import { validateCommand } from "./validate.ts";

export function program(): Command {
  const vxlab = new Command("vxlab")
    .description("Emulates container overlay networks packet by packet and writes captures that Wireshark opens.")
    .version(VERSION)
    .showHelpAfterError("(vxlab --help shows what there is)")
    .showSuggestionAfterError()
    .exitOverride();
  for (const command of [
    runCommand(),
    validateCommand(),
    checkCommand(),
    listCommand(),
    initCommand(),
    schemaCommand(),
    dockerCommand(),
  ])
    vxlab.addCommand(command);
  vxlab.addCommand(completionCommand(vxlab));
  for (const command of vxlab.commands) command.exitOverride().showHelpAfterError("(add --help for the options)");
  return vxlab;
}

/** Runs the command line and ends the process with its exit code. */
export async function main(argv: readonly string[]): Promise<void> {
  // A reader that goes away (`vxlab … | head`) ends the program quietly, as it ends any other.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_HOLDS);
    process.exit(report(new UsageError(`cannot write to stdout: ${error.message}`)));
  });
  process.stderr.on("error", () => undefined); // nobody listens: nothing to tell
  try {
    await program().parseAsync([...argv]);
    process.exitCode ??= EXIT_HOLDS;
  } catch (error) {
    process.exitCode = report(error);
  }
}

/** Says what went wrong, in the way its kind deserves. */
function report(error: unknown): number {
  if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_HOLDS : EXIT_USAGE;
  if (error instanceof ClosedPipeError) return EXIT_HOLDS;
  if (error instanceof ScenarioError) {
    process.stderr.write(`${error.report()}\n`);
    return EXIT_USAGE;
  }
  if (error instanceof InterruptedError) {
    process.stderr.write("vxlab: interrupted; nothing was written\n");
    return EXIT_INTERRUPTED;
  }
  if (error instanceof UsageError || error instanceof InvalidArgumentError) {
    process.stderr.write(`vxlab: error: ${error.message}\n`);
    return EXIT_USAGE;
  }
  const detail = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.stderr.write(
    `vxlab: a fault of vxlab itself; please report it with the scenario and this text:\n${detail}\n`,
  );
  return EXIT_FAULT;
}
