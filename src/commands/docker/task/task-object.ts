/** A task as `docker inspect` shows it (moby api/types/swarm/task.go). */
import type { Task } from "../../../swarm/api/objects.ts";
import { goTime, type Shown } from "../go-text.ts";
import { swarmNetworkObject } from "../network/swarm-network.ts";
import { portObject, taskSpecObject } from "../service/service-object.ts";

export function taskObject(task: Task): Shown {
  const { id, meta, spec, serviceId, slot, nodeId, status, desiredState, networks, jobIteration } = task;
  const { container, portStatus } = status;
  return {
    ID: id,
    Version: { Index: meta.version.index },
    CreatedAt: goTime(meta.createdAt),
    UpdatedAt: goTime(meta.updatedAt),
    Labels: task.annotations.labels,
    Spec: taskSpecObject(spec),
    ServiceID: serviceId,
    ...(slot !== 0 && { Slot: slot }),
    ...(nodeId !== "" && { NodeID: nodeId }),
    Status: {
      Timestamp: goTime(status.timestamp),
      State: status.state,
      Message: status.message,
      ...(status.error !== "" && { Err: status.error }),
      ...(container !== undefined && {
        ContainerStatus: { ContainerID: container.containerId, PID: container.pid, ExitCode: container.exitCode },
      }),
      PortStatus:
        portStatus === undefined || portStatus.ports.length === 0 ? {} : { Ports: portStatus.ports.map(portObject) },
    },
    DesiredState: desiredState,
    NetworksAttachments: networks.map(({ network, addresses }) => ({
      Network: network === undefined ? {} : swarmNetworkObject(network),
      Addresses: addresses,
    })),
    ...(jobIteration !== undefined && { JobIteration: { Index: jobIteration.index } }),
    Volumes: null,
  };
}
