/** `docker service ps`. */
import { taskFiltersShape } from "../../../swarm/api/control.ts";
import { CommandError } from "../../command-error.ts";
import { ask, clientOf, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { printTasks, TASK_FLAGS } from "../task/task-list.ts";

export const SERVICE_PS: DockerCommand = {
  path: "service ps",
  takes: "[OPTIONS] SERVICE [SERVICE...]",
  summary: "List the tasks of one or more services",
  flags: TASK_FLAGS,
  least: 1,
  most: undefined,
  *run(process, context, flags, operands) {
    const client = clientOf(context);
    const serviceIds: string[] = [];
    const problems: string[] = [];
    for (const name of operands) {
      const found = yield* ask(client.find("service", name));
      if ("value" in found) serviceIds.push(found.value.id);
      else
        problems.push(
          found.error === `service ${name} not found`
            ? `no such service: ${name}`
            : `Error response from daemon: ${found.error}`,
        );
    }
    if (serviceIds.length > 0) {
      const filters = taskFiltersShape.make({ serviceIds });
      const { tasks } = yield* must(client.call("ListTasks", { filters }));
      yield* printTasks(process, client, flags, tasks);
    }
    if (problems.length > 0) throw new CommandError(1, problems.join("\n"));
    return 0;
  },
};
