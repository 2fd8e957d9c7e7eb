/**
 * How one part of the swarm calls another: gRPC over the network (src/swarm/grpc), or, from a node's own programs to its own manager, over
 * dockerd's local socket, which is on no wire.
 */
import type { Nanoseconds } from "../../sim/time.ts";
import type { Status } from "../grpc/status.ts";

export type Result = { readonly response: Uint8Array } | { readonly status: Status };

/** Ends a call whose answer is not wanted any more. */
export type Cancel = () => void;

export interface ClientStream {
  send(bytes: Uint8Array): void;
  closeSend(): void;
  cancel(): void;
}

export interface ClientStreamEvents {
  message(bytes: Uint8Array): void;
  /** Once; nothing follows. Code 0: all went well. */
  ended(status: Status): void;
}

/** `method` with its service: `/docker.swarmkit.v1.Health/Check`. */
export interface Channel {
  unary(
    method: string,
    request: Uint8Array,
    timeoutNs: Nanoseconds | undefined,
    done: (result: Result) => void,
    metadata?: ReadonlyMap<string, string>,
  ): Cancel;
  stream(
    method: string,
    events: ClientStreamEvents,
    timeoutNs?: Nanoseconds,
    metadata?: ReadonlyMap<string, string>,
  ): ClientStream;
  close(): void;
}
