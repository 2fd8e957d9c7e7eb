/** `docker inspect` of what the managers keep: networks, services, tasks, nodes, secrets and configs, in the order in which the client tries them. */
import { ControlClient } from "../../swarm/control/control-client.ts";
import type { CommandContext } from "../word.ts";
import { type Asking, ask } from "./cluster.ts";
import type { Shown } from "./go-text.ts";
import { findSwarmNetwork, swarmNetworkObject } from "./network/swarm-network.ts";
import { nodeObject } from "./node/inspect.ts";
import { fileObject } from "./secret/file-objects.ts";
import { serviceObject } from "./service/service-object.ts";
import { taskObject } from "./task/task-object.ts";

/** Undefined: there is no such thing, or this node is no manager. */
export function* findInSwarm(context: CommandContext, name: string, type: string | undefined): Asking<Shown> {
  const control = context.host.swarmNode?.control;
  if (control === undefined || "error" in control) return undefined;
  const client = new ControlClient(control.channel);
  const isMeant = (kind: string) => type === undefined || type === kind;
  if (isMeant("network")) {
    const network = yield* findSwarmNetwork(context, name);
    if (network !== undefined) return swarmNetworkObject(network);
  }
  if (isMeant("service")) {
    const service = yield* ask(client.find("service", name));
    if ("value" in service) return serviceObject(service.value);
  }
  if (isMeant("task")) {
    const task = yield* ask(client.find("task", name));
    if ("value" in task) return taskObject(task.value);
  }
  if (isMeant("node")) {
    const node = yield* ask(client.find("node", name));
    if ("value" in node) return nodeObject(node.value);
  }
  if (isMeant("secret")) {
    const secret = yield* ask(client.find("secret", name));
    if ("value" in secret) return fileObject("secret", secret.value);
  }
  if (isMeant("config")) {
    const config = yield* ask(client.find("config", name));
    if ("value" in config) return fileObject("config", config.value);
  }
  return undefined;
}
