/**
 * One session of an agent with a manager (swarmkit agent/session.go): the stream of messages, heartbeats, and the stream of assignments. It ends with
 * the first of them that fails; the agent then begins another, perhaps elsewhere.
 */
import type { Clock } from "../../sim/simulation.ts";
import { type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import type { ManagerConnection } from "../agent-settings.ts";
import {
  ASSIGNMENTS,
  type AssignmentsMessage,
  assignmentsMessageShape,
  assignmentsRequestShape,
  HEARTBEAT,
  heartbeatRequestShape,
  heartbeatResponseShape,
  SESSION,
  type SessionMessage,
  sessionMessageShape,
  sessionRequestShape,
  UPDATE_TASK_STATUS,
  updateTaskStatusRequestShape,
} from "../api/dispatcher.ts";
import type { NodeDescription, TaskStatus } from "../api/objects.ts";
import { type Status, status } from "../grpc/status.ts";
import type { Cancel, ClientStream } from "../manager/channel.ts";

const CALL_TIMEOUT_NS = 5 * SECOND;
const FIRST_BEAT_NS = 1;
const DEFAULT_PERIOD_NS = 5 * SECOND;
const MALFORMED = status("Internal", "grpc: error while unmarshalling message");

export interface SessionEvents {
  /** The first makes the session stand. */
  message(message: SessionMessage): void;
  /** The session stands. */
  began(): void;
  assignments(message: AssignmentsMessage): void;
  /** Called once; nothing comes afterwards. */
  ended(why: Status): void;
}

export interface SessionSettings {
  readonly connection: ManagerConnection;
  readonly clock: Clock;
  readonly description: NodeDescription;
  readonly events: SessionEvents;
}

export class Session {
  readonly #connection: ManagerConnection;
  readonly #events: SessionEvents;
  readonly #beat: Timer;
  /** The first message must come within this. */
  readonly #patience: Timer;
  readonly #cancels = new Set<Cancel>();
  #streams: ClientStream[] = [];
  #sessionId = "";
  #periodNs: Nanoseconds = DEFAULT_PERIOD_NS;
  #isOver = false;

  constructor({ connection, clock, description, events }: SessionSettings) {
    this.#connection = connection;
    this.#events = events;
    this.#beat = new Timer(clock, () => this.#heartbeat());
    this.#patience = new Timer(clock, () => this.#end(status("DeadlineExceeded", "context deadline exceeded")));
    this.#patience.set(CALL_TIMEOUT_NS);
    const stream = connection.channel.stream(SESSION, {
      message: (bytes) => this.#onMessage(bytes),
      ended: (why) => this.#end(why),
    });
    this.#streams.push(stream);
    stream.send(sessionRequestShape.emit({ description, sessionId: "" }));
    stream.closeSend();
  }

  /** Whether the manager knows of the session. */
  get stands(): boolean {
    return this.#sessionId !== "" && !this.#isOver;
  }

  /** Ends it from this side; `ended` is not called. */
  close(success: boolean): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#beat.stop();
    this.#patience.stop();
    for (const cancel of this.#cancels) cancel();
    for (const stream of this.#streams) stream.cancel();
    this.#streams = [];
    this.#connection.close(success);
  }

  /** Tells the manager what tasks came to; `done` says whether it has taken it. */
  report(
    updates: readonly { readonly taskId: string; readonly status: TaskStatus }[],
    done: (taken: boolean) => void,
  ): void {
    const request = updateTaskStatusRequestShape.emit({ sessionId: this.#sessionId, updates });
    this.#call(UPDATE_TASK_STATUS, request, (response) => done(response !== undefined));
  }

  #onMessage(bytes: Uint8Array): void {
    const message = sessionMessageShape.parse(bytes);
    if (message === undefined) {
      this.#end(MALFORMED);
      return;
    }
    const isFirst = this.#sessionId === "";
    this.#sessionId = message.sessionId;
    if (isFirst) {
      this.#patience.stop();
      this.#beat.set(FIRST_BEAT_NS);
      this.#openAssignments();
      this.#events.began();
    }
    this.#events.message(message);
  }

  #openAssignments(): void {
    const stream = this.#connection.channel.stream(ASSIGNMENTS, {
      message: (bytes) => {
        const message = assignmentsMessageShape.parse(bytes);
        if (message === undefined) this.#end(MALFORMED);
        else this.#events.assignments(message);
      },
      ended: (why) => this.#end(why),
    });
    this.#streams.push(stream);
    stream.send(assignmentsRequestShape.emit({ sessionId: this.#sessionId }));
    stream.closeSend();
  }

  #heartbeat(): void {
    this.#call(HEARTBEAT, heartbeatRequestShape.emit({ sessionId: this.#sessionId }), (response) => {
      const parsed = response === undefined ? undefined : heartbeatResponseShape.parse(response);
      if (parsed === undefined) return;
      this.#periodNs = parsed.period ?? DEFAULT_PERIOD_NS;
      this.#beat.set(this.#periodNs);
    });
  }

  /** A call that fails ends the session: there may be a better manager. `done` gets undefined then. */
  #call(method: string, request: Uint8Array, done: (response: Uint8Array | undefined) => void): void {
    const cancel = this.#connection.channel.unary(method, request, CALL_TIMEOUT_NS, (result) => {
      this.#cancels.delete(cancel);
      if ("response" in result) done(result.response);
      else {
        done(undefined);
        this.#end(result.status);
      }
    });
    this.#cancels.add(cancel);
  }

  #end(why: Status): void {
    if (this.#isOver) return;
    this.close(false);
    this.#events.ended(why);
  }
}
