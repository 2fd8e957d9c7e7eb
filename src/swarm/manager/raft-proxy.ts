/**
 * Passes the calls that only the leader answers on to it (swarmkit protobuf/plugin/raftproxy): over the connection that raft has to it, with the caller's
 * identity in the metadata. When that connection turns out to be broken, it waits for the next leader and tries once more.
 */
import type { Clock } from "../../sim/simulation.ts";
import { MILLISECOND, type Nanoseconds } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { Caller } from "../ca/identity.ts";
import type { Status } from "../grpc/status.ts";
import type { Cancel, Channel, ClientStream, Result } from "./channel.ts";
import { checkHealth } from "./health.ts";
import type { Leader, LeaderConnection } from "./leader-connection.ts";
import type { LeaderServices } from "./leader-services.ts";
import type { StreamCall, StreamCallEvents } from "./leader-work.ts";

const RETRY_NS: Nanoseconds = 500 * MILLISECOND;
const HEALTH_TIMEOUT_NS: Nanoseconds = 2_000 * MILLISECOND;

export interface ProxiedCall {
  readonly caller: Caller;
  /** It comes from this node's own programs: it is passed on as this manager's own call. */
  readonly isTrusted: boolean;
  readonly metadata: ReadonlyMap<string, string>;
  /** What is left of the caller's time. */
  readonly timeoutNs: Nanoseconds | undefined;
}

export class RaftProxy {
  readonly #leader: LeaderConnection;
  readonly #services: LeaderServices;
  readonly #clock: Clock;

  constructor(leader: LeaderConnection, services: LeaderServices, clock: Clock) {
    this.#leader = leader;
    this.#services = services;
    this.#clock = clock;
  }

  unary(method: string, request: Uint8Array, call: ProxiedCall, done: (result: Result) => void): Cancel {
    let cancelCall: Cancel = () => {};
    const send = (leader: Leader, answered: (result: Result) => void) => {
      if (leader.kind === "here") this.#services.unary(method, request, call.caller, call.isTrusted, answered);
      else cancelCall = leader.channel.unary(method, request, call.timeoutNs, answered, { metadata: call.metadata });
    };
    const cancelSearch = this.#leader.locate((leader) => {
      if (leader.kind === "none") {
        done({ status: leader.status });
        return;
      }
      send(leader, (result) => {
        if (leader.kind === "here" || !isBroken(result)) done(result);
        else
          cancelCall = this.#locateNext((next) => {
            if ("code" in next) done({ status: next });
            else send(next, done);
          });
      });
    });
    return () => {
      cancelSearch();
      cancelCall();
    };
  }

  /** Both ways until either end ends it. */
  stream(method: string, call: StreamCall, how: ProxiedCall): StreamCallEvents {
    const relay = new Relay(call);
    relay.cancelSearch = this.#leader.locate((leader) => {
      if (leader.kind === "none") call.end(leader.status);
      else if (leader.kind === "here") relay.here(this.#services.stream(method, call, how.isTrusted));
      else relay.there(leader.channel, method, how);
    });
    return relay;
  }

  /** A leader that is well. */
  #locateNext(found: (leader: Leader | Status) => void): Cancel {
    let cancelSearch: Cancel = () => {};
    let cancelCheck: Cancel = () => {};
    const again = new Timer(this.#clock, () => {
      cancelSearch = this.#leader.locate((leader) => {
        if (leader.kind === "none") found(leader.status);
        else if (leader.kind === "here") found(leader);
        else
          cancelCheck = checkHealth(leader.channel, "Raft", HEALTH_TIMEOUT_NS, (problem) => {
            if (problem === undefined) found(leader);
            else again.set(RETRY_NS);
          });
      });
    });
    again.set(RETRY_NS);
    return () => {
      again.stop();
      cancelSearch();
      cancelCheck();
    };
  }
}

const BROKEN = ["is closing", "the connection is unavailable", "connection error"];

function isBroken(result: Result): boolean {
  return "status" in result && BROKEN.some((text) => result.status.message.includes(text));
}

/** One stream that is passed on; what comes before the leader is found waits. */
class Relay implements StreamCallEvents {
  readonly #call: StreamCall;
  cancelSearch: Cancel = () => {};
  #local: StreamCallEvents | undefined;
  #remote: ClientStream | undefined;
  readonly #early: Uint8Array[] = [];
  #isHalfClosed = false;
  #isCancelled = false;

  constructor(call: StreamCall) {
    this.#call = call;
  }

  here(events: StreamCallEvents): void {
    this.#local = events;
    for (const bytes of this.#early) events.message(bytes);
    if (this.#isHalfClosed) events.halfClosed();
  }

  there(channel: Channel, method: string, { timeoutNs, metadata }: ProxiedCall): void {
    if (this.#isCancelled) return;
    const call = this.#call;
    const events = {
      message: (bytes: Uint8Array) => call.send(bytes),
      ended: (status: Status) => call.end(status),
    };
    this.#remote = channel.stream(method, events, timeoutNs, { metadata });
    for (const bytes of this.#early) this.#remote.send(bytes);
    if (this.#isHalfClosed) this.#remote.closeSend();
  }

  message(bytes: Uint8Array): void {
    if (this.#local !== undefined) this.#local.message(bytes);
    else if (this.#remote !== undefined) this.#remote.send(bytes);
    else this.#early.push(bytes);
  }

  halfClosed(): void {
    this.#isHalfClosed = true;
    this.#local?.halfClosed();
    this.#remote?.closeSend();
  }

  cancelled(): void {
    this.#isCancelled = true;
    this.cancelSearch();
    this.#local?.cancelled();
    this.#remote?.cancel();
  }
}
