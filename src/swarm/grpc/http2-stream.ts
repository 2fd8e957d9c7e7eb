/** One stream of an HTTP/2 connection, RFC 9113 §5.1: what it has still to send, its windows, and which halves have ended. */
import type { HeaderField } from "../../wire/hpack.ts";
import type { ErrorName } from "../../wire/http2.ts";
import { StreamWindow } from "./flow-control.ts";

export interface StreamEvents {
  headers(fields: readonly HeaderField[], endStream: boolean): void;
  /** The bytes are the connection's: whoever keeps them copies. */
  data(bytes: Uint8Array, endStream: boolean): void;
  /** The peer gave it up. */
  reset(errorCode: number): void;
  /** The connection is gone, or the peer will not handle this stream (`processed` false: as if it had never been sent). */
  lost(reason: string, processed: boolean): void;
}

/** What waits for its turn and for room in the windows. */
export type Outgoing =
  | { readonly kind: "data"; bytes: Uint8Array }
  | { readonly kind: "end" }
  | { readonly kind: "trailers"; readonly fields: readonly HeaderField[] };

/** The connection as its streams see it. */
export interface StreamHost {
  startStream(stream: Http2Stream, fields: readonly HeaderField[]): void;
  queued(stream: Http2Stream): void;
  resetStream(stream: Http2Stream, error: ErrorName): void;
  creditStream(stream: Http2Stream, bytes: number): void;
}

export class Http2Stream {
  /** 0 until the request is on its way. */
  id = 0;
  readonly #host: StreamHost;
  events: StreamEvents;
  readonly outgoing: Outgoing[] = [];
  /** Is it among those that wait to send? */
  queued = false;
  sendWindowBytes: number;
  readonly receiveWindow: StreamWindow;
  localEnded = false;
  remoteEnded = false;
  closed = false;

  constructor(host: StreamHost, events: StreamEvents, sendWindowBytes: number, receiveWindowBytes: number) {
    this.#host = host;
    this.events = events;
    this.sendWindowBytes = sendWindowBytes;
    this.receiveWindow = new StreamWindow(receiveWindowBytes);
  }

  /** The first header fields; a client's request may wait until the server has room for one more stream. */
  sendHeaders(fields: readonly HeaderField[]): void {
    if (!this.closed) this.#host.startStream(this, fields);
  }

  /** `bytes` belong to the stream from now on. */
  sendData(bytes: Uint8Array): void {
    this.#queue({ kind: "data", bytes });
  }

  /** The last of `sendData` was the last. */
  end(): void {
    this.#queue({ kind: "end" });
  }

  sendTrailers(fields: readonly HeaderField[]): void {
    this.#queue({ kind: "trailers", fields });
  }

  /** Gives the stream up; no event follows. */
  reset(error: ErrorName): void {
    if (!this.closed) this.#host.resetStream(this, error);
  }

  /** The program has read so many bytes of `data`. */
  consumed(bytes: number): void {
    const credit = this.receiveWindow.read(bytes);
    if (credit > 0) this.#host.creditStream(this, credit);
  }

  /** The program waits for so many bytes more, which may be more than the window holds. */
  expect(bytes: number): void {
    const credit = this.receiveWindow.expect(bytes);
    if (credit > 0) this.#host.creditStream(this, credit);
  }

  #queue(item: Outgoing): void {
    if (this.closed || this.localEnded) return;
    this.outgoing.push(item);
    this.#host.queued(this);
  }
}
