/** `docker run` and `docker create`. */
import type { Container } from "../../../docker/container/container.ts";
import type { LogLine } from "../../../docker/container/log.ts";
import type { Engine } from "../../../docker/engine.ts";
import { isRefusal, type Refusal } from "../../../docker/refusal.ts";
import { type Process, type Program, type Wait, WaitQueue, type Wake } from "../../../linux/process.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import type { DockerCommand } from "../command.ts";
import { engineOf, refusalText } from "../daemon.ts";
import type { Flags } from "../flags.ts";
import { CREATE_FLAGS, RUN_FLAGS } from "./run-flags.ts";
import { readSpec } from "./run-spec.ts";

const CLIENT_PROBLEM = 125;

/** The one refusal of `docker run` that the client tells as other commands tell theirs. */
class UsageRefusal extends Error {
  override readonly name = "UsageRefusal";

  constructor() {
    super("conflicting options: cannot specify both --attach and --detach");
  }
}

export const CREATE: DockerCommand = {
  path: "container create",
  aliases: ["create"],
  takes: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create a new container",
  flags: CREATE_FLAGS,
  least: 1,
  most: undefined,
  interspersed: false,
  run(process, context, flags, operands) {
    const container = create(context, flags, operands);
    if (typeof container === "string") throw new CommandError(1, container);
    process.stdout.write(`${container.id}\n`);
    return 0;
  },
};

export const RUN: DockerCommand = {
  path: "container run",
  aliases: ["run"],
  takes: "[OPTIONS] IMAGE [COMMAND] [ARG...]",
  summary: "Create and run a new container from an image",
  flags: RUN_FLAGS,
  least: 1,
  most: undefined,
  interspersed: false,
  *run(process, context, flags, operands) {
    try {
      return yield* runContainer(process, context, flags, operands);
    } catch (error) {
      if (error instanceof UsageRefusal) throw new CommandError(1, error.message);
      if (!(error instanceof CommandError)) throw error;
      throw inRun(error.message);
    }
  },
};

function* runContainer(process: Process, context: CommandContext, flags: Flags, operands: readonly string[]): Program {
  const detach = flags.bool("detach");
  if (detach && flags.has("attach")) throw new UsageRefusal();
  const container = create(context, flags, operands);
  if (typeof container === "string") throw inRun(container);
  const show = (line: LogLine) => process[line.stream].write(`${line.text}\n`);
  if (!detach) container.log.listeners.push(show);
  const refusal = yield* started(engineOf(context), container);
  if (detach) process.stdout.write(`${container.id}\n`);
  if (refusal !== undefined) {
    if (flags.bool("rm")) container.remove(true);
    throw inRun(refusalText(refusal));
  }
  if (detach) return 0;
  const status = yield* attended(process, container);
  const at = container.log.listeners.indexOf(show);
  if (at >= 0) container.log.listeners.splice(at, 1);
  return status;
}

/** Starts a container; for its places in networks of the swarm it waits. */
export function* started(engine: Engine, container: Container): Generator<Wait, Refusal | undefined, Wake> {
  const over = new WaitQueue();
  const ends: (Refusal | undefined)[] = [];
  let isOver = false;
  engine.startContainer(container, (refusal) => {
    isOver = true;
    ends.push(refusal);
    over.wake();
  });
  while (!isOver) yield { queues: [over] };
  return ends[0];
}

/** Waits for the container's end; signals go on to it. Its status. */
export function* attended(process: Process, container: Container): Generator<Wait, number, Wake> {
  while (container.running || container.state === "restarting") {
    const wake = yield { queues: [container.changed] };
    if (wake === "signal" && process.pendingSignal !== undefined) container.kill(process.pendingSignal);
  }
  return container.exitStatus;
}

/** A refusal as text. */
function create(context: CommandContext, flags: Flags, operands: readonly string[]): Container | string {
  const engine = engineOf(context);
  const container = engine.createContainer(readSpec(flags, operands, context, engine));
  return isRefusal(container) ? refusalText(container) : container;
}

function inRun(message: string): CommandError {
  if (message.startsWith("docker: ")) return new CommandError(CLIENT_PROBLEM, message);
  return new CommandError(CLIENT_PROBLEM, `docker: ${message}\n\nRun 'docker run --help' for more information`);
}
