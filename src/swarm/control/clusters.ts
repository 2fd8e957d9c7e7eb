/** The cluster object in the Control service (swarmkit manager/controlapi/cluster.go): settings, join tokens, the key that locks managers. */
import type { Random } from "../../sim/random.ts";
import { SECOND } from "../../sim/time.ts";
import type { KeyRotation, RequestOf, ResponseOf } from "../api/control.ts";
import { type Cluster, type EncryptionKey, encryptionKeyShape } from "../api/objects.ts";
import type { ClusterSpec } from "../api/specs.ts";
import { type Status, status } from "../grpc/status.ts";
import { drawBytes, newJoinToken, UNLOCK_KEY_BYTES } from "../identifiers.ts";
import { CLUSTER_NAME, MANAGER_SUBSYSTEM } from "../manager/first-objects.ts";
import type { Store } from "../store/store.ts";
import { selectAnnotated } from "./filters.ts";
import { type Answered, INVALID_ARGUMENT, notFound, OUT_OF_SEQUENCE } from "./refusals.ts";
import { write } from "./write.ts";

const LEAST_EXPIRY_NS = 3_600 * SECOND;
const NO_KEY = new Uint8Array(0);

export class Clusters {
  readonly #store: Store;
  readonly #random: Random;

  constructor(store: Store, random: Random) {
    this.#store = store;
    this.#random = random;
  }

  get({ id }: RequestOf<"GetCluster">): Answered<ResponseOf<"GetCluster">> {
    if (id === "") return { status: INVALID_ARGUMENT };
    const cluster = this.#store.get("cluster", id);
    return cluster === undefined
      ? { status: notFound("cluster", id) }
      : { response: { cluster: withoutKeys(cluster) } };
  }

  list({ filters }: RequestOf<"ListClusters">): ResponseOf<"ListClusters"> {
    return { clusters: selectAnnotated(this.#store.all("cluster"), filters).map(withoutKeys) };
  }

  update(request: RequestOf<"UpdateCluster">, done: (answer: Answered<ResponseOf<"UpdateCluster">>) => void): void {
    const { id, version, spec, rotation } = request;
    if (id === "" || version === undefined || spec === undefined) {
      done({ status: INVALID_ARGUMENT });
      return;
    }
    const refused = refuseSpec(spec);
    if (refused !== undefined) {
      done({ status: refused });
      return;
    }
    write(
      this.#store,
      (tx) => {
        const cluster = tx.get("cluster", id);
        if (cluster === undefined) return { status: notFound("cluster", id) };
        const changed: Cluster = {
          ...cluster,
          meta: { ...cluster.meta, version },
          spec,
          rootCa: this.#rotateTokens(cluster, rotation),
          unlockKeys: this.#unlockKeys(cluster, spec, rotation),
        };
        if (tx.update("cluster", changed) !== undefined) return { status: OUT_OF_SEQUENCE };
        return () => ({ cluster: withoutKeys(this.#store.get("cluster", id) ?? changed) });
      },
      done,
    );
  }

  #rotateTokens({ rootCa }: Cluster, { workerJoinToken, managerJoinToken }: KeyRotation): Cluster["rootCa"] {
    const { worker, manager } = rootCa.joinTokens;
    const digest = bytesOfHex(rootCa.caCertHash.replace(/^sha256:/, ""));
    const joinTokens = {
      worker: workerJoinToken ? newJoinToken(digest, this.#random) : worker,
      manager: managerJoinToken ? newJoinToken(digest, this.#random) : manager,
    };
    return { ...rootCa, joinTokens };
  }

  #unlockKeys(cluster: Cluster, spec: ClusterSpec, { managerUnlockKey }: KeyRotation): readonly EncryptionKey[] {
    const others = cluster.unlockKeys.filter(({ subsystem }) => subsystem !== MANAGER_SUBSYSTEM);
    if (!spec.autoLockManagers) return others;
    const before = cluster.unlockKeys.find(({ subsystem }) => subsystem === MANAGER_SUBSYSTEM);
    if (before !== undefined && !managerUnlockKey) return cluster.unlockKeys;
    const key = drawBytes(this.#random, UNLOCK_KEY_BYTES);
    return [...others, encryptionKeyShape.make({ subsystem: MANAGER_SUBSYSTEM, key })];
  }
}

function refuseSpec({ annotations, ca, dispatcher }: ClusterSpec): Status | undefined {
  const { nodeCertExpiry } = ca;
  if (nodeCertExpiry !== undefined && nodeCertExpiry < LEAST_EXPIRY_NS)
    return status("InvalidArgument", "minimum certificate expiry time is: 1h0m0s");
  const { heartbeatPeriod } = dispatcher;
  if (heartbeatPeriod !== undefined && heartbeatPeriod < 0)
    return status("InvalidArgument", "heartbeat time period cannot be a negative duration");
  if (annotations.name !== CLUSTER_NAME)
    return status("InvalidArgument", "modification of cluster name is not allowed");
  return undefined;
}

/** Secrets stay with the managers: only join tokens are told. */
function withoutKeys(cluster: Cluster): Cluster {
  return { ...cluster, rootCa: { ...cluster.rootCa, caKey: NO_KEY }, unlockKeys: [], networkBootstrapKeys: [] };
}

function bytesOfHex(text: string): Uint8Array {
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}
