/** What the swarm commands tell people to do next (docker/cli command/swarm): how to join, how to unlock. */

import { SECOND } from "../../../sim/time.ts";
import type { Cluster } from "../../../swarm/api/objects.ts";
import type { NodeRole } from "../../../swarm/api/specs.ts";
import { GET_UNLOCK_KEY, unlockKeyResponseShape } from "../../../swarm/ca/ca-shapes.ts";
import type { Call, ControlClient } from "../../../swarm/control/control-client.ts";
import { formatStatus } from "../../../swarm/grpc/status.ts";
import { formatUnlockKey } from "../../../swarm/identifiers.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, clientOf, daemonError, must, swarmNodeOf } from "../cluster.ts";

const TIMEOUT_NS = 20 * SECOND;
const EMPTY = new Uint8Array(0);

export function* theCluster(client: ControlClient): Asking<Cluster> {
  const { clusters } = yield* must(client.call("ListClusters", {}));
  const [cluster] = clusters;
  if (cluster === undefined) throw daemonError("rpc error: code = Unknown desc = object does not exist");
  return cluster;
}

/** "" when this node is no manager. */
export function* joinText(context: CommandContext, nodeId: string, role: NodeRole): Asking<string> {
  const client = clientOf(context);
  const { managerStatus } = yield* must(client.find("node", nodeId));
  const { rootCa } = yield* theCluster(client);
  if (managerStatus === undefined) return "";
  const command = `docker swarm join --token ${rootCa.joinTokens[role]} ${managerStatus.address}`;
  return `To add a ${role} to this swarm, run the following command:\n\n    ${command}\n\n`;
}

/** Undefined: managers are not locked. */
export function* unlockKey(context: CommandContext): Asking<string | undefined> {
  clientOf(context);
  const { control } = swarmNodeOf(context);
  if ("error" in control) throw daemonError(control.error);
  const call: Call<Uint8Array> = (done) =>
    control.channel.unary(GET_UNLOCK_KEY, EMPTY, TIMEOUT_NS, (result) => {
      if ("status" in result) done({ error: formatStatus(result.status) });
      else done({ value: unlockKeyResponseShape.parse(result.response)?.unlockKey ?? EMPTY });
    });
  const key = yield* must(call);
  return key.length === 0 ? undefined : formatUnlockKey(key);
}

export function unlockText(key: string): string {
  return (
    "To unlock a swarm manager after it restarts, run the `docker swarm unlock`\n" +
    `command and provide the following key:\n\n    ${key}\n\n` +
    "Remember to store this key in a password manager, since without it you\n" +
    "will not be able to restart the manager.\n"
  );
}
