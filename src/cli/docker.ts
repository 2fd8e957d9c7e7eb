/** `vxlab docker stack config -c FILE…`: what a stack file says in its long form, in the words and with the exit status of the Docker client. */
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { loadStack, type StackInput } from "../swarm/stack/load-stack.ts";
import { printStack } from "../swarm/stack/print-stack.ts";
import { placeText, StackError } from "../swarm/stack/stack-error.ts";
import { readStackText, stackEnvironment } from "./stack-input.ts";

/** The Docker client's status for everything that goes wrong. */
const EXIT_REFUSED = 1;

interface ConfigOptions {
  readonly composeFile: readonly string[];
  readonly envFile: readonly string[];
  readonly skipInterpolation?: true;
}

export function dockerCommand(): Command {
  const config = new Command("config")
    .description("print the final stack file, after merges and interpolation; no cluster is needed")
    .option("-c, --compose-file <file>", "stack file, or - for stdin; may be given several times", collect, [])
    .option("--env-file <file>", "further variables, one NAME=value a line", append, [])
    .option("--skip-interpolation", "leave variables as they are")
    .action((options: ConfigOptions) => {
      process.exitCode = printConfig(options);
    });
  const stack = new Command("stack").description("stack files").addCommand(config);
  return new Command("docker").description("what of the Docker client works without a cluster").addCommand(stack);
}

/** The client takes several files in one option, too: `-c a.yml,b.yml`. */
function collect(value: string, before: readonly string[]): string[] {
  return [...before, ...value.split(",")];
}

function append(value: string, before: readonly string[]): string[] {
  return [...before, value];
}

function printConfig(options: ConfigOptions): number {
  try {
    const { stack, warnings } = loadStack(inputOf(options));
    for (const { message, place } of warnings) process.stderr.write(`warning: ${message} (${placeText(place)})\n`);
    process.stdout.write(printStack(stack));
    return 0;
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    process.stderr.write(`${error.message}\n`);
    if (error.place.file !== "") process.stderr.write(`  at ${placeText(error.place)}\n`);
    return EXIT_REFUSED;
  }
}

function inputOf(options: ConfigOptions): StackInput {
  const names = options.composeFile;
  const first = names[0];
  return {
    files: names.map((name) => {
      const found = readStackText(name);
      if ("problem" in found) throw new StackError(found.problem, { file: name, line: 0, column: 0 });
      return { name: name === "-" ? "<stdin>" : name, text: found.text };
    }),
    workingFolder: first === undefined || first === "-" ? process.cwd() : dirname(resolve(first)),
    environment: stackEnvironment(options.envFile),
    readFile: readStackText,
    ...(options.skipInterpolation === true ? { skipInterpolation: true } : {}),
  };
}
