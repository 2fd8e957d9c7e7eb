/** An entry of raft's log as swarmkit writes it (api/raft.proto, InternalRaftRequest): the changes of one write transaction. */
import { choice, identifier64, type MessageOf, message, optional, repeated } from "../../wire/protobuf-message.ts";
import { clusterShape, configShape, networkShape, nodeShape, secretShape, serviceShape, taskShape } from "./objects.ts";

/** The kinds of objects, each a table of the store. */
export const KINDS = ["node", "service", "task", "network", "cluster", "secret", "config"] as const;
export type Kind = (typeof KINDS)[number];

/** Exactly one of the objects is there. */
export const storeActionShape = message({
  action: choice(1, ["unknown", "create", "update", "remove"]),
  node: optional(2, nodeShape),
  service: optional(3, serviceShape),
  task: optional(4, taskShape),
  network: optional(5, networkShape),
  cluster: optional(6, clusterShape),
  secret: optional(7, secretShape),
  config: optional(10, configShape),
});
export type StoreAction = MessageOf<typeof storeActionShape>;

/** `id` tells the proposer that this entry is its own. */
export const internalRaftRequestShape = message({ id: identifier64(1), actions: repeated(2, storeActionShape) });
