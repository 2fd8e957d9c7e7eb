/**
 * What only the leader does: components that start when a manager becomes the leader and stop when it no longer is (swarmkit manager.go,
 * becomeLeader and becomeFollower), and the calls that they answer. Other managers pass these calls on to the leader.
 */
import type { Random } from "../../sim/random.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { ManagerStatus } from "../api/objects.ts";
import type { Caller } from "../ca/identity.ts";
import type { Status } from "../grpc/status.ts";
import type { Store } from "../store/store.ts";
import type { Result } from "./channel.ts";

export type Answer = (result: Result) => void;

/** The server's end of a stream. */
export interface StreamCall {
  readonly caller: Caller;
  send(bytes: Uint8Array): void;
  /** Ends the call; nothing may be sent afterwards. */
  end(status: Status): void;
}

/** What the other end of the stream does. */
export interface StreamCallEvents {
  message(bytes: Uint8Array): void;
  halfClosed(): void;
  /** It has gone, or its time is over. */
  cancelled(): void;
}

/** The managers as the leader sees them. */
export interface ManagerList {
  /** By node id. */
  readonly managers: ReadonlyMap<string, ManagerStatus>;
  /** Whether the rest would still have a quorum of reachable managers. */
  canRemoveManager(nodeId: string): boolean;
  /** Called after members came, went, or changed their reachability. The answer ends it. */
  watchManagers(listener: () => void): () => void;
}

export interface LeaderContext {
  readonly store: Store;
  readonly clock: Clock;
  readonly random: Random;
  readonly clusterId: string;
  /** The leader's own node. */
  readonly nodeId: string;
  readonly managers: ManagerList;
}

export interface LeaderComponent {
  stop(): void;
  unary?(method: string, request: Uint8Array, caller: Caller, answer: Answer): void;
  stream?(method: string, call: StreamCall): StreamCallEvents;
}

/** Who may call a method: nodes with a certificate of such a role, or anybody. */
export type Allowed = "manager" | "node" | "anybody";

export interface LeaderMethod {
  /** `/docker.swarmkit.v1.Dispatcher/Heartbeat` */
  readonly method: string;
  readonly kind: "unary" | "stream";
  readonly allowed: Allowed;
}

export interface LeaderWork {
  /** As swarmkit's log and errors have it: `dispatcher is stopped`. */
  readonly name: string;
  readonly methods: readonly LeaderMethod[];
  start(context: LeaderContext): LeaderComponent;
}
