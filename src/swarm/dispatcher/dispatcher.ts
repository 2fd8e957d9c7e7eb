/**
 * The leader's side of all agents (swarmkit manager/dispatcher): sessions, heartbeats, what each node is to do, and what became of it. Facts 8.2,
 * 8.4.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import { MILLISECOND, type Nanoseconds, SECOND } from "../../sim/time.ts";
import { Timer } from "../../sim/timer.ts";
import { formatIpv4 } from "../../wire/address.ts";
import {
  ASSIGNMENTS,
  type AssignmentsMessage,
  assignmentsMessageShape,
  assignmentsRequestShape,
  HEARTBEAT,
  heartbeatRequestShape,
  heartbeatResponseShape,
  SESSION,
  sessionMessageShape,
  sessionRequestShape,
  UPDATE_TASK_STATUS,
  updateTaskStatusRequestShape,
  updateTaskStatusResponseShape,
  weightedPeerShape,
} from "../api/dispatcher.ts";
import type { Node, NodeDescription, NodeStatus } from "../api/objects.ts";
import { isAtLeast, isBeyond } from "../api/task-state.ts";
import type { Caller } from "../ca/identity.ts";
import { OK, type Status, status } from "../grpc/status.ts";
import { newId } from "../identifiers.ts";
import type {
  Answer,
  LeaderComponent,
  LeaderContext,
  LeaderWork,
  ManagerList,
  StreamCall,
  StreamCallEvents,
} from "../manager/leader-work.ts";
import type { Change, Store } from "../store/store.ts";
import { AssignmentSet } from "./assignments.ts";
import { NodeWatch } from "./node-watch.ts";
import { StatusBatch } from "./status-batch.ts";

const DEFAULT_PERIOD_NS = 5 * SECOND;
/** Changes of a node's assignments are sent when there are so many, or so long after the first. */
const MOST_CHANGES = 100;
const BATCH_NS = 100 * MILLISECOND;
/** Tasks of a node that has been down for so long are given up. */
const ORPHAN_NS = 24 * 3_600 * SECOND;
const MANAGER_WEIGHT = 10;

const SESSION_INVALID = status("InvalidArgument", "session invalid");
const MALFORMED = status("Internal", "grpc: error while unmarshalling request");

interface AssignmentStream {
  readonly call: StreamCall;
  readonly set: AssignmentSet;
  readonly timer: Timer;
  sequence: number;
}

export class Dispatcher implements LeaderComponent {
  readonly #store: Store;
  readonly #clock: Clock;
  readonly #random: Random;
  readonly #managers: ManagerList;
  readonly #statuses: StatusBatch;
  readonly #watch: NodeWatch;
  readonly #sessions = new Map<string, { readonly id: string; readonly call: StreamCall }>(); // by node
  readonly #assignments = new Map<string, AssignmentStream>(); // by node
  readonly #orphaning = new Map<string, Timer>(); // by node
  readonly #unwatch: (() => void)[];

  constructor({ store, clock, random, nodeId, managers }: LeaderContext) {
    this.#store = store;
    this.#clock = clock;
    this.#random = random.fork("dispatcher");
    this.#managers = managers;
    this.#statuses = new StatusBatch({ store, clock, leaderId: nodeId });
    this.#watch = new NodeWatch({
      clock,
      random: this.#random.fork("periods"),
      periodNs: () => this.#periodNs(),
      expired: (id, wasUnknown) =>
        this.#markDown(id, wasUnknown ? 'heartbeat failure for node in "unknown" state' : "heartbeat failure"),
    });
    this.#unwatch = [
      store.watch((changes) => this.#onChanges(changes)),
      managers.watchManagers(() => this.#sendSessions()),
    ];
    this.#takeOver();
  }

  stop(): void {
    for (const unwatch of this.#unwatch) unwatch();
    this.#watch.stop();
    this.#statuses.stop();
    for (const timer of this.#orphaning.values()) timer.stop();
    const stopped = status("Aborted", "dispatcher is stopped");
    for (const { call } of this.#sessions.values()) call.end(stopped);
    for (const stream of this.#assignments.values()) {
      stream.timer.stop();
      stream.call.end(stopped);
    }
    this.#sessions.clear();
    this.#assignments.clear();
  }

  /** Nothing is known of the nodes yet: they are to find the new leader. */
  #takeOver(): void {
    const message = 'Node moved to "unknown" state due to leadership change in cluster';
    const known = [...this.#store.all("node")];
    this.#store.batch(
      known
        .filter(({ status: { state } }) => state !== "down")
        .map(({ id }) => (tx) => {
          const node = tx.get("node", id);
          if (node !== undefined) tx.update("node", { ...node, status: { ...node.status, state: "unknown", message } });
        }),
    );
    for (const node of known)
      if (node.status.state === "down") this.#orphanLater(node.id);
      else this.#watch.addUnknown(node.id);
  }

  unary(method: string, request: Uint8Array, caller: Caller, answer: Answer): void {
    if (method === HEARTBEAT) this.#heartbeat(request, caller, answer);
    else this.#updateTaskStatus(request, caller, answer);
  }

  stream(method: string, call: StreamCall): StreamCallEvents {
    return method === SESSION ? this.#session(call) : this.#assign(call);
  }

  // Sessions

  #session(call: StreamCall): StreamCallEvents {
    const nodeId = nodeOf(call.caller);
    return {
      message: (bytes) => {
        const request = sessionRequestShape.parse(bytes);
        if (request === undefined) call.end(MALFORMED);
        else this.#register(nodeId, request.description, call);
      },
      halfClosed: () => undefined,
      cancelled: () => {
        // Its beats go on, or it comes back, or it will be found missing.
        if (this.#sessions.get(nodeId)?.call === call) this.#sessions.delete(nodeId);
      },
    };
  }

  #register(nodeId: string, description: NodeDescription | undefined, call: StreamCall): void {
    if (this.#store.get("node", nodeId) === undefined) {
      call.end(status("NotFound", "node not registered"));
      return;
    }
    if (!this.#watch.mayRegister(nodeId)) {
      call.end(status("Unavailable", `node ${nodeId} exceeded rate limit count of registrations`));
      return;
    }
    const before = this.#sessions.get(nodeId);
    const id = newId(this.#random);
    this.#sessions.set(nodeId, { id, call });
    before?.call.end(SESSION_INVALID); // the node has come again: what it had is over
    this.#endAssignments(nodeId, SESSION_INVALID);
    this.#orphaning.get(nodeId)?.stop();
    this.#orphaning.delete(nodeId);
    this.#watch.register(nodeId, id);
    const address = formatIpv4(call.caller.address);
    this.#setStatus(nodeId, { state: "ready", message: "", address }, description);
    this.#sendSession(nodeId);
  }

  #sendSessions(): void {
    for (const nodeId of this.#sessions.keys()) this.#sendSession(nodeId);
  }

  #sendSession(nodeId: string): void {
    const session = this.#sessions.get(nodeId);
    const node = this.#store.get("node", nodeId);
    const { cluster } = this.#store;
    if (session === undefined || node === undefined) return;
    const managers = [...this.#managers.managers].map(([id, { address }]) =>
      weightedPeerShape.make({ peer: { nodeId: id, address }, weight: MANAGER_WEIGHT }),
    );
    session.call.send(
      sessionMessageShape.emit({
        sessionId: session.id,
        node,
        managers,
        networkBootstrapKeys: cluster?.networkBootstrapKeys ?? [],
        rootCa: cluster?.rootCa.caCert ?? new Uint8Array(0),
      }),
    );
  }

  // Heartbeats

  #periodNs(): Nanoseconds {
    return this.#store.cluster?.spec.dispatcher.heartbeatPeriod ?? DEFAULT_PERIOD_NS;
  }

  #heartbeat(bytes: Uint8Array, caller: Caller, answer: Answer): void {
    const request = heartbeatRequestShape.parse(bytes);
    if (request === undefined) answer({ status: MALFORMED });
    else if (!this.#watch.isSession(nodeOf(caller), request.sessionId)) answer({ status: this.#refusalOf(caller) });
    else answer({ response: heartbeatResponseShape.emit({ period: this.#watch.beat(nodeOf(caller)) }) });
  }

  #refusalOf(caller: Caller): Status {
    return this.#sessions.has(nodeOf(caller)) ? SESSION_INVALID : status("NotFound", "node not registered");
  }

  #markDown(nodeId: string, message: string): void {
    this.#endSession(nodeId);
    this.#setStatus(nodeId, { state: "down", message });
    this.#orphanLater(nodeId);
  }

  #endSession(nodeId: string): void {
    this.#sessions.get(nodeId)?.call.end(SESSION_INVALID);
    this.#sessions.delete(nodeId);
    this.#endAssignments(nodeId, SESSION_INVALID);
  }

  #setStatus(nodeId: string, change: Partial<NodeStatus>, description?: NodeDescription): void {
    this.#store.update((tx) => {
      const node = tx.get("node", nodeId);
      if (node === undefined) return;
      const written: Node = {
        ...node,
        status: { ...node.status, ...change },
        description: description ?? node.description,
      };
      tx.update("node", written);
    });
  }

  #orphanLater(nodeId: string): void {
    const timer = new Timer(this.#clock, () => {
      this.#orphaning.delete(nodeId);
      this.#store.batch(
        this.#store.tasksOfNode(nodeId).map(({ id }) => (tx) => {
          const task = tx.get("task", id);
          const isOnNode = task !== undefined && isAtLeast(task.status.state, "assigned");
          if (!isOnNode || isBeyond(task.status.state, "running")) return;
          const orphaned = { ...task.status, state: "orphaned" as const, timestamp: this.#clock.nowNs };
          tx.update("task", { ...task, status: orphaned });
        }),
      );
    });
    this.#orphaning.set(nodeId, timer);
    timer.set(ORPHAN_NS);
  }

  // What tasks came to

  #updateTaskStatus(bytes: Uint8Array, caller: Caller, answer: Answer): void {
    const request = updateTaskStatusRequestShape.parse(bytes);
    if (request === undefined) {
      answer({ status: MALFORMED });
      return;
    }
    if (!this.#watch.isSession(nodeOf(caller), request.sessionId)) {
      answer({ status: this.#refusalOf(caller) });
      return;
    }
    for (const { taskId } of request.updates) {
      const task = this.#store.get("task", taskId);
      if (task !== undefined && task.nodeId !== nodeOf(caller)) {
        answer({ status: status("PermissionDenied", "cannot update a task not assigned this node") });
        return;
      }
    }
    for (const update of request.updates)
      if (update.status !== undefined) this.#statuses.add(update.taskId, update.status);
    answer({ response: updateTaskStatusResponseShape.emit({}) });
  }

  // What nodes are to do

  #assign(call: StreamCall): StreamCallEvents {
    const nodeId = nodeOf(call.caller);
    return {
      message: (bytes) => {
        const request = assignmentsRequestShape.parse(bytes);
        if (request === undefined) call.end(MALFORMED);
        else if (!this.#watch.isSession(nodeId, request.sessionId)) call.end(this.#refusalOf(call.caller));
        else this.#beginAssignments(nodeId, call);
      },
      halfClosed: () => undefined,
      cancelled: () => {
        const stream = this.#assignments.get(nodeId);
        if (stream?.call !== call) return;
        stream.timer.stop();
        this.#assignments.delete(nodeId);
      },
    };
  }

  #beginAssignments(nodeId: string, call: StreamCall): void {
    this.#endAssignments(nodeId, OK);
    const stream: AssignmentStream = {
      call,
      set: new AssignmentSet(this.#store),
      timer: new Timer(this.#clock, () => this.#sendChanges(stream, "incremental")),
      sequence: 0,
    };
    this.#assignments.set(nodeId, stream);
    for (const task of this.#store.tasksOfNode(nodeId)) stream.set.put(task);
    this.#sendChanges(stream, "complete");
  }

  #endAssignments(nodeId: string, why: Status): void {
    const stream = this.#assignments.get(nodeId);
    if (stream === undefined) return;
    stream.timer.stop();
    this.#assignments.delete(nodeId);
    stream.call.end(why);
  }

  #sendChanges(stream: AssignmentStream, type: AssignmentsMessage["type"]): void {
    stream.timer.stop();
    const appliesTo = type === "complete" ? "" : String(stream.sequence);
    stream.sequence++;
    const resultsIn = String(stream.sequence);
    stream.call.send(assignmentsMessageShape.emit({ type, appliesTo, resultsIn, changes: stream.set.takeChanges() }));
  }

  #queueChanges(stream: AssignmentStream): void {
    if (stream.set.pending >= MOST_CHANGES) this.#sendChanges(stream, "incremental");
    else if (!stream.timer.armed && stream.set.pending > 0) stream.timer.set(BATCH_NS);
  }

  #onChanges(changes: readonly Change[]): void {
    for (const change of changes) this.#onChange(change);
  }

  #onChange(change: Change): void {
    switch (change.kind) {
      case "task": {
        const stream = this.#assignments.get(change.object.nodeId);
        if (stream === undefined) return;
        const isNews = change.action === "remove" ? stream.set.remove(change.object.id) : stream.set.put(change.object);
        if (isNews) this.#queueChanges(stream);
        return;
      }
      case "secret":
      case "config":
        if (change.action !== "update") return;
        for (const stream of this.#assignments.values())
          if (stream.set.dependencyChanged(change.kind, change.object.id)) this.#queueChanges(stream);
        return;
      case "node":
        this.#onNode(change.object, change.before, change.action === "remove");
        return;
      case "cluster": {
        const { object, before } = change;
        const isNews =
          object.networkBootstrapKeys !== before?.networkBootstrapKeys || object.rootCa.caCert !== before.rootCa.caCert;
        if (isNews) this.#sendSessions();
        return;
      }
      case "service":
      case "network":
        return;
    }
  }

  #onNode(node: Node, before: Node | undefined, isGone: boolean): void {
    if (isGone) {
      this.#watch.forget(node.id);
      this.#endSession(node.id);
      return;
    }
    // Its own state is no news to it.
    const isNews =
      before === undefined ||
      node.spec !== before.spec ||
      node.role !== before.role ||
      node.attachments !== before.attachments ||
      node.certificate !== before.certificate;
    if (isNews) this.#sendSession(node.id);
  }
}

/** Only nodes may call: the manager has seen to it. */
function nodeOf(caller: Caller): string {
  return caller.identity?.nodeId ?? "";
}

export const DISPATCHER_WORK: LeaderWork = {
  name: "dispatcher",
  methods: [
    { method: SESSION, kind: "stream", allowed: "node" },
    { method: HEARTBEAT, kind: "unary", allowed: "node" },
    { method: UPDATE_TASK_STATUS, kind: "unary", allowed: "node" },
    { method: ASSIGNMENTS, kind: "stream", allowed: "node" },
  ],
  start: (context) => new Dispatcher(context),
};
