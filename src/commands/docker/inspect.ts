/** `docker inspect`: whatever has the name; and `docker container inspect`. */
import type { Engine } from "../../docker/engine.ts";
import { isRefusal } from "../../docker/refusal.ts";
import type { Process } from "../../linux/process.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext } from "../word.ts";
import type { Asking } from "./cluster.ts";
import type { DockerCommand } from "./command.ts";
import { containerObject } from "./container/container-object.ts";
import { engineOf } from "./daemon.ts";
import type { Flags } from "./flags.ts";
import { INSPECT_FORMAT_FLAG } from "./format-flag.ts";
import type { Shown } from "./go-text.ts";
import { findInSwarm } from "./inspect-swarm.ts";
import { networkObject } from "./network/network-text.ts";
import { writeObjects } from "./output-format.ts";

const TYPES = ["container", "network", "volume", "service", "task", "node", "secret", "config"];

export const INSPECT: DockerCommand = {
  path: "inspect",
  takes: "[OPTIONS] NAME|ID [NAME|ID...]",
  summary: "Return low-level information on Docker objects",
  flags: [
    INSPECT_FORMAT_FLAG,
    { name: "size", letter: "s", kind: "bool", usage: "Display total file sizes if the type is container" },
    { name: "type", kind: "string", usage: "Only inspect objects of the given type" },
  ],
  least: 1,
  most: undefined,
  run(process, context, flags, operands) {
    const type = flags.string("type");
    if (type !== undefined && !TYPES.includes(type))
      throw new CommandError(1, `"${type}" is not a valid value for --type`);
    return show(process, context, flags, operands, function* (name) {
      const found = find(engineOf(context), name, type) ?? (yield* findInSwarm(context, name, type));
      return found ?? `Error: No such object: ${name}`;
    });
  },
};

export const CONTAINER_INSPECT: DockerCommand = {
  path: "container inspect",
  takes: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Display detailed information on one or more containers",
  flags: [INSPECT_FORMAT_FLAG, { name: "size", letter: "s", kind: "bool", usage: "Display total file sizes" }],
  least: 1,
  most: undefined,
  run(process, context, flags, operands) {
    // biome-ignore lint/correctness/useYield: nobody has to be asked
    return show(process, context, flags, operands, function* (name) {
      const found = find(engineOf(context), name, "container");
      return found ?? `Error response from daemon: No such container: ${name}`;
    });
  },
};

/** What was found is shown, then what was not is said. */
function* show(
  process: Process,
  context: CommandContext,
  flags: Flags,
  names: readonly string[],
  look: (name: string) => Asking<Shown>,
): Asking<number> {
  engineOf(context);
  const objects: Shown[] = [];
  let problems = "";
  for (const name of names) {
    const found = yield* look(name);
    if (typeof found === "string") problems += `${found}\n`;
    else objects.push(found);
  }
  writeObjects(process.stdout, flags.string("format"), objects);
  process.stderr.write(problems);
  return problems === "" ? 0 : 1;
}

function find(engine: Engine, name: string, type: string | undefined): Shown {
  if (type === undefined || type === "container") {
    const container = engine.findContainer(name);
    if (!isRefusal(container)) return containerObject(engine, container);
  }
  if (type === undefined || type === "network") {
    const network = engine.findNetwork(name);
    if (!isRefusal(network)) return networkObject(engine, network);
  }
  if (type === undefined || type === "volume") {
    const volume = engine.volumes.get(name);
    if (volume !== undefined)
      return {
        Name: volume.name,
        Driver: volume.driver,
        Mountpoint: `/var/lib/docker/volumes/${name}/_data`,
        Scope: "local",
      };
  }
  return undefined;
}
