/**
 * Raft's messages as swarmkit puts them into gRPC (ProcessRaftMessageRequest and StreamRaftMessageRequest, field 1): etcd's raftpb, proto2, as
 * of etcd 3.3, where every scalar is written even when it is zero and every message has a snapshot, mostly an empty one. So
 * a heartbeat takes 45 bytes at commit index 232 and its answer 44; the recorded TCP payloads of 116 and 115 bytes say the same.
 */
import { ProtobufReader, ProtobufWriter } from "../wire/protobuf.ts";
import type { Entry, HardState, MembershipChange, Message, RaftId, Snapshot } from "./messages.ts";

export type Malformed =
  | "raft-malformed"
  | "raft-unknown-type" // of a newer etcd, or one that never leaves its node
  | "raft-forwarded-proposal"; // swarmkit drops those: the leader alone proposes

const NO_ID: RaftId = "0000000000000000";
const NO_BYTES: Uint8Array = new Uint8Array(0);
/** What a candidate that the leader asked to take over writes into `context`. */
const TRANSFER_CONTEXT = new TextEncoder().encode("CampaignTransfer");

const PROPOSAL = 2;
const TYPES: readonly (Message["kind"] | undefined)[] = [
  undefined, // 0 MsgHup, 1 MsgBeat: never leave their node; 2 MsgProp
  undefined,
  undefined,
  "append",
  "append-response",
  "vote",
  "vote-response",
  "snapshot",
  "heartbeat",
  "heartbeat-response",
  undefined, // 10 MsgUnreachable, 11 MsgSnapStatus, 12 MsgCheckQuorum, 13 MsgTransferLeader: never leave it either
  undefined,
  undefined,
  undefined,
  "timeout-now",
  undefined, // 15 MsgReadIndex, 16 MsgReadIndexResp: swarmkit reads from its own store
  undefined,
  "pre-vote",
  "pre-vote-response",
];

const NO_SNAPSHOT: Snapshot = { index: 0, term: 0, voters: [], data: NO_BYTES };

/** The request of either RPC that carries `message`. */
export function emitRequest(message: Message): Uint8Array {
  const writer = new ProtobufWriter();
  writer.bytes(1, emit(message));
  return writer.finish();
}

/** The message in a request, or why it is none. */
export function parseRequest(bytes: Uint8Array, at = 0, end = bytes.length): Message | Malformed {
  const reader = new ProtobufReader(bytes, at, end);
  let message: Uint8Array | undefined;
  while (reader.next()) if (reader.field === 1) message = reader.bytes();
  return reader.malformed || message === undefined ? "raft-malformed" : parse(message);
}

/** raftpb.Message. */
export function emit(message: Message): Uint8Array {
  const body = bodyOf(message);
  const writer = new ProtobufWriter();
  writer.uint(1, TYPES.indexOf(message.kind));
  writer.hex64(2, message.to);
  writer.hex64(3, message.from);
  writer.uint(4, message.term);
  writer.uint(5, body.logTerm);
  writer.uint(6, body.index);
  for (const entry of body.entries) writer.bytes(7, emitEntry(entry));
  writer.uint(8, body.commit);
  writer.bytes(9, emitSnapshot(body.snapshot));
  writer.bool(10, body.reject);
  writer.uint(11, body.rejectHint);
  if (body.context !== undefined) writer.bytes(12, body.context);
  return writer.finish();
}

export function parse(bytes: Uint8Array, at = 0, end = bytes.length): Message | Malformed {
  const reader = new ProtobufReader(bytes, at, end);
  const body = newBody();
  let type = 0;
  let from = NO_ID;
  let to = NO_ID;
  let term = 0;
  while (reader.next()) {
    switch (reader.field) {
      case 1:
        type = reader.uint();
        break;
      case 2:
        to = reader.hex64();
        break;
      case 3:
        from = reader.hex64();
        break;
      case 4:
        term = reader.uint();
        break;
      case 5:
        body.logTerm = reader.uint();
        break;
      case 6:
        body.index = reader.uint();
        break;
      case 7: {
        const entry = parseEntry(reader.bytes());
        if (entry === undefined) return "raft-malformed";
        body.entries.push(entry);
        break;
      }
      case 8:
        body.commit = reader.uint();
        break;
      case 9: {
        const snapshot = parseSnapshot(reader.bytes());
        if (snapshot === undefined) return "raft-malformed";
        body.snapshot = snapshot;
        break;
      }
      case 10:
        body.reject = reader.bool();
        break;
      case 11:
        body.rejectHint = reader.uint();
        break;
      case 12:
        body.context = reader.bytes();
        break;
    }
  }
  if (reader.malformed) return "raft-malformed";
  if (type === PROPOSAL) return "raft-forwarded-proposal";
  const kind = TYPES[type];
  if (kind === undefined) return "raft-unknown-type";
  return messageOf(kind, { from, to, term }, body) ?? "raft-malformed";
}

/** The fields of raftpb.Message that mean something in some messages only. */
interface Body {
  logTerm: number;
  index: number;
  entries: Entry[];
  commit: number;
  snapshot: Snapshot;
  reject: boolean;
  rejectHint: number;
  context: Uint8Array | undefined;
}

function newBody(): Body {
  return {
    logTerm: 0,
    index: 0,
    entries: [],
    commit: 0,
    snapshot: NO_SNAPSHOT,
    reject: false,
    rejectHint: 0,
    context: undefined,
  };
}

function bodyOf(message: Message): Body {
  const body = newBody();
  switch (message.kind) {
    case "append":
      body.logTerm = message.logTerm;
      body.index = message.index;
      body.entries = [...message.entries];
      body.commit = message.commit;
      return body;
    case "append-response":
      body.index = message.index;
      if (message.rejected === undefined) return body;
      body.reject = true;
      body.rejectHint = message.rejected.index;
      body.logTerm = message.rejected.logTerm;
      return body;
    case "vote":
    case "pre-vote":
      body.logTerm = message.logTerm;
      body.index = message.index;
      if (message.transfer) body.context = TRANSFER_CONTEXT;
      return body;
    case "vote-response":
    case "pre-vote-response":
      body.reject = !message.granted;
      return body;
    case "heartbeat":
      body.commit = message.commit;
      return body;
    case "snapshot":
      body.snapshot = message.snapshot;
      return body;
    default:
      return body;
  }
}

type Head = { readonly from: RaftId; readonly to: RaftId; readonly term: number };

function messageOf(kind: Message["kind"], head: Head, body: Body): Message | undefined {
  const { index, logTerm, commit, entries } = body;
  switch (kind) {
    case "append":
      for (let at = 0; at < entries.length; at++) if (entries[at]?.index !== index + 1 + at) return undefined;
      return { kind, ...head, index, logTerm, entries, commit };
    case "append-response":
      return { kind, ...head, index, rejected: body.reject ? { index: body.rejectHint, logTerm } : undefined };
    case "vote":
    case "pre-vote":
      return { kind, ...head, index, logTerm, transfer: isTransfer(body.context) };
    case "vote-response":
    case "pre-vote-response":
      return { kind, ...head, granted: !body.reject };
    case "heartbeat":
      return { kind, ...head, commit };
    case "snapshot":
      return body.snapshot.index === 0 ? undefined : { kind, ...head, snapshot: body.snapshot };
    default:
      return { kind, ...head };
  }
}

function isTransfer(context: Uint8Array | undefined): boolean {
  return (
    context !== undefined &&
    context.length === TRANSFER_CONTEXT.length &&
    context.every((byte, index) => byte === TRANSFER_CONTEXT[index])
  );
}

/** raftpb.Entry: what `maxMessageBytes` counts, and what the log on disk holds. */
export function emitEntry(entry: Entry): Uint8Array {
  const writer = new ProtobufWriter();
  writer.uint(1, entry.kind === "change" ? 1 : 0);
  writer.uint(2, entry.term);
  writer.uint(3, entry.index);
  if (entry.data.length > 0) writer.bytes(4, entry.data);
  return writer.finish();
}

export function entryBytes(entry: Entry): number {
  const data = entry.data.length;
  return 4 + varintBytes(entry.term) + varintBytes(entry.index) + (data > 0 ? 1 + varintBytes(data) + data : 0);
}

function varintBytes(value: number): number {
  let bytes = 1;
  for (let rest = Math.floor(value / 0x80); rest > 0; rest = Math.floor(rest / 0x80)) bytes++;
  return bytes;
}

function parseEntry(bytes: Uint8Array): Entry | undefined {
  const reader = new ProtobufReader(bytes);
  let type = 0;
  let term = 0;
  let index = 0;
  let data = NO_BYTES;
  while (reader.next()) {
    if (reader.field === 1) type = reader.uint();
    else if (reader.field === 2) term = reader.uint();
    else if (reader.field === 3) index = reader.uint();
    else if (reader.field === 4) data = reader.bytes();
  }
  // 2 would be a joint change of membership, which swarmkit never makes.
  if (reader.malformed || type > 1) return undefined;
  return { kind: type === 1 ? "change" : "normal", term, index, data };
}

/** raftpb.Snapshot: 1 data, 2 metadata (1 conf_state (1 voters), 2 index, 3 term). */
export function emitSnapshot(snapshot: Snapshot): Uint8Array {
  const voters = new ProtobufWriter();
  for (const voter of snapshot.voters) voters.hex64(1, voter);
  const metadata = new ProtobufWriter();
  metadata.bytes(1, voters.finish());
  metadata.uint(2, snapshot.index);
  metadata.uint(3, snapshot.term);
  const writer = new ProtobufWriter();
  if (snapshot.data.length > 0) writer.bytes(1, snapshot.data);
  writer.bytes(2, metadata.finish());
  return writer.finish();
}

function parseSnapshot(bytes: Uint8Array): Snapshot | undefined {
  const reader = new ProtobufReader(bytes);
  const voters: RaftId[] = [];
  let data = NO_BYTES;
  let index = 0;
  let term = 0;
  while (reader.next()) {
    if (reader.field === 1) data = reader.bytes();
    if (reader.field !== 2) continue;
    const metadata = reader.message();
    while (metadata.next()) {
      if (metadata.field === 2) index = metadata.uint();
      else if (metadata.field === 3) term = metadata.uint();
      else if (metadata.field === 1) {
        const state = metadata.message();
        while (state.next()) if (state.field === 1) voters.push(state.hex64());
        if (state.malformed) return undefined;
      }
    }
    if (metadata.malformed) return undefined;
  }
  return reader.malformed ? undefined : { index, term, voters, data };
}

const CHANGES: readonly MembershipChange["kind"][] = ["add", "remove", "update"];

/** raftpb.ConfChange: the data of an entry of kind "change". */
export function emitChange(change: MembershipChange): Uint8Array {
  const writer = new ProtobufWriter();
  writer.hex64(1, change.request);
  writer.uint(2, CHANGES.indexOf(change.kind));
  writer.hex64(3, change.member);
  writer.bytes(4, change.context);
  return writer.finish();
}

export function parseChange(bytes: Uint8Array): MembershipChange | "raft-malformed" {
  const reader = new ProtobufReader(bytes);
  let request = NO_ID;
  let type = 0;
  let member = NO_ID;
  let context = NO_BYTES;
  while (reader.next()) {
    if (reader.field === 1) request = reader.hex64();
    else if (reader.field === 2) type = reader.uint();
    else if (reader.field === 3) member = reader.hex64();
    else if (reader.field === 4) context = reader.bytes();
  }
  const kind = CHANGES[type];
  if (reader.malformed || kind === undefined || member === NO_ID) return "raft-malformed";
  return { kind, member, request, context };
}

/** raftpb.HardState, as the log on disk holds it. */
export function emitHardState(state: HardState): Uint8Array {
  const writer = new ProtobufWriter();
  writer.uint(1, state.term);
  writer.hex64(2, state.vote ?? NO_ID);
  writer.uint(3, state.commit);
  return writer.finish();
}
