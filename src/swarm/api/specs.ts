/** What users ask for (swarmkit api/specs.proto): the system honours a spec and never changes it. Numbers of fields are swarmkit's. */
import {
  choice,
  embedded,
  flag,
  float,
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
  duration,
  endpointSpecShape,
  ipamOptionsShape,
  platformShape,
  resourceRequirementsShape,
} from "./parts.ts";

export const NODE_ROLES = ["worker", "manager"] as const;
export type NodeRole = (typeof NODE_ROLES)[number];

export const nodeSpecShape = message({
  annotations: embedded(1, annotationsShape),
  desiredRole: choice(2, NODE_ROLES),
  membership: choice(3, ["pending", "accepted"]),
  availability: choice(4, ["active", "pause", "drain"]),
});
export type NodeSpec = MessageOf<typeof nodeSpecShape>;

export const mountShape = message({
  type: choice(1, ["bind", "volume", "tmpfs", "npipe", "cluster"]),
  source: text(2),
  target: text(3),
  readOnly: flag(4),
  volumeDriver: optional(6, message({ noCopy: flag(1), labels: textMap(2), driver: optional(3, driverShape) })),
});
export type Mount = MessageOf<typeof mountShape>;

const fileTargetShape = message({ name: text(1), uid: text(2), gid: text(3), mode: uint(4) });
export const secretReferenceShape = message({
  secretId: text(1),
  secretName: text(2),
  file: optional(3, fileTargetShape),
});
export type SecretReference = MessageOf<typeof secretReferenceShape>;
export const configReferenceShape = message({
  configId: text(1),
  configName: text(2),
  file: optional(3, fileTargetShape),
});
export type ConfigReference = MessageOf<typeof configReferenceShape>;

/** `test` as in a Dockerfile: NONE, CMD arguments…, CMD-SHELL line; empty: inherited (none here). */
export const healthConfigShape = message({
  test: texts(1),
  interval: duration(2),
  timeout: duration(3),
  retries: uint(4),
  startPeriod: duration(5),
  startInterval: duration(6),
});
export type HealthConfig = MessageOf<typeof healthConfigShape>;

const dnsConfigShape = message({ nameservers: texts(1), search: texts(2), options: texts(3) });

export const containerSpecShape = message({
  image: text(1),
  labels: textMap(2),
  command: texts(3),
  args: texts(4),
  env: texts(5),
  dir: text(6),
  user: text(7),
  mounts: repeated(8, mountShape),
  stopGracePeriod: duration(9),
  groups: texts(11),
  secrets: repeated(12, secretReferenceShape),
  tty: flag(13),
  hostname: text(14),
  dns: optional(15, dnsConfigShape),
  healthcheck: optional(16, healthConfigShape),
  /** Lines of /etc/hosts: address, space, name. */
  hosts: texts(17),
  openStdin: flag(18),
  readOnly: flag(19),
  stopSignal: text(20),
  configs: repeated(21, configReferenceShape),
  isolation: text(24),
  init: flag(23),
  sysctls: textMap(26),
  capabilityAdd: texts(27),
  capabilityDrop: texts(28),
});
export type ContainerSpec = MessageOf<typeof containerSpecShape>;

export const restartPolicyShape = message({
  condition: choice(1, ["none", "on-failure", "any"]),
  delay: duration(2),
  /** 0: no limit. */
  maxAttempts: uint(3),
  window: duration(4),
});
export type RestartPolicy = MessageOf<typeof restartPolicyShape>;

/** Absent durations hold the defaults of facts 8.7. Parallelism 0: all at once. */
export const updateConfigShape = message({
  parallelism: uint(1),
  delay: duration(2),
  failureAction: choice(3, ["pause", "continue", "rollback"]),
  monitor: duration(4),
  maxFailureRatio: float(5),
  order: choice(6, ["stop-first", "start-first"]),
});
export type UpdateConfig = MessageOf<typeof updateConfigShape>;

const spreadShape = message({ descriptor: text(1) });
export const placementShape = message({
  constraints: texts(1),
  preferences: repeated(2, message({ spread: optional(1, spreadShape) })),
  platforms: repeated(3, platformShape),
  /** 0: no limit. */
  maxReplicas: uint(4),
});
export type Placement = MessageOf<typeof placementShape>;

/** `target` is an id in the store; aliases are names of the service in the network. */
export const networkAttachmentConfigShape = message({
  target: text(1),
  aliases: texts(2),
  addresses: texts(3),
  driverOptions: textMap(4),
});
export type NetworkAttachmentConfig = MessageOf<typeof networkAttachmentConfigShape>;

export const taskSpecShape = message({
  container: optional(1, containerSpecShape),
  resources: optional(2, resourceRequirementsShape),
  restart: optional(4, restartPolicyShape),
  placement: optional(5, placementShape),
  logDriver: optional(6, driverShape),
  networks: repeated(7, networkAttachmentConfigShape),
  /** A plain container that attaches to an attachable network is a task of this kind. */
  attachment: optional(8, message({ containerId: text(1) })),
  forceUpdate: uint(9),
});
export type TaskSpec = MessageOf<typeof taskSpecShape>;

/** Exactly one of replicated, global, replicatedJob and globalJob is there. */
export const serviceSpecShape = message({
  annotations: embedded(1, annotationsShape),
  task: embedded(2, taskSpecShape),
  replicated: optional(3, message({ replicas: uint(1) })),
  global: optional(4, message({})),
  update: optional(6, updateConfigShape),
  endpoint: optional(8, endpointSpecShape),
  rollback: optional(9, updateConfigShape),
  replicatedJob: optional(10, message({ maxConcurrent: uint(1), totalCompletions: uint(2) })),
  globalJob: optional(11, message({})),
});
export type ServiceSpec = MessageOf<typeof serviceSpecShape>;

export const networkSpecShape = message({
  annotations: embedded(1, annotationsShape),
  driver: optional(2, driverShape),
  ipv6Enabled: flag(3),
  internal: flag(4),
  ipam: optional(5, ipamOptionsShape),
  attachable: flag(6),
  ingress: flag(7),
});
export type NetworkSpec = MessageOf<typeof networkSpecShape>;

export const clusterSpecShape = message({
  annotations: embedded(1, annotationsShape),
  orchestration: embedded(3, message({ taskHistoryRetentionLimit: uint(1) })),
  raft: embedded(4, message({ snapshotInterval: uint(1), keepOldSnapshots: uint(2) })),
  dispatcher: embedded(5, message({ heartbeatPeriod: duration(1) })),
  ca: embedded(6, message({ nodeCertExpiry: duration(1), forceRotate: uint(5) })),
  /** `EncryptionConfig`: whether managers need a key after a restart. */
  autoLockManagers: mapped(
    optional(8, message({ autoLockManagers: flag(1) })),
    (autoLockManagers: boolean) => (autoLockManagers ? { autoLockManagers } : undefined),
    (config) => config?.autoLockManagers ?? false,
  ),
});
export type ClusterSpec = MessageOf<typeof clusterSpecShape>;

export const secretSpecShape = message({
  annotations: embedded(1, annotationsShape),
  data: octets(2),
  driver: optional(4, driverShape),
});
export type SecretSpec = MessageOf<typeof secretSpecShape>;
export const configSpecShape = message({ annotations: embedded(1, annotationsShape), data: octets(2) });
export type ConfigSpec = MessageOf<typeof configSpecShape>;
