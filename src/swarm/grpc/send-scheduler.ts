/**
 * Which stream sends next: one DATA frame of each in turn, as far as its window, the connection's and the transport have room (RFC 9113 §5.2; grpc-go's
 * loopy writer). Trailers wait behind the data.
 */
import type { HeaderField } from "../../wire/hpack.ts";
import * as http2 from "../../wire/http2.ts";
import type { FrameOutput } from "./frame-output.ts";
import type { Http2Stream } from "./http2-stream.ts";
import type { PeerSettings } from "./peer-settings.ts";

export interface SendOwner {
  sendFields(stream: Http2Stream, fields: readonly HeaderField[]): void;
  /** A DATA frame goes out. */
  sentData(): void;
  /** Our half of the stream has ended. */
  localEnded(stream: Http2Stream): void;
}

/** No more DATA is made while so much waits for the peer to read. */
const BACKLOG_BYTES = 64 * 1024;
/** grpc-go sends at most this in one frame, whatever the peer would take. */
const DATA_BYTES = 16_384;
const NO_BYTES = new Uint8Array(0);

export class SendScheduler {
  readonly #output: FrameOutput;
  readonly #peer: PeerSettings;
  readonly #owner: SendOwner;
  #windowBytes = http2.DEFAULT_WINDOW_BYTES;
  readonly #turns: Http2Stream[] = [];

  constructor(output: FrameOutput, peer: PeerSettings, owner: SendOwner) {
    this.#output = output;
    this.#peer = peer;
    this.#owner = owner;
  }

  /** The stream has something to send, or new room for it. */
  add(stream: Http2Stream): void {
    if (!stream.queued && stream.outgoing.length > 0) {
      stream.queued = true;
      this.#turns.push(stream);
    }
    if (this.#turns.length > 0) this.#output.schedule();
  }

  /** The connection's window grows. False: beyond what may be. */
  credit(bytes: number): boolean {
    this.#windowBytes += bytes;
    if (this.#turns.length > 0) this.#output.schedule();
    return this.#windowBytes <= http2.LARGEST_WINDOW_BYTES;
  }

  /** Makes frames until nothing is left, or no room. */
  fill(): void {
    while (this.#turns.length > 0 && this.#output.waitingBytes < BACKLOG_BYTES) {
      const stream = this.#turns[0]!;
      if (!this.#step(stream)) return;
      this.#turns.shift();
      stream.queued = false;
      const next = stream.outgoing[0];
      if (next === undefined || stream.closed) continue;
      // Without room in its own window it waits for a WINDOW_UPDATE, which adds it again.
      if (next.kind === "data" && next.bytes.length > 0 && stream.sendWindowBytes <= 0) continue;
      stream.queued = true;
      this.#turns.push(stream);
    }
  }

  /** One frame of one stream. False: the connection's window is empty. */
  #step(stream: Http2Stream): boolean {
    const item = stream.outgoing[0];
    if (item === undefined || stream.closed) return true;
    if (item.kind === "trailers") {
      stream.outgoing.shift();
      this.#owner.sendFields(stream, item.fields);
      this.#owner.localEnded(stream);
      return true;
    }
    if (item.kind === "end") {
      stream.outgoing.shift();
      this.#send(stream, NO_BYTES, true);
      return true;
    }
    const wanted = Math.min(item.bytes.length, DATA_BYTES, this.#peer.maximumFrameBytes);
    if (wanted > 0 && stream.sendWindowBytes <= 0) return true;
    if (wanted > 0 && this.#windowBytes <= 0) return false;
    const count = Math.min(wanted, stream.sendWindowBytes, this.#windowBytes);
    const data = wanted === 0 ? NO_BYTES : item.bytes.subarray(0, count);
    if (data.length < item.bytes.length) {
      item.bytes = item.bytes.subarray(data.length);
      this.#send(stream, data, false);
      return true;
    }
    stream.outgoing.shift();
    const last = stream.outgoing[0]?.kind === "end";
    if (last) stream.outgoing.shift();
    this.#send(stream, data, last);
    return true;
  }

  #send(stream: Http2Stream, data: Uint8Array, endStream: boolean): void {
    stream.sendWindowBytes -= data.length;
    this.#windowBytes -= data.length;
    this.#owner.sentData();
    this.#output.add({ kind: "data", streamId: stream.id, endStream, padding: undefined, data });
    if (endStream) this.#owner.localEnded(stream);
  }
}
