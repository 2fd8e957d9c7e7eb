/** Settings of the whole cluster, as `docker swarm init` and `docker swarm update` take them. */
import type { ClusterSpec } from "../../../swarm/api/specs.ts";
import type { ClusterOptions } from "../../../swarm/manager/first-objects.ts";
import type { FlagDefinition, Flags } from "../flags.ts";

export const CLUSTER_FLAGS: readonly FlagDefinition[] = [
  {
    name: "cert-expiry",
    kind: "duration",
    usage: "Validity period for node certificates (ns|us|ms|s|m|h)",
    byDefault: "2160h0m0s",
  },
  {
    name: "dispatcher-heartbeat",
    kind: "duration",
    usage: "Dispatcher heartbeat period (ns|us|ms|s|m|h)",
    byDefault: "5s",
  },
  { name: "external-ca", kind: "external-ca", usage: "Specifications of one or more certificate signing endpoints" },
  { name: "max-snapshots", kind: "uint", usage: "Number of additional Raft snapshots to retain" },
  {
    name: "snapshot-interval",
    kind: "uint",
    usage: "Number of log entries between Raft snapshots",
    byDefault: "10000",
  },
  { name: "task-history-limit", kind: "int", usage: "Task history retention limit", byDefault: "5" },
];

/** Those that were given. */
export function clusterOptionsOf(flags: Flags): Partial<ClusterOptions> {
  const certificateExpiryNs = flags.durationNs("cert-expiry");
  const dispatcherHeartbeatNs = flags.durationNs("dispatcher-heartbeat");
  const keepOldSnapshots = flags.int("max-snapshots");
  const snapshotInterval = flags.int("snapshot-interval");
  const taskHistoryLimit = flags.int("task-history-limit");
  return {
    ...(certificateExpiryNs !== undefined && { certificateExpiryNs }),
    ...(dispatcherHeartbeatNs !== undefined && { dispatcherHeartbeatNs }),
    ...(keepOldSnapshots !== undefined && { keepOldSnapshots }),
    ...(snapshotInterval !== undefined && { snapshotInterval }),
    ...(taskHistoryLimit !== undefined && { taskHistoryLimit }),
  };
}

export function mergedClusterSpec(spec: ClusterSpec, flags: Flags): ClusterSpec {
  const options = clusterOptionsOf(flags);
  const { orchestration, raft, dispatcher, ca } = spec;
  return {
    ...spec,
    orchestration: { taskHistoryRetentionLimit: options.taskHistoryLimit ?? orchestration.taskHistoryRetentionLimit },
    raft: {
      snapshotInterval: options.snapshotInterval ?? raft.snapshotInterval,
      keepOldSnapshots: options.keepOldSnapshots ?? raft.keepOldSnapshots,
    },
    dispatcher: { heartbeatPeriod: options.dispatcherHeartbeatNs ?? dispatcher.heartbeatPeriod },
    ca: { ...ca, nodeCertExpiry: options.certificateExpiryNs ?? ca.nodeCertExpiry },
    autoLockManagers: flags.bool("autolock", spec.autoLockManagers),
  };
}
