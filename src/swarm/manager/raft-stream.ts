/** Raft's messages in gRPC calls (swarmkit raft/transport/peer.go and raft.go, StreamRaftMessage): a snapshot too large for one is cut in pieces. */
import type { InstallSnapshot, Message } from "../../raft/messages.ts";
import { emitRequest, parseRequest } from "../../raft/wire.ts";
import { type Status, status } from "../grpc/status.ts";

/** gRPC's limit for one message of raft. */
const MOST_BYTES = 4 * 1024 * 1024;

/** The answer to one who is no member any more. */
export const MEMBER_REMOVED: Status = status("NotFound", "raft: member was removed from the cluster");

/** The same message with a part of the snapshot's data each. */
export function splitSnapshot(message: InstallSnapshot): readonly InstallSnapshot[] {
  const { data } = message.snapshot;
  const headBytes = emitRequest({ ...message, snapshot: { ...message.snapshot, data: new Uint8Array(0) } }).length;
  if (headBytes + data.length <= MOST_BYTES) return [message];
  const partBytes = MOST_BYTES - headBytes - 32; // the lengths in front of the data, and some room
  const parts: InstallSnapshot[] = [];
  for (let at = 0; at < data.length; at += partBytes)
    parts.push({ ...message, snapshot: { ...message.snapshot, data: data.subarray(at, at + partBytes) } });
  return parts;
}

/** Puts the parts of one stream together. */
export class MessageAssembler {
  #message: Message | undefined;
  readonly #parts: Uint8Array[] = [];
  #problem: Status | undefined;
  /** A message came that no manager of ours would send; it counts as delivered and has no effect. */
  #isIgnored = false;

  take(bytes: Uint8Array): void {
    if (this.#problem !== undefined) return;
    const message = parseRequest(bytes);
    if (typeof message === "string") {
      this.#isIgnored = true;
      return;
    }
    if (this.#message === undefined) this.#message = message;
    else if (message.kind !== "snapshot")
      this.#problem = status("InvalidArgument", "Raft message chunk is not of type 7");
    if (message.kind === "snapshot") this.#parts.push(message.snapshot.data);
  }

  /** What has come together; undefined: nothing that has an effect. */
  finish(): Message | Status | undefined {
    if (this.#problem !== undefined) return this.#problem;
    const message = this.#isIgnored ? undefined : this.#message;
    if (message?.kind !== "snapshot" || this.#parts.length === 1) return message;
    const data = new Uint8Array(this.#parts.reduce((total, part) => total + part.length, 0));
    let at = 0;
    for (const part of this.#parts) {
      data.set(part, at);
      at += part.length;
    }
    return { ...message, snapshot: { ...message.snapshot, data } };
  }
}
