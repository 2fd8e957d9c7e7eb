/** All objects of the store as bytes (swarmkit api/snapshot.proto, StoreSnapshot): what a snapshot of raft's log holds. Equal stores have equal bytes. */
import { message, repeated } from "../../wire/protobuf-message.ts";
import {
  clusterShape,
  configShape,
  networkShape,
  nodeShape,
  secretShape,
  serviceShape,
  taskShape,
} from "../api/objects.ts";
import type { Kind } from "../api/store-action.ts";
import type { ObjectOf, StoreView } from "./view.ts";

export const storeSnapshotShape = message({
  node: repeated(1, nodeShape),
  service: repeated(2, serviceShape),
  network: repeated(3, networkShape),
  task: repeated(4, taskShape),
  cluster: repeated(5, clusterShape),
  secret: repeated(6, secretShape),
  config: repeated(9, configShape),
});

export type SnapshotObjects = { readonly [K in Kind]: readonly ObjectOf[K][] };

export function emitSnapshot(view: StoreView): Uint8Array {
  return storeSnapshotShape.emit({
    node: [...view.all("node")],
    service: [...view.all("service")],
    network: [...view.all("network")],
    task: [...view.all("task")],
    cluster: [...view.all("cluster")],
    secret: [...view.all("secret")],
    config: [...view.all("config")],
  });
}

/** Undefined: the bytes are no snapshot. */
export function parseSnapshot(bytes: Uint8Array): SnapshotObjects | undefined {
  return storeSnapshotShape.parse(bytes);
}
