/** The engine that a docker command speaks with, and its refusals in the client's words. */
import type { Engine } from "../../docker/engine.ts";
import { isRefusal, type Refusal } from "../../docker/refusal.ts";
import { CommandError } from "../command-error.ts";
import type { CommandContext } from "../word.ts";

const UNREACHABLE = "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?";

/** Throws a CommandError when none runs here. */
export function engineOf({ host }: CommandContext): Engine {
  const { engine } = host;
  if (engine === undefined || !engine.running) throw new CommandError(1, UNREACHABLE);
  return engine;
}

/** `Error response from daemon: …`. */
export function refusalText({ message }: Refusal): string {
  return `Error response from daemon: ${message}`;
}

/** What was asked for, unless it was refused: then a CommandError. */
export function granted<T extends object>(answer: T | Refusal): T {
  if (isRefusal(answer)) throw new CommandError(1, refusalText(answer));
  return answer as T;
}

/** Throws a CommandError when there is a refusal. */
export function expectNoRefusal(refusal: Refusal | undefined): void {
  if (refusal !== undefined) throw new CommandError(1, refusalText(refusal));
}
