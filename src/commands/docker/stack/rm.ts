/** `docker stack rm`: services, then secrets and configs, then networks; what cannot be removed is told, and the rest goes on. */
import type { Process } from "../../../linux/process.ts";
import { MILLISECOND } from "../../../sim/time.ts";
import { taskFiltersShape } from "../../../swarm/api/control.ts";
import type { Service } from "../../../swarm/api/objects.ts";
import { isBeyond } from "../../../swarm/api/task-state.ts";
import type { ControlClient, Reply } from "../../../swarm/control/control-client.ts";
import { STACK_LABEL } from "../../../swarm/stack/stack-labels.ts";
import { CommandError } from "../../command-error.ts";
import { type Asking, ask, clientOf, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { checkStackName, configsOf, networksOf, secretsOf, servicesOf } from "./stack-objects.ts";

const POLL_NS = 500 * MILLISECOND;

export const STACK_RM: DockerCommand = {
  path: "stack rm",
  aliases: ["stack remove", "stack down"],
  takes: "[OPTIONS] STACK [STACK...]",
  summary: "Remove one or more stacks",
  flags: [{ name: "detach", letter: "d", kind: "bool", usage: "Do not wait for stack removal", byDefault: "true" }],
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    for (const stack of operands) checkStackName(stack);
    const client = clientOf(context);
    const problems: string[] = [];
    for (const stack of operands) {
      if (!(yield* removeStack(process, client, stack)))
        problems.push(`failed to remove some resources from stack: ${stack}`);
      else if (!flags.bool("detach", true)) yield* waitForTasks(process, client, stack);
    }
    if (problems.length > 0) throw new CommandError(1, problems.join("\n"));
    return 0;
  },
};

interface Named {
  readonly id: string;
  readonly spec: { readonly annotations: { readonly name: string } };
}
type Removal = "RemoveService" | "RemoveSecret" | "RemoveConfig" | "RemoveNetwork";

/** False: something is still there. */
function* removeStack(process: Process, client: ControlClient, stack: string): Asking<boolean> {
  const services = yield* servicesOf(client, stack);
  const networks = yield* networksOf(client, stack);
  const secrets = yield* secretsOf(client, stack);
  const configs = yield* configsOf(client, stack);
  if (services.length + networks.length + secrets.length + configs.length === 0) {
    process.stderr.write(`Nothing found in stack: ${stack}\n`);
    return true;
  }
  let allGone = yield* removeServices(process, client, services);
  allGone = (yield* removeEach(process, client, "secret", "RemoveSecret", secrets)) && allGone;
  allGone = (yield* removeEach(process, client, "config", "RemoveConfig", configs)) && allGone;
  return (yield* removeEach(process, client, "network", "RemoveNetwork", networks)) && allGone;
}

export function* removeServices(
  process: Process,
  client: ControlClient,
  services: readonly Service[],
): Asking<boolean> {
  return yield* removeEach(process, client, "service", "RemoveService", services);
}

function* removeEach(
  process: Process,
  client: ControlClient,
  kind: string,
  method: Removal,
  objects: readonly Named[],
): Asking<boolean> {
  let allGone = true;
  const nameOf = ({ spec }: Named) => spec.annotations.name;
  for (const object of [...objects].sort((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1))) {
    process.stdout.write(`Removing ${kind} ${nameOf(object)}\n`);
    const reply: Reply<unknown> = yield* ask(client.call(method, { id: object.id }));
    if (!("error" in reply)) continue;
    allGone = false;
    // The client forgets to end the line.
    process.stderr.write(`Failed to remove ${kind} ${object.id}: Error response from daemon: ${reply.error}`);
  }
  return allGone;
}

/** Until no task of the stack has still to end. */
function* waitForTasks(process: Process, client: ControlClient, stack: string): Asking<void> {
  const filters = taskFiltersShape.make({ labels: new Map([[STACK_LABEL, stack]]) });
  for (;;) {
    const { tasks } = yield* must(client.call("ListTasks", { filters }));
    if (tasks.every(({ status }) => isBeyond(status.state, "running"))) return;
    if ((yield { queues: [], untilNs: process.clock.nowNs + POLL_NS }) === "signal") return;
  }
}
