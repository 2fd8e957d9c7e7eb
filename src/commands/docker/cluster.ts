/** The cluster that a docker command speaks with through the engine of its machine, and how it waits for answers. */
import { type Process, type Wait, WaitQueue, type Wake } from "../../linux/process.ts";
import { type Call, ControlClient, type Reply } from "../../swarm/control/control-client.ts";
import type { SwarmNode } from "../../swarm/swarm-node.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext } from "../word.ts";
import { engineOf } from "./daemon.ts";

/** A part of a program that comes to a value. */
export type Asking<T> = Generator<Wait, T, Wake>;

const INTERRUPTED = 130;
const NO_SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** `Error response from daemon: …`, as a CommandError. */
export function daemonError(message: string): CommandError {
  return new CommandError(1, `Error response from daemon: ${message}`);
}

/** Throws a CommandError when no engine runs here. */
export function swarmNodeOf(context: CommandContext): SwarmNode {
  engineOf(context);
  const { swarmNode } = context.host;
  if (swarmNode === undefined) throw daemonError(NO_SWARM);
  return swarmNode;
}

/** The cluster's API; throws a CommandError when this node is no manager. */
export function clientOf(context: CommandContext): ControlClient {
  const { control } = swarmNodeOf(context);
  if ("error" in control) throw daemonError(control.error);
  return new ControlClient(control.channel);
}

/** Waits for the answer of a call. */
export function* ask<T>(call: Call<T>): Asking<Reply<T>> {
  const answered = new WaitQueue();
  let reply: Reply<T> | undefined;
  const cancel = call((value) => {
    reply = value;
    answered.wake();
  });
  while (reply === undefined) {
    if ((yield { queues: [answered] }) !== "signal") continue;
    cancel();
    throw new CommandError(INTERRUPTED, "context canceled");
  }
  return reply;
}

/** The answer; an error ends the command. */
export function* must<T>(call: Call<T>): Asking<T> {
  const reply = yield* ask(call);
  if ("error" in reply) throw daemonError(reply.error);
  return reply.value;
}

/** Waits for what a node does: undefined when it went well, else why not. */
export function* outcome(act: (done: (error: string | undefined) => void) => void): Asking<void> {
  const reply = yield* ask<undefined>((done) => {
    act((error) => done(error === undefined ? { value: undefined } : { error }));
    return () => undefined;
  });
  if ("error" in reply) throw daemonError(reply.error);
}

/** Does something for each name; those for which it fails are told at the end. */
export function* forEach(
  process: Process,
  names: readonly string[],
  act: (name: string) => Asking<Reply<unknown>>,
): Asking<number> {
  const problems: string[] = [];
  for (const name of names) {
    const reply = yield* act(name);
    if ("error" in reply) problems.push(reply.error);
    else process.stdout.write(`${name}\n`);
  }
  if (problems.length > 0)
    throw new CommandError(1, problems.map((problem) => `Error response from daemon: ${problem}`).join("\n"));
  return 0;
}
