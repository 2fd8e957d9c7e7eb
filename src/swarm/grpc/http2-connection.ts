/**
 * One HTTP/2 connection, RFC 9113, as grpc-go runs it at either end: what was made ready in one turn goes out in one write, DATA of the streams in turn,
 * credit and bandwidth pings as `flow-control.ts` says. A peer that breaks the rules gets GOAWAY, and its streams are lost.
 */
import type { Clock } from "../../sim/simulation.ts";
import { type HeaderField, HpackEncoder } from "../../wire/hpack.ts";
import * as http2 from "../../wire/http2.ts";
import type { ByteStream } from "./byte-stream.ts";
import { BANDWIDTH_PING, BandwidthEstimator, ConnectionWindow } from "./flow-control.ts";
import { FrameOutput } from "./frame-output.ts";
import { FrameReader, type ReadFrame } from "./frame-reader.ts";
import { HeaderBlocks, type HeaderList } from "./header-blocks.ts";
import { Http2Stream, type StreamEvents, type StreamHost } from "./http2-stream.ts";
import { Keepalive, type KeepaliveSettings } from "./keepalive.ts";
import { PeerSettings } from "./peer-settings.ts";
import { PingStrikes } from "./ping-strikes.ts";
import { SendScheduler } from "./send-scheduler.ts";
import { type Violation, violation } from "./violation.ts";

export interface ConnectionEvents {
  /** The peer's first SETTINGS are here. */
  ready(): void;
  /** A client began a stream (servers only): who takes its events. */
  requested(stream: Http2Stream): StreamEvents;
  /** The peer takes no new streams; those that it will not handle have been told. */
  goingAway(): void;
  /** The end, once; every stream has been told. */
  ended(reason: string): void;
}

/** A peer that makes us answer so much without reading it is not served on. */
const HOSTILE_BACKLOG_BYTES = 1024 * 1024;
const MOST_STREAMS_FROM_PEER = 1_000;
const PREFACE = new TextEncoder().encode(http2.CLIENT_PREFACE);

export class Http2Connection implements StreamHost {
  readonly #role: "client" | "server";
  readonly #clock: Clock;
  readonly #transport: ByteStream;
  readonly #events: ConnectionEvents;
  readonly #reader: FrameReader;
  readonly #headerBlocks = new HeaderBlocks();
  readonly #encoder = new HpackEncoder();
  readonly #peer = new PeerSettings();
  readonly #receiveWindow = new ConnectionWindow();
  readonly #bandwidth = new BandwidthEstimator();
  readonly #strikes = new PingStrikes();
  readonly #keepalive: Keepalive | undefined;
  readonly #output: FrameOutput;
  readonly #scheduler: SendScheduler;
  readonly #streams = new Map<number, Http2Stream>();
  /** Requests that the server has no room for yet. */
  readonly #waiting: { readonly stream: Http2Stream; readonly fields: readonly HeaderField[] }[] = [];
  #streamWindowBytes = http2.DEFAULT_WINDOW_BYTES;
  #nextLocalId = 1;
  #lastPeerId = 0;
  #ready = false;
  #goingAway = false;
  #closed = false;

  constructor(settings: {
    readonly role: "client" | "server";
    readonly clock: Clock;
    readonly transport: ByteStream;
    readonly events: ConnectionEvents;
    readonly keepalive: KeepaliveSettings | undefined;
  }) {
    this.#role = settings.role;
    this.#clock = settings.clock;
    this.#transport = settings.transport;
    this.#events = settings.events;
    this.#reader = new FrameReader(settings.role === "server");
    this.#output = new FrameOutput(settings.clock, settings.transport, () => this.#scheduler.fill());
    this.#scheduler = new SendScheduler(this.#output, this.#peer, {
      sendFields: (stream, fields) => this.#sendFields(stream, fields, true),
      sentData: () => this.#strikes.forgive(),
      localEnded: (stream) => this.#localEnded(stream),
    });
    const hasCalls = () => this.#streams.size > 0;
    this.#keepalive =
      settings.keepalive === undefined
        ? undefined
        : new Keepalive(settings.clock, settings.keepalive, {
            get hasCalls() {
              return hasCalls();
            },
            ping: () => this.#output.add({ kind: "ping", ack: false, opaque: new Uint8Array(8) }),
            silent: () => this.#end("keepalive ping failed to receive ACK within timeout"),
          });
    this.#greet();
  }

  get streamCount(): number {
    return this.#streams.size + this.#waiting.length;
  }

  /** May new streams be begun? */
  get open(): boolean {
    return !this.#closed && !this.#goingAway;
  }

  /** A stream of ours, begun by `sendHeaders`. */
  createStream(events: StreamEvents): Http2Stream {
    return new Http2Stream(this, events, this.#peer.initialWindowBytes, this.#streamWindowBytes);
  }

  /** Bytes from the transport. */
  received(bytes: Uint8Array): void {
    this.#keepalive?.heard();
    this.#reader.push(bytes);
    while (!this.#closed) {
      const read = this.#reader.next();
      if (read === undefined) return;
      const problem = "error" in read ? read : this.#frame(read);
      if (problem !== undefined) this.#fail(problem);
      else if (this.#output.waitingBytes > HOSTILE_BACKLOG_BYTES)
        this.#fail(violation("ENHANCE_YOUR_CALM", "answers are not read"));
    }
  }

  /** The transport has taken what waited. */
  drained(): void {
    this.#output.schedule();
  }

  /** Tells the peer to begin nothing new, and ends when the last stream has. */
  shutdown(): void {
    if (this.#closed || this.#goingAway) return;
    this.#goingAway = true;
    this.#goaway("NO_ERROR", "graceful_stop");
    this.#endIfIdle();
  }

  /** Ends at once, whether the transport is still there or not; the streams are lost. */
  close(reason: string): void {
    this.#end(reason);
  }

  // ---- For the streams

  startStream(stream: Http2Stream, fields: readonly HeaderField[]): void {
    if (this.#role === "server") {
      this.#sendFields(stream, fields, false);
    } else if (this.#closed || this.#goingAway) {
      stream.closed = true;
      stream.events.lost("the connection is draining", false);
    } else if (this.#streams.size >= this.#peer.maximumStreams) {
      this.#waiting.push({ stream, fields });
    } else {
      stream.id = this.#nextLocalId;
      this.#nextLocalId += 2;
      stream.sendWindowBytes = this.#peer.initialWindowBytes;
      this.#streams.set(stream.id, stream);
      this.#sendFields(stream, fields, false);
      this.queued(stream);
    }
  }

  queued(stream: Http2Stream): void {
    if (stream.id !== 0) this.#scheduler.add(stream);
  }

  resetStream(stream: Http2Stream, error: http2.ErrorName): void {
    if (stream.id !== 0) this.#sendReset(stream.id, error);
    this.#forget(stream);
  }

  creditStream(stream: Http2Stream, bytes: number): void {
    if (stream.closed || stream.remoteEnded) return;
    this.#output.add({ kind: "window-update", streamId: stream.id, increment: bytes });
  }

  // ---- Sending

  #greet(): void {
    if (this.#role === "client") {
      this.#transport.write(PREFACE);
      this.#output.add({ kind: "settings", ack: false, settings: [] });
    } else {
      const settings = [[http2.SETTINGS_MAX_FRAME_SIZE, http2.DEFAULT_MAXIMUM_FRAME_BYTES]] as const;
      this.#output.add({ kind: "settings", ack: false, settings });
    }
    this.#output.flush();
  }

  #sendFields(stream: Http2Stream, fields: readonly HeaderField[], endStream: boolean): void {
    this.#strikes.forgive();
    const block = this.#encoder.encode(fields);
    const most = http2.DEFAULT_MAXIMUM_FRAME_BYTES;
    const streamId = stream.id;
    this.#output.add({
      kind: "headers",
      streamId,
      endStream,
      endHeaders: block.length <= most,
      padding: undefined,
      priority: undefined,
      fragment: block.subarray(0, most),
    });
    for (let at = most; at < block.length; at += most) {
      const fragment = block.subarray(at, at + most);
      this.#output.add({ kind: "continuation", streamId, endHeaders: at + most >= block.length, fragment });
    }
  }

  #sendReset(streamId: number, error: http2.ErrorName): void {
    this.#output.add({ kind: "rst-stream", streamId, errorCode: http2.errorCode(error) });
  }

  #goaway(error: http2.ErrorName, text: string): void {
    const debugData = new TextEncoder().encode(text);
    this.#output.add({ kind: "goaway", lastStreamId: this.#lastPeerId, errorCode: http2.errorCode(error), debugData });
  }

  #localEnded(stream: Http2Stream): void {
    stream.localEnded = true;
    if (stream.remoteEnded) {
      this.#forget(stream);
    } else if (this.#role === "server") {
      // The answer is complete before the question: the client need not go on (RFC 9113 §8.1).
      this.#sendReset(stream.id, "NO_ERROR");
      this.#forget(stream);
    }
  }

  // ---- Receiving

  #frame({ frame, payloadBytes }: ReadFrame): Violation | undefined {
    if (this.#headerBlocks.open && frame.kind !== "continuation")
      return violation("PROTOCOL_ERROR", "a header block was not continued");
    switch (frame.kind) {
      case "data":
        return this.#data(frame, payloadBytes);
      case "headers":
      case "continuation": {
        const list = this.#headerBlocks.take(frame);
        if (list === undefined || "error" in list) return list;
        return this.#headers(list);
      }
      case "rst-stream": {
        if (this.#isIdle(frame.streamId)) return violation("PROTOCOL_ERROR", "RST_STREAM of an idle stream");
        const stream = this.#streams.get(frame.streamId);
        if (stream === undefined) return undefined;
        this.#forget(stream);
        if (frame.errorCode === http2.errorCode("REFUSED_STREAM")) stream.events.lost("the stream was refused", false);
        else stream.events.reset(frame.errorCode);
        return undefined;
      }
      case "settings":
        return frame.ack ? undefined : this.#settings(frame.settings);
      case "push-promise":
        return violation("PROTOCOL_ERROR", "PUSH_PROMISE");
      case "ping":
        return this.#ping(frame.ack, frame.opaque);
      case "goaway":
        this.#peerGoesAway(frame.lastStreamId);
        return undefined;
      case "window-update":
        return this.#windowUpdate(frame.streamId, frame.increment);
      case "priority":
      case "unknown":
        return undefined;
    }
  }

  #data(frame: http2.Frame & { readonly kind: "data" }, payloadBytes: number): Violation | undefined {
    if (this.#isIdle(frame.streamId)) return violation("PROTOCOL_ERROR", "DATA of an idle stream");
    const nowNs = this.#clock.nowNs;
    const measure = this.#bandwidth.received(payloadBytes, nowNs);
    const credit = this.#receiveWindow.received(payloadBytes);
    const owed = credit + (measure ? this.#receiveWindow.takeOwed() : 0);
    if (owed > 0) this.#output.add({ kind: "window-update", streamId: 0, increment: owed });
    if (measure) this.#output.add({ kind: "ping", ack: false, opaque: BANDWIDTH_PING });
    const stream = this.#streams.get(frame.streamId);
    if (stream === undefined) return undefined;
    if (stream.remoteEnded || !stream.receiveWindow.received(payloadBytes)) {
      this.#sendReset(stream.id, stream.remoteEnded ? "STREAM_CLOSED" : "FLOW_CONTROL_ERROR");
      this.#forget(stream);
      stream.events.reset(http2.errorCode("FLOW_CONTROL_ERROR"));
      return undefined;
    }
    const paddingBytes = payloadBytes - frame.data.length;
    if (paddingBytes > 0) stream.consumed(paddingBytes);
    if (frame.endStream) this.#remoteEnded(stream);
    stream.events.data(frame.data, frame.endStream);
    return undefined;
  }

  #headers({ streamId, fields, endStream }: HeaderList): Violation | undefined {
    const known = this.#streams.get(streamId);
    if (known !== undefined) {
      if (known.remoteEnded) {
        this.#sendReset(streamId, "STREAM_CLOSED");
        this.#forget(known);
        known.events.reset(http2.errorCode("STREAM_CLOSED"));
        return undefined;
      }
      if (endStream) this.#remoteEnded(known);
      known.events.headers(fields, endStream);
      return undefined;
    }
    if (!this.#isIdle(streamId)) return undefined; // its last frames, on the way when we gave it up
    if (this.#role === "client" || streamId % 2 === 0) return violation("PROTOCOL_ERROR", "HEADERS of an idle stream");
    this.#lastPeerId = streamId;
    if (this.#goingAway || this.#streams.size >= MOST_STREAMS_FROM_PEER) {
      this.#sendReset(streamId, "REFUSED_STREAM");
      return undefined;
    }
    const stream = this.createStream(UNHEARD);
    stream.id = streamId;
    this.#streams.set(streamId, stream);
    stream.events = this.#events.requested(stream);
    if (endStream) this.#remoteEnded(stream);
    stream.events.headers(fields, endStream);
    return undefined;
  }

  /** Has a stream of that number never been? */
  #isIdle(streamId: number): boolean {
    const ours = (streamId % 2 === 1) === (this.#role === "client");
    return ours ? streamId >= this.#nextLocalId : streamId > this.#lastPeerId;
  }

  #remoteEnded(stream: Http2Stream): void {
    stream.remoteEnded = true;
    if (stream.localEnded) {
      this.#forget(stream);
    } else if (this.#role === "client") {
      this.#sendReset(stream.id, "NO_ERROR");
      this.#forget(stream);
    }
  }

  #settings(settings: readonly (readonly [number, number])[]): Violation | undefined {
    const before = this.#peer.initialWindowBytes;
    for (const [identifier, value] of settings) {
      const problem = this.#peer.apply(identifier, value);
      if (problem !== undefined) return problem;
    }
    const more = this.#peer.initialWindowBytes - before;
    for (const stream of this.#streams.values()) {
      stream.sendWindowBytes += more;
      if (stream.sendWindowBytes > http2.LARGEST_WINDOW_BYTES)
        return violation("FLOW_CONTROL_ERROR", "a stream's window too large");
      if (more > 0) this.#scheduler.add(stream);
    }
    this.#encoder.limitTable(this.#peer.headerTableBytes);
    this.#output.add({ kind: "settings", ack: true, settings: [] });
    this.#startWaiting();
    if (!this.#ready) {
      this.#ready = true;
      this.#events.ready();
    }
    return undefined;
  }

  #ping(ack: boolean, opaque: Uint8Array): Violation | undefined {
    if (!ack) {
      this.#output.add({ kind: "ping", ack: true, opaque });
      const tooMany = this.#role === "server" && this.#strikes.ping(this.#clock.nowNs, this.#streams.size > 0);
      return tooMany ? violation("ENHANCE_YOUR_CALM", "too_many_pings") : undefined;
    }
    if (!opaque.every((octet, index) => octet === BANDWIDTH_PING[index])) return undefined;
    const windowBytes = this.#bandwidth.answered(this.#clock.nowNs);
    if (windowBytes === undefined) return undefined;
    const credit = this.#receiveWindow.raise(windowBytes);
    if (credit > 0) this.#output.add({ kind: "window-update", streamId: 0, increment: credit });
    this.#streamWindowBytes = windowBytes;
    for (const stream of this.#streams.values()) stream.receiveWindow.limitBytes = windowBytes;
    const settings = [[http2.SETTINGS_INITIAL_WINDOW_SIZE, windowBytes]] as const;
    this.#output.add({ kind: "settings", ack: false, settings });
    return undefined;
  }

  #windowUpdate(streamId: number, increment: number): Violation | undefined {
    if (streamId === 0) {
      if (increment === 0) return violation("PROTOCOL_ERROR", "a window update of nothing");
      return this.#scheduler.credit(increment) ? undefined : violation("FLOW_CONTROL_ERROR", "window too large");
    }
    if (this.#isIdle(streamId)) return violation("PROTOCOL_ERROR", "WINDOW_UPDATE of an idle stream");
    const stream = this.#streams.get(streamId);
    if (stream === undefined) return undefined;
    stream.sendWindowBytes += increment;
    if (increment === 0 || stream.sendWindowBytes > http2.LARGEST_WINDOW_BYTES) {
      const error = increment === 0 ? "PROTOCOL_ERROR" : "FLOW_CONTROL_ERROR";
      this.resetStream(stream, error);
      stream.events.reset(http2.errorCode(error));
      return undefined;
    }
    this.#scheduler.add(stream);
    return undefined;
  }

  #peerGoesAway(lastStreamId: number): void {
    const first = !this.#goingAway;
    this.#goingAway = true;
    if (this.#role === "client") {
      for (const stream of [...this.#streams.values()]) if (stream.id > lastStreamId) this.#lose(stream);
      for (const { stream } of this.#waiting.splice(0)) this.#lose(stream);
    }
    if (first) this.#events.goingAway();
    this.#endIfIdle();
  }

  // ---- Ends

  #lose(stream: Http2Stream): void {
    this.#forget(stream);
    stream.events.lost("the server is going away", false);
  }

  #forget(stream: Http2Stream): void {
    stream.closed = true;
    stream.outgoing.length = 0;
    if (stream.id === 0) {
      const index = this.#waiting.findIndex((one) => one.stream === stream);
      if (index >= 0) this.#waiting.splice(index, 1);
      return;
    }
    this.#streams.delete(stream.id);
    this.#startWaiting();
    this.#endIfIdle();
  }

  #startWaiting(): void {
    while (this.open && this.#waiting.length > 0 && this.#streams.size < this.#peer.maximumStreams) {
      const { stream, fields } = this.#waiting.shift()!;
      this.startStream(stream, fields);
    }
  }

  #endIfIdle(): void {
    if (this.#goingAway && !this.#closed && this.streamCount === 0) this.#output.finish(() => this.#end("EOF"));
  }

  #fail({ error, text }: Violation): void {
    this.#goaway(error, text);
    this.#output.flush();
    this.#end(`${error}: ${text}`);
  }

  #end(reason: string): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#keepalive?.stop();
    this.#output.stop();
    this.#transport.close();
    const streams = [...this.#streams.values(), ...this.#waiting.splice(0).map(({ stream }) => stream)];
    this.#streams.clear();
    for (const stream of streams) {
      stream.closed = true;
      stream.outgoing.length = 0;
      stream.events.lost(reason, stream.id !== 0);
    }
    this.#events.ended(reason);
  }
}

/** In the moment between a stream's birth and its handler's. */
const UNHEARD: StreamEvents = { headers() {}, data() {}, reset() {}, lost() {} };
