/** `docker port`. */
import { formatHostPort } from "../../../docker/bridge/published-port.ts";
import { CommandError } from "../../command-error.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, granted } from "../daemon.ts";
import { publishedPorts } from "./port-text.ts";

export const PORT: DockerCommand = {
  path: "container port",
  aliases: ["port"],
  takes: "CONTAINER [PRIVATE_PORT[/PROTO]]",
  summary: "List port mappings or a specific mapping for the container",
  flags: [],
  least: 1,
  most: 2,
  run(process, context, _flags, operands) {
    const [name = "", wanted] = operands;
    const container = granted(engineOf(context).findContainer(name));
    const ports = publishedPorts(container);
    if (wanted !== undefined) {
      const [number = "", protocol = "tcp"] = wanted.split("/");
      if (!/^\d{1,5}$/.test(number))
        throw new CommandError(1, `Error: invalid port (${number}): value must be an integer: ${number}`);
      const found = ports.filter((port) => port.containerPort === Number(number) && port.protocol === protocol);
      if (found.length === 0)
        throw new CommandError(1, `Error: No public port '${number}/${protocol}' published for ${name}`);
      for (const port of found) process.stdout.write(`${formatHostPort(port)}\n`);
      return 0;
    }
    const lines = ports.map((port) => `${port.containerPort}/${port.protocol} -> ${formatHostPort(port)}\n`);
    process.stdout.write(
      lines.sort((a, b) => Number.parseInt(a, 10) - Number.parseInt(b, 10) || (a < b ? -1 : 1)).join(""),
    );
    return 0;
  },
};
