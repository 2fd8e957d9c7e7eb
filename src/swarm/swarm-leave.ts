/** Why a node should not leave the swarm without `--force` (moby daemon/cluster/swarm.go, Leave). */
import type { Manager } from "./manager/manager.ts";

const INTRODUCTION = "You are attempting to leave the swarm on a node that is participating as a manager. ";
const CONCLUSION =
  "The only way to restore a swarm that has lost consensus is to reinitialize it with `--force-new-cluster`. " +
  "Use `--force` to suppress this message.";

/** Undefined: nothing speaks against it; a worker may leave at any time. */
export function refuseLeaving(manager: Manager | undefined, nodeId: string | undefined): string | undefined {
  if (manager === undefined) return undefined;
  if (manager.channel === undefined)
    return `${INTRODUCTION}Doing so may lose the consensus of your cluster. ${CONCLUSION}`;
  const managers = [...manager.managers];
  const reachable = managers.filter(([, { reachability }]) => reachability === "reachable").length;
  const isReachable = managers.some(([id, { reachability }]) => id === nodeId && reachability === "reachable");
  if (isReachable && reachable === 1 && managers.length === 1) {
    const last =
      "Removing the last manager erases all current state of the swarm. Use `--force` to ignore this message. ";
    return INTRODUCTION + last;
  }
  if (!isReachable || reachable - 1 > Math.floor(managers.length / 2)) return INTRODUCTION + CONCLUSION;
  const rest = `Removing this node leaves ${reachable - 1} managers out of ${managers.length}. `;
  return `${INTRODUCTION}${rest}Without a Raft quorum your swarm will be inaccessible. ${CONCLUSION}`;
}
