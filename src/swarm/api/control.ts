/** What users ask of the managers (swarmkit api/control.proto), package docker.swarmkit.v1, service Control: the numbers of the fields are swarmkit's. */
import {
  choice,
  embedded,
  flag,
  type MessageOf,
  message,
  optional,
  repeated,
  text,
  textMap,
  texts,
  uint,
} from "../../wire/protobuf-message.ts";
import { clusterShape, configShape, networkShape, nodeShape, secretShape, serviceShape, taskShape } from "./objects.ts";
import { versionShape } from "./parts.ts";
import {
  clusterSpecShape,
  configSpecShape,
  networkSpecShape,
  nodeSpecShape,
  secretSpecShape,
  serviceSpecShape,
} from "./specs.ts";

const SERVICE = "/docker.swarmkit.v1.Control/";

/** The method of an action: `/docker.swarmkit.v1.Control/CreateService`. */
export function controlMethod(name: ControlMethod): string {
  return SERVICE + name;
}

/** Values within one kind of filter are alternatives, different kinds must all hold. */
export const nodeFiltersShape = message({
  names: texts(1),
  idPrefixes: texts(2),
  labels: textMap(3),
  namePrefixes: texts(6),
});
export const filtersShape = message({
  names: texts(1),
  idPrefixes: texts(2),
  labels: textMap(3),
  namePrefixes: texts(4),
});
export type Filters = MessageOf<typeof filtersShape>;
export const taskFiltersShape = message({
  names: texts(1),
  idPrefixes: texts(2),
  labels: textMap(3),
  serviceIds: texts(4),
  nodeIds: texts(5),
  namePrefixes: texts(7),
  /** Only tasks that are as their service asks for now. */
  upToDate: flag(8),
});
export type TaskFilters = MessageOf<typeof taskFiltersShape>;

const byId = message({ id: text(1) });

export const keyRotationShape = message({
  workerJoinToken: flag(1),
  managerJoinToken: flag(2),
  managerUnlockKey: flag(3),
});
export type KeyRotation = MessageOf<typeof keyRotationShape>;

const versionOf = () => optional(2, versionShape);
const nothing = message({});

/** Every method: what is asked, what is answered. */
export const CONTROL = {
  GetNode: { request: byId, response: message({ node: optional(1, nodeShape) }) },
  ListNodes: {
    request: message({ filters: optional(1, nodeFiltersShape) }),
    response: message({ nodes: repeated(1, nodeShape) }),
  },
  UpdateNode: {
    request: message({ id: text(1), version: versionOf(), spec: optional(3, nodeSpecShape) }),
    response: message({ node: optional(1, nodeShape) }),
  },
  RemoveNode: { request: message({ id: text(1), force: flag(2) }), response: nothing },

  GetTask: { request: byId, response: message({ task: optional(1, taskShape) }) },
  ListTasks: {
    request: message({ filters: optional(1, taskFiltersShape) }),
    response: message({ tasks: repeated(1, taskShape) }),
  },
  RemoveTask: { request: byId, response: nothing },

  GetService: {
    request: message({ id: text(1), insertDefaults: flag(2) }),
    response: message({ service: optional(1, serviceShape) }),
  },
  ListServices: {
    request: message({ filters: optional(1, filtersShape) }),
    response: message({ services: repeated(1, serviceShape) }),
  },
  CreateService: {
    request: message({ spec: optional(1, serviceSpecShape) }),
    response: message({ service: optional(1, serviceShape) }),
  },
  UpdateService: {
    request: message({
      id: text(1),
      version: versionOf(),
      spec: optional(3, serviceSpecShape),
      rollback: choice(4, ["none", "previous"]),
    }),
    response: message({ service: optional(1, serviceShape) }),
  },
  RemoveService: { request: byId, response: nothing },
  ListServiceStatuses: {
    request: message({ services: texts(1) }),
    response: message({
      statuses: repeated(
        1,
        message({ serviceId: text(1), desiredTasks: uint(2), runningTasks: uint(3), completedTasks: uint(4) }),
      ),
    }),
  },

  GetNetwork: {
    request: message({ name: text(1), id: text(2) }),
    response: message({ network: optional(1, networkShape) }),
  },
  ListNetworks: {
    request: message({ filters: optional(1, filtersShape) }),
    response: message({ networks: repeated(1, networkShape) }),
  },
  CreateNetwork: {
    request: message({ spec: optional(1, networkSpecShape) }),
    response: message({ network: optional(1, networkShape) }),
  },
  RemoveNetwork: { request: message({ name: text(1), id: text(2) }), response: nothing },

  GetCluster: { request: byId, response: message({ cluster: optional(1, clusterShape) }) },
  ListClusters: {
    request: message({ filters: optional(1, filtersShape) }),
    response: message({ clusters: repeated(1, clusterShape) }),
  },
  UpdateCluster: {
    request: message({
      id: text(1),
      version: versionOf(),
      spec: optional(3, clusterSpecShape),
      rotation: embedded(4, keyRotationShape),
    }),
    response: message({ cluster: optional(1, clusterShape) }),
  },

  GetSecret: { request: byId, response: message({ secret: optional(1, secretShape) }) },
  ListSecrets: {
    request: message({ filters: optional(1, filtersShape) }),
    response: message({ secrets: repeated(1, secretShape) }),
  },
  CreateSecret: {
    request: message({ spec: optional(1, secretSpecShape) }),
    response: message({ secret: optional(1, secretShape) }),
  },
  UpdateSecret: {
    request: message({ id: text(1), version: versionOf(), spec: optional(3, secretSpecShape) }),
    response: message({ secret: optional(1, secretShape) }),
  },
  RemoveSecret: { request: byId, response: nothing },

  GetConfig: { request: byId, response: message({ config: optional(1, configShape) }) },
  ListConfigs: {
    request: message({ filters: optional(1, filtersShape) }),
    response: message({ configs: repeated(1, configShape) }),
  },
  CreateConfig: {
    request: message({ spec: optional(1, configSpecShape) }),
    response: message({ config: optional(1, configShape) }),
  },
  UpdateConfig: {
    request: message({ id: text(1), version: versionOf(), spec: optional(3, configSpecShape) }),
    response: message({ config: optional(1, configShape) }),
  },
  RemoveConfig: { request: byId, response: nothing },
} as const;

export type ControlMethod = keyof typeof CONTROL;
export const CONTROL_METHODS = Object.keys(CONTROL) as readonly ControlMethod[];
export type RequestOf<M extends ControlMethod> = MessageOf<(typeof CONTROL)[M]["request"]>;
export type ResponseOf<M extends ControlMethod> = MessageOf<(typeof CONTROL)[M]["response"]>;
