/** Who made a call, and whether it may (swarmkit ca/auth.go): by the certificate shown, or the one of whom a manager passed the call on for. */
import { formatIpv4, parseIpv4 } from "../../wire/address.ts";
import type { ServerCall } from "../grpc/server-call.ts";
import { type Status, status } from "../grpc/status.ts";
import { type Caller, forwardedAddress, forwardedIdentity, type Identity, isForwarded } from "./identity.ts";

/** How a certificate is read: the identity in it, if it is a valid one. */
export type Identify = (certificate: Uint8Array) => Identity | undefined;

/** Only a manager may speak for others. */
export function callerOf(call: ServerCall, identify: Identify): Caller {
  const direct = call.peerCertificate === undefined ? undefined : identify(call.peerCertificate);
  if (direct?.role !== "manager" || !isForwarded(call.metadata))
    return { identity: direct, address: call.peerAddress, forwardedBy: undefined };
  const [address = ""] = (forwardedAddress(call.metadata) ?? "").split(":");
  return {
    identity: forwardedIdentity(call.metadata),
    address: parseIpv4(address) ?? call.peerAddress,
    forwardedBy: direct,
  };
}

/** `address:port` of a call's other end. */
export function remoteAddress(call: ServerCall): string {
  return `${formatIpv4(call.peerAddress)}:${call.peerPort}`;
}

const UNAUTHORIZED =
  "Permission denied: unauthorized peer role: rpc error: code = PermissionDenied desc = Permission denied:";

/** Why the caller may not; undefined: it may. */
export function refuseCaller(
  { identity }: Caller,
  allowed: "manager" | "node" | "anybody",
  clusterId: string,
): Status | undefined {
  if (allowed === "anybody") return undefined;
  if (identity === undefined) return status("PermissionDenied", `${UNAUTHORIZED} no client certificates in request`);
  if (identity.clusterId !== clusterId)
    return status("PermissionDenied", `${UNAUTHORIZED} remote certificate not part of organization: ${clusterId}`);
  if (allowed === "manager" && identity.role !== "manager")
    return status("PermissionDenied", `${UNAUTHORIZED} remote certificate not authorized as [swarm-manager]`);
  return undefined;
}
