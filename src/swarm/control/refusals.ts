/** Why the Control service does not do what it is asked for: gRPC statuses in swarmkit's words. */
import { type CodeName, type Status, status } from "../grpc/status.ts";
import type { CommitOutcome } from "../store/store.ts";

/** What a handler comes to. */
export type Answered<T> = { readonly response: T } | { readonly status: Status };

export const INVALID_ARGUMENT = status("InvalidArgument", "invalid argument");
/** The object has been written since the caller read it. */
export const OUT_OF_SEQUENCE = status("Unknown", "update out of sequence");

export function refuse(name: CodeName, message: string): { readonly status: Status } {
  return { status: status(name, message) };
}

export function notFound(kind: string, id: string): Status {
  return status("NotFound", `${kind} ${id} not found`);
}

/** Why a write was not agreed on. */
export function notCommitted(outcome: CommitOutcome): Status {
  switch (outcome) {
    case "too-large":
      return status("Unknown", "raft: raft message is too large and can't be sent");
    case "halted":
    case "stopped":
      return status("Unknown", "raft: node was stopped");
    default:
      return status("Unknown", "raft: failed to process the request: node lost leader status");
  }
}
