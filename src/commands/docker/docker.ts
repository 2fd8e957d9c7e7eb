/** The word `docker`: finds the command that is meant, and says how it is called when none is. */
import type { Word } from "../word.ts";
import { CLUSTER_COMMANDS, CLUSTER_GROUPS } from "./cluster-commands.ts";
import { type DockerCommand, type DockerGroup, runCommand } from "./command.ts";
import { EXEC } from "./container/exec.ts";
import { CONTAINER_PRUNE, KILL, RESTART, RM, START, STOP, WAIT } from "./container/lifecycle.ts";
import { LOGS } from "./container/logs.ts";
import { PORT } from "./container/port.ts";
import { PS } from "./container/ps.ts";
import { CREATE, RUN } from "./container/run.ts";
import { CONTAINER_INSPECT, INSPECT } from "./inspect.ts";
import { NETWORK_CREATE } from "./network/create.ts";
import { NETWORK_INSPECT } from "./network/inspect.ts";
import { NETWORK_LS } from "./network/ls.ts";
import { NETWORK_CONNECT, NETWORK_DISCONNECT } from "./network/membership.ts";
import { NETWORK_PRUNE, NETWORK_RM } from "./network/remove.ts";
import { STACK_COMMANDS, STACK_GROUP } from "./stack/stack-commands.ts";
import { CLIENT_VERSION, SYSTEM_COMMANDS } from "./system.ts";
import { VOLUME_COMMANDS } from "./volume.ts";

const COMMANDS: readonly DockerCommand[] = [
  RUN,
  CREATE,
  EXEC,
  PS,
  START,
  STOP,
  RESTART,
  KILL,
  RM,
  WAIT,
  LOGS,
  PORT,
  CONTAINER_INSPECT,
  CONTAINER_PRUNE,
  INSPECT,
  NETWORK_CREATE,
  NETWORK_LS,
  NETWORK_INSPECT,
  NETWORK_CONNECT,
  NETWORK_DISCONNECT,
  NETWORK_RM,
  NETWORK_PRUNE,
  ...VOLUME_COMMANDS,
  ...STACK_COMMANDS,
  ...SYSTEM_COMMANDS,
  ...CLUSTER_COMMANDS,
];
const GROUPS: readonly DockerGroup[] = [
  { path: "container", summary: "Manage containers" },
  { path: "network", summary: "Manage networks" },
  { path: "volume", summary: "Manage volumes" },
  STACK_GROUP,
  { path: "system", summary: "Manage Docker" },
  ...CLUSTER_GROUPS,
];

const BY_PATH: ReadonlyMap<string, DockerCommand> = new Map(
  COMMANDS.flatMap((command) => [command.path, ...(command.aliases ?? [])].map((path) => [path, command])),
);
/** Options of the client itself that take a value, which here means nothing. */
const CLIENT_OPTIONS: ReadonlySet<string> = new Set([
  "-H",
  "--host",
  "-c",
  "--context",
  "-l",
  "--log-level",
  "--config",
]);
const FLAG_PROBLEM = 125;

export const DOCKER: Word = {
  name: "docker",
  *run(process, context, argv) {
    let at = 0;
    for (; at < argv.length && argv[at]!.startsWith("-"); at++) {
      const option = argv[at]!;
      if (option === "--version" || option === "-v") {
        process.stdout.write(`Docker version ${CLIENT_VERSION}, build e6534b4\n`);
        return 0;
      }
      if (option === "--help" || option === "-h") {
        process.stdout.write(overview());
        return 0;
      }
      if (CLIENT_OPTIONS.has(option)) at++;
      else if (
        option !== "-D" &&
        option !== "--debug" &&
        !/^--(host|context|log-level|config|tls\w*)(=|$)/.test(option)
      ) {
        const what = option.startsWith("--")
          ? `unknown flag: ${option.replace(/=.*/, "")}`
          : `unknown shorthand flag: '${option[1]}' in ${option}`;
        process.stderr.write(
          `${what}\n\nUsage:  docker [OPTIONS] COMMAND [ARG...]\n\nRun 'docker --help' for more information\n`,
        );
        return FLAG_PROBLEM;
      }
    }
    const [first, second] = argv.slice(at);
    if (first === undefined) {
      process.stdout.write(overview());
      return 0;
    }
    const group = GROUPS.find(({ path }) => path === first);
    if (group === undefined || second === undefined || second.startsWith("-")) {
      const command = BY_PATH.get(first);
      if (command !== undefined) return yield* runCommand(process, context, command, first, argv.slice(at + 1));
      if (group !== undefined) {
        process.stdout.write(groupHelp(group));
        return 0;
      }
      process.stderr.write(`docker: unknown command: docker ${first}\n\nRun 'docker --help' for more information\n`);
      return 1;
    }
    const path = `${first} ${second}`;
    const command = BY_PATH.get(path);
    if (command !== undefined) return yield* runCommand(process, context, command, path, argv.slice(at + 2));
    const takes = group.takes === undefined ? "" : ` ${group.takes}`;
    process.stderr.write(
      `docker: unknown command: docker ${path}\n\nUsage:  docker ${first}${takes}\n\nRun 'docker ${first} --help' for more information\n`,
    );
    return 1;
  },
};

function groupHelp({ path, summary }: DockerGroup): string {
  const commands = COMMANDS.filter((command) => command.path.startsWith(`${path} `));
  return `Usage:  docker ${path} COMMAND\n\n${summary}\n\nCommands:\n${listOf(commands.map((command) => [command.path.slice(path.length + 1), command.summary]))}\nRun 'docker ${path} COMMAND --help' for more information on a command.\n`;
}

function overview(): string {
  const top = COMMANDS.flatMap((command): [string, string][] =>
    [command.path, ...(command.aliases ?? [])]
      .filter((path) => !path.includes(" "))
      .map((path) => [path, command.summary]),
  );
  const groups = GROUPS.map(({ path, summary }): [string, string] => [path, summary]);
  return `Usage:  docker [OPTIONS] COMMAND\n\nA self-sufficient runtime for containers\n\nManagement Commands:\n${listOf(groups)}\nCommands:\n${listOf(top)}\nRun 'docker COMMAND --help' for more information on a command.\n`;
}

function listOf(entries: readonly (readonly [string, string])[]): string {
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const width = Math.max(...sorted.map(([name]) => name.length));
  return sorted.map(([name, summary]) => `  ${name.padEnd(width)}   ${summary}\n`).join("");
}
