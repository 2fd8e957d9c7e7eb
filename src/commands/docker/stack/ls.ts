/** `docker stack ls`, `docker stack services` and `docker stack ps`. */
import { taskFiltersShape } from "../../../swarm/api/control.ts";
import { STACK_LABEL } from "../../../swarm/stack/stack-labels.ts";
import { CommandError } from "../../command-error.ts";
import { clientOf, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { FORMAT_FLAG } from "../format-flag.ts";
import { naturalOrder } from "../natural-order.ts";
import { formatList, type ListForm } from "../output-format.ts";
import { LIST_FLAGS, printServices, selectServices } from "../service/ls.ts";
import { printTasks, TASK_FLAGS } from "../task/task-list.ts";
import { checkStackName, servicesOf } from "./stack-objects.ts";

const FORM: ListForm = {
  columns: [
    { field: "Name", heading: "NAME" },
    { field: "Services", heading: "SERVICES" },
  ],
  headings: {},
  goType: "*formatter.stackContext",
};

export const STACK_LS: DockerCommand = {
  path: "stack ls",
  aliases: ["stack list"],
  takes: "[OPTIONS]",
  summary: "List stacks",
  flags: [FORMAT_FLAG],
  least: 0,
  most: 0,
  *run(process, context, flags) {
    const { services } = yield* must(clientOf(context).call("ListServices", {}));
    const counts = new Map<string, number>();
    for (const { spec } of services) {
      const stack = spec.annotations.labels.get(STACK_LABEL);
      if (stack !== undefined) counts.set(stack, (counts.get(stack) ?? 0) + 1);
    }
    const rows = [...counts]
      .sort(([a], [b]) => naturalOrder(a, b))
      .map(([stack, count]) => ({ Name: stack, Services: String(count) }));
    process.stdout.write(formatList(flags.string("format"), FORM, rows));
    return 0;
  },
};

export const STACK_SERVICES: DockerCommand = {
  path: "stack services",
  takes: "[OPTIONS] STACK",
  summary: "List the services in the stack",
  flags: LIST_FLAGS,
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const stack = operands[0]!;
    checkStackName(stack);
    const client = clientOf(context);
    const services = selectServices(yield* servicesOf(client, stack), flags);
    if (services.length === 0) process.stderr.write(`Nothing found in stack: ${stack}\n`);
    else yield* printServices(process.stdout, client, flags, services);
    return 0;
  },
};

export const STACK_PS: DockerCommand = {
  path: "stack ps",
  takes: "[OPTIONS] STACK",
  summary: "List the tasks in the stack",
  flags: TASK_FLAGS.map((flag) => (flag.name === "format" ? FORMAT_FLAG : flag)),
  least: 1,
  most: 1,
  *run(process, context, flags, operands) {
    const stack = operands[0]!;
    checkStackName(stack);
    const client = clientOf(context);
    const filters = taskFiltersShape.make({ labels: new Map([[STACK_LABEL, stack]]) });
    const { tasks } = yield* must(client.call("ListTasks", { filters }));
    if (tasks.length === 0) throw new CommandError(1, `nothing found in stack: ${stack}`);
    yield* printTasks(process, client, flags, tasks);
    return 0;
  },
};
