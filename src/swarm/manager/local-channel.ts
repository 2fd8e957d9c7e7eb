/**
 * dockerd's local socket to its own manager (swarmkit manager.go, the control socket): on no wire, without certificates, and passed on to the leader as the
 * manager's own calls.
 */
import type { Clock } from "../../sim/simulation.ts";
import type { Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Caller } from "../ca/identity.ts";
import { type Status, status } from "../grpc/status.ts";
import type { CallOptions, Cancel, Channel, ClientStream, ClientStreamEvents, Result } from "./channel.ts";
import type { StreamCallEvents } from "./leader-work.ts";
import type { ProxiedCall, RaftProxy } from "./raft-proxy.ts";

/** From one program to the other. */
const CROSSING_NS: Nanoseconds = 20_000;
const TOO_LATE = status("DeadlineExceeded", "context deadline exceeded");
const CLOSED = status("Canceled", "grpc: the client connection is closing");

export class LocalChannel implements Channel {
  readonly #clock: Clock;
  readonly #proxy: RaftProxy;
  readonly #caller: Caller;
  readonly #calls = new Set<LocalCall>();
  #isClosed = false;

  constructor(clock: Clock, proxy: RaftProxy, caller: Caller) {
    this.#clock = clock;
    this.#proxy = proxy;
    this.#caller = caller;
  }

  unary(
    method: string,
    request: Uint8Array,
    timeoutNs: Nanoseconds | undefined,
    done: (result: Result) => void,
    options: CallOptions = {},
  ): Cancel {
    const call = this.#call(timeoutNs, (how) => done({ status: how }));
    call.begin(() =>
      this.#proxy.unary(method, request, this.#how(timeoutNs, options), (result) => {
        if (call.end()) done(result);
      }),
    );
    return () => call.cancel();
  }

  stream(method: string, events: ClientStreamEvents, timeoutNs?: Nanoseconds, options: CallOptions = {}): ClientStream {
    const call = this.#call(timeoutNs, (how) => events.ended(how));
    let peer: StreamCallEvents | undefined;
    const early: (() => void)[] = [];
    const act = (what: () => void) => {
      if (call.isOver) return;
      if (peer === undefined) early.push(what);
      else what();
    };
    call.begin(() => {
      const how = this.#how(timeoutNs, options);
      const server = {
        caller: this.#caller,
        send: (bytes: Uint8Array) => {
          if (!call.isOver) events.message(bytes);
        },
        end: (how: Status) => {
          if (call.end()) events.ended(how);
        },
      };
      const opened = this.#proxy.stream(method, server, how);
      peer = opened;
      for (const what of early) what();
      return () => opened.cancelled();
    });
    return {
      send: (bytes) => act(() => peer?.message(bytes)),
      closeSend: () => act(() => peer?.halfClosed()),
      cancel: () => call.cancel(),
    };
  }

  close(): void {
    this.#isClosed = true;
    for (const call of [...this.#calls]) call.fail(CLOSED);
  }

  #how(timeoutNs: Nanoseconds | undefined, { metadata = new Map() }: CallOptions): ProxiedCall {
    return { caller: this.#caller, isTrusted: true, metadata, timeoutNs };
  }

  #call(timeoutNs: Nanoseconds | undefined, failed: (how: Status) => void): LocalCall {
    const call: LocalCall = new LocalCall(this.#clock, timeoutNs, failed, () => this.#calls.delete(call));
    this.#calls.add(call);
    if (this.#isClosed) call.fail(CLOSED);
    return call;
  }
}

/** One call: begun a moment later, ended once. */
class LocalCall {
  readonly #begin: Timer;
  readonly #deadline: Timer;
  readonly #failed: (how: Status) => void;
  readonly #over: () => void;
  #open: () => Cancel = () => () => {};
  #cancel: Cancel = () => {};
  isOver = false;

  constructor(clock: Clock, timeoutNs: Nanoseconds | undefined, failed: (how: Status) => void, over: () => void) {
    this.#failed = failed;
    this.#over = over;
    this.#begin = new Timer(clock, () => {
      this.#cancel = this.#open();
    });
    this.#deadline = new Timer(clock, () => this.fail(TOO_LATE));
    if (timeoutNs !== undefined) this.#deadline.set(timeoutNs);
  }

  begin(open: () => Cancel): void {
    this.#open = open;
    if (!this.isOver) this.#begin.set(CROSSING_NS);
  }

  /** False: it was over already. */
  end(): boolean {
    if (this.isOver) return false;
    this.isOver = true;
    this.#begin.stop();
    this.#deadline.stop();
    this.#over();
    return true;
  }

  fail(how: Status): void {
    const cancel = this.#cancel;
    if (!this.end()) return;
    cancel();
    this.#failed(how);
  }

  cancel(): void {
    const cancel = this.#cancel;
    if (this.end()) cancel();
  }
}
