/** `vxlab docker stack config -c FILE…`: what a stack file says in its long form, in the words and with the exit status of the Docker client. */
import { readFileSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { Command } from "commander";
import { parseEnvironmentFile } from "../swarm/stack/environment-file.ts";
import { loadStack, type StackInput } from "../swarm/stack/load-stack.ts";
import { printStack } from "../swarm/stack/print-stack.ts";
import { placeText, StackError } from "../swarm/stack/stack-error.ts";
import { UsageError } from "./usage-error.ts";

/** The Docker client's status for everything that goes wrong. */
const EXIT_REFUSED = 1;
/** Larger files are refused unread. */
const MOST_BYTES = 16 * 1024 * 1024;

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
  const environment = new Map<string, string>();
  for (const [key, value] of Object.entries(process.env)) if (value !== undefined) environment.set(key, value);
  // What the command's own environment says goes before the files, as in compose.
  for (const file of options.envFile) {
    const found = readText(file);
    if ("problem" in found) throw new UsageError(found.problem);
    const variables = parseEnvironmentFile(found.text, environment);
    if (typeof variables === "string") throw new UsageError(`${file}: ${variables}`);
    for (const [key, value] of variables) if (!(key in process.env) && value !== null) environment.set(key, value);
  }
  const first = names[0];
  return {
    files: names.map((name) => {
      const found = readText(name);
      if ("problem" in found) throw new StackError(found.problem, { file: name, line: 0, column: 0 });
      return { name: name === "-" ? "<stdin>" : name, text: found.text };
    }),
    workingFolder: first === undefined || first === "-" ? process.cwd() : dirname(resolve(first)),
    environment,
    readFile: readText,
    ...(options.skipInterpolation === true ? { skipInterpolation: true } : {}),
  };
}

/** The text of a file, or the trouble in the system's words as Go gives them. */
function readText(file: string): { readonly text: string } | { readonly problem: string } {
  try {
    if (file !== "-" && statSync(file).size > MOST_BYTES) return { problem: `${file}: file is larger than 16 MiB` };
    const bytes = readFileSync(file === "-" ? 0 : file);
    return { text: new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { problem: "yaml: invalid leading UTF-8 octet" };
    const code = (error as NodeJS.ErrnoException).code ?? "";
    if (code === "EISDIR") return { problem: `read ${file}: is a directory` };
    const reasons: Record<string, string> = { ENOENT: "no such file or directory", EACCES: "permission denied" };
    return { problem: `open ${file}: ${reasons[code] ?? (error as Error).message}` };
  }
}
