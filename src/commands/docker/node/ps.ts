/** `docker node ps`. */

import { taskFiltersShape } from "../../../swarm/api/control.ts";
import type { Task } from "../../../swarm/api/objects.ts";
import { ask, clientOf, must } from "../cluster.ts";
import type { DockerCommand } from "../command.ts";
import { printTasks, TASK_FLAGS } from "../task/task-list.ts";
import { findNode } from "./node-reference.ts";

export const NODE_PS: DockerCommand = {
  path: "node ps",
  takes: "[OPTIONS] [NODE...]",
  summary: "List tasks running on one or more nodes, defaults to current node",
  flags: TASK_FLAGS,
  least: 0,
  most: undefined,
  *run(process, context, flags, operands) {
    const client = clientOf(context);
    const tasks: Task[] = [];
    let problems = "";
    for (const name of operands.length === 0 ? ["self"] : operands) {
      const node = yield* ask(findNode(context, client, name));
      if ("error" in node) {
        problems += `Error response from daemon: ${node.error}\n`;
        continue;
      }
      const filters = taskFiltersShape.make({ nodeIds: [node.value.id] });
      tasks.push(...(yield* must(client.call("ListTasks", { filters }))).tasks);
    }
    if (problems === "" || tasks.length > 0) yield* printTasks(process, client, flags, tasks);
    process.stderr.write(problems);
    return problems === "" ? 0 : 1;
  },
};
