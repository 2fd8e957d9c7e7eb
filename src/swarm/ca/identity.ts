/**
 * Who a node is to the others: what its certificate says (swarmkit ca/certificates.go: CN = node id, OU = role, O = cluster id). The certificate comes
 * with the connection. A manager that passes a call on to the leader adds in metadata what the first caller's says, as swarmkit's raft
 * proxy does (ca/forward.go).
 */
import type { Ipv4Address } from "../../wire/address.ts";
import type { NodeRole } from "../api/specs.ts";

export interface Identity {
  readonly nodeId: string;
  readonly role: NodeRole;
  readonly clusterId: string;
}

/** Who made a call: the first one, if it was passed on. */
export interface Caller {
  /** Undefined: nobody whose certificate we know, as a node that is about to join. */
  readonly identity: Identity | undefined;
  readonly address: Ipv4Address;
  /** The manager that passed the call on. */
  readonly forwardedBy: Identity | undefined;
}

const FORWARDED = { nodeId: "forwarded_cert_cn", role: "forwarded_cert_ou", clusterId: "forwarded_cert_org" } as const;
const FORWARDED_MARK = "forwarded_cert";
const FORWARDED_ADDRESS = "remote_addr";

const UNITS: Readonly<Record<NodeRole, string>> = { worker: "swarm-worker", manager: "swarm-manager" };

/** The organizational unit of a role's certificates. */
export function unitOf(role: NodeRole): string {
  return UNITS[role];
}

/** Undefined: no role's. */
export function roleOf(unit: string): NodeRole | undefined {
  return unit === UNITS.manager ? "manager" : unit === UNITS.worker ? "worker" : undefined;
}

/** Metadata to add to a call that is passed on for `caller`, whose address is given as text with its port. */
export function forwardMetadata(identity: Identity | undefined, address: string): ReadonlyMap<string, string> {
  const metadata = new Map([
    [FORWARDED_MARK, "true"],
    [FORWARDED_ADDRESS, address],
  ]);
  if (identity === undefined) return metadata;
  metadata.set(FORWARDED.nodeId, identity.nodeId);
  metadata.set(FORWARDED.role, unitOf(identity.role));
  metadata.set(FORWARDED.clusterId, identity.clusterId);
  return metadata;
}

export function isForwarded(metadata: ReadonlyMap<string, string>): boolean {
  return metadata.get(FORWARDED_MARK) === "true";
}

export function forwardedIdentity(metadata: ReadonlyMap<string, string>): Identity | undefined {
  const nodeId = metadata.get(FORWARDED.nodeId);
  const role = roleOf(metadata.get(FORWARDED.role) ?? "");
  const clusterId = metadata.get(FORWARDED.clusterId);
  return nodeId === undefined || role === undefined || clusterId === undefined
    ? undefined
    : { nodeId, role, clusterId };
}

/** `address:port` of the first caller. */
export function forwardedAddress(metadata: ReadonlyMap<string, string>): string | undefined {
  return metadata.get(FORWARDED_ADDRESS);
}
