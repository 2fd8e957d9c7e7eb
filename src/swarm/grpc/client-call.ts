/** One call as its client sees it: it waits for a connection, sends, hears the answer, and ends exactly once, at the latest with its deadline. */
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { HeaderField } from "../../wire/hpack.ts";
import { type Metadata, parseTrailers, refuseResponse, requestFields, statusOfReset } from "./call-headers.ts";
import type { Http2Connection } from "./http2-connection.ts";
import type { Http2Stream, StreamEvents } from "./http2-stream.ts";
import { frameMessage, MessageReader } from "./message-reader.ts";
import { type Status, status } from "./status.ts";

export interface CallEvents {
  message(bytes: Uint8Array): void;
  /** Once, and nothing after it; not after `cancel`. */
  ended(status: Status): void;
}

/** The channel as its calls see it. */
export interface CallOwner {
  readonly authority: string;
  readonly scheme: "http" | "https";
  readonly userAgent: string;
  readonly maximumMessageBytes: number;
  /** What the program takes from setting a deadline to writing it down. */
  preparationNs(): Nanoseconds;
  /** The connection was lost without the server having seen the call: may it go out again? */
  again(call: ClientCall): void;
  /** What a call ends with when its connection was lost. */
  lostStatus(reason: string): Status;
  /** It waits no more. */
  forget(call: ClientCall): void;
}

/** Messages kept for a second try take at most this, as in grpc-go. */
const REPLAY_BYTES = 256 * 1024;

export class ClientCall implements StreamEvents {
  readonly waitForReady: boolean;
  readonly #owner: CallOwner;
  readonly #clock: Clock;
  readonly #method: string;
  readonly #metadata: Metadata;
  readonly #events: CallEvents;
  readonly #deadlineNs: Nanoseconds | undefined;
  readonly #deadline: Timer;
  #reader: MessageReader;
  #stream: Http2Stream | undefined;
  /** What was sent, while it may have to be sent again. */
  #sent: Uint8Array[] | undefined = [];
  #sentBytes = 0;
  #sendEnded = false;
  #answered = false;
  #triedAgain = false;
  #ended = false;

  constructor(settings: {
    readonly owner: CallOwner;
    readonly clock: Clock;
    readonly method: string;
    readonly metadata: Metadata;
    readonly timeoutNs: Nanoseconds | undefined;
    readonly waitForReady: boolean;
    readonly events: CallEvents;
  }) {
    this.#owner = settings.owner;
    this.#clock = settings.clock;
    this.#method = settings.method;
    this.#metadata = settings.metadata;
    this.#events = settings.events;
    this.waitForReady = settings.waitForReady;
    this.#reader = new MessageReader(settings.owner.maximumMessageBytes);
    this.#deadline = new Timer(settings.clock, () =>
      this.#give("CANCEL", status("DeadlineExceeded", "context deadline exceeded")),
    );
    this.#deadlineNs = settings.timeoutNs === undefined ? undefined : settings.clock.nowNs + settings.timeoutNs;
    if (settings.timeoutNs !== undefined) this.#deadline.set(Math.max(settings.timeoutNs, 0));
  }

  get ended(): boolean {
    return this.#ended;
  }

  // ---- For the program

  send(message: Uint8Array): void {
    if (this.#ended || this.#sendEnded) return;
    const framed = frameMessage(message);
    this.#sentBytes += framed.length;
    if (this.#stream === undefined || this.#sentBytes <= REPLAY_BYTES) this.#sent?.push(framed);
    else this.#sent = undefined;
    this.#stream?.sendData(framed);
  }

  closeSend(): void {
    if (this.#ended || this.#sendEnded) return;
    this.#sendEnded = true;
    this.#stream?.end();
  }

  /** Ends the call without a word to the program. */
  cancel(): void {
    if (this.#ended) return;
    this.#finish();
    this.#stream?.reset("CANCEL");
  }

  // ---- For the channel

  /** Goes out on a connection. */
  begin(connection: Http2Connection): void {
    const stream = connection.createStream(this);
    this.#stream = stream;
    this.#reader = new MessageReader(this.#owner.maximumMessageBytes);
    const { authority, scheme, userAgent } = this.#owner;
    const timeoutNs = this.#deadlineNs === undefined ? undefined : this.#leftNs(this.#deadlineNs);
    const head = { method: this.#method, authority, scheme, userAgent, timeoutNs, metadata: this.#metadata };
    stream.sendHeaders(requestFields(head));
    for (const message of this.#sent ?? []) stream.sendData(message.slice());
    if (this.#sendEnded) stream.end();
  }

  fail(how: Status): void {
    if (this.#ended) return;
    this.#finish();
    this.#events.ended(how);
  }

  /** The same, after the program's step in hand. */
  failSoon(how: Status): void {
    new Timer(this.#clock, () => this.fail(how)).set(0);
  }

  // ---- From the stream

  headers(fields: readonly HeaderField[], endStream: boolean): void {
    if (this.#ended) return;
    this.#sent = undefined; // the server has the call
    if (!this.#answered) {
      this.#answered = true;
      const refusal = refuseResponse(fields);
      if (refusal !== undefined) {
        this.#give("PROTOCOL_ERROR", refusal);
        return;
      }
    } else if (!endStream) {
      this.#give("PROTOCOL_ERROR", status("Internal", "a HEADERS frame cannot appear in the middle of a stream"));
      return;
    }
    if (endStream) this.fail(this.#reader.inside ? CUT : parseTrailers(fields));
  }

  data(bytes: Uint8Array, endStream: boolean): void {
    if (this.#ended) return;
    if (!this.#answered) {
      this.#give("PROTOCOL_ERROR", status("Internal", "received DATA before the headers of the answer"));
      return;
    }
    const problem = this.#reader.read(bytes, (message) => {
      if (!this.#ended) this.#events.message(message);
    });
    if (this.#ended) return;
    if (problem !== undefined) {
      this.#give("CANCEL", problem);
      return;
    }
    this.#stream?.consumed(bytes.length);
    if (endStream) this.fail(parseTrailers([]));
    else if (this.#reader.missingBytes > 0) this.#stream?.expect(this.#reader.missingBytes);
  }

  reset(errorCode: number): void {
    this.fail(statusOfReset(errorCode));
  }

  lost(reason: string, processed: boolean): void {
    if (this.#ended) return;
    this.#stream = undefined;
    if (processed || this.#triedAgain || this.#sent === undefined) {
      this.fail(this.#owner.lostStatus(reason));
      return;
    }
    this.#triedAgain = true;
    this.#owner.again(this);
  }

  #leftNs(deadlineNs: Nanoseconds): Nanoseconds {
    return Math.max(deadlineNs - this.#clock.nowNs - this.#owner.preparationNs(), 1);
  }

  #give(error: "CANCEL" | "PROTOCOL_ERROR", how: Status): void {
    const stream = this.#stream;
    this.#finish();
    stream?.reset(error);
    this.#events.ended(how);
  }

  #finish(): void {
    this.#ended = true;
    this.#deadline.stop();
    this.#sent = undefined;
    this.#owner.forget(this);
  }
}

const CUT = status("Internal", "unexpected EOF");
