/**
 * How the managers' objects are read and written (swarmkit manager/state/store): by id, by name, by what they belong to. Objects are
 * read-only values; lists come in the order of ids.
 */
import type { Cluster, Config, Network, Node, Secret, Service, Task } from "../api/objects.ts";
import type { Kind } from "../api/store-action.ts";

export interface ObjectOf {
  readonly node: Node;
  readonly service: Service;
  readonly task: Task;
  readonly network: Network;
  readonly cluster: Cluster;
  readonly secret: Secret;
  readonly config: Config;
}

/** What a service's or a task's spec may refer to by id. */
export type Referred = "secret" | "config" | "network";

export interface StoreView {
  get<K extends Kind>(kind: K, id: string): ObjectOf[K] | undefined;
  all<K extends Kind>(kind: K): Iterable<ObjectOf[K]>;
  count(kind: Kind): number;
  /** Upper and lower case are the same. Nodes go by their hostname, which several may share: the one with the lowest id. */
  byName<K extends Kind>(kind: K, name: string): ObjectOf[K] | undefined;
  /** All that bear the name: more than one only among nodes. */
  allByName<K extends Kind>(kind: K, name: string): readonly ObjectOf[K][];
  byIdPrefix<K extends Kind>(kind: K, prefix: string): readonly ObjectOf[K][];
  tasksOfService(serviceId: string): readonly Task[];
  tasksOfNode(nodeId: string): readonly Task[];
  tasksOfSlot(serviceId: string, slot: number): readonly Task[];
  /** By the spec of the service's tasks. */
  servicesUsing(kind: Referred, id: string): readonly Service[];
  /** By the task's own spec, and by the networks that it was given addresses in. */
  tasksUsing(kind: Referred, id: string): readonly Task[];
  /** The one cluster object of a swarm. */
  readonly cluster: Cluster | undefined;
}

/** "name-conflict": names are unique among services, networks, secrets, configs and clusters. "out-of-sequence": someone else wrote since. */
export type Refused = "exists" | "not-found" | "name-conflict" | "out-of-sequence";

/** A view of the committed state with this transaction's own changes on top. */
export interface Transaction extends StoreView {
  create<K extends Kind>(kind: K, object: ObjectOf[K]): Refused | undefined;
  /** `object` must bear the version of the object that it was made from. */
  update<K extends Kind>(kind: K, object: ObjectOf[K]): Refused | undefined;
  remove(kind: Kind, id: string): Refused | undefined;
}

interface ChangeOf<K extends Kind> {
  readonly kind: K;
  readonly action: "create" | "update" | "remove";
  /** As written; of a removal as it was last. */
  readonly object: ObjectOf[K];
  readonly before: ObjectOf[K] | undefined;
}
export type Change = { [K in Kind]: ChangeOf<K> }[Kind];
