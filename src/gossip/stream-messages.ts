/**
 * What travels on TCP 7946, memberlist net.go: push-pull (a header map, the nodes' maps, the delegate's state), user messages with their
 * length, pings and their answers. One message each way on a connection.
 */
import { compress, decompress, MOST_BYTES } from "./compression.ts";
import type { Malformed } from "./malformed.ts";
import {
  type Ack,
  type Alive,
  addressBytes,
  asUint,
  COMPRESS,
  emit as emitMessage,
  type Failure,
  field,
  isMapped,
  type Ping,
  PUSH_PULL,
  parse as parseMessage,
  parseSubject,
  USER,
} from "./messages.ts";
import { MsgpackWriter, parseMap } from "./msgpack.ts";

/** In the order of their numbers on the wire. */
export const STATES = ["alive", "suspect", "dead", "left"] as const;
export type NodeState = (typeof STATES)[number];

export interface PushPullNode extends Omit<Alive, "kind"> {
  readonly state: NodeState;
}
export interface PushPull {
  readonly kind: "push-pull";
  readonly isJoin: boolean;
  readonly nodes: readonly PushPullNode[];
  readonly userState: Uint8Array;
}
/** A message of the layer above: networkdb's bulk sync. */
export interface StreamUser {
  readonly kind: "stream-user";
  readonly payload: Uint8Array;
}
export type StreamMessage = PushPull | StreamUser | Ping | Ack | Failure;

const MOST_NODES = 100_000;

/** Compressed always, even if that is longer: so memberlist writes to streams. */
export function emit(message: StreamMessage): Uint8Array {
  return compress(emitPlain(message));
}

/** `bytes` is one whole message, compressed or not. */
export function parse(bytes: Uint8Array): StreamMessage | Malformed {
  if (bytes.length === 0) return "gossip-empty";
  if (bytes[0] !== COMPRESS) return parsePlain(bytes);
  const opened = decompress(bytes);
  return typeof opened === "string" ? opened : parsePlain(opened);
}

/** How many bytes the message that begins `bytes` takes: undefined while they do not tell yet. */
export function measure(bytes: Uint8Array): number | undefined | Malformed {
  if (bytes.length === 0) return undefined;
  const type = bytes[0]!;
  if (type === COMPRESS || isMapped(type)) return endOfMap(bytes, 1);
  if (type !== PUSH_PULL && type !== USER) return "gossip-unknown-type";
  const header = parseMap(bytes, 1, bytes.length);
  if (typeof header === "string") return header === "gossip-truncated" ? undefined : header;
  if (type === USER) {
    const length = asUint(header.fields.get("UserMsgLen"));
    return length === undefined ? "gossip-fields" : tooLargeOr(header.end + length);
  }
  const nodes = asUint(header.fields.get("Nodes"));
  const stateLength = asUint(header.fields.get("UserStateLen"));
  if (nodes === undefined || stateLength === undefined) return "gossip-fields";
  if (nodes > MOST_NODES) return "gossip-too-large";
  let at = header.end;
  for (let index = 0; index < nodes; index++) {
    const end = endOfMap(bytes, at);
    if (typeof end !== "number") return end;
    at = end;
  }
  return tooLargeOr(at + stateLength);
}

function endOfMap(bytes: Uint8Array, at: number): number | undefined | Malformed {
  const parsed = parseMap(bytes, at, bytes.length);
  if (typeof parsed !== "string") return parsed.end;
  return parsed === "gossip-truncated" ? undefined : parsed;
}

function tooLargeOr(length: number): number | Malformed {
  return length > MOST_BYTES ? "gossip-too-large" : length;
}

function emitPlain(message: StreamMessage): Uint8Array {
  if (message.kind !== "push-pull" && message.kind !== "stream-user") return emitMessage(message);
  const writer = new MsgpackWriter(message.kind === "stream-user" ? USER : PUSH_PULL);
  if (message.kind === "stream-user") {
    writer.map(1);
    field(writer, "UserMsgLen").uint(message.payload.length);
    return joined(writer.finish(), message.payload);
  }
  writer.map(3);
  field(writer, "Join").bool(message.isJoin);
  field(writer, "Nodes").uint(message.nodes.length);
  field(writer, "UserStateLen").uint(message.userState.length);
  for (const node of message.nodes) {
    writer.map(7);
    field(writer, "Addr").raw(addressBytes(node.address));
    field(writer, "Incarnation").uint(node.incarnation);
    field(writer, "Meta").raw(node.meta);
    field(writer, "Name").text(node.node);
    field(writer, "Port").uint(node.port);
    field(writer, "State").uint(STATES.indexOf(node.state));
    field(writer, "Vsn").raw(node.versions);
  }
  return joined(writer.finish(), message.userState);
}

function joined(maps: Uint8Array, rest: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(maps.length + rest.length);
  bytes.set(maps);
  bytes.set(rest, maps.length);
  return bytes;
}

function parsePlain(bytes: Uint8Array): StreamMessage | Malformed {
  const type = bytes[0];
  if (type === PUSH_PULL) return parsePushPull(bytes);
  if (type === USER) {
    const header = parseMap(bytes, 1, bytes.length);
    if (typeof header === "string") return header;
    const length = asUint(header.fields.get("UserMsgLen"));
    if (length === undefined) return "gossip-fields";
    if (length > bytes.length - header.end) return "gossip-truncated";
    return { kind: "stream-user", payload: bytes.subarray(header.end, header.end + length) };
  }
  const message = parseMessage(bytes);
  if (typeof message === "string") return message;
  if (message.kind === "ping" || message.kind === "ack" || message.kind === "error") return message;
  return "gossip-unknown-type";
}

function parsePushPull(bytes: Uint8Array): PushPull | Malformed {
  const header = parseMap(bytes, 1, bytes.length);
  if (typeof header === "string") return header;
  const count = asUint(header.fields.get("Nodes"));
  const stateLength = asUint(header.fields.get("UserStateLen"));
  if (count === undefined || stateLength === undefined) return "gossip-fields";
  if (count > MOST_NODES) return "gossip-too-large";
  const nodes: PushPullNode[] = [];
  let at = header.end;
  for (let index = 0; index < count; index++) {
    const map = parseMap(bytes, at, bytes.length);
    if (typeof map === "string") return map;
    const subject = parseSubject(map.fields, "Name");
    if (typeof subject === "string") return subject;
    const state = STATES[asUint(map.fields.get("State")) ?? STATES.length];
    if (state === undefined) return "gossip-fields";
    nodes.push({ ...subject, state });
    at = map.end;
  }
  if (stateLength > bytes.length - at) return "gossip-truncated";
  return {
    kind: "push-pull",
    isJoin: header.fields.get("Join") === true,
    nodes,
    userState: bytes.subarray(at, at + stateLength),
  };
}
