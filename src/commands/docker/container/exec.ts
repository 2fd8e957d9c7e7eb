/** `docker exec`. */
import { isRefusal } from "../../../docker/refusal.ts";
import { CommandError } from "../../command-error.ts";
import { NOWHERE } from "../../host.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, expectNoRefusal, granted } from "../daemon.ts";
import { checkEnvironment } from "./flag-checks.ts";

export const EXEC: DockerCommand = {
  path: "container exec",
  aliases: ["exec"],
  takes: "[OPTIONS] CONTAINER COMMAND [ARG...]",
  summary: "Execute a command in a running container",
  flags: [
    { name: "detach", letter: "d", kind: "bool", usage: "Detached mode: run command in the background" },
    { name: "detach-keys", kind: "string", usage: "Override the key sequence for detaching a container" },
    { name: "env", letter: "e", kind: "list", usage: "Set environment variables", check: checkEnvironment },
    { name: "env-file", kind: "list", usage: "Read in a file of environment variables" },
    { name: "interactive", letter: "i", kind: "bool", usage: "Keep STDIN open even if not attached" },
    { name: "privileged", kind: "bool", usage: "Give extended privileges to the command" },
    { name: "tty", letter: "t", kind: "bool", usage: "Allocate a pseudo-TTY" },
    { name: "user", letter: "u", kind: "string", usage: 'Username or UID (format: "<name|uid>[:<group|gid>]")' },
    { name: "workdir", letter: "w", kind: "string", usage: "Working directory inside the container" },
  ],
  least: 2,
  most: undefined,
  interspersed: false,
  *run(process, context, flags, operands) {
    const [name = "", ...command] = operands;
    const container = granted(engineOf(context).findContainer(name));
    if (container.state !== "running")
      throw new CommandError(1, `Error response from daemon: container ${container.id} is not running`);
    const detach = flags.bool("detach");
    const streams = detach ? { stdout: NOWHERE, stderr: NOWHERE } : { stdout: process.stdout, stderr: process.stderr };
    const child = container.run(withVariables(flags.list("env"), command), streams);
    if (isRefusal(child)) {
      expectNoRefusal(child);
      return 1;
    }
    if (detach) return 0;
    process.atExit(() => child.kill("SIGKILL"));
    while (child.running) {
      const wake = yield { queues: [child.exited] };
      if (wake === "signal" && process.pendingSignal !== undefined) child.kill(process.pendingSignal);
    }
    return child.exitStatus ?? 1;
  },
};

/** Variables are set by a shell in the container. */
function withVariables(variables: readonly string[], command: readonly string[]): readonly string[] {
  const given = variables.filter((variable) => variable.includes("="));
  if (given.length === 0) return command;
  const quote = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
  const assignments = given.map((text) => {
    const equals = text.indexOf("=");
    return `${text.slice(0, equals)}=${quote(text.slice(equals + 1))}`;
  });
  return ["sh", "-c", `${assignments.join(" ")} ${command.map(quote).join(" ")}`];
}
