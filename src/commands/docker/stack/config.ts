/** `docker stack config`. */
import { printStack } from "../../../swarm/stack/print-stack.ts";
import type { DockerCommand } from "../command.ts";
import { COMPOSE_FILE_FLAG, readStack } from "./stack-source.ts";

export const STACK_CONFIG: DockerCommand = {
  path: "stack config",
  takes: "[OPTIONS]",
  summary: "Outputs the final config file, after doing merges and interpolations",
  flags: [
    COMPOSE_FILE_FLAG,
    {
      name: "skip-interpolation",
      kind: "bool",
      usage: "Skip interpolation and output only merged config",
    },
  ],
  least: 0,
  most: 0,
  run(process, context, flags) {
    const { stack } = readStack(process, context, flags, { skipInterpolation: flags.bool("skip-interpolation") });
    process.stdout.write(printStack(stack));
    return 0;
  },
};
