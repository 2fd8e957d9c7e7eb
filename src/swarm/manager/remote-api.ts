/**
 * What a manager serves on port 2377 (swarmkit manager.go, Run): raft and health from the first moment, since an aspiring member is dialled back before it
 * knows its number; the calls that the leader answers once it is a member.
 */
import type { Errno } from "../../linux/errno.ts";
import type { NetworkNamespace } from "../../linux/namespace.ts";
import type { Clock } from "../../sim/simulation.ts";
import type { Ipv4Address } from "../../wire/address.ts";
import { callerOf, type Identify, refuseCaller, remoteAddress } from "../ca/caller.ts";
import { type Caller, forwardMetadata, type Identity } from "../ca/identity.ts";
import type { Security } from "../grpc/security.ts";
import { GrpcServer, type ServerCall } from "../grpc/server.ts";
import { OK, type Status, status } from "../grpc/status.ts";
import type { Result } from "./channel.ts";
import { Health } from "./health.ts";
import type { LeaderConnection } from "./leader-connection.ts";
import type { LeaderServices } from "./leader-services.ts";
import type { Allowed } from "./leader-work.ts";
import type { ManagerRaft } from "./manager-raft.ts";
import { type MembershipChanges, NO_RAFT_MEMBER } from "./membership-changes.ts";
import type { ProxiedCall, RaftProxy } from "./raft-proxy.ts";
import {
  HEALTH_CHECK,
  JOIN,
  LEAVE,
  PROCESS_RAFT_MESSAGE,
  RESOLVE_ADDRESS,
  resolveAddressRequestShape,
  resolveAddressResponseShape,
  STREAM_RAFT_MESSAGE,
} from "./raft-shapes.ts";
import { MessageAssembler } from "./raft-stream.ts";

const EMPTY = new Uint8Array(0);

export interface RemoteApiSettings {
  readonly namespace: NetworkNamespace;
  readonly listenAddress: Ipv4Address;
  readonly port: number;
  readonly security: Security;
  readonly identify: Identify;
  /** Of this manager. */
  readonly identity: Identity;
}

export class RemoteApi {
  readonly #settings: RemoteApiSettings;
  readonly #clock: Clock;
  readonly #server: GrpcServer;
  readonly #health = new Health();
  #raft: ManagerRaft | undefined;

  constructor(settings: RemoteApiSettings) {
    const { namespace, listenAddress, port, security } = settings;
    this.#settings = settings;
    this.#clock = namespace.clock;
    this.#server = new GrpcServer({ namespace, address: listenAddress, port, security });
    this.#health.set("Raft", false);
    this.#serveRaft();
  }

  listen(): Errno | undefined {
    const problem = this.#server.listen();
    this.#health.set("Raft", problem === undefined);
    return problem;
  }

  get connectionCount(): number {
    return this.#server.connectionCount;
  }

  /** It is a member of raft. */
  begin(
    raft: ManagerRaft,
    changes: MembershipChanges,
    services: LeaderServices,
    leader: LeaderConnection,
    proxy: RaftProxy,
  ): void {
    this.#raft = raft;
    this.#serveLeaderMethods(services, proxy);
    for (const method of [JOIN, LEAVE])
      this.#server.unary(method, (request, call, answer) => {
        const { caller, metadata, timeoutNs } = this.#proxied(call);
        // Passed on like the others, but answered by raft itself, whoever else works.
        leader.locate((found) => {
          if (found.kind === "none") answer({ status: found.status });
          else if (found.kind === "there") found.channel.unary(method, request, timeoutNs, answer, { metadata });
          else this.#changeMembers(changes, method, request, caller, answer);
        });
      });
  }

  /** Every connection breaks. */
  close(): void {
    this.#server.close();
  }

  #serveRaft(): void {
    this.#server.unary(HEALTH_CHECK, (request, call, answer) => {
      const refused = this.#refuse(call, "manager");
      answer(refused === undefined ? this.#health.answer(request) : { status: refused });
    });
    this.#server.unary(PROCESS_RAFT_MESSAGE, (request, call, answer) => {
      const assembler = new MessageAssembler();
      assembler.take(request);
      this.#process(assembler, call, (problem) =>
        answer(problem === undefined ? { response: EMPTY } : { status: problem }),
      );
    });
    this.#server.stream(STREAM_RAFT_MESSAGE, (call) => {
      const assembler = new MessageAssembler();
      return {
        message: (bytes) => assembler.take(bytes),
        halfClosed: () =>
          this.#process(assembler, call, (problem) => {
            if (problem === undefined) call.send(EMPTY);
            call.end(problem ?? OK);
          }),
        cancelled() {},
      };
    });
    this.#server.unary(RESOLVE_ADDRESS, (request, call, answer) => answer(this.#resolve(request, call)));
  }

  #process(assembler: MessageAssembler, call: ServerCall, done: (problem: Status | undefined) => void): void {
    const message = assembler.finish();
    const refused = this.#refuse(call, "manager");
    if (refused !== undefined) done(refused);
    else if (message !== undefined && "code" in message) done(message);
    else if (this.#raft === undefined) done(undefined);
    else this.#raft.process(message, done);
  }

  #resolve(request: Uint8Array, call: ServerCall): Result {
    const refused = this.#refuse(call, "manager");
    if (refused !== undefined) return { status: refused };
    if (this.#raft === undefined) return { status: NO_RAFT_MEMBER };
    const raftId = resolveAddressRequestShape.parse(request)?.raftId ?? "";
    const member = this.#raft.membership.get(raftId);
    if (member === undefined) return { status: status("NotFound", `member ${raftId.replace(/^0+/, "")} not found`) };
    return { response: resolveAddressResponseShape.emit({ address: member.address }) };
  }

  #refuse(call: ServerCall, allowed: Allowed): Status | undefined {
    const { identify, identity } = this.#settings;
    return refuseCaller(callerOf(call, identify), allowed, identity.clusterId);
  }

  #serveLeaderMethods(services: LeaderServices, proxy: RaftProxy): void {
    for (const { method, kind } of services.methods) {
      if (kind === "unary")
        this.#server.unary(method, (request, call, answer) =>
          proxy.unary(method, request, this.#proxied(call), answer),
        );
      else
        this.#server.stream(method, (call) => {
          const how = this.#proxied(call);
          const { caller } = how;
          const incoming = {
            caller,
            send: (bytes: Uint8Array) => call.send(bytes),
            end: (how: Status) => call.end(how),
          };
          return proxy.stream(method, incoming, how);
        });
    }
  }

  #proxied(call: ServerCall): ProxiedCall {
    const caller = callerOf(call, this.#settings.identify);
    const timeoutNs = call.deadlineNs === undefined ? undefined : Math.max(0, call.deadlineNs - this.#clock.nowNs);
    const metadata = forwardMetadata(caller.identity, remoteAddress(call));
    return { caller, isTrusted: false, metadata, timeoutNs };
  }

  #changeMembers(
    changes: MembershipChanges,
    method: string,
    request: Uint8Array,
    caller: Caller,
    answer: (result: Result) => void,
  ): void {
    const refused = refuseCaller(caller, "manager", this.#settings.identity.clusterId);
    if (refused !== undefined) answer({ status: refused });
    else if (method === JOIN) changes.join(request, caller, answer);
    else changes.leave(request, answer);
  }
}
