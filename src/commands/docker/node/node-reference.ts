/** How users name nodes: `self`, a hostname, an id or the beginning of one. */
import type { Node } from "../../../swarm/api/objects.ts";
import type { Call, ControlClient } from "../../../swarm/control/control-client.ts";
import { CommandError } from "../../command-error.ts";
import type { CommandContext } from "../../word.ts";
import { swarmNodeOf } from "../cluster.ts";

export function findNode(context: CommandContext, client: ControlClient, name: string): Call<Node> {
  if (name !== "self") return client.find("node", name);
  const { nodeId } = swarmNodeOf(context);
  if (nodeId === undefined) throw new CommandError(1, "node ID not found in /info");
  return client.find("node", nodeId);
}
