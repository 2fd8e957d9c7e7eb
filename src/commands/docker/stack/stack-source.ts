/** The stack files that a command names: read from the machine's files or from standard input, and turned into their long form; complaints are the client's. */
import type { Process } from "../../../linux/process.ts";
import { type LoadedStack, loadStack } from "../../../swarm/stack/load-stack.ts";
import { StackError } from "../../../swarm/stack/stack-error.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import type { FlagDefinition, Flags } from "../flags.ts";
import { noSuchFile, readFile, WORKING_FOLDER } from "../machine-files.ts";

export const COMPOSE_FILE_FLAG: FlagDefinition = {
  name: "compose-file",
  letter: "c",
  kind: "strings",
  usage: 'Path to a Compose file, or "-" to read from stdin',
};

const STDIN = "-";

/** Throws a CommandError. */
export function readStack(
  process: Process,
  context: CommandContext,
  flags: Flags,
  options: { readonly skipInterpolation?: boolean; readonly forDeployment?: boolean } = {},
): LoadedStack {
  const names = flags.list("compose-file");
  const [first] = names;
  const files = names.map((name) => {
    const text = name === STDIN ? context.stdin : readFile(context.host, name);
    if (text === undefined) throw new CommandError(1, noSuchFile(name));
    return { name: name === STDIN ? "<stdin>" : name, text };
  });
  const loaded = orRefused(() =>
    loadStack({
      files,
      workingFolder: first === undefined || first === STDIN ? WORKING_FOLDER : folderOf(first),
      environment: context.environment,
      readFile: (path) => machineFile(context, path),
      skipInterpolation: options.skipInterpolation === true,
      forDeployment: options.forDeployment === true,
    }),
  );
  for (const { message } of loaded.warnings) process.stderr.write(`level=warning msg=${JSON.stringify(message)}\n`);
  return loaded;
}

export function machineFile(
  { host }: CommandContext,
  path: string,
): { readonly text: string } | { readonly problem: string } {
  const text = readFile(host, path);
  return text === undefined ? { problem: noSuchFile(path) } : { text };
}

/** What a stack file is refused for, as the client says it. */
export function orRefused<T>(act: () => T): T {
  try {
    return act();
  } catch (error) {
    if (error instanceof StackError) throw new CommandError(1, error.message);
    throw error;
  }
}

function folderOf(file: string): string {
  const slash = file.lastIndexOf("/");
  const folder = slash < 0 ? "" : file.slice(0, slash);
  if (file.startsWith("/")) return folder === "" ? "/" : folder;
  return folder === "" ? WORKING_FOLDER : `${WORKING_FOLDER}/${folder}`;
}
