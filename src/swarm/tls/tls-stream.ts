/**
 * A byte stream under TLS 1.3 (RFC 8446) over another one: handshake, records, alerts. Records of application data grow as Go's do, from one segment's size
 * on. What the peer does wrong ends the stream with an alert and a reason, never with an exception.
 */
import { getU24, toHex } from "../../wire/bytes.ts";
import * as wire from "../../wire/tls-handshake.ts";
import * as record from "../../wire/tls-record.ts";
import { concat } from "../../wire/tls-vector.ts";
import type { ByteStream, ByteStreamEvents } from "../grpc/byte-stream.ts";
import {
  BAD_RECORD_MAC,
  DECODE_ERROR,
  type Fault,
  fault,
  type Handshake,
  type HandshakeHost,
  parseMessage,
  RECORD_OVERFLOW,
  UNEXPECTED_MESSAGE,
} from "./handshake.ts";
import { nextTrafficSecret } from "./key-schedule.ts";
import { OVERHEAD_BYTES, RecordCipher } from "./record-cipher.ts";

/** Go's bounds: a handshake message, and records in a row that bring nothing. */
const MAXIMUM_MESSAGE_BYTES = 65_536;
const MAXIMUM_USELESS_RECORDS = 16;
/** Go's estimate of a segment, and after how many bytes or records the largest ones are taken. */
const SEGMENT_BYTES = 1_208;
const BOOST_BYTES = 128 * 1024;
const BOOST_RECORDS = 1_000;

type State = "opening" | "handshake" | "open" | "closed";

export class TlsStream implements ByteStream, ByteStreamEvents, HandshakeHost {
  readonly #events: ByteStreamEvents;
  readonly #keyLog: ((line: string) => void) | undefined;
  readonly #transport: ByteStream;
  readonly #handshake: Handshake;
  #state: State = "opening";
  #input: Uint8Array = new Uint8Array(0);
  /** Handshake messages that have not come whole. */
  #messages: Uint8Array = new Uint8Array(0);
  #reading: RecordCipher | undefined;
  #readSecret: Uint8Array | undefined;
  #writing: RecordCipher | undefined;
  #writeSecret: Uint8Array | undefined;
  #flight: Uint8Array[] = [];
  #helloSent = false;
  #useless = 0;
  #sentBytes = 0;
  #sentRecords = 0;
  peerCertificate: Uint8Array | undefined;

  constructor(settings: {
    readonly events: ByteStreamEvents;
    readonly keyLog: ((line: string) => void) | undefined;
    readonly open: (events: ByteStreamEvents) => ByteStream;
    readonly handshake: (host: HandshakeHost) => Handshake;
  }) {
    this.#events = settings.events;
    this.#keyLog = settings.keyLog;
    this.#transport = settings.open(this);
    this.#handshake = settings.handshake(this);
  }

  /** Does the transport stand? */
  get dialed(): boolean {
    return this.#state !== "opening";
  }

  get unsentBytes(): number {
    return this.#transport.unsentBytes;
  }

  // ---- For the program

  write(bytes: Uint8Array): void {
    const cipher = this.#writing;
    if (this.#state !== "open" || cipher === undefined) return;
    for (let at = 0; at < bytes.length; ) {
      const content = bytes.subarray(at, at + this.#recordBytes());
      const sealed = cipher.seal(record.APPLICATION_DATA, content);
      this.#sentBytes += sealed.length;
      this.#transport.write(sealed);
      at += content.length;
    }
  }

  close(): void {
    if (this.#state === "closed") return;
    if (this.#state === "open") this.#alert(1, record.CLOSE_NOTIFY);
    this.#state = "closed";
    this.#transport.close();
  }

  // ---- From the transport

  opened(): void {
    this.#state = "handshake";
    this.#handshake.start();
  }

  received(bytes: Uint8Array): void {
    this.#input = this.#input.length === 0 ? bytes.slice() : concat(this.#input, bytes);
    let at = 0;
    while (this.#state === "handshake" || this.#state === "open") {
      const next = record.parse(this.#input, at, this.#input.length);
      if (next === "tls-truncated") break;
      const problem = typeof next === "string" ? this.#refuseRecord(next) : this.#record(next);
      if (problem !== undefined) {
        this.#fail(problem);
        return;
      }
      if (typeof next !== "string") at += record.HEADER_BYTES + next.content.length;
    }
    this.#input = this.#input.subarray(at);
  }

  drained(): void {
    if (this.#state === "open") this.#events.drained();
  }

  closed(reason: string): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#events.closed(reason);
  }

  // ---- For the handshake

  send(message: Uint8Array): void {
    const type = record.HANDSHAKE;
    if (this.#writing !== undefined) {
      this.#flight.push(this.#writing.seal(type, message));
      return;
    }
    const version = message[0] === 1 && !this.#helloSent ? record.HELLO_VERSION : record.VERSION;
    this.#helloSent = true;
    this.#flight.push(plain(type, version, message));
  }

  sendChangeCipherSpec(): void {
    this.#flight.push(plain(record.CHANGE_CIPHER_SPEC, record.VERSION, Uint8Array.of(1)));
  }

  flush(): void {
    this.#transport.write(concat(...this.#flight));
    this.#flight = [];
  }

  protectWriting(trafficSecret: Uint8Array): void {
    this.#writeSecret = trafficSecret;
    this.#writing = new RecordCipher(trafficSecret);
  }

  protectReading(trafficSecret: Uint8Array): void {
    this.#readSecret = trafficSecret;
    this.#reading = new RecordCipher(trafficSecret);
  }

  logSecret(label: string, clientRandom: Uint8Array, secret: Uint8Array): void {
    this.#keyLog?.(`${label} ${toHex(clientRandom)} ${toHex(secret)}`);
  }

  established(certificates: readonly Uint8Array[]): void {
    this.peerCertificate = certificates[0];
    this.#state = "open";
    this.#events.opened();
  }

  // ---- Records

  #record({ type, content }: record.TlsRecord): Fault | undefined {
    if (type === record.CHANGE_CIPHER_SPEC) {
      // For the sake of boxes on the way that know TLS 1.2 (Appendix D.4).
      const allowed = this.#state === "handshake" && content.length === 1 && content[0] === 1;
      return allowed ? this.#countUseless() : fault(UNEXPECTED_MESSAGE, "tls: unexpected message");
    }
    if (this.#reading === undefined || (type === record.ALERT && this.#state === "handshake")) {
      return type === record.APPLICATION_DATA
        ? fault(UNEXPECTED_MESSAGE, "tls: unexpected message")
        : this.#content(type, content);
    }
    if (type !== record.APPLICATION_DATA) return fault(UNEXPECTED_MESSAGE, "tls: unexpected message");
    const opened = this.#reading.open(content);
    if (opened === undefined) return fault(BAD_RECORD_MAC, "local error: tls: bad record MAC");
    return this.#content(opened.type, opened.content);
  }

  #content(type: number, content: Uint8Array): Fault | undefined {
    if (content.length > record.MAXIMUM_CONTENT_BYTES)
      return fault(RECORD_OVERFLOW, "local error: tls: record overflow");
    if (type === record.ALERT) return this.#alerted(content);
    if (type === record.HANDSHAKE) return content.length === 0 ? EMPTY : this.#takeMessages(content);
    if (type !== record.APPLICATION_DATA || this.#state !== "open" || this.#messages.length > 0)
      return fault(UNEXPECTED_MESSAGE, "tls: unexpected message");
    if (content.length === 0) return this.#countUseless();
    this.#useless = 0;
    this.#events.received(content);
    return undefined;
  }

  #takeMessages(content: Uint8Array): Fault | undefined {
    this.#useless = 0;
    this.#messages = concat(this.#messages, content);
    while (this.#messages.length >= wire.HEADER_BYTES && this.#isAlive()) {
      const size = wire.HEADER_BYTES + getU24(this.#messages, 1);
      if (size > MAXIMUM_MESSAGE_BYTES) return fault(DECODE_ERROR, "tls: handshake message too large");
      if (this.#messages.length < size) return undefined;
      const message = this.#messages.slice(0, size);
      this.#messages = this.#messages.subarray(size);
      const keys = this.#reading;
      const problem = this.#state === "open" ? this.#afterHandshake(message) : this.#handshake.message(message);
      if (problem !== undefined) return problem;
      // A message may not go across a change of keys (§5.1).
      if (this.#reading !== keys && this.#messages.length > 0)
        return fault(UNEXPECTED_MESSAGE, "tls: handshake buffer not empty before setting read traffic secret");
    }
    return undefined;
  }

  /** New keys, or tickets, for which we have no use. */
  #afterHandshake(bytes: Uint8Array): Fault | undefined {
    const message = parseMessage(bytes);
    if ("alert" in message) return message;
    const NEW_SESSION_TICKET = 4;
    if (message.kind === "other" && message.type === NEW_SESSION_TICKET) return this.#countUseless();
    if (message.kind !== "key-update" || this.#readSecret === undefined || this.#writeSecret === undefined)
      return fault(UNEXPECTED_MESSAGE, "tls: received unexpected handshake message");
    this.protectReading(nextTrafficSecret(this.#readSecret));
    if (message.requested) {
      this.send(wire.emit({ kind: "key-update", requested: false }));
      this.flush();
      this.protectWriting(nextTrafficSecret(this.#writeSecret));
    }
    return this.#countUseless();
  }

  #alerted(content: Uint8Array): Fault | undefined {
    if (content.length !== 2) return fault(UNEXPECTED_MESSAGE, "tls: unexpected message");
    const code = content[1]!;
    const reason =
      code === record.CLOSE_NOTIFY ? "EOF" : `remote error: tls: ${record.ALERTS.get(code) ?? `alert(${code})`}`;
    this.close();
    this.#events.closed(reason);
    return undefined;
  }

  #refuseRecord(why: "tls-record-too-large" | "tls-bad-record"): Fault {
    if (why === "tls-record-too-large") return fault(RECORD_OVERFLOW, "tls: oversized record received");
    return fault(UNEXPECTED_MESSAGE, "tls: first record does not look like a TLS handshake");
  }

  #countUseless(): Fault | undefined {
    return ++this.#useless > MAXIMUM_USELESS_RECORDS
      ? fault(UNEXPECTED_MESSAGE, "tls: too many ignored records")
      : undefined;
  }

  #fail({ alert, text }: Fault): void {
    this.#alert(2, alert);
    this.#state = "closed";
    this.#transport.close();
    this.#events.closed(text);
  }

  #alert(level: 1 | 2, code: number): void {
    const content = Uint8Array.of(level, code);
    if (this.#flight.length > 0) this.flush();
    this.#transport.write(this.#writing?.seal(record.ALERT, content) ?? plain(record.ALERT, record.VERSION, content));
  }

  #isAlive(): boolean {
    return this.#state !== "closed";
  }

  /** How much the next record may hold: Go's maxPayloadSizeForWrite. */
  #recordBytes(): number {
    if (this.#sentBytes >= BOOST_BYTES || this.#sentRecords > BOOST_RECORDS) return record.MAXIMUM_CONTENT_BYTES;
    const segmentBytes = SEGMENT_BYTES - record.HEADER_BYTES - OVERHEAD_BYTES;
    return Math.min(segmentBytes * ++this.#sentRecords, record.MAXIMUM_CONTENT_BYTES);
  }
}

const EMPTY = fault(UNEXPECTED_MESSAGE, "tls: unexpected message");

function plain(type: number, version: number, content: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(record.HEADER_BYTES + content.length);
  record.emitHeader(type, version, content.length, bytes, 0);
  bytes.set(content, record.HEADER_BYTES);
  return bytes;
}
