/**
 * memberlist's messages, net.go: a type byte, then a MessagePack map whose keys stand in alphabetical order. Those that travel by stream alone
 * (push-pull, user messages with a length) are in stream-messages.ts.
 */
import type { Ipv4Address } from "../wire/address.ts";
import { getU32, putU32 } from "../wire/bytes.ts";
import type { Malformed } from "./malformed.ts";
import { asText, type Fields, MsgpackWriter, parseMap, parseScalar, type Scalar, valueAt } from "./msgpack.ts";

export const PING = 0;
export const INDIRECT_PING = 1;
export const ACK = 2;
export const SUSPECT = 3;
export const ALIVE = 4;
export const DEAD = 5;
export const PUSH_PULL = 6;
export const COMPOUND = 7;
export const USER = 8;
export const COMPRESS = 9;
export const ENCRYPT = 10;
export const NACK = 11;
export const HAS_CRC = 12;
export const ERROR = 13;
export const HAS_LABEL = 244;

/** Who wants the answer to a ping; older nodes leave it out, and the datagram's source stands for it. */
export interface PingSource {
  readonly address: Ipv4Address;
  readonly port: number;
  readonly node: string;
}

export interface Ping {
  readonly kind: "ping";
  readonly node: string;
  readonly sequenceNumber: number;
  readonly source: PingSource | undefined;
}
export interface IndirectPing {
  readonly kind: "indirect-ping";
  readonly node: string;
  readonly sequenceNumber: number;
  readonly target: Ipv4Address;
  readonly port: number;
  /** Whether the sender wants to hear of a failure too. */
  readonly nack: boolean;
  readonly source: PingSource | undefined;
}
export interface Ack {
  readonly kind: "ack";
  readonly sequenceNumber: number;
  readonly payload: Uint8Array | null;
}
export interface Nack {
  readonly kind: "nack";
  readonly sequenceNumber: number;
}
/** An accusation; a death that names its own reporter (`from` = `node`) means that the node left. */
export interface Accusation {
  readonly kind: "suspect" | "dead";
  readonly from: string;
  readonly incarnation: number;
  readonly node: string;
}
export interface Alive {
  readonly kind: "alive";
  readonly node: string;
  readonly address: Ipv4Address;
  readonly port: number;
  readonly incarnation: number;
  /** Null where Go's slice is nil: in what a node tells of another. */
  readonly meta: Uint8Array | null;
  /** Protocol minimum, maximum, current; delegate minimum, maximum, current. */
  readonly versions: Uint8Array;
}
export interface User {
  readonly kind: "user";
  readonly payload: Uint8Array;
}
export interface Failure {
  readonly kind: "error";
  readonly error: string;
}
export type Message = Ping | IndirectPing | Ack | Nack | Accusation | Alive | User | Failure;

export function emit(message: Message): Uint8Array {
  switch (message.kind) {
    case "ping":
      return withType(PING, (writer) => {
        writer.map(message.source === undefined ? 2 : 5);
        field(writer, "Node").text(message.node);
        field(writer, "SeqNo").uint(message.sequenceNumber);
        emitSource(writer, message.source);
      });
    case "indirect-ping":
      return withType(INDIRECT_PING, (writer) => {
        writer.map(message.source === undefined ? 5 : 8);
        field(writer, "Nack").bool(message.nack);
        field(writer, "Node").text(message.node);
        field(writer, "Port").uint(message.port);
        field(writer, "SeqNo").uint(message.sequenceNumber);
        emitSource(writer, message.source);
        field(writer, "Target").raw(addressBytes(message.target));
      });
    case "ack":
      return withType(ACK, (writer) => {
        writer.map(2);
        field(writer, "Payload").raw(message.payload);
        field(writer, "SeqNo").uint(message.sequenceNumber);
      });
    case "nack":
      return withType(NACK, (writer) => {
        writer.map(1);
        field(writer, "SeqNo").uint(message.sequenceNumber);
      });
    case "suspect":
    case "dead":
      return withType(message.kind === "suspect" ? SUSPECT : DEAD, (writer) => {
        writer.map(3);
        field(writer, "From").text(message.from);
        field(writer, "Incarnation").uint(message.incarnation);
        field(writer, "Node").text(message.node);
      });
    case "alive":
      return withType(ALIVE, (writer) => {
        writer.map(6);
        field(writer, "Addr").raw(addressBytes(message.address));
        field(writer, "Incarnation").uint(message.incarnation);
        field(writer, "Meta").raw(message.meta);
        field(writer, "Node").text(message.node);
        field(writer, "Port").uint(message.port);
        field(writer, "Vsn").raw(message.versions);
      });
    case "error":
      return withType(ERROR, (writer) => {
        writer.map(1);
        field(writer, "Error").text(message.error);
      });
    case "user": {
      const bytes = new Uint8Array(1 + message.payload.length);
      bytes[0] = USER;
      bytes.set(message.payload, 1);
      return bytes;
    }
  }
}

/** The message that fills `bytes` from `at` to `end`. Bytes after a map are ignored, as Go's decoder does. */
export function parse(bytes: Uint8Array, at = 0, end = bytes.length): Message | Malformed {
  if (at >= end) return "gossip-empty";
  const type = bytes[at]!;
  if (type === USER) return { kind: "user", payload: bytes.subarray(at + 1, end) };
  if (!isMapped(type)) return "gossip-unknown-type";
  const parsed = parseMap(bytes, at + 1, end);
  return typeof parsed === "string" ? parsed : fromFields(type, parsed.fields);
}

/** Of an alive message, which is most of what a large cluster hears again and again: whom it is about, before the rest is read. */
export function aliveSubject(bytes: Uint8Array): { readonly node: string; readonly incarnation: number } | undefined {
  if (bytes[0] !== ALIVE) return undefined;
  const nodeAt = valueAt(bytes, 1, bytes.length, "Node");
  const incarnationAt = valueAt(bytes, 1, bytes.length, "Incarnation");
  if (nodeAt < 0 || incarnationAt < 0) return undefined;
  const node = asText(parseScalar(bytes, nodeAt));
  const incarnation = asUint(parseScalar(bytes, incarnationAt));
  return node === undefined || incarnation === undefined ? undefined : { node, incarnation };
}

/** Whether a message of this type is the type byte and one map. */
export function isMapped(type: number): boolean {
  return type <= DEAD || type === NACK || type === ERROR;
}

function fromFields(type: number, fields: Fields): Message | Malformed {
  const node = asText(fields.get("Node"));
  const sequenceNumber = asUint(fields.get("SeqNo"));
  switch (type) {
    case PING: {
      const source = parseSource(fields);
      if (typeof source === "string") return source;
      if (node === undefined || sequenceNumber === undefined) return "gossip-fields";
      return { kind: "ping", node, sequenceNumber, source };
    }
    case INDIRECT_PING: {
      const source = parseSource(fields);
      if (typeof source === "string") return source;
      const target = asAddress(fields.get("Target"));
      if (typeof target === "string") return target;
      const port = asPort(fields.get("Port"));
      if (node === undefined || sequenceNumber === undefined || port === undefined) return "gossip-fields";
      return { kind: "indirect-ping", node, sequenceNumber, target, port, nack: fields.get("Nack") === true, source };
    }
    case ACK: {
      const payload = fields.get("Payload") ?? null;
      if (sequenceNumber === undefined || !(payload === null || payload instanceof Uint8Array)) return "gossip-fields";
      return { kind: "ack", sequenceNumber, payload };
    }
    case NACK:
      return sequenceNumber === undefined ? "gossip-fields" : { kind: "nack", sequenceNumber };
    case SUSPECT:
    case DEAD: {
      const from = asText(fields.get("From"));
      const incarnation = asUint(fields.get("Incarnation"));
      if (node === undefined || from === undefined || incarnation === undefined) return "gossip-fields";
      return { kind: type === SUSPECT ? "suspect" : "dead", from, incarnation, node };
    }
    case ALIVE: {
      const subject = parseSubject(fields, "Node");
      return typeof subject === "string" ? subject : { kind: "alive", ...subject };
    }
    default: {
      const error = asText(fields.get("Error"));
      return error === undefined ? "gossip-fields" : { kind: "error", error };
    }
  }
}

/** What alive messages and the nodes of a push-pull have in common. */
export function parseSubject(fields: Fields, nameField: "Node" | "Name"): Omit<Alive, "kind"> | Malformed {
  const node = asText(fields.get(nameField));
  const address = asAddress(fields.get("Addr"));
  if (typeof address === "string") return address;
  const port = asPort(fields.get("Port"));
  const incarnation = asUint(fields.get("Incarnation"));
  const meta = fields.get("Meta") ?? null;
  const versions = fields.get("Vsn");
  if (node === undefined || port === undefined || incarnation === undefined) return "gossip-fields";
  if (!(meta === null || meta instanceof Uint8Array)) return "gossip-fields";
  if (!(versions instanceof Uint8Array) || versions.length < 6) return "gossip-fields";
  return { node, address, port, incarnation, meta, versions };
}

export function asUint(value: Scalar | undefined): number | undefined {
  return typeof value === "number" ? value : undefined;
}

export function addressBytes(address: Ipv4Address): Uint8Array {
  const bytes = new Uint8Array(4);
  putU32(bytes, 0, address);
  return bytes;
}

/** Writes a key; the caller writes its value. */
export function field(writer: MsgpackWriter, key: string): MsgpackWriter {
  writer.text(key);
  return writer;
}

function asPort(value: Scalar | undefined): number | undefined {
  return typeof value === "number" && value <= 0xffff ? value : undefined;
}

function asAddress(value: Scalar | undefined): Ipv4Address | Malformed {
  if (!(value instanceof Uint8Array)) return "gossip-fields";
  return value.length === 4 ? (getU32(value, 0) as Ipv4Address) : "gossip-not-ipv4";
}

function emitSource(writer: MsgpackWriter, source: PingSource | undefined): void {
  if (source === undefined) return;
  field(writer, "SourceAddr").raw(addressBytes(source.address));
  field(writer, "SourceNode").text(source.node);
  field(writer, "SourcePort").uint(source.port);
}

function parseSource(fields: Fields): PingSource | undefined | Malformed {
  const bytes = fields.get("SourceAddr");
  const port = asPort(fields.get("SourcePort"));
  if (!(bytes instanceof Uint8Array) || bytes.length === 0 || port === undefined || port === 0) return undefined;
  const address = asAddress(bytes);
  if (typeof address === "string") return address;
  return { address, port, node: asText(fields.get("SourceNode")) ?? "" };
}

function withType(type: number, write: (writer: MsgpackWriter) => void): Uint8Array {
  const writer = new MsgpackWriter(type);
  write(writer);
  return writer.finish();
}
