/**
 * How one part of the swarm calls another: gRPC over the network (src/swarm/grpc), or, from a node's own programs to its own manager, over
 * dockerd's local socket, which is on no wire. `method` comes with its service: `/docker.swarmkit.v1.Health/Check`.
 */
import type { GrpcChannel } from "../grpc/channel.ts";

export type { CallOptions, CallResult as Result, Cancel, ClientStream } from "../grpc/channel.ts";
export type { CallEvents as ClientStreamEvents } from "../grpc/client-call.ts";

export type Channel = Pick<GrpcChannel, "unary" | "stream" | "close">;
