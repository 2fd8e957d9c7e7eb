/** One call as its server sees it: from the request's fields to the trailers, or to the moment at which nobody waits for it any more. */
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import type { HeaderField } from "../../wire/hpack.ts";
import { type Metadata, NO_METADATA, parseRequest, RESPONSE_FIELDS, trailerFields } from "./call-headers.ts";
import type { Http2Stream, StreamEvents } from "./http2-stream.ts";
import { frameMessage, MessageReader } from "./message-reader.ts";
import { OK, type Status, status } from "./status.ts";

/** What a handler may know of a call. */
export interface ServerCall {
  readonly method: string;
  readonly peerAddress: Ipv4Address;
  readonly peerPort: number;
  /** The client's certificate (DER), if it showed one. */
  readonly peerCertificate: Uint8Array | undefined;
  readonly metadata: Metadata;
  /** When the client gives up, in virtual time. */
  readonly deadlineNs: Nanoseconds | undefined;
  /** Nobody waits for the answer any more: it may still be given, and goes nowhere. */
  readonly cancelled: boolean;
}

export interface ServerStream extends ServerCall {
  send(bytes: Uint8Array): void;
  /** Ends the call; nothing can be sent after it. */
  end(status: Status): void;
}

export interface ServerStreamEvents {
  message(bytes: Uint8Array): void;
  /** The client will send no more. */
  halfClosed(): void;
  /** The client gave up, its deadline has passed, or the connection is gone. Not after `end`. */
  cancelled(): void;
}

export type StreamHandler = (call: ServerStream) => ServerStreamEvents;

export interface ServerCallOwner {
  readonly clock: Clock;
  readonly maximumMessageBytes: number;
  readonly peerAddress: Ipv4Address;
  readonly peerPort: number;
  readonly peerCertificate: Uint8Array | undefined;
  /** Who handles a method; a status when nobody does. */
  handler(method: string): StreamHandler | Status;
}

export class IncomingCall implements StreamEvents, ServerStream {
  method = "";
  metadata: Metadata = NO_METADATA;
  deadlineNs: Nanoseconds | undefined;
  cancelled = false;
  readonly #owner: ServerCallOwner;
  readonly #stream: Http2Stream;
  readonly #reader: MessageReader;
  readonly #deadline: Timer;
  #events: ServerStreamEvents | undefined;
  #headersSent = false;
  #ended = false;

  constructor(owner: ServerCallOwner, stream: Http2Stream) {
    this.#owner = owner;
    this.#stream = stream;
    this.#reader = new MessageReader(owner.maximumMessageBytes);
    this.#deadline = new Timer(owner.clock, () => this.#expire());
  }

  get peerAddress(): Ipv4Address {
    return this.#owner.peerAddress;
  }

  get peerPort(): number {
    return this.#owner.peerPort;
  }

  get peerCertificate(): Uint8Array | undefined {
    return this.#owner.peerCertificate;
  }

  // ---- For the handler

  send(bytes: Uint8Array): void {
    if (this.#ended || this.cancelled) return;
    if (!this.#headersSent) {
      this.#headersSent = true;
      this.#stream.sendHeaders(RESPONSE_FIELDS);
    }
    this.#stream.sendData(frameMessage(bytes));
  }

  end(how: Status): void {
    if (this.#ended || this.cancelled) return;
    this.#ended = true;
    this.#deadline.stop();
    const trailers = trailerFields(how);
    this.#stream.sendTrailers(this.#headersSent ? trailers : [...RESPONSE_FIELDS, ...trailers]);
  }

  // ---- From the stream

  headers(fields: readonly HeaderField[], endStream: boolean): void {
    if (this.#events !== undefined) {
      // Trailers of a request: gRPC has none.
      if (endStream) this.#events.halfClosed();
      else this.#abandon("PROTOCOL_ERROR");
      return;
    }
    const request = parseRequest(fields);
    if (request === "malformed") {
      this.#abandon("PROTOCOL_ERROR");
      return;
    }
    if ("refused" in request) {
      this.#ended = true;
      const head = [{ name: ":status", value: request.httpStatus }, ...RESPONSE_FIELDS.slice(1)];
      this.#stream.sendTrailers([...head, ...trailerFields(request.refused)]);
      return;
    }
    this.method = request.method;
    this.metadata = request.metadata;
    const handler = this.#owner.handler(request.method);
    if (typeof handler !== "function") {
      this.end(handler);
      return;
    }
    if (request.timeoutNs !== undefined) {
      this.deadlineNs = this.#owner.clock.nowNs + request.timeoutNs;
      this.#deadline.set(request.timeoutNs);
    }
    this.#events = handler(this);
    if (endStream && !this.#silent) this.#events.halfClosed();
  }

  data(bytes: Uint8Array, endStream: boolean): void {
    const events = this.#events;
    if (events === undefined || this.#silent) return;
    const problem = this.#reader.read(bytes, (message) => {
      if (!this.#silent) events.message(message);
    });
    if (problem !== undefined && !this.#silent) {
      this.#refuse(problem);
      return;
    }
    this.#stream.consumed(bytes.length);
    if (this.#silent) return;
    if (endStream && this.#reader.inside) this.#refuse(status("Internal", "unexpected EOF"));
    else if (endStream) events.halfClosed();
    else if (this.#reader.missingBytes > 0) this.#stream.expect(this.#reader.missingBytes);
  }

  reset(): void {
    this.#cancel();
  }

  lost(): void {
    this.#cancel();
  }

  /** Has the handler heard or said the last word? */
  get #silent(): boolean {
    return this.#ended || this.cancelled;
  }

  /** Ends the call for a reason that the handler did not give. */
  #refuse(how: Status): void {
    this.end(how);
    this.cancelled = true;
    this.#events?.cancelled();
  }

  #expire(): void {
    this.#stream.reset("CANCEL");
    this.#cancel();
  }

  #abandon(error: "PROTOCOL_ERROR"): void {
    this.#stream.reset(error);
    this.#cancel();
  }

  #cancel(): void {
    if (this.#silent) return;
    this.cancelled = true;
    this.#deadline.stop();
    this.#events?.cancelled();
  }
}

export type UnaryAnswer = { readonly response: Uint8Array } | { readonly status: Status };
export type UnaryHandler = (request: Uint8Array, call: ServerCall, answer: (result: UnaryAnswer) => void) => void;

/** A call of one message each way, as a stream: the handler is asked when the message is there. Only the first answer counts. */
export function streamOfUnary(handler: UnaryHandler): StreamHandler {
  return (call) => {
    let asked = false;
    return {
      message(bytes) {
        if (asked) return call.end(status("Internal", "cardinality violation: received multiple request messages"));
        asked = true;
        handler(bytes, call, (result) => {
          if ("status" in result) return call.end(result.status);
          call.send(result.response);
          call.end(OK);
        });
      },
      halfClosed() {
        if (!asked) call.end(status("Internal", "cardinality violation: received no request message"));
      },
      cancelled() {},
    };
  };
}
