/** What `docker info` says of the swarm (moby daemon/cluster, Info; docker/cli command/system/info.go). */
import type { Cluster, Node } from "../../../swarm/api/objects.ts";
import { localAddressTo, parseHostPort } from "../../../swarm/node-addresses.ts";
import { formatIpv4 } from "../../../wire/address.ts";
import type { CommandContext } from "../../word.ts";
import { type Asking, ask, clientOf } from "../cluster.ts";
import type { Shown } from "../go-text.ts";
import { humanDuration } from "../human-time.ts";

const RAFT = { heartbeatTicks: 1, electionTicks: 10 };
const DEFAULT_POOL = ["10.0.0.0/8"];
const DEFAULT_SUBNET = 24;
const DEFAULT_DATA_PORT = 4_789;

export interface SwarmInfo {
  readonly state: string;
  readonly nodeId: string;
  readonly address: string;
  readonly isManager: boolean;
  readonly error: string;
  readonly managerAddresses: readonly string[];
  /** Of a manager that the leader answers. */
  readonly cluster: Cluster | undefined;
  readonly nodes: readonly Node[];
}

export function* swarmInfo(context: CommandContext): Asking<SwarmInfo> {
  const { swarmNode } = context.host;
  const base = {
    state: swarmNode?.state ?? "inactive",
    nodeId: swarmNode?.nodeId ?? "",
    address: addressOf(context),
    isManager: false,
    error: swarmNode?.error ?? "",
    managerAddresses: swarmNode?.managerAddresses ?? [],
    cluster: undefined,
    nodes: [],
  };
  if (swarmNode === undefined || "error" in swarmNode.control) return base;
  const client = clientOf(context);
  const clusters = yield* ask(client.call("ListClusters", {}));
  if ("error" in clusters) return { ...base, isManager: true, error: clusters.error };
  const nodes = yield* ask(client.call("ListNodes", {}));
  if ("error" in nodes) return { ...base, isManager: true, error: nodes.error };
  return { ...base, isManager: true, cluster: clusters.value.clusters[0], nodes: nodes.value.nodes };
}

/** As it was said, or that by which the node reaches the manager that it joined. */
function addressOf({ host }: CommandContext): string {
  const config = host.swarmNode?.config;
  if (config === undefined) return "";
  const remote = parseHostPort(config.joinAddress ?? "")?.address;
  const own = remote === undefined ? undefined : localAddressTo(host.namespace, remote);
  const address = config.advertise?.address ?? own;
  return address === undefined ? "" : formatIpv4(address);
}

export function swarmInfoText(info: SwarmInfo): string {
  const { state, nodeId, address, isManager, error, managerAddresses, cluster, nodes } = info;
  const lines = [` Swarm: ${state}`];
  if (state === "inactive" || state === "locked") return `${lines[0]}\n`;
  lines.push(`  NodeID: ${nodeId}`);
  if (error !== "") lines.push(`  Error: ${error}`);
  lines.push(`  Is Manager: ${isManager}`);
  if (cluster !== undefined && error === "" && state !== "error") lines.push(...clusterLines(cluster, nodes));
  lines.push(`  Node Address: ${address}`);
  if (managerAddresses.length > 0) lines.push("  Manager Addresses:");
  for (const manager of managerAddresses) lines.push(`   ${manager}`);
  return `${lines.join("\n")}\n`;
}

function clusterLines(cluster: Cluster, nodes: readonly Node[]): string[] {
  const { spec } = cluster;
  const pools = cluster.defaultAddressPool.length > 0 ? cluster.defaultAddressPool : DEFAULT_POOL;
  return [
    `  ClusterID: ${cluster.id}`,
    `  Managers: ${nodes.filter(({ managerStatus }) => managerStatus !== undefined).length}`,
    `  Nodes: ${nodes.length}`,
    `  Default Address Pool: ${pools.map((pool) => `${pool}  `).join("")}`,
    `  SubnetSize: ${cluster.subnetSize || DEFAULT_SUBNET}`,
    `  Data Path Port: ${cluster.vxlanUdpPort || DEFAULT_DATA_PORT}`,
    "  Orchestration:",
    `   Task History Retention Limit: ${spec.orchestration.taskHistoryRetentionLimit}`,
    "  Raft:",
    `   Snapshot Interval: ${spec.raft.snapshotInterval}`,
    `   Number of Old Snapshots to Retain: ${spec.raft.keepOldSnapshots}`,
    `   Heartbeat Tick: ${RAFT.heartbeatTicks}`,
    `   Election Tick: ${RAFT.electionTicks}`,
    "  Dispatcher:",
    `   Heartbeat Period: ${humanDuration(spec.dispatcher.heartbeatPeriod ?? 0)}`,
    "  CA Configuration:",
    `   Expiry Duration: ${humanDuration(spec.ca.nodeCertExpiry ?? 0)}`,
    `   Force Rotate: ${spec.ca.forceRotate}`,
    `  Autolock Managers: ${spec.autoLockManagers}`,
    "  Root Rotation In Progress: false",
  ];
}

export function swarmInfoObject(info: SwarmInfo): { readonly [field: string]: Shown } {
  const { state, nodeId, address, isManager, error, managerAddresses, cluster, nodes } = info;
  return {
    NodeID: nodeId,
    NodeAddr: address,
    LocalNodeState: state,
    ControlAvailable: isManager,
    Error: error,
    RemoteManagers: managerAddresses.length === 0 ? null : managerAddresses.map((Addr) => ({ Addr })),
    ...(cluster !== undefined && {
      Nodes: nodes.length,
      Managers: nodes.filter(({ managerStatus }) => managerStatus !== undefined).length,
      Cluster: { ID: cluster.id, Version: { Index: cluster.meta.version.index } },
    }),
  };
}
