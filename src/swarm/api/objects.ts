/** What the managers keep (swarmkit api/objects.proto): each object is a spec and what became of it. Numbers of fields are swarmkit's. */
import {
  choice,
  embedded,
  flag,
  identifier64,
  type MessageOf,
  mapped,
  message,
  octets,
  optional,
  repeated,
  text,
  textMap,
  texts,
  uint,
} from "../../wire/protobuf-message.ts";
import {
  annotationsShape,
  driverShape,
  endpointShape,
  ipamOptionsShape,
  metaShape,
  platformShape,
  portConfigShape,
  resourcesShape,
  timestamp,
  versionShape,
} from "./parts.ts";
import {
  clusterSpecShape,
  configSpecShape,
  NODE_ROLES,
  networkSpecShape,
  nodeSpecShape,
  secretSpecShape,
  serviceSpecShape,
  taskSpecShape,
} from "./specs.ts";
import { TASK_STATES, type TaskState, taskStateOf } from "./task-state.ts";

function taskState(number: number) {
  return mapped(uint(number), (state: TaskState) => TASK_STATES[state], taskStateOf);
}

export const nodeDescriptionShape = message({
  hostname: text(1),
  platform: optional(2, platformShape),
  resources: optional(3, resourcesShape),
  engine: optional(
    4,
    message({
      engineVersion: text(1),
      labels: textMap(2),
      plugins: repeated(3, message({ type: text(1), name: text(2) })),
    }),
  ),
});
export type NodeDescription = MessageOf<typeof nodeDescriptionShape>;

export const nodeStatusShape = message({
  state: choice(1, ["unknown", "down", "ready", "disconnected"]),
  message: text(2),
  address: text(3),
});
export type NodeStatus = MessageOf<typeof nodeStatusShape>;

export const managerStatusShape = message({
  raftId: identifier64(1),
  /** `address:port` of the manager's API. */
  address: text(2),
  leader: flag(3),
  reachability: choice(4, ["unknown", "unreachable", "reachable"]),
});
export type ManagerStatus = MessageOf<typeof managerStatusShape>;

export const certificateShape = message({
  role: choice(1, NODE_ROLES),
  csr: octets(2),
  status: embedded(
    3,
    message({ state: choice(1, ["unknown", "renew", "pending", "issued", "failed", "rotate"]), error: text(2) }),
  ),
  /** In PEM. */
  certificate: octets(4),
  commonName: text(5),
});
export type Certificate = MessageOf<typeof certificateShape>;

export const networkShape = message({
  id: text(1),
  meta: embedded(2, metaShape),
  spec: embedded(3, networkSpecShape),
  /** What the driver was given: the VNIs, in `com.docker.network.driver.overlay.vxlanid_list`. */
  driverState: optional(4, driverShape),
  ipam: optional(5, ipamOptionsShape),
});
export type Network = MessageOf<typeof networkShape>;

/** A network with all that an agent must know of it, and the addresses (with prefix length) got in it. */
export const networkAttachmentShape = message({
  network: optional(1, networkShape),
  addresses: texts(2),
  aliases: texts(3),
  driverOptions: textMap(4),
});
export type NetworkAttachment = MessageOf<typeof networkAttachmentShape>;

export const nodeShape = message({
  id: text(1),
  meta: embedded(2, metaShape),
  spec: embedded(3, nodeSpecShape),
  description: optional(4, nodeDescriptionShape),
  status: embedded(5, nodeStatusShape),
  managerStatus: optional(6, managerStatusShape),
  certificate: embedded(8, certificateShape),
  /** What the node is; the spec says what it is to be. */
  role: choice(9, NODE_ROLES),
  /** The load balancers' addresses of this node, one a network. */
  attachments: repeated(10, networkAttachmentShape),
  vxlanUdpPort: uint(11),
});
export type Node = MessageOf<typeof nodeShape>;

export const UPDATE_STATES = [
  "unknown",
  "updating",
  "paused",
  "completed",
  "rollback_started",
  "rollback_paused",
  "rollback_completed",
] as const;
export const updateStatusShape = message({
  state: choice(1, UPDATE_STATES),
  startedAt: timestamp(2),
  completedAt: timestamp(3),
  message: text(4),
});
export type UpdateStatus = MessageOf<typeof updateStatusShape>;

export const serviceShape = message({
  id: text(1),
  meta: embedded(2, metaShape),
  spec: embedded(3, serviceSpecShape),
  endpoint: optional(4, endpointShape),
  updateStatus: optional(5, updateStatusShape),
  previousSpec: optional(6, serviceSpecShape),
  specVersion: optional(10, versionShape),
  previousSpecVersion: optional(11, versionShape),
  jobStatus: optional(12, message({ jobIteration: embedded(1, versionShape), lastExecution: timestamp(2) })),
});
export type Service = MessageOf<typeof serviceShape>;

export const taskStatusShape = message({
  timestamp: timestamp(1),
  state: taskState(2),
  message: text(3),
  error: text(4),
  container: optional(5, message({ containerId: text(1), pid: uint(2), exitCode: uint(3) })),
  /** Host-mode ports as the node bound them. */
  portStatus: optional(6, message({ ports: repeated(1, portConfigShape) })),
  appliedBy: text(7),
  appliedAt: timestamp(8),
});
export type TaskStatus = MessageOf<typeof taskStatusShape>;

export const taskShape = message({
  id: text(1),
  meta: embedded(2, metaShape),
  spec: embedded(3, taskSpecShape),
  serviceId: text(4),
  /** 1 and up in replicated services, 0 in global ones. */
  slot: uint(5),
  nodeId: text(6),
  annotations: embedded(7, annotationsShape),
  serviceAnnotations: embedded(8, annotationsShape),
  status: embedded(9, taskStatusShape),
  desiredState: taskState(10),
  networks: repeated(11, networkAttachmentShape),
  endpoint: optional(12, endpointShape),
  logDriver: optional(13, driverShape),
  specVersion: optional(14, versionShape),
  jobIteration: optional(16, versionShape),
});
export type Task = MessageOf<typeof taskShape>;

export const encryptionKeyShape = message({
  subsystem: text(1),
  algorithm: choice(2, ["aes-128-gcm"]),
  key: octets(3),
  lamportTime: uint(4),
});
export type EncryptionKey = MessageOf<typeof encryptionKeyShape>;

export const rootCaShape = message({
  /** In PEM. */
  caKey: octets(1),
  caCert: octets(2),
  /** SHA-256 of the certificate, in hex with `sha256:` in front. */
  caCertHash: text(3),
  joinTokens: embedded(4, message({ worker: text(1), manager: text(2) })),
  lastForcedRotation: uint(6),
});

export const clusterShape = message({
  id: text(1),
  meta: embedded(2, metaShape),
  spec: embedded(3, clusterSpecShape),
  rootCa: embedded(4, rootCaShape),
  networkBootstrapKeys: repeated(5, encryptionKeyShape),
  encryptionKeyLamportClock: uint(6),
  unlockKeys: repeated(9, encryptionKeyShape),
  defaultAddressPool: texts(11),
  subnetSize: uint(12),
  vxlanUdpPort: uint(13),
});
export type Cluster = MessageOf<typeof clusterShape>;

export const secretShape = message({
  id: text(1),
  meta: embedded(2, metaShape),
  spec: embedded(3, secretSpecShape),
  internal: flag(4),
});
export type Secret = MessageOf<typeof secretShape>;

export const configShape = message({ id: text(1), meta: embedded(2, metaShape), spec: embedded(3, configSpecShape) });
export type Config = MessageOf<typeof configShape>;
