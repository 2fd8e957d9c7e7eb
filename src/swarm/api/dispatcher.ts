/** What agents and the dispatcher say to each other (swarmkit api/dispatcher.proto), package docker.swarmkit.v1, on TCP 2377. */
import {
  choice,
  type MessageOf,
  message,
  octets,
  optional,
  repeated,
  text,
  uint,
} from "../../wire/protobuf-message.ts";
import {
  configShape,
  encryptionKeyShape,
  nodeDescriptionShape,
  nodeShape,
  secretShape,
  taskShape,
  taskStatusShape,
} from "./objects.ts";
import { duration } from "./parts.ts";

const SERVICE = "/docker.swarmkit.v1.Dispatcher/";
export const SESSION = `${SERVICE}Session`;
export const HEARTBEAT = `${SERVICE}Heartbeat`;
export const UPDATE_TASK_STATUS = `${SERVICE}UpdateTaskStatus`;
export const ASSIGNMENTS = `${SERVICE}Assignments`;

/** `sessionId`: of a session before, if there was one. */
export const sessionRequestShape = message({ description: optional(1, nodeDescriptionShape), sessionId: text(2) });

export const weightedPeerShape = message({
  peer: optional(1, message({ nodeId: text(1), address: text(2) })),
  weight: uint(2),
});

/** Sent when a session begins and when any of it changes; lists are whole. */
export const sessionMessageShape = message({
  sessionId: text(1),
  node: optional(2, nodeShape),
  managers: repeated(3, weightedPeerShape),
  networkBootstrapKeys: repeated(4, encryptionKeyShape),
  rootCa: octets(5),
});
export type SessionMessage = MessageOf<typeof sessionMessageShape>;

export const heartbeatRequestShape = message({ sessionId: text(1) });
/** The next beat is wanted before this has passed. */
export const heartbeatResponseShape = message({ period: duration(1) });

export const updateTaskStatusRequestShape = message({
  sessionId: text(1),
  updates: repeated(3, message({ taskId: text(1), status: optional(2, taskStatusShape) })),
});
export const updateTaskStatusResponseShape = message({});

export const assignmentsRequestShape = message({ sessionId: text(1) });

/** Exactly one of task, secret and config is there; of a removal, with its id alone. */
export const assignmentChangeShape = message({
  assignment: optional(
    1,
    message({ task: optional(1, taskShape), secret: optional(2, secretShape), config: optional(3, configShape) }),
  ),
  action: choice(2, ["update", "remove"]),
});
export type AssignmentChange = MessageOf<typeof assignmentChangeShape>;

/** `appliesTo`: the `resultsIn` of the message before it. */
export const assignmentsMessageShape = message({
  type: choice(1, ["complete", "incremental"]),
  appliesTo: text(2),
  resultsIn: text(3),
  changes: repeated(4, assignmentChangeShape),
});
export type AssignmentsMessage = MessageOf<typeof assignmentsMessageShape>;
