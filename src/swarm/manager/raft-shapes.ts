/** What managers say to each other beside raft's own messages, and what a snapshot holds (swarmkit api/raft.proto, snapshot.proto, health.proto). */
import type { RaftId } from "../../raft/messages.ts";
import { ProtobufReader, ProtobufWriter } from "../../wire/protobuf.ts";
import {
  choice,
  flag,
  identifier64,
  identifiers64,
  type MessageOf,
  message,
  optional,
  repeated,
  text,
} from "../../wire/protobuf-message.ts";
import { parseSnapshot, type SnapshotObjects } from "../store/snapshot.ts";

export const PROCESS_RAFT_MESSAGE = "/docker.swarmkit.v1.Raft/ProcessRaftMessage";
export const STREAM_RAFT_MESSAGE = "/docker.swarmkit.v1.Raft/StreamRaftMessage";
export const RESOLVE_ADDRESS = "/docker.swarmkit.v1.Raft/ResolveAddress";
export const JOIN = "/docker.swarmkit.v1.RaftMembership/Join";
export const LEAVE = "/docker.swarmkit.v1.RaftMembership/Leave";
export const HEALTH_CHECK = "/docker.swarmkit.v1.Health/Check";

export const raftMemberShape = message({
  raftId: identifier64(1),
  nodeId: text(2),
  /** `address:port` */
  address: text(3),
  status: optional(
    4,
    message({ leader: flag(1), reachability: choice(2, ["unknown", "unreachable", "reachable"]), message: text(3) }),
  ),
});
export type RaftMember = MessageOf<typeof raftMemberShape>;

export const joinRequestShape = message({ address: text(1) });
export const joinResponseShape = message({
  raftId: identifier64(1),
  members: repeated(2, raftMemberShape),
  removedMembers: identifiers64(3),
});
export type JoinResponse = MessageOf<typeof joinResponseShape>;
export const leaveRequestShape = message({ node: optional(1, raftMemberShape) });
export const resolveAddressRequestShape = message({ raftId: identifier64(1) });
export const resolveAddressResponseShape = message({ address: text(1) });

export const healthCheckRequestShape = message({ service: text(1) });
export const healthCheckResponseShape = message({ status: choice(1, ["unknown", "serving", "not-serving"]) });

const clusterSnapshotShape = message({ members: repeated(1, raftMemberShape), removed: identifiers64(2) });

/** What raft keeps in a snapshot: who the members are, and the store. */
export interface ManagerSnapshot {
  readonly members: readonly RaftMember[];
  readonly removed: readonly RaftId[];
  readonly objects: SnapshotObjects;
}

/** `store` is the store's own snapshot, already bytes. */
export function emitManagerSnapshot(
  members: readonly RaftMember[],
  removed: readonly RaftId[],
  store: Uint8Array,
): Uint8Array {
  const writer = new ProtobufWriter();
  writer.bytes(2, clusterSnapshotShape.emit({ members, removed }));
  writer.bytes(3, store);
  return writer.finish();
}

/** Undefined: the bytes are no snapshot. */
export function parseManagerSnapshot(bytes: Uint8Array): ManagerSnapshot | undefined {
  const reader = new ProtobufReader(bytes);
  let membership: MessageOf<typeof clusterSnapshotShape> | undefined;
  let objects: SnapshotObjects | undefined;
  while (reader.next()) {
    if (reader.field === 2) membership = clusterSnapshotShape.parse(reader.bytes());
    else if (reader.field === 3) objects = parseSnapshot(reader.bytes());
  }
  if (reader.malformed || membership === undefined || objects === undefined) return undefined;
  return { members: membership.members, removed: membership.removed, objects };
}
