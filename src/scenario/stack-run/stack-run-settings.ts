/** What a run of a stack file is made from. */
import type { Nanoseconds } from "../../sim/time.ts";
import type { LoadedStack } from "../../swarm/stack/load-stack.ts";
import type { LabelledNode } from "./auto-labels.ts";

export interface StackRunSettings {
  /** What the stack is called, and the run. */
  readonly name: string;
  readonly loaded: LoadedStack;
  /** The stack files by their absolute paths, in the order in which they are merged. */
  readonly files: readonly { readonly path: string; readonly text: string }[];
  /** Other files that the stack names, by their absolute paths. */
  readonly texts: ReadonlyMap<string, string>;
  readonly environment: ReadonlyMap<string, string>;
  readonly nodes: readonly LabelledNode[];
  readonly autoLabel: boolean;
  /** External secrets, configs and networks are made before. */
  readonly createExternal: boolean;
  readonly seed: string;
  readonly capture: readonly string[] | undefined;
  /** The run goes on until then, if it has not ended yet. */
  readonly until: Nanoseconds | undefined;
  /** 2377 and gossip as a real swarm has them, not in clear. */
  readonly isSealed: boolean;
}
