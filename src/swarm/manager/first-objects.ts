/** What a cluster begins with (swarmkit manager.go, defaultClusterObject and what follows it): itself, its first node, and three networks. */
import type { Random } from "../../sim/random.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import {
  type Cluster,
  clusterShape,
  encryptionKeyShape,
  type Network,
  type Node,
  networkShape,
  nodeShape,
} from "../api/objects.ts";
import { clusterSpecShape, networkSpecShape, nodeSpecShape } from "../api/specs.ts";
import type { Availability } from "../ca/ca-shapes.ts";
import type { KeyedCertificate, Pki } from "../ca/pki.ts";
import { DEFAULT_EXPIRY_NS } from "../ca/root.ts";
import { hex, newId, newJoinToken } from "../identifiers.ts";
import type { Transaction } from "../store/store.ts";

/** What `docker swarm init` says of the new cluster. */
export interface ClusterOptions {
  readonly defaultAddressPool: readonly string[];
  readonly subnetSize: number;
  /** 0: 4789. */
  readonly dataPathPort: number;
  readonly autoLock: boolean;
  readonly taskHistoryLimit: number;
  readonly dispatcherHeartbeatNs: Nanoseconds;
  readonly certificateExpiryNs: Nanoseconds;
  readonly snapshotInterval: number;
  readonly keepOldSnapshots: number;
}

export const DEFAULT_CLUSTER_OPTIONS: ClusterOptions = {
  defaultAddressPool: [],
  subnetSize: 0,
  dataPathPort: 0,
  autoLock: false,
  taskHistoryLimit: 5,
  dispatcherHeartbeatNs: 5 * SECOND,
  certificateExpiryNs: DEFAULT_EXPIRY_NS,
  snapshotInterval: 10_000,
  keepOldSnapshots: 0,
};

export interface ClusterBeginnings {
  readonly options: ClusterOptions;
  readonly root: KeyedCertificate;
  /** Undefined when managers are not to be locked. */
  readonly unlockKey: Uint8Array | undefined;
  readonly availability: Availability;
}

export const CLUSTER_NAME = "default";
/** Whose unlock key it is. */
export const MANAGER_SUBSYSTEM = "swarm-manager";
/** Networks that every node has by itself, kept so that services may use them. */
export const PREDEFINED_LABEL = "com.docker.swarm.predefined";
const PREDEFINED = ["bridge", "host"];

/** Whatever is there already stays as it is: a new leader calls this too. `beginnings` is known to the first manager alone. */
export function createFirstObjects(
  tx: Transaction,
  clusterId: string,
  nodeId: string,
  beginnings: ClusterBeginnings | undefined,
  pki: Pki,
  random: Random,
): void {
  if (beginnings !== undefined && tx.cluster === undefined)
    tx.create("cluster", newCluster(clusterId, beginnings, pki, random));
  if (tx.get("node", nodeId) === undefined) {
    tx.create("node", newNode(nodeId, beginnings?.availability ?? "active", tx.cluster?.vxlanUdpPort ?? 0));
    if (beginnings !== undefined) tx.create("network", newIngress(random));
  }
  for (const name of PREDEFINED)
    if (tx.byName("network", name) === undefined) tx.create("network", newPredefined(name, random));
}

function newCluster(id: string, { options, root, unlockKey }: ClusterBeginnings, pki: Pki, random: Random): Cluster {
  const digest = pki.sha256(root.certificate);
  const unlock =
    unlockKey === undefined
      ? []
      : [encryptionKeyShape.make({ subsystem: MANAGER_SUBSYSTEM, key: unlockKey, algorithm: "aes-128-gcm" })];
  return clusterShape.make({
    id,
    spec: clusterSpecShape.make({
      annotations: { name: CLUSTER_NAME, labels: new Map() },
      orchestration: { taskHistoryRetentionLimit: options.taskHistoryLimit },
      raft: { snapshotInterval: options.snapshotInterval, keepOldSnapshots: options.keepOldSnapshots },
      dispatcher: { heartbeatPeriod: options.dispatcherHeartbeatNs },
      ca: { nodeCertExpiry: options.certificateExpiryNs, forceRotate: 0 },
      autoLockManagers: options.autoLock,
    }),
    rootCa: {
      caKey: root.key,
      caCert: root.certificate,
      caCertHash: `sha256:${hex(digest)}`,
      joinTokens: { worker: newJoinToken(digest, random), manager: newJoinToken(digest, random) },
      lastForcedRotation: 0,
    },
    unlockKeys: unlock,
    defaultAddressPool: options.defaultAddressPool,
    subnetSize: options.subnetSize,
    vxlanUdpPort: options.dataPathPort,
  });
}

function newNode(id: string, availability: Availability, vxlanUdpPort: number): Node {
  return nodeShape.make({
    id,
    role: "manager",
    spec: nodeSpecShape.make({ desiredRole: "manager", membership: "accepted", availability }),
    certificate: {
      role: "manager",
      csr: new Uint8Array(0),
      status: { state: "issued", error: "" },
      certificate: new Uint8Array(0),
      commonName: id,
    },
    vxlanUdpPort,
  });
}

function newIngress(random: Random): Network {
  const noDriver = { name: "", options: new Map<string, string>() };
  const spec = networkSpecShape.make({
    annotations: { name: "ingress", labels: new Map() },
    ingress: true,
    driver: noDriver,
    ipam: { driver: noDriver, configs: [] },
  });
  return networkShape.make({ id: newId(random), spec });
}

function newPredefined(name: string, random: Random): Network {
  const spec = networkSpecShape.make({
    annotations: { name, labels: new Map([[PREDEFINED_LABEL, "true"]]) },
    driver: { name, options: new Map() },
  });
  return networkShape.make({ id: newId(random), spec });
}
