/** Names that users may give (swarmkit manager/controlapi/common.go). */
import type { Annotations } from "../api/parts.ts";
import { type Status, status } from "../grpc/status.ts";

// swarmkit writes (?:[-_]*[A-Za-z0-9]+)*: the same names, but a pattern that takes exponential time here.
const DNS_NAME = /^[a-zA-Z0-9]+(?:[-_]+[A-Za-z0-9]+)*$/;
const MOST_NAME = 63;
const FILE_NAME = /^[a-zA-Z0-9]+(?:[a-zA-Z0-9\-_.]*[a-zA-Z0-9])?$/;
const MOST_FILE_NAME = 64;

/** Of services and networks. */
export function refuseName({ name }: Annotations): Status | undefined {
  if (name === "") return status("InvalidArgument", "name must be provided");
  if (!DNS_NAME.test(name)) return status("InvalidArgument", "name must be valid as a DNS name component");
  if (name.length > MOST_NAME) return status("InvalidArgument", "name must be 63 characters or fewer");
  return undefined;
}

/** Of secrets and configs. */
export function refuseFileName({ name }: Annotations): Status | undefined {
  if (name === "") return status("InvalidArgument", "name must be provided");
  if (name.length > MOST_FILE_NAME || !FILE_NAME.test(name))
    return status(
      "InvalidArgument",
      "invalid name, only 64 [a-zA-Z0-9-_.] characters allowed, and the start and end character must be [a-zA-Z0-9]",
    );
  return undefined;
}
