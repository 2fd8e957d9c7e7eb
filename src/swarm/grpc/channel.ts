/**
 * A client's channel to one server, as grpc-go's ClientConn with one address: a connection made on first use, calls over it, and when connecting fails,
 * calls that fail at once until a later try succeeds.
 */
import type { NetworkNamespace } from "../../linux/namespace.ts";
import { WaitQueue } from "../../linux/process.ts";
import type { Random } from "../../sim/random.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { formatIpv4, type Ipv4Address } from "../../wire/address.ts";
import { backoffNs, DEFAULT_MAXIMUM_BACKOFF_NS } from "./backoff.ts";
import { type Metadata, NO_METADATA } from "./call-headers.ts";
import { type CallEvents, type CallOwner, ClientCall } from "./client-call.ts";
import { type AttemptOwner, ConnectAttempt } from "./connect-attempt.ts";
import type { KeepaliveSettings } from "./keepalive.ts";
import { CLEAR, type Security } from "./security.ts";
import { OK, type Status, status } from "./status.ts";

/** Ends a call; nothing is said about it any more. */
export type Cancel = () => void;

export type CallResult = { readonly response: Uint8Array } | { readonly status: Status };

/** The client's half of a call with streams. */
export interface ClientStream {
  send(bytes: Uint8Array): void;
  closeSend(): void;
  cancel(): void;
}

export interface CallOptions {
  readonly metadata?: Metadata;
  /** Waits for a connection instead of failing when there is none. */
  readonly waitForReady?: boolean;
}

export type ChannelState = "idle" | "connecting" | "ready" | "transient-failure";

export interface ChannelSettings {
  readonly namespace: NetworkNamespace;
  readonly address: Ipv4Address;
  readonly port: number;
  readonly random: Random;
  readonly security?: Security;
  readonly userAgent?: string;
  /** `:authority`; else the name that TLS asks for, else address and port. */
  readonly authority?: string;
  readonly maximumBackoffNs?: Nanoseconds;
  readonly maximumMessageBytes?: number;
  /** None: no pings. */
  readonly keepalive?: KeepaliveSettings;
}

export const DEFAULT_USER_AGENT = "grpc-go/1.72.2";
export const DEFAULT_MAXIMUM_MESSAGE_BYTES = 4 * 1024 * 1024;
/** From the SYN to the server's SETTINGS. */
const CONNECT_TIMEOUT_NS: Nanoseconds = 20 * SECOND;
/**
 * From a deadline's setting to `grpc-timeout`: tens of microseconds in a real program, never twice the same, so that each call carries a value of its own
 * that HPACK has not seen (8 octets of every recorded heartbeat).
 */
const LEAST_PREPARATION_NS: Nanoseconds = 20_000;
const PREPARATION_SPREAD_NS: Nanoseconds = 200_000;
const CLOSING = "grpc: the client connection is closing";

export class GrpcChannel implements CallOwner, AttemptOwner {
  readonly authority: string;
  readonly userAgent: string;
  readonly maximumMessageBytes: number;
  /** Woken at every change of `state`. */
  readonly changed = new WaitQueue();
  readonly #settings: ChannelSettings;
  readonly #security: Security;
  readonly #preparation: Random;
  readonly #connectTimer: Timer;
  readonly #backoffTimer: Timer;
  /** Calls without a connection, in their order. */
  readonly #waiting = new Set<ClientCall>();
  #state: ChannelState = "idle";
  #attempt: ConnectAttempt | undefined;
  /** Connections that take no new calls and end with their last. */
  readonly #draining = new Set<ConnectAttempt>();
  #failures = 0;
  #lastError = "";
  #closed = false;

  constructor(settings: ChannelSettings) {
    const { namespace, address, port } = settings;
    this.#settings = settings;
    this.#preparation = settings.random.fork("preparation");
    this.#security = settings.security ?? CLEAR;
    const name = this.#security.kind === "tls" ? this.#security.serverName : undefined;
    this.authority = settings.authority ?? name ?? `${formatIpv4(address)}:${port}`;
    this.userAgent = settings.userAgent ?? DEFAULT_USER_AGENT;
    this.maximumMessageBytes = settings.maximumMessageBytes ?? DEFAULT_MAXIMUM_MESSAGE_BYTES;
    this.#connectTimer = new Timer(namespace.clock, () => this.#attempt?.timeOut());
    this.#backoffTimer = new Timer(namespace.clock, () => this.#connect());
  }

  get state(): ChannelState {
    return this.#state;
  }

  get scheme(): "http" | "https" {
    return this.#security.kind === "clear" ? "http" : "https";
  }

  /** The certificate that the server showed, while there is a connection. */
  get peerCertificate(): Uint8Array | undefined {
    return this.#state === "ready" ? this.#attempt?.stream.peerCertificate : undefined;
  }

  /** One message there, one back. `done` comes once, never before this returns, and not after the answer's `Cancel`. */
  unary(
    method: string,
    request: Uint8Array,
    timeoutNs: Nanoseconds | undefined,
    done: (result: CallResult) => void,
    options: CallOptions = {},
  ): Cancel {
    let response: Uint8Array | undefined;
    const call = this.#call(method, timeoutNs, options, {
      message(bytes) {
        response ??= bytes;
      },
      ended(how) {
        if (how.code !== OK.code) done({ status: how });
        else if (response === undefined) done({ status: NO_ANSWER });
        else done({ response });
      },
    });
    call.send(request);
    call.closeSend();
    this.#start(call);
    return () => call.cancel();
  }

  /** `ended` comes once, never before this returns, and not after `cancel`. */
  stream(
    method: string,
    events: CallEvents,
    timeoutNs?: Nanoseconds | undefined,
    options: CallOptions = {},
  ): ClientStream {
    const call = this.#call(method, timeoutNs, options, events);
    this.#start(call);
    return call;
  }

  /** Connects now if there is no connection, without waiting for a call. */
  connect(): void {
    if (this.#state === "idle" && !this.#closed) this.#connect();
  }

  /** Ends the connection and every call. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#connectTimer.stop();
    this.#backoffTimer.stop();
    const attempt = this.#attempt;
    this.#attempt = undefined;
    this.#become("idle");
    attempt?.close(CLOSING);
    for (const one of [...this.#draining]) one.close(CLOSING);
    for (const call of [...this.#waiting]) call.fail(status("Canceled", CLOSING));
  }

  // ---- For the calls

  preparationNs(): Nanoseconds {
    return LEAST_PREPARATION_NS + this.#preparation.below(PREPARATION_SPREAD_NS);
  }

  again(call: ClientCall): void {
    this.#start(call);
  }

  lostStatus(reason: string): Status {
    if (this.#closed) return status("Canceled", CLOSING);
    return status("Unavailable", `error reading from server: ${reason}`);
  }

  forget(call: ClientCall): void {
    this.#waiting.delete(call);
  }

  // ---- For the attempts

  /** The server's SETTINGS are here. */
  ready(attempt: ConnectAttempt): void {
    if (attempt !== this.#attempt) return;
    this.#connectTimer.stop();
    this.#failures = 0;
    this.#become("ready");
    this.#sendWaiting();
  }

  /** The server takes no new calls. */
  draining(attempt: ConnectAttempt): void {
    if (attempt !== this.#attempt) return;
    this.#draining.add(attempt);
    this.#leave();
  }

  /** The connection that the attempt became is gone. */
  lost(attempt: ConnectAttempt): void {
    this.#draining.delete(attempt);
    if (attempt === this.#attempt) this.#leave();
  }

  /** It became none. */
  failed(attempt: ConnectAttempt, error: string): void {
    if (attempt !== this.#attempt) return;
    this.#attempt = undefined;
    this.#connectTimer.stop();
    this.#lastError = error;
    this.#become("transient-failure");
    const maximumNs = this.#settings.maximumBackoffNs ?? DEFAULT_MAXIMUM_BACKOFF_NS;
    this.#backoffTimer.set(backoffNs(this.#failures++, maximumNs, this.#settings.random));
    for (const call of [...this.#waiting]) if (!call.waitForReady) call.fail(this.#unavailable());
  }

  #call(method: string, timeoutNs: Nanoseconds | undefined, options: CallOptions, events: CallEvents): ClientCall {
    return new ClientCall({
      owner: this,
      clock: this.#settings.namespace.clock,
      method,
      metadata: options.metadata ?? NO_METADATA,
      timeoutNs,
      waitForReady: options.waitForReady ?? false,
      events,
    });
  }

  #start(call: ClientCall): void {
    if (this.#closed) {
      call.failSoon(status("Canceled", CLOSING));
      return;
    }
    if (this.#state === "transient-failure" && !call.waitForReady) {
      call.failSoon(this.#unavailable());
      return;
    }
    this.#waiting.add(call);
    if (this.#state === "ready") this.#sendWaiting();
    else if (this.#state === "idle") this.#connect();
  }

  #sendWaiting(): void {
    const connection = this.#attempt?.connection;
    if (connection === undefined) return;
    for (const call of [...this.#waiting]) {
      if (!connection.open) return;
      this.#waiting.delete(call);
      call.begin(connection);
    }
  }

  #leave(): void {
    this.#attempt = undefined;
    this.#connectTimer.stop();
    this.#become("idle");
    if (this.#waiting.size > 0) this.#connect();
  }

  #connect(): void {
    if (this.#state !== "transient-failure") this.#become("connecting");
    this.#connectTimer.set(CONNECT_TIMEOUT_NS);
    this.#attempt = new ConnectAttempt(this, this.#settings, this.#security);
  }

  #unavailable(): Status {
    return status("Unavailable", `connection error: desc = "${this.#lastError}"`);
  }

  #become(state: ChannelState): void {
    if (this.#state === state) return;
    this.#state = state;
    this.changed.wake();
  }
}

const NO_ANSWER = status(
  "Internal",
  "cardinality violation: received no response message from non-server-streaming RPC",
);
