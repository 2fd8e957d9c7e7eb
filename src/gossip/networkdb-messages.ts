/**
 * networkdb's messages, moby networkdb.proto (proto3): every one wrapped as GossipMessage { type, data }. Zero-valued fields are not written;
 * enumerations have an invalid zero.
 */
import { ProtobufReader, ProtobufWriter } from "../wire/protobuf.ts";

export type Malformed = "networkdb-malformed" | "networkdb-unknown-type";

export interface NetworkEvent {
  readonly kind: "network-event";
  readonly operation: "join" | "leave";
  readonly time: number; // Lamport, as every `time` here
  readonly node: string;
  readonly network: string;
}
export type TableOperation = "create" | "update" | "delete";
export interface TableEvent {
  readonly kind: "table-event";
  readonly operation: TableOperation;
  readonly time: number;
  readonly node: string;
  readonly network: string;
  readonly table: string;
  readonly key: string;
  readonly value: Uint8Array;
  /** How long a deleted entry is still remembered. */
  readonly residualReapSeconds: number;
}
export interface NetworkEntry {
  readonly network: string;
  readonly time: number;
  readonly node: string;
  readonly isLeaving: boolean;
}
export interface NetworkPushPull {
  readonly kind: "network-push-pull";
  readonly time: number;
  readonly networks: readonly NetworkEntry[];
  readonly node: string;
}
export interface BulkSync {
  readonly kind: "bulk-sync";
  readonly time: number;
  readonly isUnsolicited: boolean;
  readonly node: string;
  readonly networks: readonly string[];
  /** A compound, as it lies on the wire. */
  readonly payload: Uint8Array;
}
export interface Compound {
  readonly kind: "compound";
  readonly messages: readonly Uint8Array[];
}
export interface NodeEvent {
  readonly kind: "node-event";
  readonly operation: "join" | "leave";
  readonly time: number;
  readonly node: string;
}
export type NetworkDbMessage = NetworkEvent | TableEvent | NetworkPushPull | BulkSync | Compound | NodeEvent;

const KINDS = ["", "network-event", "table-event", "network-push-pull", "bulk-sync", "compound", "node-event"];
const MEMBERSHIPS = [undefined, "join", "leave"] as const;
const OPERATIONS = [undefined, "create", "update", "delete"] as const;
const MOST_INT32 = 0x7fff_ffff;

export function emit(message: NetworkDbMessage): Uint8Array {
  const writer = new ProtobufWriter(expectedBytes(message));
  writer.uint(1, KINDS.indexOf(message.kind));
  if (!isEmpty(message)) {
    const start = writer.begin(2);
    emitData(writer, message);
    writer.end(start);
  }
  return writer.finish();
}

/** Values and payloads are views of `bytes`. */
export function parse(bytes: Uint8Array): NetworkDbMessage | Malformed {
  const reader = new ProtobufReader(bytes);
  let type = 0;
  let data: ProtobufReader | undefined;
  while (reader.next()) {
    if (reader.field === 1) type = reader.uint();
    else if (reader.field === 2) data = reader.message();
  }
  if (reader.malformed) return "networkdb-malformed";
  data ??= new ProtobufReader(bytes, 0, 0);
  switch (type) {
    case 1:
      return parseNetworkEvent(data);
    case 2:
      return parseTableEvent(data);
    case 3:
      return parsePushPull(data);
    case 4:
      return parseBulkSync(data);
    case 5:
      return parseCompound(data);
    case 6:
      return parseNodeEvent(data);
    default:
      return "networkdb-unknown-type";
  }
}

/** Of large messages, which would be copied as they grow: with room for tags and lengths. */
function expectedBytes(message: NetworkDbMessage): number | undefined {
  if (message.kind === "bulk-sync") return message.payload.length + 256;
  if (message.kind !== "compound") return undefined;
  return message.messages.reduce((sum, inner) => sum + inner.length + 12, 16);
}

/** A message of default values alone has no data field. */
function isEmpty(message: NetworkDbMessage): boolean {
  switch (message.kind) {
    case "compound":
      return message.messages.length === 0;
    case "network-push-pull":
      return message.time === 0 && message.networks.length === 0 && message.node === "";
    case "bulk-sync": {
      const { time, isUnsolicited, node, networks, payload } = message;
      return time === 0 && !isUnsolicited && node === "" && networks.length === 0 && payload.length === 0;
    }
    default:
      return false;
  }
}

function emitData(writer: ProtobufWriter, message: NetworkDbMessage): void {
  switch (message.kind) {
    case "network-event":
      writer.uint(1, MEMBERSHIPS.indexOf(message.operation));
      uint(writer, 2, message.time);
      text(writer, 3, message.node);
      text(writer, 4, message.network);
      break;
    case "table-event":
      writer.uint(1, OPERATIONS.indexOf(message.operation));
      uint(writer, 2, message.time);
      text(writer, 3, message.node);
      text(writer, 4, message.network);
      text(writer, 5, message.table);
      text(writer, 6, message.key);
      if (message.value.length > 0) writer.bytes(7, message.value);
      uint(writer, 8, message.residualReapSeconds);
      break;
    case "network-push-pull":
      uint(writer, 1, message.time);
      for (const entry of message.networks) emitEntry(writer, entry);
      text(writer, 3, message.node);
      break;
    case "bulk-sync":
      uint(writer, 1, message.time);
      if (message.isUnsolicited) writer.bool(2, true);
      text(writer, 3, message.node);
      for (const network of message.networks) writer.text(4, network);
      if (message.payload.length > 0) writer.bytes(5, message.payload);
      break;
    case "compound":
      for (const inner of message.messages) {
        const start = writer.begin(1);
        writer.bytes(1, inner);
        writer.end(start);
      }
      break;
    case "node-event":
      writer.uint(1, MEMBERSHIPS.indexOf(message.operation));
      uint(writer, 2, message.time);
      text(writer, 3, message.node);
      break;
  }
}

function emitEntry(writer: ProtobufWriter, entry: NetworkEntry): void {
  const start = writer.begin(2);
  text(writer, 1, entry.network);
  uint(writer, 2, entry.time);
  text(writer, 3, entry.node);
  if (entry.isLeaving) writer.bool(4, true);
  writer.end(start);
}

function uint(writer: ProtobufWriter, field: number, value: number): void {
  if (value > 0) writer.uint(field, value);
}

function text(writer: ProtobufWriter, field: number, value: string): void {
  if (value !== "") writer.text(field, value);
}

function parseNetworkEvent(reader: ProtobufReader): NetworkEvent | Malformed {
  let operation: NetworkEvent["operation"] | undefined;
  let time = 0;
  let node = "";
  let network = "";
  while (reader.next()) {
    if (reader.field === 1) operation = MEMBERSHIPS[reader.uint()];
    else if (reader.field === 2) time = reader.uint();
    else if (reader.field === 3) node = reader.text();
    else if (reader.field === 4) network = reader.text();
  }
  if (reader.malformed || operation === undefined) return "networkdb-malformed";
  return { kind: "network-event", operation, time, node, network };
}

function parseNodeEvent(reader: ProtobufReader): NodeEvent | Malformed {
  let operation: NodeEvent["operation"] | undefined;
  let time = 0;
  let node = "";
  while (reader.next()) {
    if (reader.field === 1) operation = MEMBERSHIPS[reader.uint()];
    else if (reader.field === 2) time = reader.uint();
    else if (reader.field === 3) node = reader.text();
  }
  if (reader.malformed || operation === undefined) return "networkdb-malformed";
  return { kind: "node-event", operation, time, node };
}

function parseTableEvent(reader: ProtobufReader): TableEvent | Malformed {
  let operation: TableOperation | undefined;
  let time = 0;
  let node = "";
  let network = "";
  let table = "";
  let key = "";
  let value: Uint8Array = new Uint8Array(0);
  let residualReapSeconds = 0;
  while (reader.next()) {
    if (reader.field === 1) operation = OPERATIONS[reader.uint()];
    else if (reader.field === 2) time = reader.uint();
    else if (reader.field === 3) node = reader.text();
    else if (reader.field === 4) network = reader.text();
    else if (reader.field === 5) table = reader.text();
    else if (reader.field === 6) key = reader.text();
    else if (reader.field === 7) value = reader.view();
    else if (reader.field === 8) residualReapSeconds = reader.uint();
  }
  if (reader.malformed || operation === undefined || residualReapSeconds > MOST_INT32) return "networkdb-malformed";
  return { kind: "table-event", operation, time, node, network, table, key, value, residualReapSeconds };
}

function parsePushPull(reader: ProtobufReader): NetworkPushPull | Malformed {
  const networks: NetworkEntry[] = [];
  let time = 0;
  let node = "";
  while (reader.next()) {
    if (reader.field === 1) time = reader.uint();
    else if (reader.field === 2) {
      const entry = parseEntry(reader.message());
      if (entry === undefined) return "networkdb-malformed";
      networks.push(entry);
    } else if (reader.field === 3) node = reader.text();
  }
  return reader.malformed ? "networkdb-malformed" : { kind: "network-push-pull", time, networks, node };
}

function parseEntry(reader: ProtobufReader): NetworkEntry | undefined {
  let network = "";
  let time = 0;
  let node = "";
  let isLeaving = false;
  while (reader.next()) {
    if (reader.field === 1) network = reader.text();
    else if (reader.field === 2) time = reader.uint();
    else if (reader.field === 3) node = reader.text();
    else if (reader.field === 4) isLeaving = reader.bool();
  }
  return reader.malformed ? undefined : { network, time, node, isLeaving };
}

function parseBulkSync(reader: ProtobufReader): BulkSync | Malformed {
  const networks: string[] = [];
  let time = 0;
  let isUnsolicited = false;
  let node = "";
  let payload: Uint8Array = new Uint8Array(0);
  while (reader.next()) {
    if (reader.field === 1) time = reader.uint();
    else if (reader.field === 2) isUnsolicited = reader.bool();
    else if (reader.field === 3) node = reader.text();
    else if (reader.field === 4) networks.push(reader.text());
    else if (reader.field === 5) payload = reader.view();
  }
  if (reader.malformed) return "networkdb-malformed";
  return { kind: "bulk-sync", time, isUnsolicited, node, networks, payload };
}

function parseCompound(reader: ProtobufReader): Compound | Malformed {
  const messages: Uint8Array[] = [];
  while (reader.next()) {
    if (reader.field !== 1) continue;
    const inner = reader.message();
    let payload: Uint8Array = new Uint8Array(0);
    while (inner.next()) if (inner.field === 1) payload = inner.view();
    if (inner.malformed) return "networkdb-malformed";
    messages.push(payload);
  }
  return reader.malformed ? "networkdb-malformed" : { kind: "compound", messages };
}
