/** `docker start`, `stop`, `restart`, `kill`, `rm`, `wait`, `rename` of nothing else, and `container prune`: each goes on to the next container after a refusal. */
import type { Container } from "../../../docker/container/container.ts";
import type { Engine } from "../../../docker/engine.ts";
import { isRefusal, type Refusal } from "../../../docker/refusal.ts";
import type { Process, Program, Wait, Wake } from "../../../linux/process.ts";
import { SECOND } from "../../../sim/time.ts";
import type { CommandContext } from "../../word.ts";
import type { DockerCommand } from "../command.ts";
import { confirmed } from "../confirmation.ts";
import { engineOf, refusalText } from "../daemon.ts";
import type { FlagDefinition, Flags } from "../flags.ts";
import { attended, started } from "./run.ts";

type Step<T> = Generator<Wait, T, Wake>;

const STOP_FLAGS: readonly FlagDefinition[] = [
  { name: "signal", letter: "s", kind: "string", usage: "Signal to send to the container" },
  { name: "timeout", letter: "t", kind: "int", usage: "Seconds to wait before killing the container" },
  { name: "time", kind: "int", usage: "", hidden: true },
];

/** Does one thing to each container that is named; what was refused is said, and the status is 1. */
function* each(
  process: Process,
  engine: Engine,
  names: readonly string[],
  act: (container: Container, name: string) => Step<Refusal | undefined>,
): Program {
  let status = 0;
  for (const name of names) {
    const container = engine.findContainer(name);
    const refusal = isRefusal(container) ? container : yield* act(container, name);
    if (refusal === undefined) process.stdout.write(`${name}\n`);
    else {
      process.stderr.write(`${refusalText(refusal)}\n`);
      status = 1;
    }
  }
  return status;
}

function graceOf(flags: Flags): number | undefined {
  const seconds = flags.int("timeout") ?? flags.int("time");
  if (seconds === undefined) return undefined;
  // A negative time stands for no limit: a day will do.
  return (seconds < 0 ? 86_400 : seconds) * SECOND;
}

function* stopped(container: Container): Step<undefined> {
  while (container.running) yield { queues: [container.changed] };
  return undefined;
}

export const START: DockerCommand = {
  path: "container start",
  aliases: ["start"],
  takes: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Start one or more stopped containers",
  flags: [
    { name: "attach", letter: "a", kind: "bool", usage: "Attach STDOUT/STDERR and forward signals" },
    { name: "detach-keys", kind: "string", usage: "Override the key sequence for detaching a container" },
    { name: "interactive", letter: "i", kind: "bool", usage: "Attach container's STDIN" },
  ],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const engine = engineOf(context);
    if (!flags.bool("attach")) return yield* each(process, engine, operands, (container) => started(engine, container));
    const container = engine.findContainer(operands[0]!);
    const refusal = isRefusal(container) ? container : yield* started(engine, container);
    if (isRefusal(container) || refusal !== undefined) {
      process.stderr.write(`${refusalText(refusal!)}\n`);
      return 1;
    }
    container.log.listeners.push((line) => process[line.stream].write(`${line.text}\n`));
    return yield* attended(process, container);
  },
};

export const STOP: DockerCommand = {
  path: "container stop",
  aliases: ["stop"],
  takes: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Stop one or more running containers",
  flags: STOP_FLAGS,
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const engine = engineOf(context);
    // All are told at once.
    for (const name of operands) {
      const container = engine.findContainer(name);
      if (!isRefusal(container)) container.stop(graceOf(flags));
    }
    return yield* each(process, engine, operands, stopped);
  },
};

export const RESTART: DockerCommand = {
  path: "container restart",
  aliases: ["restart"],
  takes: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Restart one or more containers",
  flags: STOP_FLAGS,
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const engine = engineOf(context);
    return yield* each(process, engine, operands, function* (container) {
      container.stop(graceOf(flags));
      yield* stopped(container);
      return yield* started(engine, container);
    });
  },
};

export const KILL: DockerCommand = {
  path: "container kill",
  aliases: ["kill"],
  takes: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Kill one or more running containers",
  flags: [{ name: "signal", letter: "s", kind: "string", usage: "Signal to send to the container" }],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const signal = flags.string("signal");
    // biome-ignore lint/correctness/useYield: a program that never waits is a program all the same
    return yield* each(process, engineOf(context), operands, function* (container) {
      return container.kill(signal === undefined || signal === "" ? "SIGKILL" : signal);
    });
  },
};

export const RM: DockerCommand = {
  path: "container rm",
  aliases: ["container remove", "rm"],
  takes: "[OPTIONS] CONTAINER [CONTAINER...]",
  summary: "Remove one or more containers",
  flags: [
    { name: "force", letter: "f", kind: "bool", usage: "Force the removal of a running container (uses SIGKILL)" },
    { name: "link", letter: "l", kind: "bool", usage: "Remove the specified link" },
    { name: "volumes", letter: "v", kind: "bool", usage: "Remove anonymous volumes associated with the container" },
  ],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const engine = engineOf(context);
    const force = flags.bool("force");
    const present = operands.filter((name) => {
      const found = engine.findContainer(name);
      if (!force || !isRefusal(found) || found.refused !== "not-found") return true;
      process.stderr.write(`${refusalText(found)}\n`); // said, and no failure
      return false;
    });
    // biome-ignore lint/correctness/useYield: a program that never waits is a program all the same
    return yield* each(process, engine, present, function* (container) {
      return container.remove(force);
    });
  },
};

export const WAIT: DockerCommand = {
  path: "container wait",
  aliases: ["wait"],
  takes: "CONTAINER [CONTAINER...]",
  summary: "Block until one or more containers stop, then print their exit codes",
  flags: [],
  least: 1,
  most: undefined,
  *run(process, context, _flags, operands) {
    const engine = engineOf(context);
    let status = 0;
    for (const name of operands) {
      const container = engine.findContainer(name);
      if (isRefusal(container)) {
        process.stderr.write(`${refusalText(container)}\n`);
        status = 1;
        continue;
      }
      yield* stopped(container);
      process.stdout.write(`${container.exitStatus}\n`);
    }
    return status;
  },
};

export const CONTAINER_PRUNE: DockerCommand = {
  path: "container prune",
  takes: "[OPTIONS]",
  summary: "Remove all stopped containers",
  flags: [
    { name: "filter", kind: "filter", usage: 'Provide filter values (e.g. "until=<timestamp>")' },
    { name: "force", letter: "f", kind: "bool", usage: "Do not prompt for confirmation" },
  ],
  least: 0,
  most: 0,
  run(process: Process, context: CommandContext, flags: Flags): number {
    const engine = engineOf(context);
    if (!confirmed(process, context, flags, "WARNING! This will remove all stopped containers.")) return 1;
    const gone: string[] = [];
    for (const container of [...engine.containers.values()]) {
      if (container.running || container.state === "restarting") continue;
      if (container.remove() === undefined) gone.push(container.id);
    }
    if (gone.length > 0) process.stdout.write(`Deleted Containers:\n${gone.join("\n")}\n\n`);
    process.stdout.write("Total reclaimed space: 0B\n");
    return 0;
  },
};
